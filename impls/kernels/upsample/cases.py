"""Upsampling of images by a whole factor."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod

from impls.kernels import Shape, at_least
from impls.layers import Tensor

OPERATIONS = {"nearest": 0, "bilinear": 8}  # kind -> arithmetic operations a value of the output


@dataclass(frozen=True)
class Case:
    """One upsampling of images, image_size pixels a side, to factor times as many.

    kind: one of OPERATIONS. Bilinear: between the pixels' centres, the outermost pixels continued beyond them
    (align_corners=False). Raises ValueError, one line that names what cannot be.
    """

    kind: str
    channels: int
    image_size: int
    factor: int = 2
    batch_size: int = 1

    gradient_reads_input = False

    def __post_init__(self) -> None:
        """Refuse what cannot be."""
        if self.kind not in OPERATIONS:
            raise ValueError(f"kind must be one of {', '.join(OPERATIONS)}, not {self.kind}")
        at_least(self, 1, "channels", "image_size", "batch_size")
        at_least(self, 2, "factor")

    @property
    def kernel(self) -> str:
        """Which operation."""
        return f"upsample_{self.kind}"

    @property
    def precisions(self) -> tuple[str, ...]:
        """What can be proven: TensorFlow interpolates in float32 whatever comes in."""
        return ("float32",) if self.kind == "bilinear" else ("float64", "float32")

    @property
    def output_size(self) -> int:
        """Pixels of a side of the output."""
        return self.factor * self.image_size

    @property
    def inputs(self) -> tuple[Shape, ...]:
        """Shape of the input."""
        return ((self.batch_size, self.image_size, self.image_size, self.channels),)

    @property
    def weights(self) -> Mapping[str, Tensor]:
        """Nothing is learned."""
        return {}

    @property
    def output(self) -> Shape:
        """Shape of the output."""
        return (self.batch_size, self.output_size, self.output_size, self.channels)

    @property
    def macs(self) -> int:
        """None: nothing is multiplied by what is learned."""
        return 0

    @property
    def operations(self) -> int:
        """None to repeat a pixel; to interpolate a multiplication and an addition for each of four."""
        return prod(self.output) * OPERATIONS[self.kind]


CASES: dict[str, Case] = {
    "upsample_nearest-256x13": Case("nearest", 256, 13),  # YOLOv3, the way to the second head
    "upsample_nearest-128x26": Case("nearest", 128, 26),  # YOLOv3, the way to the third head
    "upsample_bilinear-64x28": Case("bilinear", 64, 28),  # in no model of the suite; U-Nets without transposed kernels
}
