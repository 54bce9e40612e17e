"""conv2d in readable NumPy, forward and backward: what every twin is compared with.

Each kernel tap is one strided slice of the padded input times one matrix: no cleverness to be wrong about.
"""

import numpy as np

from impls.kernels.conv2d.cases import Case


def forward(x: np.ndarray, weight: np.ndarray, case: Case) -> np.ndarray:
    """Input (N, H, W, C), canonical weight -> output (N, H', W', C')."""
    if case.transposed:  # the gradient of a convolution by its input
        return _input_gradient(x, weight, (case.batch_size, *case.output_size, case.out_channels), case)
    return _correlate(x, weight, case)


def backward(x: np.ndarray, weight: np.ndarray, cotangent: np.ndarray, case: Case) -> tuple[np.ndarray, np.ndarray]:
    """Input, canonical weight, gradient by the output -> gradient by input, gradient by weight (canonical)."""
    if case.transposed:
        return _correlate(cotangent, weight, case), _weight_gradient(cotangent, x, weight.shape, case)
    return _input_gradient(cotangent, weight, x.shape, case), _weight_gradient(x, cotangent, weight.shape, case)


def _correlate(x: np.ndarray, weight: np.ndarray, case: Case) -> np.ndarray:
    padded = _pad(x, case)
    height, width = (case.image_size, case.image_size) if case.transposed else case.output_size
    output = np.zeros((x.shape[0], height, width, weight.shape[0]), x.dtype)
    for group_in, group_out in _groups(case, x.shape[-1], weight.shape[0]):
        for row, column in np.ndindex(*case.kernel_size):
            tap = weight[group_out, :, row, column]
            output[..., group_out] += _window(padded, row, column, height, width, case)[..., group_in] @ tap.T
    return output


def _input_gradient(cotangent: np.ndarray, weight: np.ndarray, shape: tuple[int, ...], case: Case) -> np.ndarray:
    padded = _pad(np.zeros(shape, cotangent.dtype), case)
    _, height, width, _ = cotangent.shape
    for group_in, group_out in _groups(case, shape[-1], weight.shape[0]):
        for row, column in np.ndindex(*case.kernel_size):
            tap = weight[group_out, :, row, column]
            _window(padded, row, column, height, width, case)[..., group_in] += cotangent[..., group_out] @ tap
    rows, columns = case.padding
    return padded[:, rows : rows + shape[1], columns : columns + shape[2]]


def _weight_gradient(x: np.ndarray, cotangent: np.ndarray, shape: tuple[int, ...], case: Case) -> np.ndarray:
    padded = _pad(x, case)
    _, height, width, _ = cotangent.shape
    gradient = np.zeros(shape, x.dtype)
    for group_in, group_out in _groups(case, x.shape[-1], shape[0]):
        for row, column in np.ndindex(*case.kernel_size):
            window = _window(padded, row, column, height, width, case)[..., group_in]
            gradient[group_out, :, row, column] = np.tensordot(cotangent[..., group_out], window, ((0, 1, 2),) * 2)
    return gradient


def _pad(x: np.ndarray, case: Case) -> np.ndarray:
    rows, columns = case.padding
    return np.pad(x, ((0, 0), (rows, rows), (columns, columns), (0, 0)))


def _window(padded: np.ndarray, row: int, column: int, height: int, width: int, case: Case) -> np.ndarray:
    """The input pixels that one kernel tap meets, a view of (N, height, width, C)."""
    top, left = row * case.dilation, column * case.dilation
    bottom, right = top + case.stride * (height - 1) + 1, left + case.stride * (width - 1) + 1
    return padded[:, top : bottom : case.stride, left : right : case.stride]


def _groups(case: Case, channels_in: int, channels_out: int) -> list[tuple[slice, slice]]:
    step_in, step_out = channels_in // case.groups, channels_out // case.groups
    return [
        (slice(g * step_in, (g + 1) * step_in), slice(g * step_out, (g + 1) * step_out)) for g in range(case.groups)
    ]
