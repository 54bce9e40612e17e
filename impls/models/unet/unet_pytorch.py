"""U-Net in PyTorch. The facts stand in spec.py."""

import torch
from torch import Tensor, nn

from impls.frameworks.layers_pytorch import conv, conv_norm, max_pool, transposed_conv
from impls.models.unet import spec


class DoubleConv(nn.Module):
    """3x3, 3x3."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.conv1 = conv_norm(in_channels, out_channels, 3)
        self.conv2 = conv_norm(out_channels, out_channels, 3)
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        x = self.relu(self.conv1(x))
        return self.relu(self.conv2(x))


class Up(nn.Module):
    """Transposed 2x2 up, behind the skip connection; 3x3, 3x3."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.transposed = transposed_conv(in_channels, out_channels)
        self.merge = DoubleConv(2 * out_channels, out_channels)

    def forward(self, x: Tensor, skip: Tensor) -> Tensor:
        return self.merge(torch.cat((skip, self.transposed(x)), dim=1))


class UNet(nn.Module):
    """Images (N, 3, H, W) -> logits (N, num_classes, H, W)."""

    def __init__(self, variant: spec.UNet, num_classes: int) -> None:
        super().__init__()
        *channels, bottom = variant.channels
        in_channels = 3
        for level, out_channels in enumerate(channels, start=1):
            self.add_module(f"down{level}", DoubleConv(in_channels, out_channels))
            in_channels = out_channels
        self.bottom = DoubleConv(in_channels, bottom)
        in_channels = bottom
        for level, out_channels in reversed(list(enumerate(channels, start=1))):
            self.add_module(f"up{level}", Up(in_channels, out_channels))
            in_channels = out_channels
        self.classifier = conv(in_channels, num_classes)

    def forward(self, images: Tensor) -> Tensor:
        skip1 = self.down1(images)
        skip2 = self.down2(max_pool(skip1, 2, 2, 0))
        skip3 = self.down3(max_pool(skip2, 2, 2, 0))
        skip4 = self.down4(max_pool(skip3, 2, 2, 0))
        x = self.bottom(max_pool(skip4, 2, 2, 0))
        x = self.up2(self.up3(self.up4(x, skip4), skip3), skip2)
        return self.classifier(self.up1(x, skip1))


def build(variant: spec.UNet, num_classes: int) -> nn.Module:
    """The network, its weights as PyTorch initialises them."""
    return UNet(variant, num_classes)
