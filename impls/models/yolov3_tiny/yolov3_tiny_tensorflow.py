"""YOLOv3-tiny in TensorFlow. The facts stand in spec.py."""

import tensorflow as tf

from impls.frameworks.layers_tensorflow import Conv, ConvNorm, max_pool, upsample
from impls.models.yolov3_tiny import spec


def max_pool_at_stride_1(x: tf.Tensor) -> tf.Tensor:
    """Maximum of 2x2, padded on the right and below."""
    return tf.nn.max_pool2d(x, 2, 1, "SAME")  # whose odd pixel stands there


def leaky(x: tf.Tensor) -> tf.Tensor:
    """Leaky ReLU."""
    return tf.nn.leaky_relu(x, spec.SLOPE)


class Head(tf.Module):
    """3x3 and the predictions; joined with the backbone's finer output if there is a route."""

    def __init__(
        self, name: str, in_channels: int, channels: int, predictions: int, route: int = 0, skip: int = 0
    ) -> None:
        super().__init__()
        self.route = ConvNorm(f"{name}.route", in_channels, route) if route else None
        self.spatial = ConvNorm(f"{name}.spatial", route + skip if route else in_channels, channels, 3)
        self.output = Conv(f"{name}.output", channels, predictions)

    def __call__(self, x: tf.Tensor, skip: tf.Tensor | None, training: bool) -> tf.Tensor:
        if self.route is not None:
            x = tf.concat([upsample(leaky(self.route(x, training))), skip], axis=-1)
        return self.output(leaky(self.spatial(x, training)))


class YOLOv3Tiny(tf.Module):
    """Images (N, H, W, 3) -> predictions (N, H / stride, W / stride, 3 * (5 + num_classes)) of each head."""

    def __init__(self, variant: spec.YOLOv3Tiny, num_classes: int) -> None:
        super().__init__()
        self.stages, in_channels = [], 3
        for stage, channels in enumerate(variant.stages, start=1):
            self.stages.append(ConvNorm(f"stage{stage}", in_channels, channels, 3))
            in_channels = channels
        self.reduce = ConvNorm("reduce", in_channels, variant.reduced)
        first, second = variant.heads
        predictions = variant.predictions(num_classes)
        self.head1 = Head("head1", variant.reduced, first, predictions)
        self.head2 = Head("head2", variant.reduced, second, predictions, variant.route, variant.skip)

    def __call__(self, images: tf.Tensor, training: bool) -> tuple[tf.Tensor, tf.Tensor]:
        *halved, stage6, stage7 = self.stages
        x = images
        for stage in halved:
            skip = leaky(stage(x, training))
            x = max_pool(skip, 2, stride=2, padding=0)
        x = max_pool_at_stride_1(leaky(stage6(x, training)))
        x = leaky(stage7(x, training))
        x = leaky(self.reduce(x, training))
        return self.head1(x, None, training), self.head2(x, skip, training)


def build(variant: spec.YOLOv3Tiny, num_classes: int) -> tf.Module:
    """The network, its weights zero."""
    return YOLOv3Tiny(variant, num_classes)
