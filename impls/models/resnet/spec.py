"""ResNet: facts (He et al. 2015, "Deep Residual Learning for Image Recognition", table 1).

The bottlenecks are those of v1.5: they stride in the 3x3 convolution; the paper (v1) strides in the first 1x1.
"""

from dataclasses import dataclass

from impls.layers import Layer

WIDTHS = (64, 128, 256, 512)  # of the 3x3 convolutions of each stage
STEM_CHANNELS = 64


@dataclass(frozen=True)
class ResNet:
    """One column of the table.

    blocks: of each stage. parameters: with 1000 classes. macs: at 224 x 224, with 1000 classes.
    """

    title: str
    blocks: tuple[int, ...]
    bottleneck: bool
    parameters: int
    macs: int

    @property
    def expansion(self) -> int:
        """Output channels of a block / width."""
        return 4 if self.bottleneck else 1

    def layers(self, num_classes: int = 1000) -> list[Layer]:
        """Every convolution and dense layer, in the order of the forward pass."""
        found = [Layer("stem", 3, STEM_CHANNELS, (7, 7), scale=2)]
        in_channels, scale = STEM_CHANNELS, 4  # behind the stem's maximum pooling
        for stage, (count, width) in enumerate(zip(self.blocks, WIDTHS, strict=True), start=1):
            out_channels = self.expansion * width
            for block in range(1, count + 1):
                name, before = f"stage{stage}.block{block}", scale
                if block == 1 and stage > 1:
                    scale *= 2
                if self.bottleneck:
                    found.append(Layer(f"{name}.reduce", in_channels, width, scale=before))
                    found.append(Layer(f"{name}.spatial", width, width, (3, 3), scale=scale))
                    found.append(Layer(f"{name}.expand", width, out_channels, scale=scale))
                else:
                    found.append(Layer(f"{name}.first", in_channels, width, (3, 3), scale=scale))
                    found.append(Layer(f"{name}.second", width, width, (3, 3), scale=scale))
                if scale != before or in_channels != out_channels:
                    found.append(Layer(f"{name}.shortcut", in_channels, out_channels, scale=scale))
                in_channels = out_channels
        found.append(Layer("classifier", in_channels, num_classes, dense=True))
        return found


VARIANTS = {
    "resnet18": ResNet("ResNet-18", (2, 2, 2, 2), False, 11_689_512, 1_814_073_344),
    "resnet34": ResNet("ResNet-34", (3, 4, 6, 3), False, 21_797_672, 3_663_761_408),
    "resnet50": ResNet("ResNet-50 v1.5", (3, 4, 6, 3), True, 25_557_032, 4_089_184_256),
    "resnet101": ResNet("ResNet-101 v1.5", (3, 4, 23, 3), True, 44_549_160, 7_801_405_440),
    "resnet152": ResNet("ResNet-152 v1.5", (3, 8, 36, 3), True, 60_192_808, 11_513_626_624),
}
