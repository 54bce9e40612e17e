"""The blocks that the PyTorch twins share, so that each model states only its own structure."""

from collections import OrderedDict

from torch import Tensor, nn

from impls.models import BATCH_NORM


def conv_norm(
    in_channels: int, out_channels: int, kernel_size: int = 1, stride: int = 1, groups: int = 1
) -> nn.Sequential:
    """Convolution without bias, padded kernel_size // 2 on every side, then batch norm."""
    padding = kernel_size // 2
    conv = nn.Conv2d(in_channels, out_channels, kernel_size, stride, padding, groups=groups, bias=False)
    norm = nn.BatchNorm2d(out_channels, eps=BATCH_NORM.epsilon, momentum=BATCH_NORM.update)
    return nn.Sequential(OrderedDict(conv=conv, norm=norm))


def max_pool(x: Tensor) -> Tensor:
    """3x3 maximum at stride 2, padded by 1."""
    return nn.functional.max_pool2d(x, 3, stride=2, padding=1)


def global_average_pool(x: Tensor) -> Tensor:
    """(N, C, H, W) -> (N, C)."""
    return x.mean(dim=(2, 3))
