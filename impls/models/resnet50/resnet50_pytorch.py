"""ResNet-50 v1.5 in PyTorch. The facts stand in spec.py."""

from collections import OrderedDict

from torch import Tensor, nn

from impls.frameworks.layers_pytorch import conv_norm, global_average_pool, max_pool
from impls.models.resnet50.spec import BLOCKS, EXPANSION, STEM_CHANNELS, WIDTHS


class Bottleneck(nn.Module):
    """1x1 down, 3x3, 1x1 up, added to the shortcut."""

    def __init__(self, in_channels: int, width: int, stride: int, project: bool) -> None:
        super().__init__()
        out_channels = EXPANSION * width
        self.reduce = conv_norm(in_channels, width)
        self.spatial = conv_norm(width, width, 3, stride)  # v1.5: the stride stands here
        self.expand = conv_norm(width, out_channels)
        self.shortcut = conv_norm(in_channels, out_channels, 1, stride) if project else nn.Identity()
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        y = self.relu(self.reduce(x))
        y = self.relu(self.spatial(y))
        y = self.expand(y)
        y += self.shortcut(x)
        return self.relu(y)


def stage(in_channels: int, width: int, blocks: int, stride: int) -> nn.Sequential:
    """Bottlenecks of one width; the first one strides and projects its shortcut."""
    found = OrderedDict(block1=Bottleneck(in_channels, width, stride, project=True))
    for block in range(2, blocks + 1):
        found[f"block{block}"] = Bottleneck(EXPANSION * width, width, stride=1, project=False)
    return nn.Sequential(found)


class ResNet(nn.Module):
    """Images (N, 3, H, W) -> logits (N, num_classes)."""

    def __init__(self, num_classes: int, blocks: tuple[int, ...]) -> None:
        super().__init__()
        self.stem = conv_norm(3, STEM_CHANNELS, 7, stride=2)
        self.relu = nn.ReLU(inplace=True)
        self.stage1 = stage(STEM_CHANNELS, WIDTHS[0], blocks[0], stride=1)
        self.stage2 = stage(EXPANSION * WIDTHS[0], WIDTHS[1], blocks[1], stride=2)
        self.stage3 = stage(EXPANSION * WIDTHS[1], WIDTHS[2], blocks[2], stride=2)
        self.stage4 = stage(EXPANSION * WIDTHS[2], WIDTHS[3], blocks[3], stride=2)
        self.classifier = nn.Linear(EXPANSION * WIDTHS[3], num_classes)

    def forward(self, images: Tensor) -> Tensor:
        x = max_pool(self.relu(self.stem(images)))
        x = self.stage4(self.stage3(self.stage2(self.stage1(x))))
        return self.classifier(global_average_pool(x))


def build(num_classes: int, blocks: tuple[int, ...] = BLOCKS) -> nn.Module:
    """The network, its weights as PyTorch initialises them."""
    return ResNet(num_classes, blocks)
