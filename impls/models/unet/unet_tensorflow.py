"""U-Net in TensorFlow. The facts stand in spec.py."""

import tensorflow as tf

from impls.frameworks.layers_tensorflow import Conv, ConvNorm, TransposedConv, max_pool
from impls.models.unet import spec


class DoubleConv(tf.Module):
    """3x3, 3x3."""

    def __init__(self, name: str, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.conv1 = ConvNorm(f"{name}.conv1", in_channels, out_channels, 3)
        self.conv2 = ConvNorm(f"{name}.conv2", out_channels, out_channels, 3)

    def __call__(self, x: tf.Tensor, training: bool) -> tf.Tensor:
        x = tf.nn.relu(self.conv1(x, training))
        return tf.nn.relu(self.conv2(x, training))


class Up(tf.Module):
    """Transposed 2x2 up, behind the skip connection; 3x3, 3x3."""

    def __init__(self, name: str, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.transposed = TransposedConv(f"{name}.transposed", in_channels, out_channels)
        self.merge = DoubleConv(f"{name}.merge", 2 * out_channels, out_channels)

    def __call__(self, x: tf.Tensor, skip: tf.Tensor, training: bool) -> tf.Tensor:
        return self.merge(tf.concat((skip, self.transposed(x)), axis=-1), training)


class UNet(tf.Module):
    """Images (N, H, W, 3) -> logits (N, H, W, num_classes)."""

    def __init__(self, variant: spec.UNet, num_classes: int) -> None:
        super().__init__()
        *channels, bottom = variant.channels
        self.downs, self.ups = [], []
        in_channels = 3
        for level, out_channels in enumerate(channels, start=1):
            self.downs.append(DoubleConv(f"down{level}", in_channels, out_channels))
            in_channels = out_channels
        self.bottom = DoubleConv("bottom", in_channels, bottom)
        in_channels = bottom
        for level, out_channels in reversed(list(enumerate(channels, start=1))):
            self.ups.append(Up(f"up{level}", in_channels, out_channels))
            in_channels = out_channels
        self.classifier = Conv("classifier", in_channels, num_classes)

    def __call__(self, images: tf.Tensor, training: bool) -> tf.Tensor:
        x, skips = images, []
        for down in self.downs:
            skips.append(down(x, training))
            x = max_pool(skips[-1], 2, 2, 0)
        x = self.bottom(x, training)
        for up in self.ups:
            x = up(x, skips.pop(), training)
        return self.classifier(x)


def build(variant: spec.UNet, num_classes: int) -> tf.Module:
    """The network, its weights zero."""
    return UNet(variant, num_classes)
