"""MobileNetV3: facts (Howard et al. 2019, "Searching for MobileNetV3", tables 1 and 2)."""

from dataclasses import dataclass

from impls.layers import Layer, dense, resized
from impls.models import BatchNorm, Model, rounded

MODEL = Model(
    task="classification",
    image_size=224,
    num_classes=1000,
    smallest=32,
    bfloat16={
        "forward": 0.03,
        "loss": 0.01,
        "gradients": 0.05,
        "gradients, median": 0.5,
        "weights": 0.002,
        "batch norm statistics": 0.02,
    },
)
BATCH_NORM = BatchNorm(epsilon=1e-3, update=0.01)
STEM_CHANNELS = 16
# Kernel size, expansion size, output channels, squeeze-and-excite, hard-swish (else ReLU), stride: a block a row.
Row = tuple[int, int, int, bool, bool, int]
LARGE: tuple[Row, ...] = (
    (3, 16, 16, False, False, 1),
    (3, 64, 24, False, False, 2),
    (3, 72, 24, False, False, 1),
    (5, 72, 40, True, False, 2),
    (5, 120, 40, True, False, 1),
    (5, 120, 40, True, False, 1),
    (3, 240, 80, False, True, 2),
    (3, 200, 80, False, True, 1),
    (3, 184, 80, False, True, 1),
    (3, 184, 80, False, True, 1),
    (3, 480, 112, True, True, 1),
    (3, 672, 112, True, True, 1),
    (5, 672, 160, True, True, 2),
    (5, 960, 160, True, True, 1),
    (5, 960, 160, True, True, 1),
)
SMALL: tuple[Row, ...] = (
    (3, 16, 16, True, False, 2),
    (3, 72, 24, False, False, 2),
    (3, 88, 24, False, False, 1),
    (5, 96, 40, True, True, 2),
    (5, 240, 40, True, True, 1),
    (5, 240, 40, True, True, 1),
    (5, 120, 48, True, True, 1),
    (5, 144, 48, True, True, 1),
    (5, 288, 96, True, True, 2),
    (5, 576, 96, True, True, 1),
    (5, 576, 96, True, True, 1),
)


@dataclass(frozen=True)
class Block:
    """A row of the table ("bneck") at some width.

    hidden: channels of the depthwise convolution. squeezed: channels inside the squeeze-and-excite, 0 without it.
    """

    name: str
    in_channels: int
    hidden: int
    out_channels: int
    kernel_size: int
    stride: int
    squeezed: int
    hard_swish: bool

    @property
    def residual(self) -> bool:
        """Whether the input is added to the output."""
        return self.stride == 1 and self.in_channels == self.out_channels


@dataclass(frozen=True)
class MobileNetV3:
    """rows: of the table. features: outputs of the dense layer before the classifier. width: factor of all channels,
    those features included, as in torchvision; Keras' own model leaves them below 1.

    parameters, macs: at width 1, with 1000 classes, at 224 x 224.
    """

    title: str
    rows: tuple[Row, ...]
    features: int
    parameters: int
    macs: int
    width: float = 1.0

    @property
    def stem(self) -> int:
        """Channels behind the first convolution."""
        return rounded(self.width * STEM_CHANNELS)

    @property
    def blocks(self) -> list[Block]:
        """The blocks at this width."""
        found, in_channels = [], self.stem
        for number, (kernel_size, expansion, channels, squeeze, hard_swish, stride) in enumerate(self.rows):
            hidden, out_channels = rounded(self.width * expansion), rounded(self.width * channels)
            squeezed = rounded(hidden / 4) if squeeze else 0  # section 5.3: a quarter of the expansion
            name = f"blocks.{number}"
            found.append(Block(name, in_channels, hidden, out_channels, kernel_size, stride, squeezed, hard_swish))
            in_channels = out_channels
        return found

    @property
    def head(self) -> int:
        """Channels behind the last convolution."""
        return 6 * self.blocks[-1].out_channels

    @property
    def penultimate(self) -> int:
        """Outputs of the dense layer before the classifier, at this width."""
        return rounded(self.width * self.features)

    def layers(self, num_classes: int, image_size: int) -> list[Layer]:
        """Every convolution and dense layer, in the order of the forward pass."""
        found = [Layer("stem", 3, self.stem, (3, 3), image_size, stride=2, activation="hard_swish")]
        size = resized(image_size, 3, stride=2)
        for block in self.blocks:
            name, hidden, kernel_size = block.name, block.hidden, (block.kernel_size, block.kernel_size)
            activation = "hard_swish" if block.hard_swish else "relu"
            if hidden != block.in_channels:
                found.append(Layer(f"{name}.widen", block.in_channels, hidden, (1, 1), size, activation=activation))
            depthwise = (hidden, hidden, kernel_size, size, block.stride)
            found.append(Layer(f"{name}.depthwise", *depthwise, groups=hidden, activation=activation))
            size = found[-1].output_size
            if block.squeezed:
                found += _squeeze(f"{name}.squeeze", hidden, block.squeezed)
            found.append(Layer(f"{name}.project", hidden, block.out_channels, (1, 1), size))
        found.append(Layer("head", self.blocks[-1].out_channels, self.head, (1, 1), size, activation="hard_swish"))
        found.append(dense("penultimate", self.head, self.penultimate, activation="hard_swish"))
        found.append(dense("classifier", self.penultimate, num_classes))
        return found


def _squeeze(name: str, channels: int, squeezed: int) -> list[Layer]:
    """The two 1x1 convolutions, with bias, of a squeeze-and-excite: they see one pixel, the mean."""
    return [
        Layer(f"{name}.reduce", channels, squeezed, norm=False, bias=True, activation="relu"),
        Layer(f"{name}.expand", squeezed, channels, norm=False, bias=True, activation="hard_sigmoid"),
    ]


VARIANTS = {
    "mobilenet_v3_small": MobileNetV3("MobileNetV3-Small", SMALL, 1024, 2_542_856, 56_510_400),
    "mobilenet_v3_large": MobileNetV3("MobileNetV3-Large", LARGE, 1280, 5_483_032, 216_589_760),
}
