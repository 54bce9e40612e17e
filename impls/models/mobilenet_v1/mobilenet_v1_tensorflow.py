"""MobileNetV1 in TensorFlow. The facts stand in spec.py."""

import tensorflow as tf

from impls.frameworks.layers_tensorflow import ConvNorm, Dense, global_average_pool
from impls.models.mobilenet_v1 import spec


class Separable(tf.Module):
    """Depthwise 3x3, then 1x1 across the channels."""

    def __init__(self, name: str, in_channels: int, out_channels: int, stride: int) -> None:
        super().__init__()
        self.depthwise = ConvNorm(f"{name}.depthwise", in_channels, in_channels, 3, stride, groups=in_channels)
        self.pointwise = ConvNorm(f"{name}.pointwise", in_channels, out_channels)

    def __call__(self, x: tf.Tensor, training: bool) -> tf.Tensor:
        y = tf.nn.relu6(self.depthwise(x, training))
        return tf.nn.relu6(self.pointwise(y, training))


class MobileNetV1(tf.Module):
    """Images (N, H, W, 3) -> logits (N, num_classes)."""

    def __init__(self, variant: spec.MobileNetV1, num_classes: int) -> None:
        super().__init__()
        self.stem = ConvNorm("stem", 3, variant.stem, 3, stride=2)
        self.blocks, in_channels = [], variant.stem
        for block, (out_channels, stride) in enumerate(variant.blocks, start=1):
            self.blocks.append(Separable(f"block{block}", in_channels, out_channels, stride))
            in_channels = out_channels
        self.classifier = Dense("classifier", in_channels, num_classes)

    def __call__(self, images: tf.Tensor, training: bool) -> tf.Tensor:
        x = tf.nn.relu6(self.stem(images, training))
        for block in self.blocks:
            x = block(x, training)
        return self.classifier(global_average_pool(x))


def build(variant: spec.MobileNetV1, num_classes: int) -> tf.Module:
    """The network, its weights zero."""
    return MobileNetV1(variant, num_classes)
