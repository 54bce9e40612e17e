"""Convolution, batch norm and activation in readable NumPy: the three references, one behind the other."""

import numpy as np

from impls.kernels.activation import reference as activation
from impls.kernels.batch_norm import reference as batch_norm
from impls.kernels.conv_norm_activation.cases import Case
from impls.kernels.convolution import reference as convolution


def forward(case: Case, x: np.ndarray, weight: np.ndarray, *norm: np.ndarray) -> np.ndarray:
    """Input, weight, and the batch norm's scale, shift, running mean and variance -> output."""
    x = convolution.forward(case.convolution, x, weight)
    x = batch_norm.forward(case.norm, x, *norm)
    return activation.forward(case.activated, x) if case.activated else x


def backward(case: Case, x: np.ndarray, weight: np.ndarray, *others: np.ndarray) -> tuple[np.ndarray | None, ...]:
    """As forward, and then the gradient by the output -> gradients by all but the running statistics: None there."""
    *norm, gradient = others
    convolved = convolution.forward(case.convolution, x, weight)
    if case.activated:
        normalised = batch_norm.forward(case.norm, convolved, *norm)
        (gradient,) = activation.backward(case.activated, normalised, gradient)
    by_convolved, *by_norm = batch_norm.backward(case.norm, convolved, *norm, gradient)
    assert by_convolved is not None
    by_x, by_weight = convolution.backward(case.convolution, x, weight, by_convolved)
    return by_x, by_weight, *by_norm
