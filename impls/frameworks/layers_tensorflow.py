"""The blocks that the TensorFlow twins share, so that each model states only its own structure.

TensorFlow itself has operations and no layers: these modules hold the variables, channels last, named canonically.
"""

import tensorflow as tf

from impls.models import BATCH_NORM

_default_dtype = tf.float32


def set_default_dtype(dtype: str) -> None:
    """The type of the variables that are created from here on, like torch.set_default_dtype."""
    global _default_dtype
    _default_dtype = tf.as_dtype(dtype)


def variable(shape: tuple[int, ...], name: str, trainable: bool = True) -> tf.Variable:
    """A variable of zeros; the values come from the canonical weights."""
    return tf.Variable(tf.zeros(shape, _default_dtype), trainable=trainable, name=name)


def half_padding(kernel_size: int) -> list[list[int]]:
    """kernel_size // 2 on every side of (N, H, W, C)."""
    half = kernel_size // 2
    return [[0, 0], [half, half], [half, half], [0, 0]]


class BatchNorm(tf.Module):
    """Batch norm over (N, H, W, C), its four variables under canonical names."""

    def __init__(self, channels: int, name: str) -> None:
        super().__init__()
        self.weight = variable((channels,), f"{name}.weight")
        self.bias = variable((channels,), f"{name}.bias")
        self.running_mean = variable((channels,), f"{name}.running_mean", trainable=False)
        self.running_var = variable((channels,), f"{name}.running_var", trainable=False)

    def __call__(self, x: tf.Tensor, training: bool) -> tf.Tensor:
        if x.dtype == tf.float64:  # the fused operation has no float64
            return self._unfused(x, training)
        # The raw operation, for tf.compat.v1.nn.fused_batch_norm raises epsilon to 1.001e-5 without a word.
        # Its running variance is the unbiased one.
        y, mean, variance, *_ = tf.raw_ops.FusedBatchNormV3(
            x=x,
            scale=self.weight,
            offset=self.bias,
            mean=self.running_mean,
            variance=self.running_var,
            epsilon=BATCH_NORM.epsilon,
            exponential_avg_factor=BATCH_NORM.update if training else 1.0,
            is_training=training,
        )
        if training:
            self.running_mean.assign(mean)
            self.running_var.assign(variance)
        return y

    def _unfused(self, x: tf.Tensor, training: bool) -> tf.Tensor:
        mean, variance = self.running_mean, self.running_var
        if training:
            mean, variance = tf.nn.moments(x, axes=[0, 1, 2])
            count = tf.cast(tf.size(x) / tf.shape(x)[-1], x.dtype)
            unbiased = variance * count / (count - 1)
            self.running_mean.assign_add(BATCH_NORM.update * (mean - self.running_mean))
            self.running_var.assign_add(BATCH_NORM.update * (unbiased - self.running_var))
        return tf.nn.batch_normalization(x, mean, variance, self.bias, self.weight, BATCH_NORM.epsilon)


class ConvNorm(tf.Module):
    """Convolution without bias, padded kernel_size // 2 on every side, then batch norm."""

    def __init__(
        self, name: str, in_channels: int, out_channels: int, kernel_size: int = 1, stride: int = 1, groups: int = 1
    ) -> None:
        super().__init__()
        self.depthwise = groups == in_channels > 1
        shape = (in_channels, 1) if self.depthwise else (in_channels // groups, out_channels)
        self.weight = variable((kernel_size, kernel_size, *shape), f"{name}.conv.weight")
        self.norm = BatchNorm(out_channels, f"{name}.norm")
        self.stride = stride
        # SAME would put the odd pixel on the other side at stride 2; at stride 1 it means the same and is the faster
        # path. A convolution told to pad explicitly, be it by zero pixels, has slow gradients on a CPU: ResNet-50's
        # training step at 32 px takes 2.8 times as long as with a padding of its own.
        self.same = stride == 1
        self.pad = None if self.same or kernel_size == 1 else half_padding(kernel_size)

    def __call__(self, x: tf.Tensor, training: bool) -> tf.Tensor:
        if self.pad:
            x = tf.pad(x, self.pad)
        padding = "SAME" if self.same else "VALID"
        if self.depthwise:
            x = tf.nn.depthwise_conv2d(x, self.weight, [1, self.stride, self.stride, 1], padding)
        else:
            x = tf.nn.conv2d(x, self.weight, self.stride, padding)
        return self.norm(x, training)


class Dense(tf.Module):
    """(N, in) -> (N, out)."""

    def __init__(self, name: str, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.weight = variable((in_channels, out_channels), f"{name}.weight")
        self.bias = variable((out_channels,), f"{name}.bias")

    def __call__(self, x: tf.Tensor) -> tf.Tensor:
        return tf.nn.bias_add(tf.linalg.matmul(x, self.weight), self.bias)


def max_pool(x: tf.Tensor) -> tf.Tensor:
    """3x3 maximum at stride 2, padded by 1."""
    # XLA has no pooling with explicit padding. Zeros instead of minus infinity: the twins pool what a ReLU has left,
    # so no maximum changes.
    return tf.nn.max_pool2d(tf.pad(x, half_padding(3)), 3, 2, "VALID")


def global_average_pool(x: tf.Tensor) -> tf.Tensor:
    """(N, H, W, C) -> (N, C)."""
    return tf.reduce_mean(x, axis=[1, 2])
