"""Pooling in readable NumPy: over the window's taps. Input (N, H, W, C)."""

from collections.abc import Iterator

import numpy as np

from impls.kernels.pooling.cases import Case


def forward(case: Case, x: np.ndarray) -> np.ndarray:
    """Input -> output (N, height, width, C), or (N, C) of a global average."""
    if case.kind == "global_average":
        return x.mean(axis=(1, 2))
    if case.kind == "average":
        return _sum(case, x) / _pixels(case)
    output = np.full(case.output, -np.inf, x.dtype)
    for window in _windows(case, _pad(case, x, -np.inf)):
        np.maximum(output, window, out=output)
    return output


def backward(case: Case, x: np.ndarray, cotangent: np.ndarray) -> tuple[np.ndarray]:
    """Input, gradient by the output -> gradient by the input. No two pixels of a window may be the same maximum."""
    if case.kind == "global_average":
        share = cotangent[:, np.newaxis, np.newaxis] / case.image_size**2
        return (np.broadcast_to(share, x.shape),)
    padded = _pad(case, x, -np.inf)
    gradient = np.zeros_like(padded)
    if case.kind == "average":
        for window in _windows(case, gradient):
            window += cotangent / _pixels(case)
    else:
        output = forward(case, x)
        for pixels, window in zip(_windows(case, padded), _windows(case, gradient), strict=True):
            window += cotangent * (pixels == output)
    inner = slice(case.padding, case.padding + case.image_size)
    return (gradient[:, inner, inner],)


def _sum(case: Case, x: np.ndarray) -> np.ndarray:
    return sum(_windows(case, _pad(case, x, 0)), np.zeros(()))


def _pixels(case: Case) -> np.ndarray:
    """How many pixels that are there each window has."""
    return _sum(case, np.ones((1, case.image_size, case.image_size, 1)))


def _pad(case: Case, x: np.ndarray, value: float) -> np.ndarray:
    sides = (case.padding, case.padding)
    return np.pad(x, ((0, 0), sides, sides, (0, 0)), constant_values=value)


def _windows(case: Case, padded: np.ndarray) -> Iterator[np.ndarray]:
    """For each tap the pixels that it meets: a view of (N, height, width, C)."""
    reach = case.stride * (case.output_size - 1) + 1
    for row, column in np.ndindex(case.kernel_size, case.kernel_size):
        yield padded[:, row : row + reach : case.stride, column : column + reach : case.stride]
