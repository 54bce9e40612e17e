"""Facts about a layer: shapes, parameters and multiply-accumulates, from which a spec is made.

These are facts to check the twins against, never a graph that builds them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod


@dataclass(frozen=True)
class Layer:
    """One convolution or dense layer, with the bias or the batch norm, and the activation, that may follow it.

    image_size: pixels of a side of its input, 1 for a dense layer. padding: on every side, kernel_size // 2 unless
    stated. activation: as impls/kernels/activation names it, "" where none follows at once.
    """

    name: str
    in_channels: int
    out_channels: int
    kernel_size: tuple[int, int] = (1, 1)
    image_size: int = 1
    stride: int = 1
    padding: int | None = None
    groups: int = 1
    norm: bool = True
    bias: bool = False
    kind: str = "conv"  # or "transposed", "dense"
    activation: str = ""
    in_training_only: bool = False

    @property
    def output_size(self) -> int:
        """Pixels of a side of its output."""
        if self.kind == "transposed":
            return (self.image_size - 1) * self.stride + self.kernel_size[0]
        return resized(self.image_size, self.kernel_size[0], self.stride, self.padding)

    @property
    def macs(self) -> int:
        """Multiply-accumulates of one image's forward pass; only the multiplications by weights count.

        The kernel is applied once for each pixel of the output, or of a transposed convolution's input.
        """
        positions = (self.image_size if self.kind == "transposed" else self.output_size) ** 2
        return positions * self.out_channels * (self.in_channels // self.groups) * prod(self.kernel_size)


@dataclass(frozen=True)
class Tensor:
    """A weight in the canonical layout.

    kind: "conv" (O, I, *spatial), "depthwise" (C, 1, *spatial), "transposed" (I, O, *spatial), "dense" (out, in) or
    "vector".
    """

    shape: tuple[int, ...]
    kind: str
    trainable: bool = True


def dense(name: str, in_channels: int, out_channels: int, activation: str = "") -> Layer:
    """A dense layer with its bias."""
    return Layer(name, in_channels, out_channels, norm=False, bias=True, kind="dense", activation=activation)


def resized(size: int, kernel_size: int, stride: int = 1, padding: int | None = None) -> int:
    """Height or width behind a convolution or pooling; the padding is kernel_size // 2 unless stated."""
    padding = kernel_size // 2 if padding is None else padding
    return (size + 2 * padding - kernel_size) // stride + 1


def tensors(layers: Sequence[Layer]) -> dict[str, Tensor]:
    """Canonical name -> shape and kind of every weight and buffer of the layers."""
    found: dict[str, Tensor] = {}
    for layer in layers:
        prefix = layer.name if layer.kind == "dense" else f"{layer.name}.conv"
        found[f"{prefix}.weight"] = _weight(layer)
        if layer.bias:
            found[f"{prefix}.bias"] = Tensor((layer.out_channels,), "vector")
        if layer.norm:
            for name in ("weight", "bias", "running_mean", "running_var"):
                trainable = not name.startswith("running")
                found[f"{layer.name}.norm.{name}"] = Tensor((layer.out_channels,), "vector", trainable)
    return found


def _weight(layer: Layer) -> Tensor:
    if layer.kind == "dense":
        return Tensor((layer.out_channels, layer.in_channels), "dense")
    if layer.kind == "transposed":
        return Tensor((layer.in_channels, layer.out_channels, *layer.kernel_size), "transposed")
    depthwise = layer.groups == layer.in_channels > 1
    shape = (layer.out_channels, layer.in_channels // layer.groups, *layer.kernel_size)
    return Tensor(shape, "depthwise" if depthwise else "conv")


def parameters(found: dict[str, Tensor]) -> int:
    """Number of learned values; the buffers (batch norm statistics) are not counted."""
    return sum(prod(tensor.shape) for tensor in found.values() if tensor.trainable)
