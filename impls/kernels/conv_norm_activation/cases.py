"""A convolution without bias, batch norm in evaluation mode and an activation: the block that networks are made of."""

from collections.abc import Mapping
from dataclasses import dataclass

from impls.kernels import Shape
from impls.kernels.activation.cases import Case as Activation
from impls.kernels.batch_norm.cases import Case as BatchNorm
from impls.kernels.convolution.cases import Case as Convolution
from impls.kernels.convolution.cases import conv, depthwise
from impls.layers import Tensor


@dataclass(frozen=True)
class Case:
    """One block, whose images are square. activation: a name of impls/kernels/activation, "" for none.

    Raises ValueError, one line that names what cannot be.
    """

    convolution: Convolution
    activation: str
    epsilon: float = 1e-5

    kernel = "conv_norm_activation"

    def __post_init__(self) -> None:
        """Refuse what cannot be."""
        sides = self.convolution.output_size
        if len(sides) != 2 or sides[0] != sides[1]:
            raise ValueError(f"the output of the convolution must be a square image, not {sides}")
        if self.activation == "softmax":
            raise ValueError("the activation must be one of images, not softmax")
        _ = self.norm, self.activated  # they refuse what they cannot be

    @property
    def norm(self) -> BatchNorm:
        """The batch norm of what the convolution gives."""
        batch_size, size, _, channels = self.convolution.output
        return BatchNorm(channels, size, training=False, batch_size=batch_size, epsilon=self.epsilon)

    @property
    def activated(self) -> Activation | None:
        """The activation of what the batch norm gives."""
        batch_size, size, _, channels = self.convolution.output
        return Activation(self.activation, channels, size, batch_size) if self.activation else None

    @property
    def gradient_reads_input(self) -> bool:
        """The activation's derivative depends on what comes in."""
        return self.activation != ""

    @property
    def inputs(self) -> tuple[Shape, ...]:
        """Shape of the input."""
        return self.convolution.inputs

    @property
    def weights(self) -> Mapping[str, Tensor]:
        """The convolution's, then the batch norm's."""
        norm = {f"norm.{name}": tensor for name, tensor in self.norm.weights.items()}
        return {**self.convolution.weights, **norm}

    @property
    def output(self) -> Shape:
        """Shape of the output."""
        return self.convolution.output

    @property
    def macs(self) -> int:
        """The convolution's."""
        return self.convolution.macs

    @property
    def operations(self) -> int:
        """Those of the three."""
        activated = self.activated.operations if self.activated else 0
        return self.convolution.operations + self.norm.operations + activated


CASES: dict[str, Case] = {
    "conv_norm_activation-7x7-stride2-relu": Case(conv(3, 64, 224, 7, 2, 3), "relu"),  # ResNet-50, stem
    "conv_norm_activation-3x3-relu": Case(conv(64, 64, 56, 3, padding=1), "relu"),  # ResNet-50, stage 1
    "conv_norm_activation-1x1-linear": Case(conv(64, 256, 56, 1), ""),  # ResNet-50, stage 1, before the sum
    "conv_norm_activation-depthwise-3x3-relu6": Case(depthwise(144, 56, 3), "relu6"),  # MobileNetV2, stage 2
}
