"""The blocks that the Keras twins share, so that each model states only its own structure."""

from typing import Any

import keras
from keras import KerasTensor, layers, ops

from impls.models import BATCH_NORM


def channel_axis() -> int:
    """Where the channels stand in the backend's own layout."""
    return 1 if keras.config.image_data_format() == "channels_first" else -1


def layer_name(name: str) -> str:
    """A canonical name as Keras allows it (its PyTorch backend refuses dots)."""
    return name.replace(".", "_")


class BatchNormalization(layers.BatchNormalization):
    """Keras' layer, but the running variance takes the unbiased batch variance.

    Keras assigns v' = m v + (1 - m) s with the biased s. Wanted is m v + c (1 - m) s with c = n / (n - 1), which is
    c v' + (1 - c) m v: a few operations on vectors, nothing on the activations.
    """

    def call(self, inputs: Any, training: bool | None = None, mask: Any = None) -> Any:
        if not training:
            return super().call(inputs, training=training, mask=mask)
        before = ops.copy(self.moving_variance)  # the assignment may happen in place
        outputs = super().call(inputs, training=training, mask=mask)
        shape = ops.shape(inputs)
        count = 1
        for axis in self._reduction_axes:
            count = count * shape[axis]
        count = ops.cast(count, self.moving_variance.dtype)
        correction = count / (count - 1)
        self.moving_variance.assign(
            correction * self.moving_variance + (1 - correction) * self.momentum * before,
        )
        return outputs


def image_input(channels: int = 3) -> KerasTensor:
    """Images of any size, in the backend's own layout."""
    return keras.Input((channels, None, None) if channel_axis() == 1 else (None, None, channels))


def conv_norm(
    x: KerasTensor, name: str, out_channels: int, kernel_size: int = 1, stride: int = 1, groups: int = 1
) -> KerasTensor:
    """Convolution without bias, padded kernel_size // 2 on every side, then batch norm."""
    same = stride == 1
    if not same:  # "same" would put the odd pixel on the other side
        x = layers.ZeroPadding2D(kernel_size // 2)(x) if kernel_size > 1 else x
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
        axis=channel_axis(),
        epsilon=BATCH_NORM.epsilon,
        momentum=1 - BATCH_NORM.update,
        name=layer_name(f"{name}.norm"),
    )(x)


def dense(x: KerasTensor, name: str, out_channels: int) -> KerasTensor:
    """(N, in) -> (N, out)."""
    return layers.Dense(out_channels, kernel_initializer="zeros", name=layer_name(name))(x)


def max_pool(x: KerasTensor) -> KerasTensor:
    """3x3 maximum at stride 2, padded by 1."""
    # Zeros instead of minus infinity: the twins pool what a ReLU has left, so no maximum changes.
    return layers.MaxPooling2D(3, strides=2)(layers.ZeroPadding2D(1)(x))


def global_average_pool(x: KerasTensor) -> KerasTensor:
    """Mean over height and width."""
    return layers.GlobalAveragePooling2D()(x)
