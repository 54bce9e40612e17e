"""Pooling in Keras, on any backend."""

from typing import Any

from keras import ops

from impls.frameworks.layers_keras import channel_axis, pad
from impls.kernels.pooling.cases import Case


def compute(case: Case, x: Any) -> Any:
    """Input -> output."""
    if case.kind == "global_average":
        return ops.mean(x, axis=(2, 3) if channel_axis() == 1 else (1, 2))
    # "same" would put the odd pixel on the other side at stride 2; at stride 1 it means the same.
    padding = "same" if case.same_size else "valid"
    if case.kind == "average":
        return ops.average_pool(x, case.kernel_size, case.stride, padding)
    if padding == "valid" and case.padding:
        x = pad(x, (case.padding,) * 2, float("-inf"))
    return ops.max_pool(x, case.kernel_size, case.stride, padding)
