"""MobileNetV2 in PyTorch. The facts stand in spec.py."""

from collections import OrderedDict

from torch import Tensor, nn

from impls.frameworks.layers_pytorch import conv_norm, global_average_pool
from impls.models.mobilenet_v2 import spec


class InvertedResidual(nn.Module):
    """1x1 up, depthwise 3x3, linear 1x1 down; added to the input where the shapes agree."""

    def __init__(self, in_channels: int, out_channels: int, expansion: int, stride: int) -> None:
        super().__init__()
        hidden = expansion * in_channels
        self.widen = conv_norm(in_channels, hidden) if expansion > 1 else None
        self.depthwise = conv_norm(hidden, hidden, 3, stride, groups=hidden)
        self.project = conv_norm(hidden, out_channels)
        self.relu6 = nn.ReLU6(inplace=True)
        self.residual = stride == 1 and in_channels == out_channels

    def forward(self, x: Tensor) -> Tensor:
        y = x if self.widen is None else self.relu6(self.widen(x))
        y = self.relu6(self.depthwise(y))
        y = self.project(y)
        return x + y if self.residual else y


class MobileNetV2(nn.Module):
    """Images (N, 3, H, W) -> logits (N, num_classes)."""

    def __init__(self, variant: spec.MobileNetV2, num_classes: int) -> None:
        super().__init__()
        self.stem = conv_norm(3, variant.stem, 3, stride=2)
        self.relu6 = nn.ReLU6(inplace=True)
        in_channels = variant.stem
        self.depth = len(variant.stages)
        for stage, (expansion, out_channels, repeats, stride) in enumerate(variant.stages, start=1):
            blocks = OrderedDict()
            for block in range(1, repeats + 1):
                blocks[f"block{block}"] = InvertedResidual(
                    in_channels, out_channels, expansion, stride if block == 1 else 1
                )
                in_channels = out_channels
            self.add_module(f"stage{stage}", nn.Sequential(blocks))
        self.head = conv_norm(in_channels, variant.head)
        self.classifier = nn.Linear(variant.head, num_classes)

    def forward(self, images: Tensor) -> Tensor:
        x = self.relu6(self.stem(images))
        for stage in range(1, self.depth + 1):
            x = getattr(self, f"stage{stage}")(x)
        x = self.relu6(self.head(x))
        return self.classifier(global_average_pool(x))


def build(variant: spec.MobileNetV2, num_classes: int) -> nn.Module:
    """The network, its weights as PyTorch initialises them."""
    return MobileNetV2(variant, num_classes)
