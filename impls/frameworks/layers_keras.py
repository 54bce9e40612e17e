"""The blocks that the Keras twins share, so that each model states only its own structure."""

from importlib import import_module
from math import prod
from typing import Any

import keras
from keras import KerasTensor, layers, ops

from impls.models import BATCH_NORM, BatchNorm

Size = int | tuple[int, int]

backend = import_module(f"impls.frameworks.keras_on_{keras.backend.backend()}")


def channel_axis() -> int:
    """Where the channels stand in the backend's own layout."""
    return 1 if keras.config.image_data_format() == "channels_first" else -1


def layer_name(name: str) -> str:
    """A canonical name as Keras allows it (its PyTorch backend refuses dots)."""
    return name.replace(".", "_")


class BatchNormalization(layers.BatchNormalization):
    """Keras' layer, but the running variance takes the unbiased batch variance.

    Keras assigns m v + (1 - m) s with the biased s. Wanted is m v + c (1 - m) s with c = n / (n - 1), which is
    c (m (v / c) + (1 - m) s): a product before and one after, of a vector, and nothing on the activations.
    """

    def call(self, inputs: Any, training: bool | None = None, mask: Any = None) -> Any:
        if not training:
            return super().call(inputs, training=training, mask=mask)
        shape = ops.shape(inputs)
        count = prod(shape[axis] for axis in self._reduction_axes)
        if not isinstance(count, int):  # sizes that a graph does not know
            count = ops.cast(count, self.moving_variance.dtype)
        correction = count / (count - 1)
        backend.scale(self.moving_variance, 1 / correction)
        outputs = super().call(inputs, training=training, mask=mask)
        backend.scale(self.moving_variance, correction)
        return outputs


def pad(x: Any, padding: tuple[int, ...], value: float = 0.0) -> Any:
    """A value on both sides of each dimension of space."""
    pads = [(p, p) for p in padding]
    widths = [(0, 0), (0, 0), *pads] if channel_axis() == 1 else [(0, 0), *pads, (0, 0)]
    return ops.pad(x, widths, constant_values=value)


def image_input(channels: int = 3) -> KerasTensor:
    """Images of any size, in the backend's own layout."""
    return keras.Input((channels, None, None) if channel_axis() == 1 else (None, None, channels))


def conv_norm(
    x: KerasTensor,
    name: str,
    out_channels: int,
    kernel_size: Size = 1,
    stride: int = 1,
    groups: int = 1,
    padding: int | None = None,
    norm: BatchNorm = BATCH_NORM,
) -> KerasTensor:
    """Convolution without bias, then batch norm; padded kernel_size // 2 on every side unless stated."""
    size = (kernel_size, kernel_size) if isinstance(kernel_size, int) else kernel_size
    same = stride == 1 and padding is None
    if not same and size != (1, 1) and padding != 0:  # "same" would put the odd pixel on the other side
        x = layers.ZeroPadding2D((size[0] // 2, size[1] // 2) if padding is None else padding)(x)
    options = {
        "strides": stride,
        "padding": "same" if same else "valid",
        "use_bias": False,
        "name": layer_name(f"{name}.conv"),
    }
    if groups == x.shape[channel_axis()] > 1:
        x = layers.DepthwiseConv2D(kernel_size, depthwise_initializer="zeros", **options)(x)
    else:
        x = layers.Conv2D(out_channels, kernel_size, groups=groups, kernel_initializer="zeros", **options)(x)
    return BatchNormalization(
        axis=channel_axis(), epsilon=norm.epsilon, momentum=1 - norm.update, name=layer_name(f"{name}.norm")
    )(x)


def conv(x: KerasTensor, name: str, out_channels: int, kernel_size: int = 1) -> KerasTensor:
    """Convolution with bias, padded kernel_size // 2 on every side."""
    return layers.Conv2D(
        out_channels, kernel_size, padding="same", kernel_initializer="zeros", name=layer_name(f"{name}.conv")
    )(x)


def transposed_conv(x: KerasTensor, name: str, out_channels: int) -> KerasTensor:
    """Transposed 2x2 convolution at stride 2 with bias: twice the height and width."""
    return Conv2DTranspose(out_channels, 2, strides=2, kernel_initializer="zeros", name=layer_name(f"{name}.conv"))(x)


def dense(x: KerasTensor, name: str, out_channels: int) -> KerasTensor:
    """(N, in) -> (N, out)."""
    return layers.Dense(out_channels, kernel_initializer="zeros", name=layer_name(name))(x)


def max_pool(x: KerasTensor, kernel_size: int = 3, stride: int = 2, padding: int = 1) -> KerasTensor:
    """Maximum; with padding only of what a ReLU has left."""
    # Zeros instead of minus infinity: behind a ReLU no maximum changes.
    x = layers.ZeroPadding2D(padding)(x) if padding else x
    return layers.MaxPooling2D(kernel_size, strides=stride)(x)


def average_pool(x: KerasTensor) -> KerasTensor:
    """Mean of 3x3 at stride 1, of the pixels that are there."""
    return layers.AveragePooling2D(3, strides=1, padding="same")(x)


def global_average_pool(x: KerasTensor) -> KerasTensor:
    """Mean over height and width."""
    return layers.GlobalAveragePooling2D()(x)


def upsample(x: KerasTensor) -> KerasTensor:
    """Twice the height and width, each pixel repeated."""
    return layers.UpSampling2D(2)(x)


class Conv2DTranspose(layers.Conv2DTranspose):
    """Keras' layer for kernels as large as their stride; on JAX a matrix product, for no two of its pixels overlap.

    XLA on a CPU runs the gradient of JAX's own transposed convolution, by the kernel, some 30 times as slowly.
    """

    def call(self, inputs: Any) -> Any:
        if keras.backend.backend() != "jax":
            return super().call(inputs)
        (rows, columns), (batch_size, height, width, in_channels) = self.kernel_size, ops.shape(inputs)
        matrix = ops.reshape(ops.transpose(self.kernel, (3, 0, 1, 2)), (in_channels, rows * columns * self.filters))
        pixels = ops.matmul(ops.reshape(inputs, (-1, in_channels)), matrix)
        pixels = ops.reshape(pixels, (batch_size, height, width, rows, columns, self.filters))
        pixels = ops.transpose(pixels, (0, 1, 3, 2, 4, 5))
        return ops.reshape(pixels, (batch_size, rows * height, columns * width, self.filters)) + self.bias
