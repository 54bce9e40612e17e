"""Dense layers: a matrix product, without bias."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod

from impls.kernels import Shape, at_least
from impls.layers import Tensor


@dataclass(frozen=True)
class Case:
    """One dense layer. Raises ValueError, one line that names what cannot be."""

    in_features: int
    out_features: int
    batch_size: int = 1

    kernel = "dense"
    gradient_reads_input = False

    def __post_init__(self) -> None:
        """Refuse what cannot be."""
        at_least(self, 1, "in_features", "out_features", "batch_size")

    @property
    def inputs(self) -> tuple[Shape, ...]:
        """Shape of the input."""
        return ((self.batch_size, self.in_features),)

    @property
    def weights(self) -> Mapping[str, Tensor]:
        """The canonical weight, (out, in)."""
        return {"weight": Tensor((self.out_features, self.in_features), "dense")}

    @property
    def output(self) -> Shape:
        """Shape of the output."""
        return (self.batch_size, self.out_features)

    @property
    def macs(self) -> int:
        """Multiply-accumulates of the forward pass of the whole batch."""
        return self.batch_size * prod(self.weights["weight"].shape)

    @property
    def operations(self) -> int:
        """A multiplication and an addition each."""
        return 2 * self.macs


CASES: dict[str, Case] = {
    "dense-2048-1000": Case(2048, 1000),  # ResNet-50 and InceptionV3, classifier
    "dense-2048-1000-batch64": Case(2048, 1000, 64),  # with a batch it is limited by arithmetic, not by memory
    "dense-1280-1000": Case(1280, 1000),  # MobileNetV2, classifier
    "dense-25088-4096": Case(25088, 4096),  # VGG-16, first dense layer: 411 MB of weights in float32
}
