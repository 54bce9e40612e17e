"""Activations in TensorFlow."""

import tensorflow as tf

from impls.kernels.activation.cases import SLOPE, Case


def compute(case: Case, x: tf.Tensor) -> tf.Tensor:
    """Input -> output."""
    return FUNCTIONS[case.name](x)


def _hard_sigmoid(x: tf.Tensor) -> tf.Tensor:
    """From 0 at -3 to 1 at 3, constant outside, which TensorFlow has no operation for."""
    return tf.nn.relu6(x + 3) / 6


def _hard_swish(x: tf.Tensor) -> tf.Tensor:
    """x relu6(x + 3) / 6, which TensorFlow has no operation for."""
    return x * _hard_sigmoid(x)


def _leaky_relu(x: tf.Tensor) -> tf.Tensor:
    """ReLU with a slope below 0."""
    return tf.nn.leaky_relu(x, SLOPE)


FUNCTIONS = {
    "sigmoid": tf.nn.sigmoid,
    "relu": tf.nn.relu,
    "tanh": tf.nn.tanh,
    "leaky_relu": _leaky_relu,
    "relu6": tf.nn.relu6,
    "hard_sigmoid": _hard_sigmoid,
    "hard_swish": _hard_swish,
    "silu": tf.nn.silu,
    "softmax": tf.nn.softmax,
}
