"""ResNet: facts (He et al. 2015, "Deep Residual Learning for Image Recognition", table 1).

The bottlenecks are those of v1.5: they stride in the 3x3 convolution; the paper (v1) strides in the first 1x1.
"""

from dataclasses import dataclass

from impls.layers import Layer, dense, resized
from impls.models import Model, rounded

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
        "weights": 0.005,
        "batch norm statistics": 0.1,
    },
)
WIDTHS = (64, 128, 256, 512)  # of the 3x3 convolutions of each stage
STEM_CHANNELS = 64


@dataclass(frozen=True)
class ResNet:
    """One column of the table.

    blocks: of each stage. width: factor of all channels.
    parameters, macs: at width 1, with 1000 classes, at 224 x 224.
    """

    title: str
    blocks: tuple[int, ...]
    bottleneck: bool
    parameters: int
    macs: int
    width: float = 1.0

    @property
    def stem(self) -> int:
        """Channels behind the first convolution."""
        return rounded(self.width * STEM_CHANNELS)

    @property
    def stages(self) -> list[tuple[int, int]]:
        """Of each stage: how many blocks, channels of their 3x3 convolutions at this width."""
        widths = [rounded(self.width * channels) for channels in WIDTHS]
        return list(zip(self.blocks, widths, strict=True))

    @property
    def expansion(self) -> int:
        """Output channels of a block / channels of its 3x3 convolutions."""
        return 4 if self.bottleneck else 1

    def layers(self, num_classes: int, image_size: int) -> list[Layer]:
        """Every convolution and dense layer, in the order of the forward pass."""
        size = resized(image_size, 7, stride=2)
        found = [Layer("stem", 3, self.stem, (7, 7), image_size, stride=2, activation="relu")]
        in_channels, size = self.stem, resized(size, 3, stride=2)  # behind the stem's maximum pooling
        for stage, (count, width) in enumerate(self.stages, start=1):
            out_channels = self.expansion * width
            for block in range(1, count + 1):
                name, before = f"stage{stage}.block{block}", size
                stride = 2 if block == 1 and stage > 1 else 1
                size = resized(size, 3, stride)
                if self.bottleneck:
                    found.append(Layer(f"{name}.reduce", in_channels, width, (1, 1), before, activation="relu"))
                    found.append(Layer(f"{name}.spatial", width, width, (3, 3), before, stride, activation="relu"))
                    found.append(Layer(f"{name}.expand", width, out_channels, (1, 1), size))
                else:
                    found.append(Layer(f"{name}.first", in_channels, width, (3, 3), before, stride, activation="relu"))
                    found.append(Layer(f"{name}.second", width, width, (3, 3), size))
                if stride > 1 or in_channels != out_channels:
                    found.append(Layer(f"{name}.shortcut", in_channels, out_channels, (1, 1), before, stride))
                in_channels = out_channels
        found.append(dense("classifier", in_channels, num_classes))
        return found


VARIANTS = {
    "resnet18": ResNet("ResNet-18", (2, 2, 2, 2), False, 11_689_512, 1_814_073_344),
    "resnet34": ResNet("ResNet-34", (3, 4, 6, 3), False, 21_797_672, 3_663_761_408),
    "resnet50": ResNet("ResNet-50 v1.5", (3, 4, 6, 3), True, 25_557_032, 4_089_184_256),
    "resnet101": ResNet("ResNet-101 v1.5", (3, 4, 23, 3), True, 44_549_160, 7_801_405_440),
    "resnet152": ResNet("ResNet-152 v1.5", (3, 8, 36, 3), True, 60_192_808, 11_513_626_624),
}
