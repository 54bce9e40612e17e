"""Convolution, batch norm and activation in Keras, on any backend."""

from typing import Any

from impls.kernels.activation import activation_keras as activation
from impls.kernels.batch_norm import batch_norm_keras as batch_norm
from impls.kernels.conv_norm_activation.cases import Case
from impls.kernels.convolution import convolution_keras as convolution


def compute(case: Case, x: Any, weight: Any, *norm: Any) -> Any:
    """Input, weight, and the batch norm's scale, shift, running mean and variance -> output."""
    x = convolution.compute(case.convolution, x, weight)
    x = batch_norm.compute(case.norm, x, *norm)
    return activation.compute(case.activated, x) if case.activated else x
