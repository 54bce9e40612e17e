"""Convolution in readable NumPy: a sum over the kernel's taps. Input (N, *spatial, C), weight canonical.

A transposed convolution is the gradient of a convolution by its input, and its gradients are that one's own.
"""

from collections.abc import Iterator

import numpy as np

from impls.kernels.convolution.cases import Case


def forward(case: Case, x: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Input, weight -> output (N, *spatial, out_channels)."""
    if case.transposed:
        return _scatter(case, x, weight, (*case.output[:-1], case.out_channels))
    return _gather(case, x, weight, case.output)


def backward(case: Case, x: np.ndarray, weight: np.ndarray, cotangent: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Input, weight, gradient by the output -> gradient by the input, gradient by the weight."""
    if case.transposed:
        return _gather(case, cotangent, weight, x.shape), _by_weight(case, cotangent, x, weight.shape)
    return _scatter(case, cotangent, weight, x.shape), _by_weight(case, x, cotangent, weight.shape)


def _gather(case: Case, x: np.ndarray, weight: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Each output pixel is the sum of the pixels that the kernel's taps meet."""
    padded, output = _pad(case, x), np.zeros(shape, x.dtype)
    for tap, window in _windows(case, padded, shape):
        for group_in, group_out in _groups(case, x.shape[-1], shape[-1]):
            output[..., group_out] += window[..., group_in] @ _tap(weight, group_out, tap).T
    return output


def _scatter(case: Case, cotangent: np.ndarray, weight: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Each pixel goes back to where the kernel's taps took it from."""
    padded = _pad(case, np.zeros(shape, cotangent.dtype))
    for tap, window in _windows(case, padded, cotangent.shape):
        for group_in, group_out in _groups(case, shape[-1], cotangent.shape[-1]):
            window[..., group_in] += cotangent[..., group_out] @ _tap(weight, group_out, tap)
    inner = (slice(p, p + size) for p, size in zip(case.padding, shape[1:-1], strict=True))
    return padded[:, *inner]


def _by_weight(case: Case, x: np.ndarray, cotangent: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Each tap's gradient is the sum over the pixels that it met."""
    gradient = np.zeros(shape, x.dtype)
    axes = tuple(range(x.ndim - 1))
    for tap, window in _windows(case, _pad(case, x), cotangent.shape):
        for group_in, group_out in _groups(case, x.shape[-1], shape[0]):
            product = np.tensordot(cotangent[..., group_out], window[..., group_in], (axes, axes))
            gradient[_at(group_out, tap)] = product
    return gradient


def _at(group_out: slice, tap: tuple[int, ...]) -> tuple[int | slice, ...]:
    """Where a weight has one tap of a group: output channels, input channels, the tap."""
    return (group_out, slice(None), *tap)


def _tap(weight: np.ndarray, group_out: slice, tap: tuple[int, ...]) -> np.ndarray:
    """One tap of a group: (output channels, input channels), copied, for NumPy multiplies views of a weight without
    BLAS, many times slower."""
    return np.ascontiguousarray(weight[_at(group_out, tap)])


def _pad(case: Case, x: np.ndarray) -> np.ndarray:
    return np.pad(x, ((0, 0), *((p, p) for p in case.padding), (0, 0)))


def _windows(case: Case, padded: np.ndarray, shape: tuple[int, ...]) -> Iterator[tuple[tuple[int, ...], np.ndarray]]:
    """Each tap, and the pixels that it meets: a view of (N, *spatial of shape, C)."""
    for tap in np.ndindex(*case.kernel_size):
        view = []
        for offset, stride, size in zip(tap, case.stride, shape[1:-1], strict=True):
            first = offset * case.dilation
            view.append(slice(first, first + stride * (size - 1) + 1, stride))
        yield tap, padded[:, *view]


def _groups(case: Case, channels_in: int, channels_out: int) -> list[tuple[slice, slice]]:
    step_in, step_out = channels_in // case.groups, channels_out // case.groups
    return [
        (slice(g * step_in, (g + 1) * step_in), slice(g * step_out, (g + 1) * step_out)) for g in range(case.groups)
    ]
