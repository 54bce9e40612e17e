"""MobileNetV1: facts (Howard et al. 2017, "MobileNets: Efficient Convolutional Neural Networks for Mobile Vision
Applications", table 1)."""

from dataclasses import dataclass

from impls.layers import Layer, dense, resized
from impls.models import Model

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
STEM_CHANNELS = 32
# Output channels c, stride s of each depthwise separable convolution.
BLOCKS = ((64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2), *5 * ((512, 1),), (1024, 2), (1024, 1))


@dataclass(frozen=True)
class MobileNetV1:
    """width: factor of all channels, the paper's alpha.

    parameters, macs: at width 1, with 1000 classes, at 224 x 224.
    """

    title: str
    parameters: int
    macs: int
    width: float = 1.0

    @property
    def stem(self) -> int:
        """Channels behind the first convolution."""
        return int(self.width * STEM_CHANNELS)

    @property
    def blocks(self) -> list[tuple[int, int]]:
        """Rows of the table: output channels at this width, stride."""
        return [(int(self.width * channels), stride) for channels, stride in BLOCKS]

    def layers(self, num_classes: int, image_size: int) -> list[Layer]:
        """Every convolution and dense layer, in the order of the forward pass."""
        found = [Layer("stem", 3, self.stem, (3, 3), image_size, stride=2, activation="relu6")]
        in_channels, size = self.stem, resized(image_size, 3, stride=2)
        for block, (out_channels, stride) in enumerate(self.blocks, start=1):
            name, depthwise = f"block{block}", (in_channels, in_channels, (3, 3), size, stride)
            size = resized(size, 3, stride)
            found.append(Layer(f"{name}.depthwise", *depthwise, groups=in_channels, activation="relu6"))
            found.append(Layer(f"{name}.pointwise", in_channels, out_channels, (1, 1), size, activation="relu6"))
            in_channels = out_channels
        found.append(dense("classifier", in_channels, num_classes))
        return found


VARIANTS = {"mobilenet_v1": MobileNetV1("MobileNetV1", 4_231_976, 568_740_352)}
