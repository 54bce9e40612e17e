"""Batch norm in evaluation and in training mode (Ioffe & Szegedy 2015, "Batch Normalization", algorithms 1 and 2)."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod

from impls.kernels import Shape, at_least
from impls.layers import Tensor


@dataclass(frozen=True)
class Case:
    """One batch norm over images, image_size pixels a side. Raises ValueError, one line that names what cannot be.

    training: whether by the statistics of the batch, its variance biased, or by the running ones.
    """

    channels: int
    image_size: int
    training: bool
    batch_size: int = 1
    epsilon: float = 1e-5

    def __post_init__(self) -> None:
        """Refuse what cannot be."""
        at_least(self, 1, "channels", "image_size", "batch_size")
        if self.epsilon <= 0:
            raise ValueError(f"epsilon must be positive, not {self.epsilon}")
        if self.training and self.batch_size * self.image_size**2 == 1:
            raise ValueError("training needs more than one value a channel: batch_size 1 at image_size 1 has one")

    @property
    def kernel(self) -> str:
        """Which operation."""
        return "batch_norm_training" if self.training else "batch_norm_eval"

    @property
    def gradient_reads_input(self) -> bool:
        """In training the statistics depend on the input."""
        return self.training

    @property
    def inputs(self) -> tuple[Shape, ...]:
        """Shape of the input."""
        return ((self.batch_size, self.image_size, self.image_size, self.channels),)

    @property
    def weights(self) -> Mapping[str, Tensor]:
        """Scale and shift; in evaluation mode also the running statistics, which are not learned."""
        learned = {name: Tensor((self.channels,), "vector") for name in ("weight", "bias")}
        if self.training:
            return learned
        return learned | {name: Tensor((self.channels,), "vector", False) for name in ("running_mean", "running_var")}

    @property
    def output(self) -> Shape:
        """Shape of the output."""
        return self.inputs[0]

    @property
    def macs(self) -> int:
        """None are counted: papers count a model's convolutions and dense layers."""
        return 0

    @property
    def operations(self) -> int:
        """For each value a multiplication and an addition, in evaluation mode: the rest is by channel.

        In training five more: an addition for the mean; a subtraction, a square and an addition for the variance; the
        product with 1 / standard deviation.
        """
        return prod(self.output) * (7 if self.training else 2)


CASES: dict[str, Case] = {
    "batch_norm_eval-256x56": Case(256, 56, training=False),  # ResNet-50, stage 1, behind the last 1x1
    "batch_norm_eval-64x112": Case(64, 112, training=False),  # ResNet-50, stem
    "batch_norm_training-256x56": Case(256, 56, training=True, batch_size=8),
    "batch_norm_training-64x112": Case(64, 112, training=True, batch_size=8),
}
