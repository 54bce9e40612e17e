"""YOLOv3-tiny in Keras, on any backend. The facts stand in spec.py."""

import keras
from keras import KerasTensor, layers

from impls.frameworks.layers_keras import channel_axis, conv, conv_norm, image_input, max_pool, upsample
from impls.models.yolov3_tiny import spec


def max_pool_at_stride_1(x: KerasTensor) -> KerasTensor:
    """Maximum of 2x2, padded on the right and below."""
    return layers.MaxPooling2D(2, strides=1, padding="same")(x)  # whose odd pixel stands there


def leaky(x: KerasTensor) -> KerasTensor:
    """Leaky ReLU."""
    return layers.LeakyReLU(spec.SLOPE)(x)


def head(
    x: KerasTensor, name: str, channels: int, predictions: int, route: int = 0, skip: KerasTensor | None = None
) -> KerasTensor:
    """3x3 and the predictions; joined with the backbone's finer output if there is a route."""
    if route:
        x = upsample(leaky(conv_norm(x, f"{name}.route", route)))
        x = layers.Concatenate(axis=channel_axis())([x, skip])
    x = leaky(conv_norm(x, f"{name}.spatial", channels, 3))
    return conv(x, f"{name}.output", predictions)


def yolov3_tiny(variant: spec.YOLOv3Tiny, num_classes: int) -> keras.Model:
    """Images -> predictions of each head, 3 * (5 + num_classes) channels, height and width of the image / stride."""
    *halved, channels6, channels7 = variant.stages
    images = x = image_input()
    for stage, channels in enumerate(halved, start=1):
        skip = leaky(conv_norm(x, f"stage{stage}", channels, 3))
        x = max_pool(skip, 2, stride=2, padding=0)
    x = max_pool_at_stride_1(leaky(conv_norm(x, "stage6", channels6, 3)))
    x = leaky(conv_norm(x, "stage7", channels7, 3))
    x = leaky(conv_norm(x, "reduce", variant.reduced))
    first, second = variant.heads
    predictions = variant.predictions(num_classes)
    large = head(x, "head1", first, predictions)
    small = head(x, "head2", second, predictions, variant.route, skip)
    return keras.Model(images, [large, small])


def build(variant: spec.YOLOv3Tiny, num_classes: int) -> keras.Model:
    """The network, its convolutions zero."""
    return yolov3_tiny(variant, num_classes)
