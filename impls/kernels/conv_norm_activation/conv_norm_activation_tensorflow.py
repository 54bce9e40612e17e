"""Convolution, batch norm and activation in TensorFlow."""

import tensorflow as tf

from impls.kernels.activation import activation_tensorflow as activation
from impls.kernels.batch_norm import batch_norm_tensorflow as batch_norm
from impls.kernels.conv_norm_activation.cases import Case
from impls.kernels.convolution import convolution_tensorflow as convolution


def compute(case: Case, x: tf.Tensor, weight: tf.Tensor, *norm: tf.Tensor) -> tf.Tensor:
    """Input, weight, and the batch norm's scale, shift, running mean and variance -> output."""
    x = convolution.compute(case.convolution, x, weight)
    x = batch_norm.compute(case.norm, x, *norm)
    return activation.compute(case.activated, x) if case.activated else x
