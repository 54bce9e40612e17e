"""conv2d in TensorFlow. The cases stand in cases.py."""

import tensorflow as tf

from impls.frameworks.layers_tensorflow import variable
from impls.kernels.conv2d.cases import Case
from impls.weights import CHANNELS_LAST


class Conv2D(tf.Module):
    """Input (N, H, W, C) -> output."""

    def __init__(self, case: Case) -> None:
        super().__init__()
        self.case = case
        shape = tuple(case.weight.shape[axis] for axis in CHANNELS_LAST[case.weight.kind])
        self.weight = variable(shape, "weight")
        self.padding = padding(case)
        # Without XLA, TensorFlow has on a CPU no gradient of a dilated convolution but in float32.
        needs_xla = case.dilation > 1 and self.weight.dtype != tf.float32
        self.convolve = tf.function(self._convolve, jit_compile=True) if needs_xla else self._convolve
        # Nor has it one of a grouped convolution, and XLA's takes 90 times as long as a convolution for each group.
        self.splits = 1 if case.depthwise or tf.config.list_physical_devices("GPU") else case.groups

    def __call__(self, x: tf.Tensor) -> tf.Tensor:
        return self.convolve(x)

    def _convolve(self, x: tf.Tensor) -> tf.Tensor:
        case = self.case
        if case.transposed:
            shape = (case.batch_size, *case.output_size, case.out_channels)
            return tf.nn.conv2d_transpose(x, self.weight, shape, case.stride, self.padding)
        if case.depthwise:
            return tf.nn.depthwise_conv2d(x, self.weight, [1, case.stride, case.stride, 1], self.padding)
        if self.splits == 1:
            return tf.nn.conv2d(x, self.weight, case.stride, self.padding, dilations=case.dilation)
        groups = zip(tf.split(x, self.splits, axis=3), tf.split(self.weight, self.splits, axis=3), strict=True)
        parts = [tf.nn.conv2d(*group, case.stride, self.padding, dilations=case.dilation) for group in groups]
        return tf.concat(parts, axis=3)


def padding(case: Case) -> str | list[list[int]]:
    """The case's explicit padding, by the word that means the same where there is one (the faster path)."""
    if case.padding == (0, 0):
        return "VALID"
    if case.stride == 1 and case.output_size == (case.image_size, case.image_size):
        return "SAME"
    return [[0, 0], [case.padding[0]] * 2, [case.padding[1]] * 2, [0, 0]]


def build(case: Case) -> tf.Module:
    """The convolution, without bias, its weight zero."""
    return Conv2D(case)
