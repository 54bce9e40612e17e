"""The named cases of conv2d. A case is one line; the layer that it is taken from stands behind it."""

from dataclasses import dataclass

from impls.layers import Tensor


@dataclass(frozen=True)
class Case:
    """One convolution. Sizes in pixels; padding on every side."""

    in_channels: int
    out_channels: int
    image_size: int
    kernel_size: tuple[int, int]
    stride: int = 1
    padding: tuple[int, int] = (0, 0)
    dilation: int = 1
    groups: int = 1
    transposed: bool = False
    batch_size: int = 1

    @property
    def depthwise(self) -> bool:
        """Whether every channel has a kernel of its own."""
        return self.groups == self.in_channels == self.out_channels > 1

    @property
    def output_size(self) -> tuple[int, int]:
        """Height and width of the output."""
        if self.transposed:
            return tuple((self.image_size - 1) * self.stride - 2 * p + k for p, k in self._sides)  # type: ignore[return-value]
        return tuple(  # type: ignore[return-value]
            (self.image_size + 2 * p - self.dilation * (k - 1) - 1) // self.stride + 1 for p, k in self._sides
        )

    @property
    def weight(self) -> Tensor:
        """Shape and kind of the canonical weight."""
        if self.transposed:
            return Tensor((self.in_channels, self.out_channels, *self.kernel_size), "transposed")
        shape = (self.out_channels, self.in_channels // self.groups, *self.kernel_size)
        return Tensor(shape, "depthwise" if self.depthwise else "conv")

    @property
    def macs(self) -> int:
        """Multiply-accumulates of the forward pass of the whole batch, padding counted as work."""
        height, width = (self.image_size, self.image_size) if self.transposed else self.output_size
        channels = self.out_channels if self.transposed else self.in_channels
        positions = self.batch_size * height * width * (self.in_channels if self.transposed else self.out_channels)
        return positions * (channels // self.groups) * self.kernel_size[0] * self.kernel_size[1]

    @property
    def _sides(self) -> tuple[tuple[int, int], tuple[int, int]]:
        return (self.padding[0], self.kernel_size[0]), (self.padding[1], self.kernel_size[1])


CASES = {
    "11x11-stride4": Case(3, 96, 227, (11, 11), stride=4),  # AlexNet, first layer
    "7x7-stride2": Case(3, 64, 224, (7, 7), stride=2, padding=(3, 3)),  # ResNet-50, stem
    "5x5": Case(96, 256, 27, (5, 5), padding=(2, 2)),  # AlexNet, second layer
    "3x3": Case(128, 128, 28, (3, 3), padding=(1, 1)),  # ResNet-50, stage 2
    "3x3-stride2": Case(128, 128, 56, (3, 3), stride=2, padding=(1, 1)),  # ResNet-50 v1.5, entry of stage 2
    "1x1": Case(256, 64, 56, (1, 1)),  # ResNet-50, stage 1
    "depthwise-3x3": Case(144, 144, 56, (3, 3), padding=(1, 1), groups=144),  # MobileNetV2, stage 2
    "dilated-3x3": Case(128, 128, 28, (3, 3), padding=(2, 2), dilation=2),  # DeepLab's way of keeping the size
    "grouped-3x3": Case(128, 128, 56, (3, 3), padding=(1, 1), groups=32),  # ResNeXt-50 32x4d, stage 1
    "1x7": Case(128, 128, 17, (1, 7), padding=(0, 3)),  # InceptionV3, 17 x 17 modules
    "transposed-2x2": Case(128, 64, 28, (2, 2), stride=2, transposed=True),  # U-Net, way up
}
