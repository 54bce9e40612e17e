"""Convolution, batch norm and activation in PyTorch."""

import torch

from impls.kernels.activation import activation_pytorch as activation
from impls.kernels.batch_norm import batch_norm_pytorch as batch_norm
from impls.kernels.conv_norm_activation.cases import Case
from impls.kernels.convolution import convolution_pytorch as convolution


def compute(case: Case, x: torch.Tensor, weight: torch.Tensor, *norm: torch.Tensor) -> torch.Tensor:
    """Input, weight, and the batch norm's scale, shift, running mean and variance -> output."""
    x = convolution.compute(case.convolution, x, weight)
    x = batch_norm.compute(case.norm, x, *norm)
    return activation.compute(case.activated, x) if case.activated else x
