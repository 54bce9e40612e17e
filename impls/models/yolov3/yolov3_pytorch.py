"""YOLOv3 in PyTorch. The facts stand in spec.py."""

from collections import OrderedDict

import torch
from torch import Tensor, nn

from impls.frameworks.layers_pytorch import conv, conv_norm, upsample
from impls.models.yolov3 import spec


class Residual(nn.Module):
    """1x1 to half the channels, 3x3 back, added to the input; nothing is activated behind the sum."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.reduce = conv_norm(channels, channels // 2)
        self.restore = conv_norm(channels // 2, channels, 3)
        self.leaky = nn.LeakyReLU(spec.SLOPE, inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        y = self.leaky(self.reduce(x))
        y = self.leaky(self.restore(y))
        return x + y  # not in place: the leaky ReLU's gradient is taken from its output


class Head(nn.Module):
    """1x1 and 3x3 by turns on what comes from below, joined with an earlier stage but for the coarsest head.

    Gives what the next head goes on with, and the predictions.
    """

    def __init__(self, in_channels: int, skip_channels: int, channels: int, predictions: int) -> None:
        super().__init__()
        wide = 2 * channels
        self.route = conv_norm(in_channels, channels) if skip_channels else None
        self.conv1 = conv_norm(channels + skip_channels if skip_channels else in_channels, channels)
        self.conv2 = conv_norm(channels, wide, 3)
        self.conv3 = conv_norm(wide, channels)
        self.conv4 = conv_norm(channels, wide, 3)
        self.conv5 = conv_norm(wide, channels)
        self.conv6 = conv_norm(channels, wide, 3)
        self.output = conv(wide, predictions)
        self.leaky = nn.LeakyReLU(spec.SLOPE, inplace=True)

    def forward(self, x: Tensor, skip: Tensor | None) -> tuple[Tensor, Tensor]:
        if self.route is not None:
            x = torch.cat([upsample(self.leaky(self.route(x))), skip], dim=1)
        for layer in (self.conv1, self.conv2, self.conv3, self.conv4, self.conv5):
            x = self.leaky(layer(x))
        return x, self.output(self.leaky(self.conv6(x)))


class YOLOv3(nn.Module):
    """Images (N, 3, H, W) -> predictions (N, 3 * (5 + num_classes), H / stride, W / stride) of each head."""

    def __init__(self, variant: spec.YOLOv3, num_classes: int) -> None:
        super().__init__()
        self.stem = conv_norm(3, variant.stem, 3)
        self.leaky = nn.LeakyReLU(spec.SLOPE, inplace=True)
        in_channels = variant.stem
        for stage, (count, channels) in enumerate(variant.stages, start=1):
            blocks = OrderedDict(down=conv_norm(in_channels, channels, 3, stride=2), leaky=self.leaky)
            for block in range(1, count + 1):
                blocks[f"block{block}"] = Residual(channels)
            self.add_module(f"stage{stage}", nn.Sequential(blocks))
            in_channels = channels
        for head, (channels, skip_channels) in enumerate(variant.heads, start=1):
            self.add_module(f"head{head}", Head(in_channels, skip_channels, channels, variant.predictions(num_classes)))
            in_channels = channels

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        x = self.leaky(self.stem(images))
        fine = self.stage3(self.stage2(self.stage1(x)))
        middle = self.stage4(fine)
        x, large = self.head1(self.stage5(middle), None)
        x, medium = self.head2(x, middle)
        _, small = self.head3(x, fine)
        return large, medium, small


def build(variant: spec.YOLOv3, num_classes: int) -> nn.Module:
    """The network, its weights as PyTorch initialises them."""
    return YOLOv3(variant, num_classes)
