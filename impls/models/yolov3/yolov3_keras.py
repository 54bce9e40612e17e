"""YOLOv3 in Keras, on any backend. The facts stand in spec.py."""

import keras
from keras import KerasTensor, layers

from impls.frameworks.layers_keras import channel_axis, conv, conv_norm, image_input, upsample
from impls.models.yolov3 import spec


def leaky(x: KerasTensor) -> KerasTensor:
    """Leaky ReLU."""
    return layers.LeakyReLU(spec.SLOPE)(x)


def residual(x: KerasTensor, name: str, channels: int) -> KerasTensor:
    """1x1 to half the channels, 3x3 back, added to the input; nothing is activated behind the sum."""
    y = leaky(conv_norm(x, f"{name}.reduce", channels // 2))
    y = leaky(conv_norm(y, f"{name}.restore", channels, 3))
    return layers.Add()([x, y])


def head(
    x: KerasTensor, skip: KerasTensor | None, name: str, channels: int, predictions: int
) -> tuple[KerasTensor, KerasTensor]:
    """1x1 and 3x3 by turns on what comes from below, joined with an earlier stage but for the coarsest head.

    Gives what the next head goes on with, and the predictions.
    """
    wide = 2 * channels
    if skip is not None:
        x = upsample(leaky(conv_norm(x, f"{name}.route", channels)))
        x = layers.Concatenate(axis=channel_axis())([x, skip])
    x = leaky(conv_norm(x, f"{name}.conv1", channels))
    x = leaky(conv_norm(x, f"{name}.conv2", wide, 3))
    x = leaky(conv_norm(x, f"{name}.conv3", channels))
    x = leaky(conv_norm(x, f"{name}.conv4", wide, 3))
    x = leaky(conv_norm(x, f"{name}.conv5", channels))
    y = leaky(conv_norm(x, f"{name}.conv6", wide, 3))
    return x, conv(y, f"{name}.output", predictions)


def yolov3(variant: spec.YOLOv3, num_classes: int) -> keras.Model:
    """Images -> predictions of each head, 3 * (5 + num_classes) channels, height and width of the image / stride."""
    images = image_input()
    x = leaky(conv_norm(images, "stem", variant.stem, 3))
    stages = []
    for stage, (count, channels) in enumerate(variant.stages, start=1):
        x = leaky(conv_norm(x, f"stage{stage}.down", channels, 3, stride=2))
        for block in range(1, count + 1):
            x = residual(x, f"stage{stage}.block{block}", channels)
        stages.append(x)
    *_, fine, middle, coarse = stages
    predictions = variant.predictions(num_classes)
    (first, _), (second, _), (third, _) = variant.heads
    x, large = head(coarse, None, "head1", first, predictions)
    x, medium = head(x, middle, "head2", second, predictions)
    _, small = head(x, fine, "head3", third, predictions)
    return keras.Model(images, [large, medium, small])


def build(variant: spec.YOLOv3, num_classes: int) -> keras.Model:
    """The network, its convolutions zero."""
    return yolov3(variant, num_classes)
