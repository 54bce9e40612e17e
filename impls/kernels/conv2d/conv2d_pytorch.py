"""conv2d in PyTorch. The cases stand in cases.py."""

from torch import nn

from impls.kernels.conv2d.cases import Case


def build(case: Case) -> nn.Module:
    """The convolution, without bias."""
    if case.transposed:
        return nn.ConvTranspose2d(
            case.in_channels, case.out_channels, case.kernel_size, case.stride, case.padding, bias=False
        )
    return nn.Conv2d(
        case.in_channels,
        case.out_channels,
        case.kernel_size,
        case.stride,
        case.padding,
        case.dilation,
        case.groups,
        bias=False,
    )
