"""ResNet-50 v1.5 in TensorFlow. The facts stand in spec.py."""

import tensorflow as tf

from impls.frameworks.layers_tensorflow import ConvNorm, Dense, global_average_pool, max_pool
from impls.models.resnet50.spec import BLOCKS, EXPANSION, STEM_CHANNELS, WIDTHS


class Bottleneck(tf.Module):
    """1x1 down, 3x3, 1x1 up, added to the shortcut."""

    def __init__(self, name: str, in_channels: int, width: int, stride: int, project: bool) -> None:
        super().__init__()
        out_channels = EXPANSION * width
        self.reduce = ConvNorm(f"{name}.reduce", in_channels, width)
        self.spatial = ConvNorm(f"{name}.spatial", width, width, 3, stride)  # v1.5: the stride stands here
        self.expand = ConvNorm(f"{name}.expand", width, out_channels)
        self.shortcut = ConvNorm(f"{name}.shortcut", in_channels, out_channels, 1, stride) if project else None

    def __call__(self, x: tf.Tensor, training: bool) -> tf.Tensor:
        y = tf.nn.relu(self.reduce(x, training))
        y = tf.nn.relu(self.spatial(y, training))
        y = self.expand(y, training)
        y += self.shortcut(x, training) if self.shortcut else x
        return tf.nn.relu(y)


def stage(name: str, in_channels: int, width: int, blocks: int, stride: int) -> list[Bottleneck]:
    """Bottlenecks of one width; the first one strides and projects its shortcut."""
    found = [Bottleneck(f"{name}.block1", in_channels, width, stride, project=True)]
    for block in range(2, blocks + 1):
        found.append(Bottleneck(f"{name}.block{block}", EXPANSION * width, width, stride=1, project=False))
    return found


class ResNet(tf.Module):
    """Images (N, H, W, 3) -> logits (N, num_classes)."""

    def __init__(self, num_classes: int, blocks: tuple[int, ...]) -> None:
        super().__init__()
        self.stem = ConvNorm("stem", 3, STEM_CHANNELS, 7, stride=2)
        self.stage1 = stage("stage1", STEM_CHANNELS, WIDTHS[0], blocks[0], stride=1)
        self.stage2 = stage("stage2", EXPANSION * WIDTHS[0], WIDTHS[1], blocks[1], stride=2)
        self.stage3 = stage("stage3", EXPANSION * WIDTHS[1], WIDTHS[2], blocks[2], stride=2)
        self.stage4 = stage("stage4", EXPANSION * WIDTHS[2], WIDTHS[3], blocks[3], stride=2)
        self.classifier = Dense("classifier", EXPANSION * WIDTHS[3], num_classes)

    def __call__(self, images: tf.Tensor, training: bool) -> tf.Tensor:
        x = max_pool(tf.nn.relu(self.stem(images, training)))
        for bottleneck in (*self.stage1, *self.stage2, *self.stage3, *self.stage4):
            x = bottleneck(x, training)
        return self.classifier(global_average_pool(x))


def build(num_classes: int, blocks: tuple[int, ...] = BLOCKS) -> tf.Module:
    """The network, its weights zero."""
    return ResNet(num_classes, blocks)
