"""InceptionV3 in PyTorch. The facts stand in spec.py."""

from collections import OrderedDict
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from impls.frameworks.layers_pytorch import Size, average_pool, conv_norm, global_average_pool, max_pool
from impls.models.inception_v3 import spec

Channels = Sequence[int]


def convolution(
    in_channels: int, out_channels: int, kernel_size: Size, stride: int = 1, padding: int | None = None
) -> nn.Sequential:
    """Convolution, batch norm, ReLU."""
    layer = conv_norm(in_channels, out_channels, kernel_size, stride, padding=padding, norm=spec.NORM)
    layer.add_module("relu", nn.ReLU(inplace=True))
    return layer


class Branch(nn.Sequential):
    """Convolutions in a row; a stride is the last one's, which is then not padded."""

    def __init__(self, in_channels: int, channels: Channels, *kernel_sizes: Size, stride: int = 1) -> None:
        super().__init__()
        for number, (out_channels, kernel_size) in enumerate(zip(channels, kernel_sizes, strict=True), start=1):
            strided = {"stride": stride, "padding": 0} if stride > 1 and number == len(channels) else {}
            self.add_module(f"layer{number}", convolution(in_channels, out_channels, kernel_size, **strided))
            in_channels = out_channels


class Fork(Branch):
    """A branch whose last two convolutions stand side by side."""

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        *trunk, row, column = self
        for layer in trunk:
            x = layer(x)
        return row(x), column(x)


class BlockA(nn.Module):
    """1x1; 1x1, 5x5; 1x1, 3x3, 3x3; mean, 1x1."""

    def __init__(self, in_channels: int, point: Channels, five: Channels, threes: Channels, pool: Channels) -> None:
        super().__init__()
        self.point = Branch(in_channels, point, 1)
        self.five = Branch(in_channels, five, 1, 5)
        self.threes = Branch(in_channels, threes, 1, 3, 3)
        self.pool = Branch(in_channels, pool, 1)

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat((self.point(x), self.five(x), self.threes(x), self.pool(average_pool(x))), dim=1)


class BlockB(nn.Module):
    """Half the grid (section 5, figure 10): 3x3; 1x1, 3x3, 3x3; maximum."""

    def __init__(self, in_channels: int, three: Channels, threes: Channels) -> None:
        super().__init__()
        self.three = Branch(in_channels, three, 3, stride=2)
        self.threes = Branch(in_channels, threes, 1, 3, 3, stride=2)

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat((self.three(x), self.threes(x), max_pool(x, padding=0)), dim=1)


class BlockC(nn.Module):
    """7x7 as 1x7 and 7x1 (section 3.2, figure 6): 1x1; 1x1 and one 7x7; 1x1 and two 7x7; mean, 1x1."""

    def __init__(self, in_channels: int, point: Channels, seven: Channels, sevens: Channels, pool: Channels) -> None:
        super().__init__()
        self.point = Branch(in_channels, point, 1)
        self.seven = Branch(in_channels, seven, 1, (1, 7), (7, 1))
        self.sevens = Branch(in_channels, sevens, 1, (7, 1), (1, 7), (7, 1), (1, 7))
        self.pool = Branch(in_channels, pool, 1)

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat((self.point(x), self.seven(x), self.sevens(x), self.pool(average_pool(x))), dim=1)


class BlockD(nn.Module):
    """Half the grid: 1x1, 3x3; 1x1, one 7x7, 3x3; maximum."""

    def __init__(self, in_channels: int, three: Channels, seven: Channels) -> None:
        super().__init__()
        self.three = Branch(in_channels, three, 1, 3, stride=2)
        self.seven = Branch(in_channels, seven, 1, (1, 7), (7, 1), 3, stride=2)

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat((self.three(x), self.seven(x), max_pool(x, padding=0)), dim=1)


class BlockE(nn.Module):
    """Wide (figure 7), 1x3 beside 3x1: 1x1; 1x1, both; 1x1, 3x3, both; mean, 1x1."""

    def __init__(self, in_channels: int, point: Channels, three: Channels, threes: Channels, pool: Channels) -> None:
        super().__init__()
        self.point = Branch(in_channels, point, 1)
        self.three = Fork(in_channels, three, 1, (1, 3), (3, 1))
        self.threes = Fork(in_channels, threes, 1, 3, (1, 3), (3, 1))
        self.pool = Branch(in_channels, pool, 1)

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat((self.point(x), *self.three(x), *self.threes(x), self.pool(average_pool(x))), dim=1)


BLOCKS = {"a": BlockA, "b": BlockB, "c": BlockC, "d": BlockD, "e": BlockE}


class AuxiliaryHead(nn.Module):
    """Mean of 5x5, 1x1, 5x5, logits (section 4): the convolutions are not padded."""

    def __init__(self, in_channels: int, channels: Channels, num_classes: int) -> None:
        super().__init__()
        reduced, out_channels = channels
        self.layer1 = convolution(in_channels, reduced, 1)
        self.layer2 = convolution(reduced, out_channels, 5, padding=0)
        self.classifier = nn.Linear(out_channels, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        x = nn.functional.avg_pool2d(x, 5, stride=3)
        x = self.layer2(self.layer1(x))
        return self.classifier(global_average_pool(x))


class InceptionV3(nn.Module):
    """Images (N, 3, H, W) -> logits (N, num_classes); with the head, in training mode, also auxiliary logits."""

    def __init__(self, variant: spec.InceptionV3, num_classes: int) -> None:
        super().__init__()
        first, second, third, fourth, in_channels = variant.stem
        self.stem1 = convolution(3, first, 3, stride=2, padding=0)
        self.stem2 = convolution(first, second, 3, padding=0)
        self.stem3 = convolution(second, third, 3)
        self.stem4 = convolution(third, fourth, 1)
        self.stem5 = convolution(fourth, in_channels, 3, padding=0)
        self.auxiliary = None
        for stage, rows in enumerate(variant.stages, start=1):
            blocks = OrderedDict()
            for block, (kind, channels) in enumerate(rows, start=1):
                blocks[f"block{block}"] = BLOCKS[kind](in_channels, *channels)
                in_channels = spec.block_channels(kind, in_channels, channels)
            self.add_module(f"stage{stage}", nn.Sequential(blocks))
            if stage == 2 and variant.auxiliary:
                self.auxiliary = AuxiliaryHead(in_channels, variant.auxiliary_head, num_classes)
        self.classifier = nn.Linear(in_channels, num_classes)

    def forward(self, images: Tensor) -> Tensor | tuple[Tensor, Tensor]:
        x = max_pool(self.stem3(self.stem2(self.stem1(images))), padding=0)
        x = max_pool(self.stem5(self.stem4(x)), padding=0)
        middle = self.stage2(self.stage1(x))
        logits = self.classifier(global_average_pool(self.stage3(middle)))
        return (logits, self.auxiliary(middle)) if self.auxiliary and self.training else logits


def build(variant: spec.InceptionV3, num_classes: int) -> nn.Module:
    """The network, its weights as PyTorch initialises them."""
    return InceptionV3(variant, num_classes)
