"""The blocks that the TensorFlow twins share, so that each model states only its own structure.

TensorFlow itself has operations and no layers: these modules hold the variables, channels last, named canonically.
In bfloat16 the variables are float32 and each operation that multiplies by weights casts them and its input.
"""

import tensorflow as tf

from impls.models import BATCH_NORM, BatchNorm

Size = int | tuple[int, int]

_weights_dtype, _compute_dtype = tf.float32, tf.float32


def set_precision(precision: str) -> None:
    """The types of what is created from here on, like torch.set_default_dtype."""
    global _weights_dtype, _compute_dtype
    _compute_dtype = tf.as_dtype(precision)
    _weights_dtype = tf.float64 if precision == "float64" else tf.float32


def variable(shape: tuple[int, ...], name: str, trainable: bool = True) -> tf.Variable:
    """A variable of zeros; the values come from the canonical weights."""
    return tf.Variable(tf.zeros(shape, _weights_dtype), trainable=trainable, name=name)


def pads(kernel_size: Size, padding: int | None = None) -> list[list[int]]:
    """Padding on both sides of (N, H, W, C): kernel_size // 2 unless stated."""
    height, width = (kernel_size, kernel_size) if isinstance(kernel_size, int) else kernel_size
    rows, columns = (height // 2, width // 2) if padding is None else (padding, padding)
    return [[0, 0], [rows, rows], [columns, columns], [0, 0]]


class Norm(tf.Module):
    """Batch norm over (N, H, W, C), its four variables under canonical names."""

    def __init__(self, channels: int, name: str, norm: BatchNorm) -> None:
        super().__init__()
        self.facts = norm
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
            epsilon=self.facts.epsilon,
            exponential_avg_factor=self.facts.update if training else 1.0,
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
            self.running_mean.assign_add(self.facts.update * (mean - self.running_mean))
            self.running_var.assign_add(self.facts.update * (unbiased - self.running_var))
        return tf.nn.batch_normalization(x, mean, variance, self.bias, self.weight, self.facts.epsilon)


class ConvNorm(tf.Module):
    """Convolution without bias, then batch norm; padded kernel_size // 2 on every side unless stated."""

    def __init__(
        self,
        name: str,
        in_channels: int,
        out_channels: int,
        kernel_size: Size = 1,
        stride: int = 1,
        groups: int = 1,
        padding: int | None = None,
        norm: BatchNorm = BATCH_NORM,
    ) -> None:
        super().__init__()
        self.depthwise = groups == in_channels > 1
        size = (kernel_size, kernel_size) if isinstance(kernel_size, int) else kernel_size
        shape = (in_channels, 1) if self.depthwise else (in_channels // groups, out_channels)
        self.weight = variable((*size, *shape), f"{name}.conv.weight")
        self.norm = Norm(out_channels, f"{name}.norm", norm)
        self.stride = stride
        self.dtype = _compute_dtype
        # SAME would put the odd pixel on the other side at stride 2; at stride 1 it means the same and is the faster
        # path. A convolution told to pad explicitly, be it by zero pixels, has slow gradients on a CPU: ResNet-50's
        # training step at 32 px takes 2.8 times as long as with a padding of its own.
        self.padding = "SAME" if stride == 1 and padding is None else "VALID"
        padded = self.padding == "VALID" and size != (1, 1) and padding != 0
        self.pads = pads(kernel_size, padding) if padded else None

    def __call__(self, x: tf.Tensor, training: bool) -> tf.Tensor:
        x, weight = tf.cast(x, self.dtype), tf.cast(self.weight, self.dtype)
        if self.pads:
            x = tf.pad(x, self.pads)
        if self.depthwise:
            x = tf.nn.depthwise_conv2d(x, weight, [1, self.stride, self.stride, 1], self.padding)
        else:
            x = tf.nn.conv2d(x, weight, self.stride, self.padding)
        return self.norm(x, training)


class Conv(tf.Module):
    """Convolution with bias, padded kernel_size // 2 on every side."""

    def __init__(self, name: str, in_channels: int, out_channels: int, kernel_size: int = 1) -> None:
        super().__init__()
        self.weight = variable((kernel_size, kernel_size, in_channels, out_channels), f"{name}.conv.weight")
        self.bias = variable((out_channels,), f"{name}.conv.bias")
        self.dtype = _compute_dtype

    def __call__(self, x: tf.Tensor) -> tf.Tensor:
        y = tf.nn.conv2d(tf.cast(x, self.dtype), tf.cast(self.weight, self.dtype), 1, "SAME")
        return tf.nn.bias_add(y, tf.cast(self.bias, self.dtype))


class TransposedConv(tf.Module):
    """Transposed 2x2 convolution at stride 2 with bias: twice the height and width."""

    def __init__(self, name: str, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.weight = variable((2, 2, out_channels, in_channels), f"{name}.conv.weight")
        self.bias = variable((out_channels,), f"{name}.conv.bias")
        self.dtype = _compute_dtype

    def __call__(self, x: tf.Tensor) -> tf.Tensor:
        x, weight = tf.cast(x, self.dtype), tf.cast(self.weight, self.dtype)
        batch, height, width, _ = tf.unstack(tf.shape(x))
        shape = (batch, 2 * height, 2 * width, weight.shape[2])
        return tf.nn.bias_add(tf.nn.conv2d_transpose(x, weight, shape, 2, "VALID"), tf.cast(self.bias, self.dtype))


class Dense(tf.Module):
    """(N, in) -> (N, out)."""

    def __init__(self, name: str, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.weight = variable((in_channels, out_channels), f"{name}.weight")
        self.bias = variable((out_channels,), f"{name}.bias")
        self.dtype = _compute_dtype

    def __call__(self, x: tf.Tensor) -> tf.Tensor:
        y = tf.linalg.matmul(tf.cast(x, self.dtype), tf.cast(self.weight, self.dtype))
        return tf.nn.bias_add(y, tf.cast(self.bias, self.dtype))


def max_pool(x: tf.Tensor, kernel_size: int = 3, stride: int = 2, padding: int = 1) -> tf.Tensor:
    """Maximum; with padding only of what a ReLU has left."""
    # XLA has no pooling with explicit padding. Zeros instead of minus infinity: behind a ReLU no maximum changes.
    x = tf.pad(x, pads(kernel_size, padding)) if padding else x
    return tf.nn.max_pool2d(x, kernel_size, stride, "VALID")


def average_pool(x: tf.Tensor) -> tf.Tensor:
    """Mean of 3x3 at stride 1, of the pixels that are there."""
    return tf.nn.avg_pool2d(x, 3, 1, "SAME")


def global_average_pool(x: tf.Tensor) -> tf.Tensor:
    """(N, H, W, C) -> (N, C)."""
    return tf.reduce_mean(x, axis=[1, 2])


def upsample(x: tf.Tensor) -> tf.Tensor:
    """Twice the height and width, each pixel repeated."""
    return tf.repeat(tf.repeat(x, 2, axis=1), 2, axis=2)
