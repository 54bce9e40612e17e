"""MobileNetV2: facts (Sandler et al. 2018, "MobileNetV2: Inverted Residuals and Linear Bottlenecks", table 2)."""

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
        "weights": 0.002,
        "batch norm statistics": 0.02,
    },
)
STEM_CHANNELS = 32
# Expansion t, output channels c, repeats n, stride s of the first repeat.
STAGES = ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1))
HEAD_CHANNELS = 1280


@dataclass(frozen=True)
class MobileNetV2:
    """width: factor of all channels.

    parameters, macs: at width 1, with 1000 classes, at 224 x 224.
    """

    title: str
    parameters: int
    macs: int
    width: float = 1.0

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

    def layers(self, num_classes: int, image_size: int) -> list[Layer]:
        """Every convolution and dense layer, in the order of the forward pass."""
        found = [Layer("stem", 3, self.stem, (3, 3), image_size, stride=2, activation="relu6")]
        in_channels, size = self.stem, resized(image_size, 3, stride=2)
        for stage, (expansion, out_channels, repeats, stride) in enumerate(self.stages, start=1):
            for block in range(1, repeats + 1):
                name, hidden = f"stage{stage}.block{block}", expansion * in_channels
                if expansion > 1:
                    found.append(Layer(f"{name}.widen", in_channels, hidden, (1, 1), size, activation="relu6"))
                depthwise = (hidden, hidden, (3, 3), size, stride if block == 1 else 1)
                found.append(Layer(f"{name}.depthwise", *depthwise, groups=hidden, activation="relu6"))
                size = found[-1].output_size
                found.append(Layer(f"{name}.project", hidden, out_channels, (1, 1), size))
                in_channels = out_channels
        found.append(Layer("head", in_channels, self.head, (1, 1), size, activation="relu6"))
        found.append(dense("classifier", self.head, num_classes))
        return found


VARIANTS = {"mobilenet_v2": MobileNetV2("MobileNetV2", 3_504_872, 300_774_272)}
