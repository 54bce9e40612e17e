"""Two tensors made one: a residual sum, or one behind the other along the channels."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod

from impls.kernels import Shape, at_least
from impls.layers import Tensor

KERNELS = {"add": "residual_add", "concat": "concat"}


@dataclass(frozen=True)
class Case:
    """One join of two batches of images of the same shape, image_size pixels a side. kind: one of KERNELS.

    Raises ValueError, one line that names what cannot be.
    """

    kind: str
    channels: int
    image_size: int
    batch_size: int = 1

    gradient_reads_input = False

    def __post_init__(self) -> None:
        """Refuse what cannot be."""
        if self.kind not in KERNELS:
            raise ValueError(f"kind must be one of {', '.join(KERNELS)}, not {self.kind}")
        at_least(self, 1, "channels", "image_size", "batch_size")

    @property
    def kernel(self) -> str:
        """Which operation."""
        return KERNELS[self.kind]

    @property
    def inputs(self) -> tuple[Shape, ...]:
        """Shapes of the two inputs."""
        return ((self.batch_size, self.image_size, self.image_size, self.channels),) * 2

    @property
    def weights(self) -> Mapping[str, Tensor]:
        """Nothing is learned."""
        return {}

    @property
    def output(self) -> Shape:
        """Shape of the output."""
        channels = self.channels if self.kind == "add" else 2 * self.channels
        return (self.batch_size, self.image_size, self.image_size, channels)

    @property
    def macs(self) -> int:
        """None: nothing is multiplied by what is learned."""
        return 0

    @property
    def operations(self) -> int:
        """An addition for each value of a sum; a concatenation only copies."""
        return prod(self.output) if self.kind == "add" else 0


CASES: dict[str, Case] = {
    "residual_add-256x56": Case("add", 256, 56),  # ResNet-50, stage 1
    "residual_add-24x56": Case("add", 24, 56),  # MobileNetV2, stage 2: between linear bottlenecks
    "concat-512x32": Case("concat", 512, 32),  # U-Net, first step up: the skip connection and what comes from below
}
