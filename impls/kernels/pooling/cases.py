"""Pooling in two dimensions: the maximum or the mean of a window, or the mean of the whole image."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod

from impls.kernels import Shape, at_least
from impls.layers import Tensor, resized

KERNELS = {"max": "max_pool2d", "average": "average_pool2d", "global_average": "global_average_pool2d"}


@dataclass(frozen=True)
class Case:
    """One pooling. kind: one of KERNELS. Sizes are in pixels of a side, padding is on every side.

    A maximum is padded by minus infinity, an average counts only the pixels that are there. A global average is one
    window as large as the image. Raises ValueError, one line that names what cannot be.
    """

    kind: str
    channels: int
    image_size: int
    kernel_size: int
    stride: int = 1
    padding: int = 0
    batch_size: int = 1

    def __post_init__(self) -> None:
        """Refuse what cannot be."""
        if self.kind not in KERNELS:
            raise ValueError(f"kind must be one of {', '.join(KERNELS)}, not {self.kind}")
        at_least(self, 1, "channels", "image_size", "kernel_size", "stride", "batch_size")
        if not 0 <= self.padding <= self.kernel_size // 2:
            raise ValueError(f"padding must be from 0 to half of kernel_size, not {self.padding}")
        if self.output_size < 1:
            raise ValueError(f"a window of {self.kernel_size} does not fit into {self.image_size}: no output is left")
        if self.kind == "average" and self.padding and not self.same_size:
            raise ValueError("an average is padded at stride 1 by half of an odd kernel_size here, or not at all")
        if self.kind == "global_average" and (self.kernel_size != self.image_size or self.padding or self.stride > 1):
            raise ValueError("a global average has the kernel_size of the image, stride 1 and no padding")

    @property
    def kernel(self) -> str:
        """Which operation."""
        return KERNELS[self.kind]

    @property
    def gradient_reads_input(self) -> bool:
        """A maximum's gradient goes to where the maximum was."""
        return self.kind == "max"

    @property
    def same_size(self) -> bool:
        """Whether the output is as large as the input, at stride 1 and with as much padding on either side."""
        return self.stride == 1 and self.output_size == self.image_size

    @property
    def output_size(self) -> int:
        """Pixels of a side of the output."""
        return resized(self.image_size, self.kernel_size, self.stride, self.padding)

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
        """Shape of the output; a global average has no sides left."""
        sides = () if self.kind == "global_average" else (self.output_size, self.output_size)
        return (self.batch_size, *sides, self.channels)

    @property
    def macs(self) -> int:
        """None: nothing is multiplied by what is learned."""
        return 0

    @property
    def operations(self) -> int:
        """A comparison or an addition for each pixel of a window, padding included, and a mean's division."""
        return prod(self.output) * (self.kernel_size**2 + (self.kind != "max"))


def global_average(channels: int, image_size: int, batch_size: int = 1) -> Case:
    """The mean of the whole image."""
    return Case("global_average", channels, image_size, image_size, batch_size=batch_size)


CASES: dict[str, Case] = {
    # At an even size and stride 2, SAME would put its only row of padding on the other side.
    "max_pool2d-3x3-stride2": Case("max", 64, 112, 3, 2, 1),  # ResNet-50, behind the stem
    "max_pool2d-3x3-stride2-odd": Case("max", 64, 57, 3, 2, 1),  # and here, at an odd size, it is the same
    "max_pool2d-3x3-stride2-valid": Case("max", 64, 147, 3, 2),  # InceptionV3, stem
    "max_pool2d-3x3": Case("max", 192, 28, 3, 1, 1),  # GoogLeNet, module 3a (Szegedy et al. 2014, table 1)
    "max_pool2d-2x2": Case("max", 64, 256, 2, 2),  # U-Net, first way down
    "max_pool2d-2x2-odd": Case("max", 64, 57, 2, 2),  # the last row and column are in no window; SAME would add one
    "average_pool2d-3x3": Case("average", 288, 35, 3, 1, 1),  # InceptionV3, 35 x 35 modules
    "average_pool2d-5x5-stride3": Case("average", 768, 17, 5, 3),  # InceptionV3, auxiliary classifier
    "global_average_pool2d-7x7": global_average(2048, 7),  # ResNet-50, before the classifier
}
