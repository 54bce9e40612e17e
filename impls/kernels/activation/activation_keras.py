"""Activations in Keras, on any backend."""

from typing import Any

import keras
from keras import ops

from impls.kernels.activation.cases import SLOPE, Case


def compute(case: Case, x: Any) -> Any:
    """Input -> output."""
    return FUNCTIONS[case.name](x)


def _hard_sigmoid(x: Any) -> Any:
    """From 0 at -3 to 1 at 3, constant outside."""
    if _is_float64(x):  # PyTorch's kernels have 1/6 in single precision only: wrong from the 8th digit on
        return ops.relu6(x + 3) / 6
    return ops.hard_sigmoid(x)


def _hard_swish(x: Any) -> Any:
    """x relu6(x + 3) / 6."""
    return x * _hard_sigmoid(x) if _is_float64(x) else ops.hard_silu(x)


def _leaky_relu(x: Any) -> Any:
    """ReLU with a slope below 0."""
    return ops.leaky_relu(x, SLOPE)


def _is_float64(x: Any) -> bool:
    return keras.backend.standardize_dtype(x.dtype) == "float64"


FUNCTIONS = {
    "sigmoid": ops.sigmoid,
    "relu": ops.relu,
    "tanh": ops.tanh,
    "leaky_relu": _leaky_relu,
    "relu6": ops.relu6,
    "hard_sigmoid": _hard_sigmoid,
    "hard_swish": _hard_swish,
    "silu": ops.silu,
    "softmax": ops.softmax,  # over the last axis: (N, C) on every backend
}
