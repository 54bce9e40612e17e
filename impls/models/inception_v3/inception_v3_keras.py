"""InceptionV3 in Keras, on any backend. The facts stand in spec.py."""

from collections.abc import Callable, Sequence
from typing import Any

import keras
from keras import KerasTensor, layers

from impls.frameworks.layers_keras import (
    Size,
    average_pool,
    channel_axis,
    conv_norm,
    dense,
    global_average_pool,
    image_input,
    max_pool,
)
from impls.models.inception_v3 import spec

Channels = Sequence[int]


def convolution(
    x: KerasTensor, name: str, out_channels: int, kernel_size: Size, stride: int = 1, padding: int | None = None
) -> KerasTensor:
    """Convolution, batch norm, ReLU."""
    return layers.ReLU()(conv_norm(x, name, out_channels, kernel_size, stride, padding=padding, norm=spec.NORM))


def branch(x: KerasTensor, name: str, channels: Channels, *kernel_sizes: Size, stride: int = 1) -> KerasTensor:
    """Convolutions in a row; a stride is the last one's, which is then not padded."""
    for number, (out_channels, kernel_size) in enumerate(zip(channels, kernel_sizes, strict=True), start=1):
        strided = {"stride": stride, "padding": 0} if stride > 1 and number == len(channels) else {}
        x = convolution(x, f"{name}.layer{number}", out_channels, kernel_size, **strided)
    return x


def fork(x: KerasTensor, name: str, channels: Channels, *kernel_sizes: Size) -> tuple[KerasTensor, KerasTensor]:
    """A branch whose last two convolutions stand side by side."""
    *trunk, row, column = channels
    *trunk_sizes, row_size, column_size = kernel_sizes
    x = branch(x, name, trunk, *trunk_sizes)
    return (
        convolution(x, f"{name}.layer{len(channels) - 1}", row, row_size),
        convolution(x, f"{name}.layer{len(channels)}", column, column_size),
    )


def concatenate(*tensors: KerasTensor) -> KerasTensor:
    """Channels side by side."""
    return layers.Concatenate(channel_axis())(tensors)


def block_a(
    x: KerasTensor, name: str, point: Channels, five: Channels, threes: Channels, pool: Channels
) -> KerasTensor:
    """1x1; 1x1, 5x5; 1x1, 3x3, 3x3; mean, 1x1."""
    return concatenate(
        branch(x, f"{name}.point", point, 1),
        branch(x, f"{name}.five", five, 1, 5),
        branch(x, f"{name}.threes", threes, 1, 3, 3),
        branch(average_pool(x), f"{name}.pool", pool, 1),
    )


def block_b(x: KerasTensor, name: str, three: Channels, threes: Channels) -> KerasTensor:
    """Half the grid (section 5, figure 10): 3x3; 1x1, 3x3, 3x3; maximum."""
    return concatenate(
        branch(x, f"{name}.three", three, 3, stride=2),
        branch(x, f"{name}.threes", threes, 1, 3, 3, stride=2),
        max_pool(x, padding=0),
    )


def block_c(
    x: KerasTensor, name: str, point: Channels, seven: Channels, sevens: Channels, pool: Channels
) -> KerasTensor:
    """7x7 as 1x7 and 7x1 (section 3.2, figure 6): 1x1; 1x1 and one 7x7; 1x1 and two 7x7; mean, 1x1."""
    return concatenate(
        branch(x, f"{name}.point", point, 1),
        branch(x, f"{name}.seven", seven, 1, (1, 7), (7, 1)),
        branch(x, f"{name}.sevens", sevens, 1, (7, 1), (1, 7), (7, 1), (1, 7)),
        branch(average_pool(x), f"{name}.pool", pool, 1),
    )


def block_d(x: KerasTensor, name: str, three: Channels, seven: Channels) -> KerasTensor:
    """Half the grid: 1x1, 3x3; 1x1, one 7x7, 3x3; maximum."""
    return concatenate(
        branch(x, f"{name}.three", three, 1, 3, stride=2),
        branch(x, f"{name}.seven", seven, 1, (1, 7), (7, 1), 3, stride=2),
        max_pool(x, padding=0),
    )


def block_e(
    x: KerasTensor, name: str, point: Channels, three: Channels, threes: Channels, pool: Channels
) -> KerasTensor:
    """Wide (figure 7), 1x3 beside 3x1: 1x1; 1x1, both; 1x1, 3x3, both; mean, 1x1."""
    return concatenate(
        branch(x, f"{name}.point", point, 1),
        *fork(x, f"{name}.three", three, 1, (1, 3), (3, 1)),
        *fork(x, f"{name}.threes", threes, 1, 3, (1, 3), (3, 1)),
        branch(average_pool(x), f"{name}.pool", pool, 1),
    )


BLOCKS: dict[str, Callable[..., KerasTensor]] = {"a": block_a, "b": block_b, "c": block_c, "d": block_d, "e": block_e}


def auxiliary_head(x: KerasTensor, name: str, channels: Channels, num_classes: int) -> KerasTensor:
    """Mean of 5x5, 1x1, 5x5, logits (section 4): the convolutions are not padded."""
    reduced, out_channels = channels
    x = layers.AveragePooling2D(5, strides=3)(x)
    x = convolution(x, f"{name}.layer1", reduced, 1)
    x = convolution(x, f"{name}.layer2", out_channels, 5, padding=0)
    return dense(global_average_pool(x), f"{name}.classifier", num_classes)


class WithAuxiliaryHead(keras.Model):
    """Images -> logits and auxiliary logits in training mode, logits alone in evaluation mode.

    What comes out of a functional model is the same in both modes: these are two that share their layers.
    """

    def __init__(self, images: KerasTensor, logits: KerasTensor, auxiliary_logits: KerasTensor) -> None:
        super().__init__(images, (logits, auxiliary_logits))
        self.without = keras.Model(images, logits)

    def call(self, inputs: Any, training: bool | None = None, mask: Any = None) -> Any:
        if training:
            return super().call(inputs, training=training, mask=mask)
        return self.without(inputs, training=training)


def inception_v3(variant: spec.InceptionV3, num_classes: int) -> keras.Model:
    """Images -> logits (N, num_classes); with the head, in training mode, also auxiliary logits."""
    images = image_input()
    first, second, third, fourth, fifth = variant.stem
    x = convolution(images, "stem1", first, 3, stride=2, padding=0)
    x = convolution(x, "stem2", second, 3, padding=0)
    x = max_pool(convolution(x, "stem3", third, 3), padding=0)
    x = convolution(x, "stem4", fourth, 1)
    x = max_pool(convolution(x, "stem5", fifth, 3, padding=0), padding=0)
    auxiliary_logits = None
    for stage, rows in enumerate(variant.stages, start=1):
        for block, (kind, channels) in enumerate(rows, start=1):
            x = BLOCKS[kind](x, f"stage{stage}.block{block}", *channels)
        if stage == 2 and variant.auxiliary:
            auxiliary_logits = auxiliary_head(x, "auxiliary", variant.auxiliary_head, num_classes)
    logits = dense(global_average_pool(x), "classifier", num_classes)
    if auxiliary_logits is None:
        return keras.Model(images, logits)
    return WithAuxiliaryHead(images, logits, auxiliary_logits)


def build(variant: spec.InceptionV3, num_classes: int) -> keras.Model:
    """The network, its convolutions and dense layers zero."""
    return inception_v3(variant, num_classes)
