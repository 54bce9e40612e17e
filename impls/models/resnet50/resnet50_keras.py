"""ResNet-50 v1.5 in Keras, on any backend. The facts stand in spec.py."""

import keras
from keras import KerasTensor, layers

from impls.frameworks.layers_keras import conv_norm, dense, global_average_pool, image_input, max_pool
from impls.models.resnet50.spec import BLOCKS, EXPANSION, STEM_CHANNELS, WIDTHS


def bottleneck(x: KerasTensor, name: str, width: int, stride: int, project: bool) -> KerasTensor:
    """1x1 down, 3x3, 1x1 up, added to the shortcut."""
    out_channels = EXPANSION * width
    y = layers.ReLU()(conv_norm(x, f"{name}.reduce", width))
    y = layers.ReLU()(conv_norm(y, f"{name}.spatial", width, 3, stride))  # v1.5: the stride stands here
    y = conv_norm(y, f"{name}.expand", out_channels)
    shortcut = conv_norm(x, f"{name}.shortcut", out_channels, 1, stride) if project else x
    return layers.ReLU()(layers.Add()([y, shortcut]))


def stage(x: KerasTensor, name: str, width: int, blocks: int, stride: int) -> KerasTensor:
    """Bottlenecks of one width; the first one strides and projects its shortcut."""
    x = bottleneck(x, f"{name}.block1", width, stride, project=True)
    for block in range(2, blocks + 1):
        x = bottleneck(x, f"{name}.block{block}", width, stride=1, project=False)
    return x


def resnet(num_classes: int, blocks: tuple[int, ...]) -> keras.Model:
    """Images -> logits (N, num_classes)."""
    images = image_input()
    x = max_pool(layers.ReLU()(conv_norm(images, "stem", STEM_CHANNELS, 7, stride=2)))
    x = stage(x, "stage1", WIDTHS[0], blocks[0], stride=1)
    x = stage(x, "stage2", WIDTHS[1], blocks[1], stride=2)
    x = stage(x, "stage3", WIDTHS[2], blocks[2], stride=2)
    x = stage(x, "stage4", WIDTHS[3], blocks[3], stride=2)
    return keras.Model(images, dense(global_average_pool(x), "classifier", num_classes))


def build(num_classes: int, blocks: tuple[int, ...] = BLOCKS) -> keras.Model:
    """The network, its convolutions and dense layer zero."""
    return resnet(num_classes, blocks)
