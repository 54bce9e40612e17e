"""Facts about a layer: shapes, parameters and multiply-accumulates, from which a spec is made.

These are facts to check the twins against, never a graph that builds them.
"""

from dataclasses import dataclass
from math import ceil


@dataclass(frozen=True)
class Layer:
    """One convolution or dense layer, with the batch norm that may follow it.

    scale: how many input pixels (of the network) one output pixel spans in each direction; 0 for a dense layer.
    """

    name: str
    in_channels: int
    out_channels: int
    kernel_size: tuple[int, int] = (1, 1)
    groups: int = 1
    scale: int = 1
    norm: bool = True
    dense: bool = False


@dataclass(frozen=True)
class Tensor:
    """A weight in the canonical layout.

    kind: "conv" (OIHW), "depthwise" (C,1,H,W), "transposed" (IOHW), "dense" (out, in) or "vector".
    """

    shape: tuple[int, ...]
    kind: str
    trainable: bool = True


def tensors(layers: list[Layer]) -> dict[str, Tensor]:
    """Canonical name -> shape and kind of every weight and buffer of the layers."""
    found: dict[str, Tensor] = {}
    for layer in layers:
        if layer.dense:
            found[f"{layer.name}.weight"] = Tensor((layer.out_channels, layer.in_channels), "dense")
            found[f"{layer.name}.bias"] = Tensor((layer.out_channels,), "vector")
            continue
        depthwise = layer.groups == layer.in_channels > 1
        shape = (layer.out_channels, layer.in_channels // layer.groups, *layer.kernel_size)
        found[f"{layer.name}.conv.weight"] = Tensor(shape, "depthwise" if depthwise else "conv")
        if layer.norm:
            for name in ("weight", "bias", "running_mean", "running_var"):
                trainable = not name.startswith("running")
                found[f"{layer.name}.norm.{name}"] = Tensor((layer.out_channels,), "vector", trainable)
    return found


def parameters(found: dict[str, Tensor]) -> int:
    """Number of learned values; the buffers (batch norm statistics) are not counted."""
    total = 0
    for tensor in found.values():
        if tensor.trainable:
            size = 1
            for length in tensor.shape:
                size *= length
            total += size
    return total


def macs(layer: Layer, image_size: int) -> int:
    """Multiply-accumulates of one image's forward pass; only the multiplications by weights count.

    Every strided layer of the specs pads kernel_size // 2 on both sides, so that halving rounds up.
    """
    if layer.dense:
        return layer.in_channels * layer.out_channels
    height, width = layer.kernel_size
    pixels = ceil(image_size / layer.scale) ** 2
    return pixels * layer.out_channels * (layer.in_channels // layer.groups) * height * width
