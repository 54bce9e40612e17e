"""Convolution in Keras, on any backend."""

from typing import Any

from keras import ops

from impls.frameworks.layers_keras import pad
from impls.kernels.convolution.cases import Case


def compute(case: Case, x: Any, weight: Any) -> Any:
    """Input, weight -> output."""
    if case.transposed:
        return ops.conv_transpose(x, weight, case.stride, "same" if any(case.padding) else "valid")
    # "same" would put the odd pixel on the other side at stride 2.
    padding = "same" if case.same_size else "valid"
    if padding == "valid" and any(case.padding):
        x = pad(x, case.padding)
    stride = case.stride[0] if len(set(case.stride)) == 1 else case.stride
    if case.depthwise:
        return ops.depthwise_conv(x, weight, stride, padding, dilation_rate=case.dilation)
    return ops.conv(x, weight, stride, padding, dilation_rate=case.dilation)
