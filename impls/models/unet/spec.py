"""U-Net: facts (Ronneberger, Fischer & Brox 2015, "U-Net: Convolutional Networks for Biomedical Image Segmentation").

Figure 1 with two usual changes: the 3x3 convolutions pad 1, so that the logits are as large as the image and no skip
connection is cropped, and batch norm stands behind each of them in place of a bias.
"""

from dataclasses import dataclass

from impls.layers import Layer
from impls.models import Model, rounded

# The paper's tile of 572 px is made for unpadded convolutions. Padded, any multiple of 16 will do, and 256 px is where
# others count the work of this network.
MODEL = Model(
    task="segmentation",
    image_size=256,
    num_classes=2,
    smallest=32,
    multiple=16,
    training_size=32,
    training_batch=2,
    bfloat16={
        "forward": 0.03,
        "loss": 0.001,
        "gradients": 0.2,
        "gradients, median": 0.2,
        "weights": 0.001,
        "batch norm statistics": 0.01,
    },
)
BASE_CHANNELS = 64
LEVELS = 4  # of 2x2 maximum pooling on the way down, of transposed 2x2 convolutions on the way up


@dataclass(frozen=True)
class UNet:
    """width: factor of all channels.

    parameters, macs: at width 1, with 2 classes, at 256 x 256.
    """

    title: str
    parameters: int
    macs: int
    width: float = 1.0

    @property
    def channels(self) -> list[int]:
        """Of each level from the image downwards, of the bottom last: twice as many with every pooling (section 2)."""
        return [rounded(self.width * BASE_CHANNELS * 2**level) for level in range(LEVELS + 1)]

    def layers(self, num_classes: int, image_size: int) -> list[Layer]:
        """Every convolution, in the order of the forward pass."""
        found: list[Layer] = []
        *channels, bottom = self.channels
        in_channels, size = 3, image_size
        for level, out_channels in enumerate(channels, start=1):
            found += _double_conv(f"down{level}", in_channels, out_channels, size)
            in_channels, size = out_channels, size // 2
        found += _double_conv("bottom", in_channels, bottom, size)
        in_channels = bottom
        for level, out_channels in reversed(list(enumerate(channels, start=1))):
            found.append(
                Layer(
                    f"up{level}.transposed",
                    in_channels,
                    out_channels,
                    (2, 2),
                    size,
                    stride=2,
                    norm=False,
                    bias=True,
                    kind="transposed",
                )
            )
            size *= 2
            found += _double_conv(f"up{level}.merge", 2 * out_channels, out_channels, size)
            in_channels = out_channels
        found.append(Layer("classifier", in_channels, num_classes, (1, 1), size, norm=False, bias=True))
        return found


def _double_conv(name: str, in_channels: int, out_channels: int, size: int) -> list[Layer]:
    return [
        Layer(f"{name}.conv1", in_channels, out_channels, (3, 3), size, activation="relu"),
        Layer(f"{name}.conv2", out_channels, out_channels, (3, 3), size, activation="relu"),
    ]


VARIANTS = {"unet": UNet("U-Net", 31_037_698, 48_171_581_440)}
