"""Published checkpoints as canonical weights. Nothing is unpickled, and no framework but the file's own is imported."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

import impls
from impls.checkpoints import from_darknet, from_evenbench, from_keras, from_timm, from_torchvision
from impls.checkpoints.source import Names, Source
from impls.layers import Tensor
from impls.weights import Weights, channels_last

SOURCES: Mapping[str, Source] = {
    "torchvision": from_torchvision.SOURCE,
    "keras": from_keras.SOURCE,
    "timm": from_timm.SOURCE,
    "darknet": from_darknet.SOURCE,
    "evenbench": from_evenbench.SOURCE,
}


def read(workload: str, source: str, path: Path, width: float = 1.0) -> Weights:
    """Read a checkpoint; the number of classes is the file's.

    Raises OSError where the file cannot be read; ValueError, one line, for what is not that source's checkpoint of
    that model: it names the first tensor that does not fit.
    """
    if source not in SOURCES:
        raise ValueError(f"no such source of checkpoints: {source} (there are {', '.join(SOURCES)})")
    kind = SOURCES[source]
    if workload not in kind.workloads:
        raise ValueError(f"no checkpoints of {workload} are read from {source}, only of {', '.join(kind.workloads)}")
    work = impls.WORKLOADS[workload]
    found, names = kind.read(path, work, width)
    _check_names(path, workload, found, names)
    sizes = {ours: found[theirs].size for ours, theirs in names.items()}
    tensors = work.tensors(num_classes(work, sizes, width), width)
    weights = {name: _canonical(path, name, tensor, found, names, kind) for name, tensor in tensors.items()}
    for name in weights:
        if name.endswith(".running_var"):
            # What is normalised by is variance + epsilon.
            weights[name] = weights[name] + weights[name].dtype.type(kind.epsilon_excess.get(workload, 0))
    return weights


def num_classes(work: impls.Workload, sizes: Mapping[str, int], width: float = 1.0) -> int:
    """How many classes weights are for; sizes: canonical name -> number of values."""
    one, two = work.tensors(1, width), work.tensors(2, width)
    name = next(name for name in one if one[name].shape != two[name].shape and one[name].kind == "vector")
    (first,), (second,) = one[name].shape, two[name].shape
    return max(1, 1 + (sizes[name] - first) // (second - first))


def _check_names(path: Path, workload: str, found: Mapping[str, np.ndarray], names: Names) -> None:
    wanted = list(names.values())
    if absent := [name for name in wanted if name not in found]:
        raise ValueError(f"{path}: no tensor {_first(absent)}")
    if strangers := sorted(found.keys() - set(wanted)):
        raise ValueError(f"{path}: {workload} has no place for tensor {_first(strangers)}")


def _first(names: list[str]) -> str:
    return names[0] + (f" (nor {len(names) - 1} more)" if len(names) > 1 else "")


def _canonical(
    path: Path, name: str, tensor: Tensor, found: Mapping[str, np.ndarray], names: Names, source: Source
) -> np.ndarray:
    """A tensor in the canonical layout, in the precision that it has, float32 at least."""
    if name not in names:  # a batch norm without a scale
        return np.ones(tensor.shape, np.float32)
    array = found[names[name]]
    axes = channels_last(tensor.kind, len(tensor.shape)) if source.channels_last else tuple(range(len(tensor.shape)))
    expected = tuple(tensor.shape[axis] for axis in axes)
    if tensor.kind == "dense" and array.ndim == 4:  # a dense layer may be a 1x1 convolution
        height, width = (0, 1) if source.channels_last else (2, 3)
        if array.shape[height] == array.shape[width] == 1:
            array = array.squeeze((height, width))
    if array.shape != expected:
        raise ValueError(f"{path}: {names[name]} has shape {array.shape}, expected {expected}")
    if array.dtype.kind != "f":
        raise ValueError(f"{path}: {names[name]} holds {array.dtype}, expected floating-point numbers")
    wide = np.float64 if array.dtype.itemsize == 8 else np.float32
    return np.array(np.transpose(array, np.argsort(axes)), wide, order="C")
