"""Batch norm in readable NumPy. Input (N, H, W, C), weights (C,)."""

import numpy as np

from impls.kernels.batch_norm.cases import Case

AXES = (0, 1, 2)  # what the statistics are taken over


def forward(case: Case, x: np.ndarray, weight: np.ndarray, bias: np.ndarray, *statistics: np.ndarray) -> np.ndarray:
    """Input, scale, shift and, in evaluation mode, running mean and variance -> output."""
    normalised, _ = _normalise(case, x, *statistics)
    return normalised * weight + bias


def backward(case: Case, x: np.ndarray, weight: np.ndarray, *others: np.ndarray) -> tuple[np.ndarray | None, ...]:
    """As forward, and then the gradient by the output -> gradients by input, scale and shift; None by statistics."""
    _, *statistics, cotangent = others
    normalised, deviation = _normalise(case, x, *statistics)
    by_weight, by_bias = np.sum(cotangent * normalised, AXES), np.sum(cotangent, AXES)
    if case.training:  # the mean and the variance take away what would only move them
        pixels = cotangent[..., 0].size
        cotangent = cotangent - (by_bias + normalised * by_weight) / pixels
    return cotangent * weight / deviation, by_weight, by_bias, *(None for _ in statistics)


def _normalise(case: Case, x: np.ndarray, *statistics: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The input of mean 0 and variance 1, and the deviations that it was divided by."""
    mean, variance = (x.mean(AXES), x.var(AXES)) if case.training else statistics
    deviation = np.sqrt(variance + case.epsilon)
    return (x - mean) / deviation, deviation
