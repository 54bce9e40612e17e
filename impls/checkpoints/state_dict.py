"""PyTorch's state dicts: files of named tensors, in the canonical layout and with the canonical names of vectors."""

import json
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from impls.checkpoints.source import Arrays, Ends, Names, names
from impls.layers import Layer

ENDS = Ends(".weight", ".bias", (".weight", ".bias", ".running_mean", ".running_var"))
TYPES = {"F64": np.float64, "F32": np.float32, "F16": np.float16, "I64": np.int64}


def read(path: Path, layers: Sequence[Layer], public: Iterable[tuple[str, str]]) -> tuple[Arrays, Names]:
    """A file's tensors, and their names, from those of each layer's convolution and norm."""
    if path.suffix == ".safetensors":
        arrays = _safetensors(path)
    else:
        from impls.checkpoints.state_dict_pytorch import load

        arrays = load(path)
    # A counter of training steps, which nothing reads.
    arrays = {name: array for name, array in arrays.items() if not name.endswith(".num_batches_tracked")}
    return arrays, names(layers, public, ENDS)


def _safetensors(path: Path) -> dict[str, np.ndarray]:
    """Length of the header, the header (name -> type, shape, place) in JSON, the values."""
    content = path.read_bytes()
    length = int.from_bytes(content[:8], "little")
    try:
        header = json.loads(content[8 : 8 + length])
        header.pop("__metadata__", None)
        return {name: _tensor(content[8 + length :], facts) for name, facts in header.items()}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"{path} is not a whole file of safetensors: {error}") from None


def _tensor(values: bytes, facts: dict) -> np.ndarray:
    start, end = facts["data_offsets"]
    return np.frombuffer(values[start:end], TYPES[facts["dtype"]]).reshape(facts["shape"])
