"""YOLOv3-tiny in PyTorch. The facts stand in spec.py."""

import torch
from torch import Tensor, nn

from impls.frameworks.layers_pytorch import conv, conv_norm, max_pool, upsample
from impls.models.yolov3_tiny import spec


def max_pool_at_stride_1(x: Tensor) -> Tensor:
    """Maximum of 2x2, padded on the right and below."""
    return max_pool(nn.functional.pad(x, (0, 1, 0, 1), value=-torch.inf), 2, stride=1, padding=0)


class Head(nn.Module):
    """3x3 and the predictions; joined with the backbone's finer output if there is a route."""

    def __init__(self, in_channels: int, channels: int, predictions: int, route: int = 0, skip: int = 0) -> None:
        super().__init__()
        self.route = conv_norm(in_channels, route) if route else None
        self.spatial = conv_norm(route + skip if route else in_channels, channels, 3)
        self.output = conv(channels, predictions)
        self.leaky = nn.LeakyReLU(spec.SLOPE, inplace=True)

    def forward(self, x: Tensor, skip: Tensor | None = None) -> Tensor:
        if self.route is not None:
            x = torch.cat([upsample(self.leaky(self.route(x))), skip], dim=1)
        return self.output(self.leaky(self.spatial(x)))


class YOLOv3Tiny(nn.Module):
    """Images (N, 3, H, W) -> predictions (N, 3 * (5 + num_classes), H / stride, W / stride) of each head."""

    def __init__(self, variant: spec.YOLOv3Tiny, num_classes: int) -> None:
        super().__init__()
        in_channels = 3
        for stage, channels in enumerate(variant.stages, start=1):
            self.add_module(f"stage{stage}", conv_norm(in_channels, channels, 3))
            in_channels = channels
        self.reduce = conv_norm(in_channels, variant.reduced)
        first, second = variant.heads
        predictions = variant.predictions(num_classes)
        self.head1 = Head(variant.reduced, first, predictions)
        self.head2 = Head(variant.reduced, second, predictions, variant.route, variant.skip)
        self.leaky = nn.LeakyReLU(spec.SLOPE, inplace=True)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        x = images
        for stage in range(1, spec.HALVED_STAGES + 1):
            skip = self.leaky(getattr(self, f"stage{stage}")(x))
            x = max_pool(skip, 2, stride=2, padding=0)
        x = max_pool_at_stride_1(self.leaky(self.stage6(x)))
        x = self.leaky(self.stage7(x))
        x = self.leaky(self.reduce(x))
        return self.head1(x), self.head2(x, skip)


def build(variant: spec.YOLOv3Tiny, num_classes: int) -> nn.Module:
    """The network, its weights as PyTorch initialises them."""
    return YOLOv3Tiny(variant, num_classes)
