"""ResNet in Keras, on any backend. The facts stand in spec.py."""

import keras
from keras import KerasTensor, layers

from impls.frameworks.layers_keras import (
    channel_axis,
    conv_norm,
    dense,
    global_average_pool,
    image_input,
    max_pool,
)
from impls.models.resnet import spec


def basic(x: KerasTensor, name: str, width: int, stride: int) -> KerasTensor:
    """3x3, 3x3, added to the shortcut."""
    y = layers.ReLU()(conv_norm(x, f"{name}.first", width, 3, stride))
    y = conv_norm(y, f"{name}.second", width, 3)
    return layers.ReLU()(layers.Add()([y, shortcut(x, name, width, stride)]))


def bottleneck(x: KerasTensor, name: str, width: int, stride: int) -> KerasTensor:
    """1x1 down, 3x3, 1x1 up, added to the shortcut."""
    y = layers.ReLU()(conv_norm(x, f"{name}.reduce", width))
    y = layers.ReLU()(conv_norm(y, f"{name}.spatial", width, 3, stride))  # v1.5: the stride stands here
    y = conv_norm(y, f"{name}.expand", 4 * width)
    return layers.ReLU()(layers.Add()([y, shortcut(x, name, 4 * width, stride)]))


def shortcut(x: KerasTensor, name: str, out_channels: int, stride: int) -> KerasTensor:
    """The block's input, projected where its shape changes."""
    same = stride == 1 and x.shape[channel_axis()] == out_channels
    return x if same else conv_norm(x, f"{name}.shortcut", out_channels, 1, stride)


def resnet(variant: spec.ResNet, num_classes: int) -> keras.Model:
    """Images -> logits (N, num_classes)."""
    block_of = bottleneck if variant.bottleneck else basic
    images = image_input()
    x = max_pool(layers.ReLU()(conv_norm(images, "stem", variant.stem, 7, stride=2)))
    for stage, (count, width) in enumerate(variant.stages, start=1):
        for block in range(1, count + 1):
            stride = 2 if block == 1 and stage > 1 else 1
            x = block_of(x, f"stage{stage}.block{block}", width, stride)
    return keras.Model(images, dense(global_average_pool(x), "classifier", num_classes))


def build(variant: spec.ResNet, num_classes: int) -> keras.Model:
    """The network, its convolutions and dense layer zero."""
    return resnet(variant, num_classes)
