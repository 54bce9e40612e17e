"""Activations in PyTorch; none in place, for each has to leave its input for the next run."""

import torch
from torch.nn import functional as F

from impls.kernels.activation.cases import SLOPE, Case


def compute(case: Case, x: torch.Tensor) -> torch.Tensor:
    """Input -> output."""
    return FUNCTIONS[case.name](x)


def _hard_sigmoid(x: torch.Tensor) -> torch.Tensor:
    """From 0 at -3 to 1 at 3, constant outside."""
    if x.dtype == torch.float64:  # PyTorch's kernels have 1/6 in single precision only: wrong from the 8th digit on
        return F.relu6(x + 3) / 6
    return F.hardsigmoid(x)


def _hard_swish(x: torch.Tensor) -> torch.Tensor:
    """x relu6(x + 3) / 6."""
    return x * _hard_sigmoid(x) if x.dtype == torch.float64 else F.hardswish(x)


def _leaky_relu(x: torch.Tensor) -> torch.Tensor:
    """ReLU with a slope below 0."""
    return F.leaky_relu(x, SLOPE)


def _softmax(x: torch.Tensor) -> torch.Tensor:
    """Over the channels."""
    return F.softmax(x, dim=1)


FUNCTIONS = {
    "sigmoid": torch.sigmoid,
    "relu": F.relu,
    "tanh": torch.tanh,
    "leaky_relu": _leaky_relu,
    "relu6": F.relu6,
    "hard_sigmoid": _hard_sigmoid,
    "hard_swish": _hard_swish,
    "silu": F.silu,
    "softmax": _softmax,
}
