"""MobileNetV2 in Keras, on any backend. The facts stand in spec.py."""

import keras
from keras import KerasTensor, layers

from impls.frameworks.layers_keras import conv_norm, dense, global_average_pool, image_input
from impls.models.mobilenet_v2 import spec


def inverted_residual(
    x: KerasTensor, name: str, in_channels: int, out_channels: int, expansion: int, stride: int
) -> KerasTensor:
    """1x1 up, depthwise 3x3, linear 1x1 down; added to the input where the shapes agree."""
    hidden = expansion * in_channels
    y = x if expansion == 1 else layers.ReLU(6.0)(conv_norm(x, f"{name}.widen", hidden))
    y = layers.ReLU(6.0)(conv_norm(y, f"{name}.depthwise", hidden, 3, stride, groups=hidden))
    y = conv_norm(y, f"{name}.project", out_channels)
    return layers.Add()([x, y]) if stride == 1 and in_channels == out_channels else y


def mobilenet_v2(variant: spec.MobileNetV2, num_classes: int) -> keras.Model:
    """Images -> logits (N, num_classes)."""
    images = image_input()
    x = layers.ReLU(6.0)(conv_norm(images, "stem", variant.stem, 3, stride=2))
    in_channels = variant.stem
    for stage, (expansion, out_channels, repeats, stride) in enumerate(variant.stages, start=1):
        for block in range(1, repeats + 1):
            name = f"stage{stage}.block{block}"
            x = inverted_residual(x, name, in_channels, out_channels, expansion, stride if block == 1 else 1)
            in_channels = out_channels
    x = layers.ReLU(6.0)(conv_norm(x, "head", variant.head))
    return keras.Model(images, dense(global_average_pool(x), "classifier", num_classes))


def build(variant: spec.MobileNetV2, num_classes: int) -> keras.Model:
    """The network, its convolutions and dense layer zero."""
    return mobilenet_v2(variant, num_classes)
