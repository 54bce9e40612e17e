"""ResNet in TensorFlow. The facts stand in spec.py."""

import tensorflow as tf

from impls.frameworks.layers_tensorflow import ConvNorm, Dense, global_average_pool, max_pool
from impls.models.resnet import spec


class Basic(tf.Module):
    """3x3, 3x3, added to the shortcut."""

    def __init__(self, name: str, in_channels: int, width: int, stride: int) -> None:
        super().__init__()
        self.first = ConvNorm(f"{name}.first", in_channels, width, 3, stride)
        self.second = ConvNorm(f"{name}.second", width, width, 3)
        self.shortcut = shortcut(name, in_channels, width, stride)

    def __call__(self, x: tf.Tensor, training: bool) -> tf.Tensor:
        y = tf.nn.relu(self.first(x, training))
        y = self.second(y, training)
        y += self.shortcut(x, training) if self.shortcut else x
        return tf.nn.relu(y)


class Bottleneck(tf.Module):
    """1x1 down, 3x3, 1x1 up, added to the shortcut."""

    def __init__(self, name: str, in_channels: int, width: int, stride: int) -> None:
        super().__init__()
        self.reduce = ConvNorm(f"{name}.reduce", in_channels, width)
        self.spatial = ConvNorm(f"{name}.spatial", width, width, 3, stride)  # v1.5: the stride stands here
        self.expand = ConvNorm(f"{name}.expand", width, 4 * width)
        self.shortcut = shortcut(name, in_channels, 4 * width, stride)

    def __call__(self, x: tf.Tensor, training: bool) -> tf.Tensor:
        y = tf.nn.relu(self.reduce(x, training))
        y = tf.nn.relu(self.spatial(y, training))
        y = self.expand(y, training)
        y += self.shortcut(x, training) if self.shortcut else x
        return tf.nn.relu(y)


def shortcut(name: str, in_channels: int, out_channels: int, stride: int) -> ConvNorm | None:
    """The projection of the block's input where its shape changes."""
    same = stride == 1 and in_channels == out_channels
    return None if same else ConvNorm(f"{name}.shortcut", in_channels, out_channels, 1, stride)


class ResNet(tf.Module):
    """Images (N, H, W, 3) -> logits (N, num_classes)."""

    def __init__(self, variant: spec.ResNet, num_classes: int) -> None:
        super().__init__()
        block_of = Bottleneck if variant.bottleneck else Basic
        self.stem = ConvNorm("stem", 3, variant.stem, 7, stride=2)
        self.blocks, in_channels = [], variant.stem
        for stage, (count, width) in enumerate(variant.stages, start=1):
            for block in range(1, count + 1):
                stride = 2 if block == 1 and stage > 1 else 1
                self.blocks.append(block_of(f"stage{stage}.block{block}", in_channels, width, stride))
                in_channels = variant.expansion * width
        self.classifier = Dense("classifier", in_channels, num_classes)

    def __call__(self, images: tf.Tensor, training: bool) -> tf.Tensor:
        x = max_pool(tf.nn.relu(self.stem(images, training)))
        for block in self.blocks:
            x = block(x, training)
        return self.classifier(global_average_pool(x))


def build(variant: spec.ResNet, num_classes: int) -> tf.Module:
    """The network, its weights zero."""
    return ResNet(variant, num_classes)
