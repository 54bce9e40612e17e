"""Darknet's .weights: a header, then float32 without names or shapes, convolution by convolution in the cfg's order."""

from collections.abc import Sequence
from math import prod
from pathlib import Path

import numpy as np

from impls import Workload
from impls.checkpoints.source import Arrays, Names, Source
from impls.layers import Layer, Tensor

# Ours of one convolution, as they stand there: biases, scales, rolling means, rolling variances, weights.
ORDER = ("norm.bias", "norm.weight", "norm.running_mean", "norm.running_var", "conv.bias", "conv.weight")


def read(path: Path, work: Workload, width: float) -> tuple[Arrays, Names]:
    """The file's values, cut into our tensors; how many there are tells the number of classes."""
    content = path.read_bytes()
    major, minor = np.frombuffer(content[:8].ljust(8, b"\0"), "<i4").tolist()
    # Three numbers of the version, then the images seen in training: int64 since 0.2, int32 before.
    header = 20 if major * 10 + minor >= 2 else 16
    if len(content) < header or len(content) % 4:
        raise ValueError(f"{path} is not a whole file of Darknet's weights: it has {len(content):,} bytes")
    values = np.frombuffer(content, "<f4", offset=header)
    layers = work.layers(width=width)
    one, two = (_size(work.tensors(classes, width)) for classes in (1, 2))
    more, rest = divmod(values.size - one, two - one)
    if rest or more < 0:
        expected = _cut(work.tensors(width=width), layers)
        raise ValueError(f"{path}: {_misfit(values.size, expected)}")
    tensors = work.tensors(more + 1, width)
    arrays = {
        name: values[start:end].reshape(tensors[name].shape) for name, (start, end) in _cut(tensors, layers).items()
    }
    return arrays, {name: name for name in arrays}


def _cut(tensors: dict[str, Tensor], layers: Sequence[Layer]) -> dict[str, tuple[int, int]]:
    """Where each of our tensors begins and ends among the values."""
    found, start = {}, 0
    for layer in layers:
        for part in ORDER:
            if tensor := tensors.get(f"{layer.name}.{part}"):
                found[f"{layer.name}.{part}"] = start, start + prod(tensor.shape)
                start += prod(tensor.shape)
    return found


def _misfit(size: int, expected: dict[str, tuple[int, int]]) -> str:
    """What does not fit in a file of so many values, if it has the published number of classes."""
    for name, (_, end) in expected.items():
        if end > size:
            return f"ends within tensor {name}"
    return f"goes on after its last tensor {name}, with {size - end:,} values"


def _size(tensors: dict[str, Tensor]) -> int:
    return sum(prod(tensor.shape) for tensor in tensors.values())


SOURCE = Source(("yolov3", "yolov3_tiny"), read)
