"""The blocks that the PyTorch twins share, so that each model states only its own structure."""

from collections import OrderedDict

from torch import Tensor, nn

from impls.models import BATCH_NORM, BatchNorm

Size = int | tuple[int, int]


def conv_norm(
    in_channels: int,
    out_channels: int,
    kernel_size: Size = 1,
    stride: int = 1,
    groups: int = 1,
    padding: int | None = None,
    norm: BatchNorm = BATCH_NORM,
) -> nn.Sequential:
    """Convolution without bias, then batch norm; padded kernel_size // 2 on every side unless stated."""
    conv = nn.Conv2d(
        in_channels, out_channels, kernel_size, stride, pads(kernel_size, padding), groups=groups, bias=False
    )
    return nn.Sequential(
        OrderedDict(conv=conv, norm=nn.BatchNorm2d(out_channels, eps=norm.epsilon, momentum=norm.update))
    )


def conv(in_channels: int, out_channels: int, kernel_size: Size = 1) -> nn.Sequential:
    """Convolution with bias, padded kernel_size // 2 on every side."""
    return nn.Sequential(
        OrderedDict(conv=nn.Conv2d(in_channels, out_channels, kernel_size, padding=pads(kernel_size, None)))
    )


def transposed_conv(in_channels: int, out_channels: int) -> nn.Sequential:
    """Transposed 2x2 convolution at stride 2 with bias: twice the height and width."""
    return nn.Sequential(OrderedDict(conv=nn.ConvTranspose2d(in_channels, out_channels, 2, 2)))


def max_pool(x: Tensor, kernel_size: int = 3, stride: int = 2, padding: int = 1) -> Tensor:
    """Maximum; with padding only of what a ReLU has left."""
    return nn.functional.max_pool2d(x, kernel_size, stride, padding)


def average_pool(x: Tensor) -> Tensor:
    """Mean of 3x3 at stride 1, of the pixels that are there."""
    return nn.functional.avg_pool2d(x, 3, stride=1, padding=1, count_include_pad=False)


def global_average_pool(x: Tensor) -> Tensor:
    """(N, C, H, W) -> (N, C)."""
    return x.mean(dim=(2, 3))


def upsample(x: Tensor) -> Tensor:
    """Twice the height and width, each pixel repeated."""
    return nn.functional.interpolate(x, scale_factor=2, mode="nearest")


def pads(kernel_size: Size, padding: int | None) -> tuple[int, int]:
    """Padding of rows and columns, on both sides."""
    height, width = (kernel_size, kernel_size) if isinstance(kernel_size, int) else kernel_size
    return (height // 2, width // 2) if padding is None else (padding, padding)
