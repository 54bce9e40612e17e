"""Our own .npz of canonical weights, as `evenbench weights` and `evenbench run-model` write and read them."""

from pathlib import Path
from zipfile import BadZipFile

import numpy as np

from impls import WORKLOADS, Workload
from impls.checkpoints.source import Arrays, Names, Source


def read(path: Path, work: Workload, width: float) -> tuple[Arrays, Names]:
    """The file's arrays, which have our names."""
    try:
        with np.load(path, allow_pickle=False) as archive:
            found = {name: archive[name] for name in archive.files}
    except (BadZipFile, ValueError, EOFError, TypeError) as error:
        raise ValueError(f"{path} is not an .npz of arrays: {error}") from None
    return found, {name: name for name in work.tensors(width=width)}


SOURCE = Source([name for name, work in WORKLOADS.items() if work.model], read)
