"""The dense layer in TensorFlow."""

import tensorflow as tf

from impls.kernels.dense.cases import Case


def compute(case: Case, x: tf.Tensor, weight: tf.Tensor) -> tf.Tensor:
    """Input, weight (in, out) -> output."""
    return tf.linalg.matmul(x, weight)
