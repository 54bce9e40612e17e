"""Convolution in TensorFlow."""

import tensorflow as tf

from impls.kernels.convolution.cases import Case


def compute(case: Case, x: tf.Tensor, weight: tf.Tensor) -> tf.Tensor:
    """Input, weight -> output."""
    if case.transposed:
        padding = "SAME" if any(case.padding) else "VALID"
        return tf.nn.conv2d_transpose(x, weight, case.output, case.stride, padding)
    # SAME would put the odd pixel on the other side at stride 2; at stride 1 it means the same and is the faster path.
    padding = "SAME" if case.same_size else "VALID"
    if padding == "VALID" and any(case.padding):
        x = tf.pad(x, [[0, 0], *([p, p] for p in case.padding), [0, 0]])
    # Without XLA, TensorFlow has on a CPU no gradient of a dilated convolution but in float32.
    if case.dilation > 1 and x.dtype != tf.float32:
        return tf.function(_convolve, jit_compile=True)(case, x, weight, padding)
    return _convolve(case, x, weight, padding)


def _convolve(case: Case, x: tf.Tensor, weight: tf.Tensor, padding: str) -> tf.Tensor:
    if case.depthwise:
        dilations = [case.dilation] * 2
        return tf.nn.depthwise_conv2d(x, weight, [1, *case.stride, 1], padding, dilations=dilations)
    # On a CPU there is no gradient of a grouped convolution, and XLA's takes 90 times as long as one for each group.
    splits = 1 if tf.config.list_physical_devices("GPU") else case.groups
    if splits == 1:
        return tf.nn.convolution(x, weight, case.stride, padding, dilations=[case.dilation] * len(case.stride))
    groups = zip(tf.split(x, splits, axis=-1), tf.split(weight, splits, axis=-1), strict=True)
    parts = [tf.nn.convolution(*group, case.stride, padding) for group in groups]
    return tf.concat(parts, axis=-1)
