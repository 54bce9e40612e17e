"""MobileNetV1 in Keras, on any backend. The facts stand in spec.py."""

import keras
from keras import KerasTensor, layers

from impls.frameworks.layers_keras import conv_norm, dense, global_average_pool, image_input
from impls.models.mobilenet_v1 import spec


def separable(x: KerasTensor, name: str, in_channels: int, out_channels: int, stride: int) -> KerasTensor:
    """Depthwise 3x3, then 1x1 across the channels."""
    y = layers.ReLU(6.0)(conv_norm(x, f"{name}.depthwise", in_channels, 3, stride, groups=in_channels))
    return layers.ReLU(6.0)(conv_norm(y, f"{name}.pointwise", out_channels))


def mobilenet_v1(variant: spec.MobileNetV1, num_classes: int) -> keras.Model:
    """Images -> logits (N, num_classes)."""
    images = image_input()
    x = layers.ReLU(6.0)(conv_norm(images, "stem", variant.stem, 3, stride=2))
    in_channels = variant.stem
    for block, (out_channels, stride) in enumerate(variant.blocks, start=1):
        x = separable(x, f"block{block}", in_channels, out_channels, stride)
        in_channels = out_channels
    return keras.Model(images, dense(global_average_pool(x), "classifier", num_classes))


def build(variant: spec.MobileNetV1, num_classes: int) -> keras.Model:
    """The network, its convolutions and dense layer zero."""
    return mobilenet_v1(variant, num_classes)
