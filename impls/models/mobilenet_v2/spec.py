"""MobileNetV2: facts (Sandler et al. 2018, "MobileNetV2: Inverted Residuals and Linear Bottlenecks", table 2)."""

from impls.layers import Layer

TITLE = "MobileNetV2"
STEM_CHANNELS = 32
# Expansion t, output channels c, repeats n, stride s of the first repeat.
STAGES = ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1))
HEAD_CHANNELS = 1280
PARAMETERS = 3_504_872  # with 1000 classes
MACS = 300_774_272  # at 224 x 224, with 1000 classes


def layers(num_classes: int = 1000, stages: tuple[tuple[int, int, int, int], ...] = STAGES) -> list[Layer]:
    """Every convolution and dense layer, in the order of the forward pass."""
    found = [Layer("stem", 3, STEM_CHANNELS, (3, 3), scale=2)]
    in_channels, scale = STEM_CHANNELS, 2
    for stage, (expansion, out_channels, repeats, stride) in enumerate(stages, start=1):
        for block in range(1, repeats + 1):
            name, hidden, before = f"stage{stage}.block{block}", expansion * in_channels, scale
            if block == 1:
                scale *= stride
            if expansion > 1:
                found.append(Layer(f"{name}.widen", in_channels, hidden, scale=before))
            found.append(Layer(f"{name}.depthwise", hidden, hidden, (3, 3), groups=hidden, scale=scale))
            found.append(Layer(f"{name}.project", hidden, out_channels, scale=scale))
            in_channels = out_channels
    found.append(Layer("head", in_channels, HEAD_CHANNELS, scale=scale))
    found.append(Layer("classifier", HEAD_CHANNELS, num_classes, dense=True))
    return found
