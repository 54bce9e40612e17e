"""Convolution in PyTorch."""

import torch
from torch.nn import functional as F

from impls.kernels.convolution.cases import Case

CONVOLUTIONS = {1: F.conv1d, 2: F.conv2d, 3: F.conv3d}


def compute(case: Case, x: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """Input, weight -> output."""
    if case.transposed:
        return F.conv_transpose2d(x, weight, None, case.stride, case.padding)
    convolution = CONVOLUTIONS[len(case.image_size)]
    return convolution(x, weight, None, case.stride, case.padding, case.dilation, case.groups)
