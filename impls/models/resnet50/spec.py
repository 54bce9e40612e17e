"""ResNet-50 v1.5: facts (He et al. 2015, "Deep Residual Learning for Image Recognition", table 1).

v1.5 strides in the 3x3 convolution of a bottleneck; the paper (v1) strides in its first 1x1.
"""

from impls.layers import Layer

TITLE = "ResNet-50 v1.5"
BLOCKS = (3, 4, 6, 3)
WIDTHS = (64, 128, 256, 512)  # of the 3x3 convolutions of each stage
EXPANSION = 4  # output channels of a bottleneck / width
STEM_CHANNELS = 64
PARAMETERS = 25_557_032  # with 1000 classes
MACS = 4_089_184_256  # at 224 x 224, with 1000 classes


def layers(num_classes: int = 1000, blocks: tuple[int, ...] = BLOCKS) -> list[Layer]:
    """Every convolution and dense layer, in the order of the forward pass."""
    found = [Layer("stem", 3, STEM_CHANNELS, (7, 7), scale=2)]
    in_channels, scale = STEM_CHANNELS, 4  # behind the stem's maximum pooling
    for stage, (count, width) in enumerate(zip(blocks, WIDTHS, strict=True), start=1):
        out_channels = EXPANSION * width
        for block in range(1, count + 1):
            name, before = f"stage{stage}.block{block}", scale
            if block == 1 and stage > 1:
                scale *= 2
            found.append(Layer(f"{name}.reduce", in_channels, width, scale=before))
            found.append(Layer(f"{name}.spatial", width, width, (3, 3), scale=scale))
            found.append(Layer(f"{name}.expand", width, out_channels, scale=scale))
            if block == 1:
                found.append(Layer(f"{name}.shortcut", in_channels, out_channels, scale=scale))
            in_channels = out_channels
    found.append(Layer("classifier", in_channels, num_classes, dense=True))
    return found
