"""The dense layer in readable NumPy. Input (N, in), weight (out, in)."""

import numpy as np

from impls.kernels.dense.cases import Case


def forward(case: Case, x: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Input, weight -> output (N, out)."""
    return x @ weight.T


def backward(case: Case, x: np.ndarray, weight: np.ndarray, cotangent: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Input, weight, gradient by the output -> gradient by the input, gradient by the weight."""
    return cotangent @ weight, cotangent.T @ x
