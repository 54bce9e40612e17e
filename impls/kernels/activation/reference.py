"""Activations in readable NumPy: each function and its derivative. Input (N, *spatial, C)."""

from collections.abc import Callable

import numpy as np

from impls.kernels.activation.cases import SLOPE, Case

Function = Callable[[np.ndarray], np.ndarray]


def sigmoid(x: np.ndarray) -> np.ndarray:
    """From 0 to 1."""
    return 1 / (1 + np.exp(-x))


def hard_sigmoid(x: np.ndarray) -> np.ndarray:
    """From 0 at -3 to 1 at 3, constant outside."""
    return np.clip(x + 3, 0, 6) / 6


def softmax(x: np.ndarray) -> np.ndarray:
    """Positive values in proportion to exp(x), whose sum over the channels is 1."""
    powers = np.exp(x - x.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)


FUNCTIONS: dict[str, Function] = {
    "sigmoid": sigmoid,
    "relu": lambda x: np.maximum(x, 0),
    "tanh": np.tanh,  # (exp(2 x) - 1) / (exp(2 x) + 1)
    "leaky_relu": lambda x: np.where(x > 0, x, SLOPE * x),
    "relu6": lambda x: np.clip(x, 0, 6),
    "hard_sigmoid": hard_sigmoid,
    "hard_swish": lambda x: x * hard_sigmoid(x),
    "silu": lambda x: x * sigmoid(x),
    "softmax": softmax,
}

DERIVATIVES: dict[str, Function] = {  # a softmax has none value by value
    "sigmoid": lambda x: sigmoid(x) * (1 - sigmoid(x)),
    "relu": lambda x: x > 0,
    "tanh": lambda x: 1 - np.tanh(x) ** 2,
    "leaky_relu": lambda x: np.where(x > 0, 1, SLOPE),
    "relu6": lambda x: (x > 0) & (x < 6),
    "hard_sigmoid": lambda x: (np.abs(x) < 3) / 6,
    "hard_swish": lambda x: hard_sigmoid(x) + x * (np.abs(x) < 3) / 6,
    "silu": lambda x: sigmoid(x) * (1 + x * (1 - sigmoid(x))),
}


def forward(case: Case, x: np.ndarray) -> np.ndarray:
    """Input -> output."""
    return FUNCTIONS[case.name](x)


def backward(case: Case, x: np.ndarray, cotangent: np.ndarray) -> tuple[np.ndarray]:
    """Input, gradient by the output -> gradient by the input."""
    if case.name != "softmax":
        return (cotangent * DERIVATIVES[case.name](x),)
    output = softmax(x)
    return (output * (cotangent - np.sum(output * cotangent, axis=-1, keepdims=True)),)
