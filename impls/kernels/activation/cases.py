"""Activations, value by value, and the softmax over channels."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod

from impls.kernels import Shape, at_least
from impls.layers import Tensor

# Name -> arithmetic operations a value, as the formulas in reference.py have them; an exponential or comparison is one.
OPERATIONS = {
    "sigmoid": 4,
    "relu": 1,
    "tanh": 5,
    "leaky_relu": 2,
    "relu6": 2,
    "hard_sigmoid": 4,
    "hard_swish": 5,
    "silu": 4,
    "softmax": 5,
}

# The leaky ReLU's 0.1, as float32 has it: TensorFlow keeps a slope in float32 even where it computes in float64.
SLOPE = 0.10000000149011612


@dataclass(frozen=True)
class Case:
    """One activation of images, image_size pixels a side; a softmax has channels only, and no pixels.

    name: one of OPERATIONS. Raises ValueError, one line that names what cannot be.
    """

    name: str
    channels: int
    image_size: int = 1
    batch_size: int = 1

    gradient_reads_input = True

    def __post_init__(self) -> None:
        """Refuse what cannot be."""
        if self.name not in OPERATIONS:
            raise ValueError(f"name must be one of {', '.join(OPERATIONS)}, not {self.name}")
        at_least(self, 1, "channels", "image_size", "batch_size")
        if self.name == "softmax" and self.image_size != 1:
            raise ValueError(f"a softmax is over channels alone here: image_size must be 1, not {self.image_size}")

    @property
    def kernel(self) -> str:
        """Which operation."""
        return self.name

    @property
    def inputs(self) -> tuple[Shape, ...]:
        """Shape of the input."""
        sides = () if self.name == "softmax" else (self.image_size, self.image_size)
        return ((self.batch_size, *sides, self.channels),)

    @property
    def weights(self) -> Mapping[str, Tensor]:
        """Nothing is learned."""
        return {}

    @property
    def output(self) -> Shape:
        """Shape of the output."""
        return self.inputs[0]

    @property
    def macs(self) -> int:
        """None: nothing is multiplied by what is learned."""
        return 0

    @property
    def operations(self) -> int:
        """As OPERATIONS states."""
        return prod(self.output) * OPERATIONS[self.name]


CASES: dict[str, Case] = {
    "relu-256x56": Case("relu", 256, 56),  # ResNet-50, stage 1, behind the sum
    "relu6-144x56": Case("relu6", 144, 56),  # MobileNetV2, stage 2
    "leaky_relu-64x208": Case("leaky_relu", 64, 208),  # YOLOv3, entry of stage 1
    "hard_swish-240x14": Case("hard_swish", 240, 14),  # MobileNetV3-Large, first block with it
    "hard_sigmoid-960x1": Case("hard_sigmoid", 960),  # MobileNetV3-Large, the gate of its last blocks
    "softmax-1000-batch64": Case("softmax", 1000, batch_size=64),  # any classifier of ImageNet
    # In no model of the suite but at one of their sizes. silu is EfficientNet's, sigmoid its gates' (Tan & Le 2019).
    "sigmoid-64x56": Case("sigmoid", 64, 56),
    "silu-64x56": Case("silu", 64, 56),
    "tanh-64x56": Case("tanh", 64, 56),
}
