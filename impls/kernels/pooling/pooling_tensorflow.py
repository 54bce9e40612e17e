"""Pooling in TensorFlow."""

import tensorflow as tf

from impls.kernels.pooling.cases import Case


def compute(case: Case, x: tf.Tensor) -> tf.Tensor:
    """Input -> output."""
    if case.kind == "global_average":
        return tf.reduce_mean(x, axis=[1, 2])
    # SAME would put the odd pixel on the other side at stride 2; at stride 1 it means the same.
    padding = "SAME" if case.same_size else "VALID"
    if case.kind == "average":
        return tf.nn.avg_pool2d(x, case.kernel_size, case.stride, padding)
    if padding == "VALID" and case.padding:  # not by the operation itself: XLA has no pooling with explicit padding
        sides = [case.padding, case.padding]
        x = tf.pad(x, [[0, 0], sides, sides, [0, 0]], constant_values=float("-inf"))
    return tf.nn.max_pool2d(x, case.kernel_size, case.stride, padding)
