"""Pooling in PyTorch."""

import torch
from torch.nn import functional as F

from impls.kernels.pooling.cases import Case


def compute(case: Case, x: torch.Tensor) -> torch.Tensor:
    """Input -> output."""
    if case.kind == "global_average":
        return x.mean(dim=(2, 3))
    if case.kind == "average":
        return F.avg_pool2d(x, case.kernel_size, case.stride, case.padding, count_include_pad=False)
    return F.max_pool2d(x, case.kernel_size, case.stride, case.padding)
