"""YOLOv3-tiny: facts (yolov3-tiny.cfg, published with Redmon & Farhadi 2018, "YOLOv3: An Incremental Improvement").

The layers stand in the order of darknet's yolov3-tiny.cfg, which is also the order of its file of weights.
"""

from dataclasses import dataclass

from impls.layers import Layer
from impls.models import Model, rounded

MODEL = Model(
    task="detection",
    image_size=416,
    num_classes=80,
    smallest=64,
    multiple=32,
    outputs=("head1", "head2"),
    bfloat16={
        "forward": 0.03,
        "loss": 0.002,
        "gradients": 0.02,
        "gradients, median": 0.2,
        "weights": 0.01,
        "batch norm statistics": 0.1,
    },
)
# The leaky ReLU's 0.1, as float32 has it: TensorFlow keeps a slope in float32 even where it computes in float64.
SLOPE = 0.10000000149011612
STAGES = (16, 32, 64, 128, 256, 512, 1024)  # channels of the backbone's 3x3 convolutions
# Behind the first five is a 2x2 maximum pooling at stride 2, behind the sixth one at stride 1, padded on the right and
# below by minus infinity. What the fifth gives, before its pooling, joins the second head.
HALVED_STAGES = 5
REDUCED_CHANNELS = 256  # of the 1x1 convolution from which both heads start
ROUTE_CHANNELS = 128  # of the second head's 1x1 convolution
HEADS = (512, 256)  # channels of the 3x3 convolution of each head
STRIDES = (32, 16)  # pixels of a cell's side, of each head
ANCHORS = (  # width and height in pixels, three for each head
    ((81, 82), (135, 169), (344, 319)),
    ((10, 14), (23, 27), (37, 58)),
)
BOX_AND_OBJECTNESS = 5  # of what comes out for an anchor: x, y, w, h, objectness, and then the classes


@dataclass(frozen=True)
class YOLOv3Tiny:
    """width: factor of all channels but the heads' last.

    parameters, macs: at width 1, with 80 classes, at 416 x 416. anchors, strides: of each head, the coarsest first.
    """

    title: str
    parameters: int
    macs: int
    width: float = 1.0
    anchors: tuple[tuple[tuple[int, int], ...], ...] = ANCHORS
    strides: tuple[int, ...] = STRIDES

    @property
    def stages(self) -> list[int]:
        """Channels of the backbone's 3x3 convolutions at this width."""
        return [rounded(self.width * channels) for channels in STAGES]

    @property
    def reduced(self) -> int:
        """Channels from which both heads start."""
        return rounded(self.width * REDUCED_CHANNELS)

    @property
    def route(self) -> int:
        """Channels of the second head's 1x1 convolution."""
        return rounded(self.width * ROUTE_CHANNELS)

    @property
    def skip(self) -> int:
        """Channels from the backbone that join the second head."""
        return self.stages[HALVED_STAGES - 1]

    @property
    def heads(self) -> list[int]:
        """Channels of the 3x3 convolution of each head at this width."""
        return [rounded(self.width * channels) for channels in HEADS]

    def predictions(self, num_classes: int) -> int:
        """Channels that come out of each head."""
        return len(self.anchors[0]) * (BOX_AND_OBJECTNESS + num_classes)

    def layers(self, num_classes: int, image_size: int) -> list[Layer]:
        """Every convolution, in the order of the forward pass."""
        found, in_channels, size = [], 3, image_size
        for stage, channels in enumerate(self.stages, start=1):
            found.append(Layer(f"stage{stage}", in_channels, channels, (3, 3), size, activation="leaky_relu"))
            in_channels = channels
            if stage <= HALVED_STAGES:
                size //= 2
        first, second = self.heads
        outputs, joined = self.predictions(num_classes), self.route + self.skip
        return [
            *found,
            Layer("reduce", in_channels, self.reduced, (1, 1), size, activation="leaky_relu"),
            Layer("head1.spatial", self.reduced, first, (3, 3), size, activation="leaky_relu"),
            Layer("head1.output", first, outputs, (1, 1), size, norm=False, bias=True),
            Layer("head2.route", self.reduced, self.route, (1, 1), size, activation="leaky_relu"),
            Layer("head2.spatial", joined, second, (3, 3), 2 * size, activation="leaky_relu"),
            Layer("head2.output", second, outputs, (1, 1), 2 * size, norm=False, bias=True),
        ]


VARIANTS = {"yolov3_tiny": YOLOv3Tiny("YOLOv3-tiny", 8_852_366, 2_782_480_896)}
