"""MobileNetV3 in TensorFlow. The facts stand in spec.py."""

import tensorflow as tf

from impls.frameworks.layers_tensorflow import Conv, ConvNorm, Dense, global_average_pool
from impls.models.mobilenet_v3 import spec


def hard_sigmoid(x: tf.Tensor) -> tf.Tensor:
    """From 0 at -3 to 1 at 3, constant outside."""
    return tf.nn.relu6(x + 3) / 6  # divided: bfloat16 has no 1/6 but one that is 0.2 % too large


def hard_swish(x: tf.Tensor) -> tf.Tensor:
    """x relu6(x + 3) / 6, which TensorFlow has no operation for."""
    return x * hard_sigmoid(x)


class SqueezeExcite(tf.Module):
    """Each channel times a gate that is computed from the means of all of them."""

    def __init__(self, name: str, channels: int, squeezed: int) -> None:
        super().__init__()
        self.reduce = Conv(f"{name}.reduce", channels, squeezed)
        self.expand = Conv(f"{name}.expand", squeezed, channels)

    def __call__(self, x: tf.Tensor) -> tf.Tensor:
        gate = tf.reduce_mean(x, axis=[1, 2], keepdims=True)
        gate = tf.nn.relu(self.reduce(gate))
        return x * hard_sigmoid(self.expand(gate))


class InvertedResidual(tf.Module):
    """1x1 up, depthwise, squeeze-and-excite, linear 1x1 down; added to the input where the shapes agree."""

    def __init__(self, block: spec.Block) -> None:
        super().__init__()
        name, widens = block.name, block.hidden != block.in_channels
        self.widen = (
            ConvNorm(f"{name}.widen", block.in_channels, block.hidden, norm=spec.BATCH_NORM) if widens else None
        )
        self.depthwise = ConvNorm(
            f"{name}.depthwise",
            block.hidden,
            block.hidden,
            block.kernel_size,
            block.stride,
            block.hidden,
            norm=spec.BATCH_NORM,
        )
        self.squeeze = SqueezeExcite(f"{name}.squeeze", block.hidden, block.squeezed) if block.squeezed else None
        self.project = ConvNorm(f"{name}.project", block.hidden, block.out_channels, norm=spec.BATCH_NORM)
        self.activation = hard_swish if block.hard_swish else tf.nn.relu
        self.residual = block.residual

    def __call__(self, x: tf.Tensor, training: bool) -> tf.Tensor:
        y = x if self.widen is None else self.activation(self.widen(x, training))
        y = self.activation(self.depthwise(y, training))
        y = y if self.squeeze is None else self.squeeze(y)
        y = self.project(y, training)
        return x + y if self.residual else y


class MobileNetV3(tf.Module):
    """Images (N, H, W, 3) -> logits (N, num_classes)."""

    def __init__(self, variant: spec.MobileNetV3, num_classes: int) -> None:
        super().__init__()
        self.stem = ConvNorm("stem", 3, variant.stem, 3, stride=2, norm=spec.BATCH_NORM)
        self.blocks = [InvertedResidual(block) for block in variant.blocks]
        self.head = ConvNorm("head", variant.blocks[-1].out_channels, variant.head, norm=spec.BATCH_NORM)
        self.penultimate = Dense("penultimate", variant.head, variant.penultimate)
        self.classifier = Dense("classifier", variant.penultimate, num_classes)

    def __call__(self, images: tf.Tensor, training: bool) -> tf.Tensor:
        x = hard_swish(self.stem(images, training))
        for block in self.blocks:
            x = block(x, training)
        x = hard_swish(self.head(x, training))
        x = hard_swish(self.penultimate(global_average_pool(x)))
        return self.classifier(x)


def build(variant: spec.MobileNetV3, num_classes: int) -> tf.Module:
    """The network, its weights zero."""
    return MobileNetV3(variant, num_classes)
