"""Weights of keras.applications' models: .weights.h5 as Keras 3 writes them, and the older .h5, as they are published.

There are no names to go by: the new files number the layers of a class, the old ones name layers as their author or a
counter did. The order is the same in both, that of `model.layers`; Keras itself loads old files by it.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from impls import Workload
from impls.checkpoints.source import Arrays, Ends, Names, Pairs, Source, names
from impls.layers import Layer
from impls.models import BATCH_NORM

EPSILON = 1e-3
OLD = Ends("/kernel", "/bias", ("/gamma", "/beta", "/moving_mean", "/moving_variance"))
NEW = Ends("/0", "/1", ("/0", "/1", "/2", "/3"))

# `model.layers` goes by depth, counted from the output. For each of InceptionV3's kinds of block: its convolutions as
# they stand there, by their places in the order in which they are made, which is ours.
INCEPTION_STEM = 5
INCEPTION_BLOCKS = "aaabccccdee"
INCEPTION_ORDER = {
    "a": (3, 1, 4, 0, 2, 5, 6),
    "b": (1, 2, 0, 3),
    "c": (4, 5, 1, 6, 2, 7, 0, 3, 8, 9),
    "d": (2, 3, 0, 4, 1, 5),
    "e": (4, 1, 5, 2, 3, 6, 7, 0, 8),
}


def read(path: Path, work: Workload, width: float) -> tuple[Arrays, Names]:
    """The file's arrays and the names of ours."""
    import h5py

    path.open("rb").close()  # its OSError says what is wrong, h5py's does not
    scaled, layers = True, work.layers(width=width)
    if work.name == "inception_v3":
        scaled, layers = False, _inception_order(layers)
    try:
        with h5py.File(path) as file:
            if "layers" in file:
                public, ends = _numbered(work.name, layers), NEW if scaled else Ends("/0", "/1", ("", "/0", "/1", "/2"))
                return _arrays(file["layers"]), names(layers, public, ends)
            arrays = _old_arrays(file.get("model_weights", file))
    except (OSError, KeyError, RuntimeError) as error:
        raise ValueError(f"{path} is not a whole file of Keras' weights: {error}") from None
    return arrays, names(layers, _in_turn(layers, arrays), OLD if scaled else replace(OLD, norm=("", *OLD.norm[1:])))


def _arrays(group: Any) -> dict[str, np.ndarray]:
    """What a new file holds of the layers: conv2d_1/vars/0."""
    found: dict[str, np.ndarray] = {}

    def keep(name: str, item: Any) -> None:
        if hasattr(item, "shape") and "/seed_generator/" not in name:  # dropout's state
            found[name] = item[()]

    group.visititems(keep)
    return found


def _numbered(workload: str, layers: Sequence[Layer]) -> Pairs:
    """A new file numbers the layers of a class."""
    seen: Counter[str] = Counter()

    def numbered(kind: str) -> str:
        seen[kind] += 1
        return f"{kind}/vars" if seen[kind] == 1 else f"{kind}_{seen[kind] - 1}/vars"

    for layer in layers:
        kind = "depthwise_conv2d" if layer.groups > 1 else "conv2d"
        if layer.kind == "dense" and workload != "mobilenet_v1":  # whose classifier is a 1x1 convolution
            kind = "dense"
        yield numbered(kind), numbered("batch_normalization") if layer.norm else ""


def _old_arrays(group: Any) -> dict[str, np.ndarray]:
    """What an old file holds, in its order: conv2d_1/kernel."""
    found: dict[str, np.ndarray] = {}
    for layer in map(_text, group.attrs["layer_names"]):
        for name in map(_text, group[layer].attrs["weight_names"]):
            role = name.split("/")[-1].split(":")[0].removeprefix("depthwise_")
            found[f"{layer}/{role}"] = group[layer][name][()]
    return found


def _in_turn(layers: Sequence[Layer], arrays: Arrays) -> Pairs:
    """An old file's layers with a kernel, and those with a norm, as they come."""
    kernels = iter(name.removesuffix("/kernel") for name in arrays if name.endswith("/kernel"))
    norms = iter(name.removesuffix("/moving_mean") for name in arrays if name.endswith("/moving_mean"))
    for layer in layers:
        yield next(kernels, f"for {layer.name}"), next(norms, f"for {layer.name}") if layer.norm else ""


def _inception_order(layers: Sequence[Layer]) -> list[Layer]:
    found, rest = list(layers[:INCEPTION_STEM]), list(layers[INCEPTION_STEM:])
    for kind in INCEPTION_BLOCKS:
        block, rest = rest[: len(INCEPTION_ORDER[kind])], rest[len(INCEPTION_ORDER[kind]) :]
        found += [block[place] for place in INCEPTION_ORDER[kind]]
    return found + rest


def _text(value: str | bytes) -> str:
    return value.decode() if isinstance(value, bytes) else value


SOURCE = Source(
    ("mobilenet_v1", "mobilenet_v2", "inception_v3"),
    read,
    channels_last=True,
    epsilon_excess=dict.fromkeys(("mobilenet_v1", "mobilenet_v2"), EPSILON - BATCH_NORM.epsilon),
)
