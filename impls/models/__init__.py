"""Models: each folder tells one model's whole story. Shared here: facts that every spec states alike."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import ceil, lcm
from typing import Protocol

from impls.layers import Layer


@dataclass(frozen=True)
class BatchNorm:
    """Batch norm as all twins compute it (Ioffe & Szegedy 2015, algorithms 1 and 2).

    The running variance takes the *unbiased* batch variance, n / (n - 1) times the one that normalises, as in the
    paper and in PyTorch; Keras takes the biased one and is brought to it.
    update: weight of the new batch in the running statistics (PyTorch's momentum; Keras' momentum is 1 - update).
    """

    epsilon: float = 1e-5
    update: float = 0.1


BATCH_NORM = BatchNorm()


@dataclass(frozen=True)
class Model:
    """What a spec says of all its variants.

    task: whose loss it is trained with: classification, segmentation or detection. image_size: pixels of a side, in
    the paper. multiple: what an image's side must be a multiple of, smallest: what it must not be below.
    num_classes: in the paper. outputs: names of what comes out, in training mode. training_size, training_batch: of the
    certificate's training, small where the network bears it: batch norm over few values multiplies rounding errors.
    many_values: whether that training has so many activations that, whatever the weights, some lie closer to a kink (of
    a ReLU, between two of a maximum) than float32 rounds, each of which moves single tensors' gradients by per cents.
    bfloat16: kind of the certificate's check -> largest distance allowed in that precision, relative, as
    impls/certificate.py defines it. About three times the largest that any variant and framework had in
    `evenbench verify MODEL --precision bfloat16`.
    """

    task: str
    image_size: int
    num_classes: int
    smallest: int
    multiple: int = 1
    outputs: tuple[str, ...] = ("logits",)
    training_size: int = 64
    training_batch: int = 4
    many_values: bool = False
    bfloat16: Mapping[str, float] = field(default_factory=dict)

    @property
    def small_size(self) -> int:
        """Pixels of a side for training that is quick: 32, or what the model needs; a multiple of the digits' 8."""
        step = lcm(8, self.multiple)
        return ceil(max(32, self.smallest) / step) * step


class Variant(Protocol):
    """What every variant of a spec has: a frozen dataclass with further facts of its own.

    parameters and macs are those of the paper's image size and number of classes, at width 1.
    """

    @property
    def title(self) -> str:
        """The name as a reader knows it."""

    @property
    def width(self) -> float:
        """Factor of all numbers of channels."""

    @property
    def parameters(self) -> int:
        """Number of learned values."""

    @property
    def macs(self) -> int:
        """Multiply-accumulates of one image."""

    def layers(self, num_classes: int, image_size: int) -> Sequence[Layer]:
        """Every convolution and dense layer, in the order of the forward pass."""


def rounded(channels: float) -> int:
    """Channels of a network of another width: the nearest multiple of 8, but never less than 90 % of what was asked.

    MobileNets' rule since version 2, in their authors' code and in torchvision and Keras after it.
    """
    nearest = max(8, int(channels + 4) // 8 * 8)
    return nearest if nearest >= 0.9 * channels else nearest + 8
