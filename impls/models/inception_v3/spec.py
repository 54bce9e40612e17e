"""InceptionV3: facts (Szegedy et al. 2015, "Rethinking the Inception Architecture for Computer Vision", table 1).

Widths and kernels are those of the authors' own release, which torchvision and Keras follow: the paper leaves most
widths out, its stem strides where the release pools, and its figure 5 has two 3x3 convolutions for the release's 5x5.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from impls.layers import Layer, dense, resized
from impls.models import BatchNorm, Model, rounded

MODEL = Model(
    task="classification",
    image_size=299,
    num_classes=1000,
    smallest=75,
    outputs=("logits",),
    training_size=139,  # below, the last grid is so small that batch norm sees little but the batch
    many_values=True,
    bfloat16={
        "forward": 0.03,
        "loss": 0.01,
        "gradients": 0.03,
        "gradients, median": 0.5,
        "weights": 0.002,
        "batch norm statistics": 0.02,
    },
)
NORM = BatchNorm(epsilon=1e-3, update=0.1)

# Output channels, kernel size, stride, padding. A maximum of 3x3 at stride 2 follows after the third and the fifth.
STEM = ((32, 3, 2, 0), (32, 3, 1, 0), (64, 3, 1, 1), (80, 1, 1, 0), (192, 3, 1, 0))

# Kinds of blocks: the kernel sizes of each branch's convolutions, in order. a, c and e keep the grid's size. b and d
# reduce it: each branch's last convolution has stride 2 and no padding, and one more branch is the input's maximum.
# In e, the last two convolutions of "three" and of "threes" stand side by side, 1x3 and 3x1.
POINT, THREE, FIVE, ROW, COLUMN = (1, 1), (3, 3), (5, 5), (1, 7), (7, 1)
KERNELS = {
    "a": {"point": (POINT,), "five": (POINT, FIVE), "threes": (POINT, THREE, THREE), "pool": (POINT,)},
    "b": {"three": (THREE,), "threes": (POINT, THREE, THREE)},
    "c": {
        "point": (POINT,),
        "seven": (POINT, ROW, COLUMN),
        "sevens": (POINT, COLUMN, ROW, COLUMN, ROW),
        "pool": (POINT,),
    },
    "d": {"three": (POINT, THREE), "seven": (POINT, ROW, COLUMN, THREE)},
    "e": {
        "point": (POINT,),
        "three": (POINT, (1, 3), (3, 1)),
        "threes": (POINT, THREE, (1, 3), (3, 1)),
        "pool": (POINT,),
    },
}
# The blocks of each stage: kind, output channels of each branch's convolutions in the same order.
STAGES = (
    (
        ("a", ((64,), (48, 64), (64, 96, 96), (32,))),
        ("a", ((64,), (48, 64), (64, 96, 96), (64,))),
        ("a", ((64,), (48, 64), (64, 96, 96), (64,))),
    ),
    (
        ("b", ((384,), (64, 96, 96))),
        ("c", ((192,), (128, 128, 192), (128, 128, 128, 128, 192), (192,))),
        ("c", ((192,), (160, 160, 192), (160, 160, 160, 160, 192), (192,))),
        ("c", ((192,), (160, 160, 192), (160, 160, 160, 160, 192), (192,))),
        ("c", ((192,), (192, 192, 192), (192, 192, 192, 192, 192), (192,))),
    ),
    (
        ("d", ((192, 320), (192, 192, 192, 192))),
        ("e", ((320,), (384, 384, 384), (448, 384, 384, 384), (192,))),
        ("e", ((320,), (384, 384, 384), (448, 384, 384, 384), (192,))),
    ),
)
# Behind the second stage: a mean of 5x5 at stride 3, a 1x1 and a 5x5 convolution, none padded, global mean, dense.
AUXILIARY = (128, 768)

Channels = Sequence[Sequence[int]]


@dataclass(frozen=True)
class InceptionV3:
    """auxiliary: has a second head, in training mode only. width: factor of all channels.

    parameters, macs: at width 1, with 1000 classes, at 299 x 299; the MACs are evaluation mode's.
    """

    title: str
    auxiliary: bool
    parameters: int
    macs: int
    width: float = 1.0

    @property
    def model(self) -> Model:
        """MODEL as this variant has it: the auxiliary head's 5x5 convolution needs a grid of 17, an image of 299."""
        if not self.auxiliary:
            return MODEL
        outputs = (*MODEL.outputs, "auxiliary_logits")
        # The auxiliary head's last grid is one pixel: batch norm over 4 values multiplies what rounding has left.
        bfloat16 = {**MODEL.bfloat16, "gradients": 0.5}
        return replace(MODEL, smallest=299, outputs=outputs, training_size=299, bfloat16=bfloat16)

    @property
    def stem(self) -> tuple[int, ...]:
        """Output channels of the stem's convolutions at this width."""
        return self._scaled([channels for channels, *_ in STEM])

    @property
    def stages(self) -> list[list[tuple[str, Channels]]]:
        """STAGES at this width."""
        return [[(kind, [self._scaled(branch) for branch in channels]) for kind, channels in stage] for stage in STAGES]

    @property
    def auxiliary_head(self) -> tuple[int, ...]:
        """Output channels of the auxiliary head's convolutions at this width."""
        return self._scaled(AUXILIARY)

    def layers(self, num_classes: int, image_size: int) -> list[Layer]:
        """Every convolution and dense layer, in the order of the forward pass.

        The auxiliary head is there in training only: the multiply-accumulates are evaluation mode's.
        """
        found, size, in_channels = [], image_size, 3
        for number, (out_channels, (_, kernel_size, stride, padding)) in enumerate(
            zip(self.stem, STEM, strict=True), 1
        ):
            size_of = (kernel_size, kernel_size)
            layer = Layer(f"stem{number}", in_channels, out_channels, size_of, size, stride, padding, activation="relu")
            found.append(layer)
            in_channels, size = out_channels, layer.output_size
            if number in (3, 5):
                size = reduced(size)
        for stage, blocks in enumerate(self.stages, start=1):
            for block, (kind, channels) in enumerate(blocks, start=1):
                found += block_layers(f"stage{stage}.block{block}", kind, in_channels, channels, size)
                in_channels = block_channels(kind, in_channels, channels)
                size = reduced(size) if kind in "bd" else size
            if stage == 2 and self.auxiliary:
                found += self._auxiliary_layers(in_channels, size, num_classes)
        found.append(dense("classifier", in_channels, num_classes))
        return found

    def _auxiliary_layers(self, in_channels: int, size: int, num_classes: int) -> list[Layer]:
        reduce, spatial = self.auxiliary_head
        pooled = resized(size, 5, stride=3, padding=0)
        layers = (
            Layer("auxiliary.layer1", in_channels, reduce, (1, 1), pooled, activation="relu"),
            Layer("auxiliary.layer2", reduce, spatial, (5, 5), pooled, padding=0, activation="relu"),
            dense("auxiliary.classifier", spatial, num_classes),
        )
        return [replace(layer, in_training_only=True) for layer in layers]

    def _scaled(self, channels: Sequence[int]) -> tuple[int, ...]:
        return tuple(rounded(self.width * number) for number in channels)


def reduced(size: int) -> int:
    """Height or width behind 3x3 at stride 2 without padding."""
    return resized(size, 3, stride=2, padding=0)


def block_channels(kind: str, in_channels: int, channels: Channels) -> int:
    """Channels of a block's branches side by side."""
    found = sum(branch[-1] for branch in channels)
    if kind in "bd":
        found += in_channels
    if kind == "e":
        _, three, threes, _ = channels
        found += three[-2] + threes[-2]
    return found


def block_layers(name: str, kind: str, in_channels: int, channels: Channels, size: int) -> list[Layer]:
    """A block's convolutions; size: pixels of a side of its input."""
    found = []
    for (branch, kernel_sizes), widths in zip(KERNELS[kind].items(), channels, strict=True):
        inputs = (in_channels, *widths)  # of those side by side too: in e the widths before them are the same
        for number, (kernel_size, out_channels) in enumerate(zip(kernel_sizes, widths, strict=True), start=1):
            stride, padding = (2, 0) if kind in "bd" and number == len(widths) else (1, None)
            layer = f"{name}.{branch}.layer{number}"
            facts = (inputs[number - 1], out_channels, kernel_size, size, stride, padding)
            found.append(Layer(layer, *facts, activation="relu"))
    return found


VARIANTS = {
    "inception_v3": InceptionV3("InceptionV3", False, 23_834_568, 5_713_216_096),
    "inception_v3_aux": InceptionV3("InceptionV3 with its auxiliary head", True, 27_161_264, 5_713_216_096),
}
