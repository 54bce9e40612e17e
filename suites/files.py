"""Files that are either the old ones or the new ones, never half of one."""

import json
import math
import os
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np


def write_atomically(path: Path, write: Callable[[BinaryIO], Any]) -> None:
    """Let `write` fill a stream, then replace the file by it at once; it is on disk when this returns.

    Symbolic links are followed, and permissions stay. Raises OSError where the folder cannot be written or the disk is
    full; the old content is then still there.
    """
    path = path.resolve()  # os.replace would put a file in a symbolic link's place
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("wb") as stream:
            if path.exists():
                shutil.copymode(path, temporary)  # before anything is in it
            write(stream)
            stream.flush()
            os.fsync(stream.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def write_json(path: Path, data: Any) -> None:
    """Write strict JSON atomically; NaN and infinities, for which JSON has no word, become null."""
    text = json.dumps(_finite(data), indent=1, allow_nan=False)
    write_atomically(path, lambda stream: stream.write(text.encode()))


def write_npz(path: Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Write named arrays atomically."""
    write_atomically(path, lambda stream: np.savez(stream, **arrays))  # type: ignore[arg-type]


def read_json(path: Path) -> Any | None:
    """What a JSON file holds, None where it is missing or broken."""
    try:
        return json.loads(path.read_bytes())
    except (OSError, ValueError):
        return None


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(item) for item in value]
    return value
