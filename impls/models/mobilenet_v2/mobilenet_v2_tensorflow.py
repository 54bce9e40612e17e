"""MobileNetV2 in TensorFlow. The facts stand in spec.py."""

import tensorflow as tf

from impls.frameworks.layers_tensorflow import ConvNorm, Dense, global_average_pool
from impls.models.mobilenet_v2 import spec


class InvertedResidual(tf.Module):
    """1x1 up, depthwise 3x3, linear 1x1 down; added to the input where the shapes agree."""

    def __init__(self, name: str, in_channels: int, out_channels: int, expansion: int, stride: int) -> None:
        super().__init__()
        hidden = expansion * in_channels
        self.widen = ConvNorm(f"{name}.widen", in_channels, hidden) if expansion > 1 else None
        self.depthwise = ConvNorm(f"{name}.depthwise", hidden, hidden, 3, stride, groups=hidden)
        self.project = ConvNorm(f"{name}.project", hidden, out_channels)
        self.residual = stride == 1 and in_channels == out_channels

    def __call__(self, x: tf.Tensor, training: bool) -> tf.Tensor:
        y = x if self.widen is None else tf.nn.relu6(self.widen(x, training))
        y = tf.nn.relu6(self.depthwise(y, training))
        y = self.project(y, training)
        return x + y if self.residual else y


class MobileNetV2(tf.Module):
    """Images (N, H, W, 3) -> logits (N, num_classes)."""

    def __init__(self, variant: spec.MobileNetV2, num_classes: int) -> None:
        super().__init__()
        self.stem = ConvNorm("stem", 3, variant.stem, 3, stride=2)
        in_channels = variant.stem
        self.blocks = []
        for stage, (expansion, out_channels, repeats, stride) in enumerate(variant.stages, start=1):
            for block in range(1, repeats + 1):
                name = f"stage{stage}.block{block}"
                self.blocks.append(
                    InvertedResidual(name, in_channels, out_channels, expansion, stride if block == 1 else 1)
                )
                in_channels = out_channels
        self.head = ConvNorm("head", in_channels, variant.head)
        self.classifier = Dense("classifier", variant.head, num_classes)

    def __call__(self, images: tf.Tensor, training: bool) -> tf.Tensor:
        x = tf.nn.relu6(self.stem(images, training))
        for block in self.blocks:
            x = block(x, training)
        x = tf.nn.relu6(self.head(x, training))
        return self.classifier(global_average_pool(x))


def build(variant: spec.MobileNetV2, num_classes: int) -> tf.Module:
    """The network, its weights zero."""
    return MobileNetV2(variant, num_classes)
