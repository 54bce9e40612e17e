"""YOLOv3 in TensorFlow. The facts stand in spec.py."""

import tensorflow as tf

from impls.frameworks.layers_tensorflow import Conv, ConvNorm, upsample
from impls.models.yolov3 import spec


def leaky(x: tf.Tensor) -> tf.Tensor:
    """Leaky ReLU."""
    return tf.nn.leaky_relu(x, spec.SLOPE)


class Residual(tf.Module):
    """1x1 to half the channels, 3x3 back, added to the input; nothing is activated behind the sum."""

    def __init__(self, name: str, channels: int) -> None:
        super().__init__()
        self.reduce = ConvNorm(f"{name}.reduce", channels, channels // 2)
        self.restore = ConvNorm(f"{name}.restore", channels // 2, channels, 3)

    def __call__(self, x: tf.Tensor, training: bool) -> tf.Tensor:
        y = leaky(self.reduce(x, training))
        y = leaky(self.restore(y, training))
        return x + y


class Head(tf.Module):
    """1x1 and 3x3 by turns on what comes from below, joined with an earlier stage but for the coarsest head.

    Gives what the next head goes on with, and the predictions.
    """

    def __init__(self, name: str, in_channels: int, skip_channels: int, channels: int, predictions: int) -> None:
        super().__init__()
        wide = 2 * channels
        self.route = ConvNorm(f"{name}.route", in_channels, channels) if skip_channels else None
        self.conv1 = ConvNorm(f"{name}.conv1", channels + skip_channels if skip_channels else in_channels, channels)
        self.conv2 = ConvNorm(f"{name}.conv2", channels, wide, 3)
        self.conv3 = ConvNorm(f"{name}.conv3", wide, channels)
        self.conv4 = ConvNorm(f"{name}.conv4", channels, wide, 3)
        self.conv5 = ConvNorm(f"{name}.conv5", wide, channels)
        self.conv6 = ConvNorm(f"{name}.conv6", channels, wide, 3)
        self.output = Conv(f"{name}.output", wide, predictions)

    def __call__(self, x: tf.Tensor, skip: tf.Tensor | None, training: bool) -> tuple[tf.Tensor, tf.Tensor]:
        if self.route is not None:
            x = tf.concat([upsample(leaky(self.route(x, training))), skip], axis=-1)
        for layer in (self.conv1, self.conv2, self.conv3, self.conv4, self.conv5):
            x = leaky(layer(x, training))
        return x, self.output(leaky(self.conv6(x, training)))


class YOLOv3(tf.Module):
    """Images (N, H, W, 3) -> predictions (N, H / stride, W / stride, 3 * (5 + num_classes)) of each head."""

    def __init__(self, variant: spec.YOLOv3, num_classes: int) -> None:
        super().__init__()
        self.stem = ConvNorm("stem", 3, variant.stem, 3)
        in_channels = variant.stem
        self.stages, self.heads = [], []
        for stage, (count, channels) in enumerate(variant.stages, start=1):
            down = ConvNorm(f"stage{stage}.down", in_channels, channels, 3, stride=2)
            blocks = [Residual(f"stage{stage}.block{block}", channels) for block in range(1, count + 1)]
            self.stages.append((down, blocks))
            in_channels = channels
        for head, (channels, skip_channels) in enumerate(variant.heads, start=1):
            predictions = variant.predictions(num_classes)
            self.heads.append(Head(f"head{head}", in_channels, skip_channels, channels, predictions))
            in_channels = channels

    def __call__(self, images: tf.Tensor, training: bool) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        x = leaky(self.stem(images, training))
        stages = []
        for down, blocks in self.stages:
            x = leaky(down(x, training))
            for block in blocks:
                x = block(x, training)
            stages.append(x)
        *_, fine, middle, coarse = stages
        head1, head2, head3 = self.heads
        x, large = head1(coarse, None, training)
        x, medium = head2(x, middle, training)
        _, small = head3(x, fine, training)
        return large, medium, small


def build(variant: spec.YOLOv3, num_classes: int) -> tf.Module:
    """The network, its weights zero."""
    return YOLOv3(variant, num_classes)
