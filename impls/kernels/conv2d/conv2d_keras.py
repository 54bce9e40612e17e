"""conv2d in Keras, on any backend. The cases stand in cases.py."""

import keras
from keras import layers

from impls.frameworks.layers_keras import channel_axis
from impls.kernels.conv2d.cases import Case


def convolution(case: Case, padding: str) -> keras.Layer:
    """The layer without explicit padding."""
    options = {"strides": case.stride, "padding": padding, "use_bias": False, "name": "conv"}
    if case.transposed:
        return layers.Conv2DTranspose(case.out_channels, case.kernel_size, kernel_initializer="zeros", **options)
    options["dilation_rate"] = case.dilation
    if case.depthwise:
        return layers.DepthwiseConv2D(case.kernel_size, depthwise_initializer="zeros", **options)
    return layers.Conv2D(case.out_channels, case.kernel_size, groups=case.groups, kernel_initializer="zeros", **options)


def input_shape(case: Case) -> tuple[int, ...]:
    """Shape of the input in the backend's own layout."""
    size = (case.image_size, case.image_size)
    return (
        (case.batch_size, case.in_channels, *size)
        if channel_axis() == 1
        else (case.batch_size, *size, case.in_channels)
    )


def build(case: Case) -> keras.Layer:
    """The convolution, without bias, its weight zero; behind explicit padding where "same" would mean another."""
    same_size = case.stride == 1 and case.output_size == (case.image_size, case.image_size)
    if case.padding == (0, 0) or same_size:
        module = convolution(case, "same" if same_size else "valid")
    else:
        module = keras.Sequential([layers.ZeroPadding2D(case.padding), convolution(case, "valid")])
    module.build(input_shape(case))
    return module
