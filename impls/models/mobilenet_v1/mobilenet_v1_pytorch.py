"""MobileNetV1 in PyTorch. The facts stand in spec.py."""

from torch import Tensor, nn

from impls.frameworks.layers_pytorch import conv_norm, global_average_pool
from impls.models.mobilenet_v1 import spec


class Separable(nn.Module):
    """Depthwise 3x3, then 1x1 across the channels."""

    def __init__(self, in_channels: int, out_channels: int, stride: int) -> None:
        super().__init__()
        self.depthwise = conv_norm(in_channels, in_channels, 3, stride, groups=in_channels)
        self.pointwise = conv_norm(in_channels, out_channels)
        self.relu6 = nn.ReLU6(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        y = self.relu6(self.depthwise(x))
        return self.relu6(self.pointwise(y))


class MobileNetV1(nn.Module):
    """Images (N, 3, H, W) -> logits (N, num_classes)."""

    def __init__(self, variant: spec.MobileNetV1, num_classes: int) -> None:
        super().__init__()
        self.stem = conv_norm(3, variant.stem, 3, stride=2)
        self.relu6 = nn.ReLU6(inplace=True)
        self.depth, in_channels = len(variant.blocks), variant.stem
        for block, (out_channels, stride) in enumerate(variant.blocks, start=1):
            self.add_module(f"block{block}", Separable(in_channels, out_channels, stride))
            in_channels = out_channels
        self.classifier = nn.Linear(in_channels, num_classes)

    def forward(self, images: Tensor) -> Tensor:
        x = self.relu6(self.stem(images))
        for block in range(1, self.depth + 1):
            x = getattr(self, f"block{block}")(x)
        return self.classifier(global_average_pool(x))


def build(variant: spec.MobileNetV1, num_classes: int) -> nn.Module:
    """The network, its weights as PyTorch initialises them."""
    return MobileNetV1(variant, num_classes)
