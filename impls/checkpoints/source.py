"""What a source of published checkpoints is: how its files are read, and what its tensors are in ours."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from impls import Workload
from impls.layers import Layer

Arrays = Mapping[str, np.ndarray]  # by their names in the file
Names = dict[str, str]  # canonical name -> name in the file
Pairs = Iterator[tuple[str, str]]  # of each of our layers: what its convolution and its norm are called
NORM = ("weight", "bias", "running_mean", "running_var")


@dataclass(frozen=True)
class Source:
    """One kind of checkpoint.

    workloads: whose checkpoints there are. read: path, workload, width -> what the file holds, and the names in it of
    our tensors; a norm's scale without a name is one. channels_last: whether kernels are HWIO instead of OIHW.
    epsilon_excess: by how much the public model's epsilon of batch norm exceeds ours, where it does.
    """

    workloads: Sequence[str]
    read: Callable[[Path, Workload, float], tuple[Arrays, Names]]
    channels_last: bool = False
    epsilon_excess: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Ends:
    """What follows a layer's name in the names of its tensors. norm: scale, shift, mean, variance; no scale, no end."""

    weight: str
    bias: str
    norm: tuple[str, str, str, str]


def names(layers: Iterable[Layer], public: Iterable[tuple[str, str]], ends: Ends) -> Names:
    """Names of all tensors from those of each layer's convolution and norm."""
    found: Names = {}
    for layer, (convolution, norm) in zip(layers, public, strict=True):
        prefix = layer.name if layer.kind == "dense" else f"{layer.name}.conv"
        found[f"{prefix}.weight"] = convolution + ends.weight
        if layer.bias:
            found[f"{prefix}.bias"] = convolution + ends.bias
        if layer.norm:
            found |= {f"{layer.name}.norm.{ours}": norm + end for ours, end in zip(NORM, ends.norm, strict=True) if end}
    return found
