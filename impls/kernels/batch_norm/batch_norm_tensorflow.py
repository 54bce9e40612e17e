"""Batch norm in TensorFlow."""

import tensorflow as tf

from impls.kernels.batch_norm.cases import Case


def compute(case: Case, x: tf.Tensor, weight: tf.Tensor, bias: tf.Tensor, *statistics: tf.Tensor) -> tf.Tensor:
    """Input, scale, shift and, in evaluation mode, running mean and variance -> output."""
    if x.dtype == tf.float64:  # the fused operation has no float64
        mean, variance = tf.nn.moments(x, axes=[0, 1, 2]) if case.training else statistics
        return tf.nn.batch_normalization(x, mean, variance, bias, weight, case.epsilon)
    mean, variance = ([], []) if case.training else statistics
    # The raw operation, for tf.compat.v1.nn.fused_batch_norm raises epsilon to 1.001e-5 without a word.
    return tf.raw_ops.FusedBatchNormV3(
        x=x,
        scale=weight,
        offset=bias,
        mean=mean,
        variance=variance,
        epsilon=case.epsilon,
        exponential_avg_factor=1.0,
        is_training=case.training,
    ).y
