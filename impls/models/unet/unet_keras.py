"""U-Net in Keras, on any backend. The facts stand in spec.py."""

import keras
from keras import KerasTensor, layers

from impls.frameworks.layers_keras import channel_axis, conv, conv_norm, image_input, max_pool, transposed_conv
from impls.models.unet import spec


def double_conv(x: KerasTensor, name: str, out_channels: int) -> KerasTensor:
    """3x3, 3x3."""
    x = layers.ReLU()(conv_norm(x, f"{name}.conv1", out_channels, 3))
    return layers.ReLU()(conv_norm(x, f"{name}.conv2", out_channels, 3))


def up(x: KerasTensor, name: str, out_channels: int, skip: KerasTensor) -> KerasTensor:
    """Transposed 2x2 up, behind the skip connection; 3x3, 3x3."""
    x = transposed_conv(x, f"{name}.transposed", out_channels)
    return double_conv(layers.Concatenate(axis=channel_axis())([skip, x]), f"{name}.merge", out_channels)


def unet(variant: spec.UNet, num_classes: int) -> keras.Model:
    """Images -> logits (N, H, W, num_classes), or (N, num_classes, H, W) where the backend has the channels first."""
    *channels, bottom = variant.channels
    x = images = image_input()
    skips = []
    for level, out_channels in enumerate(channels, start=1):
        skips.append(double_conv(x, f"down{level}", out_channels))
        x = max_pool(skips[-1], 2, 2, 0)
    x = double_conv(x, "bottom", bottom)
    for level, out_channels in reversed(list(enumerate(channels, start=1))):
        x = up(x, f"up{level}", out_channels, skips.pop())
    return keras.Model(images, conv(x, "classifier", num_classes))


def build(variant: spec.UNet, num_classes: int) -> keras.Model:
    """The network, its convolutions zero."""
    return unet(variant, num_classes)
