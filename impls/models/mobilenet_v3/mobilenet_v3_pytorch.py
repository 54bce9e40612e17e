"""MobileNetV3 in PyTorch. The facts stand in spec.py."""

import torch
from torch import Tensor, nn

from impls.frameworks.layers_pytorch import conv, conv_norm, global_average_pool
from impls.models.mobilenet_v3 import spec


def hard_sigmoid(x: Tensor) -> Tensor:
    """From 0 at -3 to 1 at 3, constant outside."""
    if x.dtype == torch.float64:  # PyTorch's kernels have 1/6 in single precision only: wrong from the 8th digit on
        return nn.functional.relu6(x + 3) / 6
    return nn.functional.hardsigmoid(x)


def hard_swish(x: Tensor) -> Tensor:
    """x relu6(x + 3) / 6."""
    if x.dtype == torch.float64:
        return x * hard_sigmoid(x)
    return nn.functional.hardswish(x)  # not in place: its gradient needs x, which would be copied first


def relu(x: Tensor) -> Tensor:
    """ReLU in place."""
    return nn.functional.relu(x, inplace=True)


class SqueezeExcite(nn.Module):
    """Each channel times a gate that is computed from the means of all of them."""

    def __init__(self, channels: int, squeezed: int) -> None:
        super().__init__()
        self.reduce = conv(channels, squeezed)
        self.expand = conv(squeezed, channels)

    def forward(self, x: Tensor) -> Tensor:
        gate = x.mean(dim=(2, 3), keepdim=True)
        gate = relu(self.reduce(gate))
        return x * hard_sigmoid(self.expand(gate))


class InvertedResidual(nn.Module):
    """1x1 up, depthwise, squeeze-and-excite, linear 1x1 down; added to the input where the shapes agree."""

    def __init__(self, block: spec.Block) -> None:
        super().__init__()
        widens = block.hidden != block.in_channels
        self.widen = conv_norm(block.in_channels, block.hidden, norm=spec.BATCH_NORM) if widens else None
        self.depthwise = conv_norm(
            block.hidden, block.hidden, block.kernel_size, block.stride, block.hidden, norm=spec.BATCH_NORM
        )
        self.squeeze = SqueezeExcite(block.hidden, block.squeezed) if block.squeezed else None
        self.project = conv_norm(block.hidden, block.out_channels, norm=spec.BATCH_NORM)
        self.activation = hard_swish if block.hard_swish else relu
        self.residual = block.residual

    def forward(self, x: Tensor) -> Tensor:
        y = x if self.widen is None else self.activation(self.widen(x))
        y = self.activation(self.depthwise(y))
        y = y if self.squeeze is None else self.squeeze(y)
        y = self.project(y)
        return x + y if self.residual else y


class MobileNetV3(nn.Module):
    """Images (N, 3, H, W) -> logits (N, num_classes)."""

    def __init__(self, variant: spec.MobileNetV3, num_classes: int) -> None:
        super().__init__()
        self.stem = conv_norm(3, variant.stem, 3, stride=2, norm=spec.BATCH_NORM)
        self.blocks = nn.Sequential(*(InvertedResidual(block) for block in variant.blocks))
        self.head = conv_norm(variant.blocks[-1].out_channels, variant.head, norm=spec.BATCH_NORM)
        self.penultimate = nn.Linear(variant.head, variant.penultimate)
        self.classifier = nn.Linear(variant.penultimate, num_classes)

    def forward(self, images: Tensor) -> Tensor:
        x = hard_swish(self.stem(images))
        x = self.blocks(x)
        x = hard_swish(self.head(x))
        x = hard_swish(self.penultimate(global_average_pool(x)))
        return self.classifier(x)


def build(variant: spec.MobileNetV3, num_classes: int) -> nn.Module:
    """The network, its weights as PyTorch initialises them."""
    return MobileNetV3(variant, num_classes)
