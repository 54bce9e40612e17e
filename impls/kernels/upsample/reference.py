"""Upsampling in readable NumPy: a matrix for the rows and the same for the columns. Input (N, H, W, C)."""

import numpy as np

from impls.kernels.upsample.cases import Case


def forward(case: Case, x: np.ndarray) -> np.ndarray:
    """Input -> output (N, factor H, factor W, C)."""
    shares = _shares(case)
    return np.einsum("yh,xw,nhwc->nyxc", shares, shares, x, optimize=True)


def backward(case: Case, x: np.ndarray, cotangent: np.ndarray) -> tuple[np.ndarray]:
    """Input, gradient by the output -> gradient by the input."""
    shares = _shares(case)
    return (np.einsum("yh,xw,nyxc->nhwc", shares, shares, cotangent, optimize=True),)


def _shares(case: Case) -> np.ndarray:
    """How much of each pixel of a side there is in each pixel of a side of the output: (output, input)."""
    rows, last = np.arange(case.output_size), case.image_size - 1
    shares = np.zeros((case.output_size, case.image_size))
    if case.kind == "nearest":
        shares[rows, rows // case.factor] = 1
        return shares
    # A pixel's centre is half a pixel from its edge, in the output as in the input.
    place = np.clip((rows + 0.5) / case.factor - 0.5, 0, last)
    lower = np.floor(place).astype(int)
    shares[rows, lower] = 1 - (place - lower)
    shares[rows, np.minimum(lower + 1, last)] += place - lower
    return shares
