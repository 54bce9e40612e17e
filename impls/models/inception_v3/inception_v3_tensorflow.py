"""InceptionV3 in TensorFlow. The facts stand in spec.py."""

from collections.abc import Sequence

import tensorflow as tf

from impls.frameworks.layers_tensorflow import ConvNorm, Dense, Size, average_pool, global_average_pool, max_pool
from impls.models.inception_v3 import spec

Channels = Sequence[int]


class Convolution(tf.Module):
    """Convolution, batch norm, ReLU."""

    def __init__(
        self,
        name: str,
        in_channels: int,
        out_channels: int,
        kernel_size: Size,
        stride: int = 1,
        padding: int | None = None,
    ) -> None:
        super().__init__()
        self.layer = ConvNorm(name, in_channels, out_channels, kernel_size, stride, padding=padding, norm=spec.NORM)

    def __call__(self, x: tf.Tensor, training: bool) -> tf.Tensor:
        return tf.nn.relu(self.layer(x, training))


class Branch(tf.Module):
    """Convolutions in a row; a stride is the last one's, which is then not padded."""

    def __init__(self, name: str, in_channels: int, channels: Channels, *kernel_sizes: Size, stride: int = 1) -> None:
        super().__init__()
        self.layers = []
        for number, (out_channels, kernel_size) in enumerate(zip(channels, kernel_sizes, strict=True), start=1):
            strided = {"stride": stride, "padding": 0} if stride > 1 and number == len(channels) else {}
            self.layers.append(Convolution(f"{name}.layer{number}", in_channels, out_channels, kernel_size, **strided))
            in_channels = out_channels

    def __call__(self, x: tf.Tensor, training: bool) -> tf.Tensor:
        for layer in self.layers:
            x = layer(x, training)
        return x


class Fork(Branch):
    """A branch whose last two convolutions stand side by side."""

    def __call__(self, x: tf.Tensor, training: bool) -> tuple[tf.Tensor, tf.Tensor]:
        *trunk, row, column = self.layers
        for layer in trunk:
            x = layer(x, training)
        return row(x, training), column(x, training)


class BlockA(tf.Module):
    """1x1; 1x1, 5x5; 1x1, 3x3, 3x3; mean, 1x1."""

    def __init__(
        self, name: str, in_channels: int, point: Channels, five: Channels, threes: Channels, pool: Channels
    ) -> None:
        super().__init__()
        self.point = Branch(f"{name}.point", in_channels, point, 1)
        self.five = Branch(f"{name}.five", in_channels, five, 1, 5)
        self.threes = Branch(f"{name}.threes", in_channels, threes, 1, 3, 3)
        self.pool = Branch(f"{name}.pool", in_channels, pool, 1)

    def __call__(self, x: tf.Tensor, training: bool) -> tf.Tensor:
        pooled = self.pool(average_pool(x), training)
        return tf.concat((self.point(x, training), self.five(x, training), self.threes(x, training), pooled), axis=-1)


class BlockB(tf.Module):
    """Half the grid (section 5, figure 10): 3x3; 1x1, 3x3, 3x3; maximum."""

    def __init__(self, name: str, in_channels: int, three: Channels, threes: Channels) -> None:
        super().__init__()
        self.three = Branch(f"{name}.three", in_channels, three, 3, stride=2)
        self.threes = Branch(f"{name}.threes", in_channels, threes, 1, 3, 3, stride=2)

    def __call__(self, x: tf.Tensor, training: bool) -> tf.Tensor:
        return tf.concat((self.three(x, training), self.threes(x, training), max_pool(x, padding=0)), axis=-1)


class BlockC(tf.Module):
    """7x7 as 1x7 and 7x1 (section 3.2, figure 6): 1x1; 1x1 and one 7x7; 1x1 and two 7x7; mean, 1x1."""

    def __init__(
        self, name: str, in_channels: int, point: Channels, seven: Channels, sevens: Channels, pool: Channels
    ) -> None:
        super().__init__()
        self.point = Branch(f"{name}.point", in_channels, point, 1)
        self.seven = Branch(f"{name}.seven", in_channels, seven, 1, (1, 7), (7, 1))
        self.sevens = Branch(f"{name}.sevens", in_channels, sevens, 1, (7, 1), (1, 7), (7, 1), (1, 7))
        self.pool = Branch(f"{name}.pool", in_channels, pool, 1)

    def __call__(self, x: tf.Tensor, training: bool) -> tf.Tensor:
        pooled = self.pool(average_pool(x), training)
        return tf.concat((self.point(x, training), self.seven(x, training), self.sevens(x, training), pooled), axis=-1)


class BlockD(tf.Module):
    """Half the grid: 1x1, 3x3; 1x1, one 7x7, 3x3; maximum."""

    def __init__(self, name: str, in_channels: int, three: Channels, seven: Channels) -> None:
        super().__init__()
        self.three = Branch(f"{name}.three", in_channels, three, 1, 3, stride=2)
        self.seven = Branch(f"{name}.seven", in_channels, seven, 1, (1, 7), (7, 1), 3, stride=2)

    def __call__(self, x: tf.Tensor, training: bool) -> tf.Tensor:
        return tf.concat((self.three(x, training), self.seven(x, training), max_pool(x, padding=0)), axis=-1)


class BlockE(tf.Module):
    """Wide (figure 7), 1x3 beside 3x1: 1x1; 1x1, both; 1x1, 3x3, both; mean, 1x1."""

    def __init__(
        self, name: str, in_channels: int, point: Channels, three: Channels, threes: Channels, pool: Channels
    ) -> None:
        super().__init__()
        self.point = Branch(f"{name}.point", in_channels, point, 1)
        self.three = Fork(f"{name}.three", in_channels, three, 1, (1, 3), (3, 1))
        self.threes = Fork(f"{name}.threes", in_channels, threes, 1, 3, (1, 3), (3, 1))
        self.pool = Branch(f"{name}.pool", in_channels, pool, 1)

    def __call__(self, x: tf.Tensor, training: bool) -> tf.Tensor:
        pooled = self.pool(average_pool(x), training)
        forks = *self.three(x, training), *self.threes(x, training)
        return tf.concat((self.point(x, training), *forks, pooled), axis=-1)


BLOCKS = {"a": BlockA, "b": BlockB, "c": BlockC, "d": BlockD, "e": BlockE}


class AuxiliaryHead(tf.Module):
    """Mean of 5x5, 1x1, 5x5, logits (section 4): the convolutions are not padded."""

    def __init__(self, name: str, in_channels: int, channels: Channels, num_classes: int) -> None:
        super().__init__()
        reduced, out_channels = channels
        self.layer1 = Convolution(f"{name}.layer1", in_channels, reduced, 1)
        self.layer2 = Convolution(f"{name}.layer2", reduced, out_channels, 5, padding=0)
        self.classifier = Dense(f"{name}.classifier", out_channels, num_classes)

    def __call__(self, x: tf.Tensor, training: bool) -> tf.Tensor:
        x = tf.nn.avg_pool2d(x, 5, 3, "VALID")
        x = self.layer2(self.layer1(x, training), training)
        return self.classifier(global_average_pool(x))


class InceptionV3(tf.Module):
    """Images (N, H, W, 3) -> logits (N, num_classes); with the head, in training mode, also auxiliary logits."""

    def __init__(self, variant: spec.InceptionV3, num_classes: int) -> None:
        super().__init__()
        first, second, third, fourth, in_channels = variant.stem
        self.stem1 = Convolution("stem1", 3, first, 3, stride=2, padding=0)
        self.stem2 = Convolution("stem2", first, second, 3, padding=0)
        self.stem3 = Convolution("stem3", second, third, 3)
        self.stem4 = Convolution("stem4", third, fourth, 1)
        self.stem5 = Convolution("stem5", fourth, in_channels, 3, padding=0)
        self.auxiliary = None
        self.stages = []
        for stage, rows in enumerate(variant.stages, start=1):
            blocks = []
            for block, (kind, channels) in enumerate(rows, start=1):
                blocks.append(BLOCKS[kind](f"stage{stage}.block{block}", in_channels, *channels))
                in_channels = spec.block_channels(kind, in_channels, channels)
            self.stages.append(blocks)
            if stage == 2 and variant.auxiliary:
                self.auxiliary = AuxiliaryHead("auxiliary", in_channels, variant.auxiliary_head, num_classes)
        self.classifier = Dense("classifier", in_channels, num_classes)

    def __call__(self, images: tf.Tensor, training: bool) -> tf.Tensor | tuple[tf.Tensor, tf.Tensor]:
        x = self.stem2(self.stem1(images, training), training)
        x = max_pool(self.stem3(x, training), padding=0)
        x = max_pool(self.stem5(self.stem4(x, training), training), padding=0)
        first, second, third = self.stages
        for block in first + second:
            x = block(x, training)
        middle = x
        for block in third:
            x = block(x, training)
        logits = self.classifier(global_average_pool(x))
        return (logits, self.auxiliary(middle, training)) if self.auxiliary and training else logits


def build(variant: spec.InceptionV3, num_classes: int) -> tf.Module:
    """The network, its weights zero."""
    return InceptionV3(variant, num_classes)
