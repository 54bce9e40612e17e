"""Joins in readable NumPy. Two inputs (N, H, W, C)."""

import numpy as np

from impls.kernels.join.cases import Case


def forward(case: Case, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Two inputs -> output (N, H, W, C) or (N, H, W, 2 C)."""
    return x + y if case.kind == "add" else np.concatenate((x, y), axis=-1)


def backward(case: Case, x: np.ndarray, y: np.ndarray, cotangent: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Two inputs, gradient by the output -> gradient by each input."""
    if case.kind == "add":
        return cotangent, cotangent
    return cotangent[..., : case.channels], cotangent[..., case.channels :]
