"""Convolutions of one, two or three dimensions, also depthwise and transposed, without bias."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from typing import Any

from impls.kernels import Shape, at_least
from impls.layers import Tensor

KERNELS = {1: "conv1d", 2: "conv2d", 3: "conv3d"}


@dataclass(frozen=True)
class Case:
    """One convolution. Each tuple has an entry a dimension: sizes in pixels, padding on both sides.

    Raises ValueError, one line that names what cannot be.
    """

    in_channels: int
    out_channels: int
    image_size: tuple[int, ...]
    kernel_size: tuple[int, ...]
    stride: tuple[int, ...]
    padding: tuple[int, ...]
    dilation: int = 1
    groups: int = 1
    transposed: bool = False
    batch_size: int = 1

    gradient_reads_input = False

    def __post_init__(self) -> None:
        """Refuse what cannot be."""
        at_least(self, 1, "in_channels", "out_channels", "dilation", "groups", "batch_size")
        for name, least in (("image_size", 1), ("kernel_size", 1), ("stride", 1), ("padding", 0)):
            values = getattr(self, name)
            if len(values) != len(self.image_size) or len(values) not in KERNELS:
                raise ValueError(f"{name} must have one to three entries, as many as image_size, not {values}")
            if min(values) < least:
                raise ValueError(f"{name} must be at least {least}, not {values}")
        if self.in_channels % self.groups or self.out_channels % self.groups:
            channels = f"{self.in_channels} and {self.out_channels} channels"
            raise ValueError(f"{self.groups} groups do not divide {channels}")
        if min(self.output_size) < 1:
            raise ValueError(f"a kernel of {self.kernel_size} does not fit into {self.image_size}: no output is left")
        if self.transposed:
            self._check_transposed()

    def _check_transposed(self) -> None:
        if self.groups > 1 or self.dilation > 1 or len(self.image_size) != 2:
            raise ValueError("a transposed convolution has two dimensions here, one group and no dilation")
        for kernel, stride, padding in zip(self.kernel_size, self.stride, self.padding, strict=True):
            if kernel < stride or 2 * padding not in (0, kernel - stride):
                raise ValueError(
                    "a transposed convolution is padded by half of kernel_size - stride here, or not at all"
                )

    @property
    def kernel(self) -> str:
        """Which operation."""
        if self.transposed:
            return "conv_transpose2d"
        return ("depthwise_" if self.depthwise else "") + KERNELS[len(self.image_size)]

    @property
    def depthwise(self) -> bool:
        """Whether every channel has a kernel of its own."""
        return self.groups == self.in_channels == self.out_channels > 1

    @property
    def same_size(self) -> bool:
        """Whether the output is as large as the input, at stride 1 and with as much padding on either side."""
        return not self.transposed and set(self.stride) == {1} and self.output_size == self.image_size

    @property
    def output_size(self) -> tuple[int, ...]:
        """Pixels of the output along each dimension."""
        sides = zip(self.image_size, self.kernel_size, self.stride, self.padding, strict=True)
        if self.transposed:
            return tuple((size - 1) * s - 2 * p + k for size, k, s, p in sides)
        return tuple((size + 2 * p - self.dilation * (k - 1) - 1) // s + 1 for size, k, s, p in sides)

    @property
    def inputs(self) -> tuple[Shape, ...]:
        """Shape of the input."""
        return ((self.batch_size, *self.image_size, self.in_channels),)

    @property
    def weights(self) -> Mapping[str, Tensor]:
        """The canonical weight."""
        if self.transposed:
            return {"weight": Tensor((self.in_channels, self.out_channels, *self.kernel_size), "transposed")}
        shape = (self.out_channels, self.in_channels // self.groups, *self.kernel_size)
        return {"weight": Tensor(shape, "depthwise" if self.depthwise else "conv")}

    @property
    def output(self) -> Shape:
        """Shape of the output."""
        return (self.batch_size, *self.output_size, self.out_channels)

    @property
    def macs(self) -> int:
        """Multiply-accumulates of the forward pass of the whole batch, padding counted as work."""
        positions = prod(self.image_size if self.transposed else self.output_size)
        return self.batch_size * positions * prod(self.weights["weight"].shape)

    @property
    def operations(self) -> int:
        """A multiplication and an addition each."""
        return 2 * self.macs


def conv(
    in_channels: int,
    out_channels: int,
    image_size: int | tuple[int, ...],
    kernel_size: int | tuple[int, ...],
    stride: int | tuple[int, ...] = 1,
    padding: int | tuple[int, ...] = 0,
    rank: int = 2,
    **options: Any,
) -> Case:
    """A case whose sizes are the same along each of `rank` dimensions where one number is given."""
    sizes = [size if isinstance(size, tuple) else (size,) * rank for size in (image_size, kernel_size, stride, padding)]
    return Case(in_channels, out_channels, sizes[0], sizes[1], sizes[2], sizes[3], **options)


def depthwise(channels: int, image_size: int, kernel_size: int, stride: int = 1) -> Case:
    """A kernel for each channel, padded by half of it."""
    return conv(channels, channels, image_size, kernel_size, stride, kernel_size // 2, groups=channels)


def transposed(in_channels: int, out_channels: int, image_size: int, kernel_size: int, padding: int = 0) -> Case:
    """A transposed convolution at stride 2."""
    return conv(in_channels, out_channels, image_size, kernel_size, 2, padding, transposed=True)
