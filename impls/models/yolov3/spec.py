"""YOLOv3: facts (Redmon & Farhadi 2018, "YOLOv3: An Incremental Improvement", table 1 and section 2; yolov3.cfg).

The layers stand in the order of darknet's yolov3.cfg, which is also the order of its file of weights.
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
    outputs=("head1", "head2", "head3"),
    bfloat16={
        "forward": 0.03,
        "loss": 0.002,
        "gradients": 0.02,
        "gradients, median": 0.5,
        "weights": 0.01,
        "batch norm statistics": 0.15,
    },
)
# The leaky ReLU's 0.1, as float32 has it: TensorFlow keeps a slope in float32 even where it computes in float64.
SLOPE = 0.10000000149011612
STEM_CHANNELS = 32
STAGES = ((1, 64), (2, 128), (8, 256), (8, 512), (4, 1024))  # of Darknet-53: residual blocks, channels
HEADS = (512, 256, 128)  # channels of the 1x1 convolutions of each head; its 3x3 ones have twice as many
STRIDES = (32, 16, 8)  # pixels of a cell's side, of each head
ANCHORS = (  # width and height in pixels, three for each head
    ((116, 90), (156, 198), (373, 326)),
    ((30, 61), (62, 45), (59, 119)),
    ((10, 13), (16, 30), (33, 23)),
)
# Of each head: what comes out for an anchor is x, y, w, h, objectness and the classes.
BOX_AND_OBJECTNESS = 5


@dataclass(frozen=True)
class YOLOv3:
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
    def stem(self) -> int:
        """Channels behind the first convolution."""
        return rounded(self.width * STEM_CHANNELS)

    @property
    def stages(self) -> list[tuple[int, int]]:
        """Of each stage: how many residual blocks, channels at this width."""
        return [(count, rounded(self.width * channels)) for count, channels in STAGES]

    @property
    def heads(self) -> list[tuple[int, int]]:
        """Of each head: channels of its 1x1 convolutions and of the stage that joins it (0: none), at this width."""
        joining = (0, self.stages[3][1], self.stages[2][1])
        return [(rounded(self.width * channels), skip) for channels, skip in zip(HEADS, joining, strict=True)]

    def predictions(self, num_classes: int) -> int:
        """Channels that come out of each head."""
        return len(self.anchors[0]) * (BOX_AND_OBJECTNESS + num_classes)

    def layers(self, num_classes: int, image_size: int) -> list[Layer]:
        """Every convolution, in the order of the forward pass."""
        found = [Layer("stem", 3, self.stem, (3, 3), image_size, activation="leaky_relu")]
        in_channels, size = self.stem, image_size
        for stage, (count, channels) in enumerate(self.stages, start=1):
            down = (in_channels, channels, (3, 3), size, 2)
            found.append(Layer(f"stage{stage}.down", *down, activation="leaky_relu"))
            size = found[-1].output_size
            for block in range(1, count + 1):
                name, half = f"stage{stage}.block{block}", channels // 2
                found.append(Layer(f"{name}.reduce", channels, half, (1, 1), size, activation="leaky_relu"))
                found.append(Layer(f"{name}.restore", half, channels, (3, 3), size, activation="leaky_relu"))
            in_channels = channels
        for head, (channels, skip) in enumerate(self.heads, start=1):
            name, wide = f"head{head}", 2 * channels
            if skip:
                found.append(Layer(f"{name}.route", in_channels, channels, (1, 1), size, activation="leaky_relu"))
                in_channels, size = channels + skip, 2 * size
            for number in (1, 3, 5):
                narrow, widen = (in_channels, channels, (1, 1), size), (channels, wide, (3, 3), size)
                found.append(Layer(f"{name}.conv{number}", *narrow, activation="leaky_relu"))
                found.append(Layer(f"{name}.conv{number + 1}", *widen, activation="leaky_relu"))
                in_channels = wide
            outputs = self.predictions(num_classes)
            found.append(Layer(f"{name}.output", wide, outputs, (1, 1), size, norm=False, bias=True))
            in_channels = channels  # the next head's route leaves before the last 3x3
        return found


VARIANTS = {"yolov3": YOLOv3("YOLOv3", 61_949_149, 32_932_037_632)}
