"""MobileNetV1: facts (Howard et al. 2017, "MobileNets: Efficient Convolutional Neural Networks for Mobile Vision
Applications", table 1)."""

from dataclasses import dataclass

from impls.layers import Layer

STEM_CHANNELS = 32
# Output channels c, stride s of each depthwise separable convolution.
BLOCKS = ((64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2), *5 * ((512, 1),), (1024, 2), (1024, 1))


@dataclass(frozen=True)
class MobileNetV1:
    """One width (the paper's alpha).

    parameters: with 1000 classes. macs: at 224 x 224, with 1000 classes.
    """

    title: str
    width: float
    parameters: int
    macs: int

    @property
    def stem(self) -> int:
        """Channels behind the first convolution."""
        return int(self.width * STEM_CHANNELS)

    @property
    def blocks(self) -> list[tuple[int, int]]:
        """Rows of the table: output channels at this width, stride."""
        return [(int(self.width * channels), stride) for channels, stride in BLOCKS]

    def layers(self, num_classes: int = 1000) -> list[Layer]:
        """Every convolution and dense layer, in the order of the forward pass."""
        found = [Layer("stem", 3, self.stem, (3, 3), scale=2)]
        in_channels, scale = self.stem, 2
        for block, (out_channels, stride) in enumerate(self.blocks, start=1):
            scale *= stride
            depthwise = Layer(
                f"block{block}.depthwise", in_channels, in_channels, (3, 3), groups=in_channels, scale=scale
            )
            found += [depthwise, Layer(f"block{block}.pointwise", in_channels, out_channels, scale=scale)]
            in_channels = out_channels
        found.append(Layer("classifier", in_channels, num_classes, dense=True))
        return found


VARIANTS = {"mobilenet_v1": MobileNetV1("MobileNetV1", 1.0, 4_231_976, 568_740_352)}
