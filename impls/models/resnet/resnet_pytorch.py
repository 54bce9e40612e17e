"""ResNet in PyTorch. The facts stand in spec.py."""

from collections import OrderedDict

from torch import Tensor, nn

from impls.frameworks.layers_pytorch import conv_norm, global_average_pool, max_pool
from impls.models.resnet import spec


class Basic(nn.Module):
    """3x3, 3x3, added to the shortcut."""

    def __init__(self, in_channels: int, width: int, stride: int) -> None:
        super().__init__()
        self.first = conv_norm(in_channels, width, 3, stride)
        self.second = conv_norm(width, width, 3)
        self.shortcut = shortcut(in_channels, width, stride)
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        y = self.relu(self.first(x))
        y = self.second(y)
        y += self.shortcut(x)
        return self.relu(y)


class Bottleneck(nn.Module):
    """1x1 down, 3x3, 1x1 up, added to the shortcut."""

    def __init__(self, in_channels: int, width: int, stride: int) -> None:
        super().__init__()
        self.reduce = conv_norm(in_channels, width)
        self.spatial = conv_norm(width, width, 3, stride)  # v1.5: the stride stands here
        self.expand = conv_norm(width, 4 * width)
        self.shortcut = shortcut(in_channels, 4 * width, stride)
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        y = self.relu(self.reduce(x))
        y = self.relu(self.spatial(y))
        y = self.expand(y)
        y += self.shortcut(x)
        return self.relu(y)


def shortcut(in_channels: int, out_channels: int, stride: int) -> nn.Module:
    """The block's input, projected where its shape changes."""
    same = stride == 1 and in_channels == out_channels
    return nn.Identity() if same else conv_norm(in_channels, out_channels, 1, stride)


class ResNet(nn.Module):
    """Images (N, 3, H, W) -> logits (N, num_classes)."""

    def __init__(self, variant: spec.ResNet, num_classes: int) -> None:
        super().__init__()
        block_of = Bottleneck if variant.bottleneck else Basic
        self.stem = conv_norm(3, variant.stem, 7, stride=2)
        self.relu = nn.ReLU(inplace=True)
        in_channels = variant.stem
        for stage, (count, width) in enumerate(variant.stages, start=1):
            blocks = OrderedDict()
            for block in range(1, count + 1):
                stride = 2 if block == 1 and stage > 1 else 1
                blocks[f"block{block}"] = block_of(in_channels, width, stride)
                in_channels = variant.expansion * width
            self.add_module(f"stage{stage}", nn.Sequential(blocks))
        self.classifier = nn.Linear(in_channels, num_classes)

    def forward(self, images: Tensor) -> Tensor:
        x = max_pool(self.relu(self.stem(images)))
        x = self.stage4(self.stage3(self.stage2(self.stage1(x))))
        return self.classifier(global_average_pool(x))


def build(variant: spec.ResNet, num_classes: int) -> nn.Module:
    """The network, its weights as PyTorch initialises them."""
    return ResNet(variant, num_classes)
