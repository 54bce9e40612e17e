"""MobileNetV2: facts (Sandler et al. 2018, "MobileNetV2: Inverted Residuals and Linear Bottlenecks", table 2)."""

from dataclasses import dataclass

from impls.layers import Layer
from impls.models import rounded

STEM_CHANNELS = 32
# Expansion t, output channels c, repeats n, stride s of the first repeat.
STAGES = ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1))
HEAD_CHANNELS = 1280


@dataclass(frozen=True)
class MobileNetV2:
    """One width.

    parameters: with 1000 classes. macs: at 224 x 224, with 1000 classes.
    """

    title: str
    width: float
    parameters: int
    macs: int

    @property
    def stem(self) -> int:
        """Channels behind the first convolution."""
        return rounded(self.width * STEM_CHANNELS)

    @property
    def stages(self) -> list[tuple[int, int, int, int]]:
        """Rows of the table: expansion, output channels at this width, repeats, stride."""
        return [(t, rounded(self.width * c), n, s) for t, c, n, s in STAGES]

    @property
    def head(self) -> int:
        """Channels before the classifier; a width below 1 leaves them (section 5)."""
        return rounded(max(self.width, 1) * HEAD_CHANNELS)

    def layers(self, num_classes: int = 1000) -> list[Layer]:
        """Every convolution and dense layer, in the order of the forward pass."""
        found = [Layer("stem", 3, self.stem, (3, 3), scale=2)]
        in_channels, scale = self.stem, 2
        for stage, (expansion, out_channels, repeats, stride) in enumerate(self.stages, start=1):
            for block in range(1, repeats + 1):
                name, hidden, before = f"stage{stage}.block{block}", expansion * in_channels, scale
                if block == 1:
                    scale *= stride
                if expansion > 1:
                    found.append(Layer(f"{name}.widen", in_channels, hidden, scale=before))
                found.append(Layer(f"{name}.depthwise", hidden, hidden, (3, 3), groups=hidden, scale=scale))
                found.append(Layer(f"{name}.project", hidden, out_channels, scale=scale))
                in_channels = out_channels
        found.append(Layer("head", in_channels, self.head, scale=scale))
        found.append(Layer("classifier", self.head, num_classes, dense=True))
        return found


VARIANTS = {"mobilenet_v2": MobileNetV2("MobileNetV2", 1.0, 3_504_872, 300_774_272)}
