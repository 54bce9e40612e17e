"""Files that are either the old ones or the new ones, never half of one."""

import json
import math
import os
import re
import shutil
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import psutil


def write_atomically(path: Path, write: Callable[[BinaryIO], Any]) -> None:
    """Let `write` fill a stream, then replace the file by it at once; it is on disk when this returns.

    Folders that are missing are made. Symbolic links are followed, and permissions stay. Raises OSError where the
    folder cannot be written or the disk is full; the old content is then still there.
    """
    path = path.resolve()  # os.replace would put a file in a symbolic link's place
    make_folder(path.parent)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("wb") as stream:
            if path.exists():
                shutil.copymode(path, temporary)  # before anything is in it
            write(stream)
            stream.flush()
            os.fsync(stream.fileno())
        temporary.replace(path)
        _sync(path.parent)
    finally:
        temporary.unlink(missing_ok=True)


def make_folder(folder: Path) -> None:
    """Make a folder and those above it, each of them on disk when this returns."""
    if not folder.is_dir():
        make_folder(folder.parent)
        folder.mkdir(exist_ok=True)
        _sync(folder.parent)


def remove_leftovers(folder: Path) -> None:
    """Delete the temporary files of writers that were killed, in the folder and all below it."""
    for path in folder.rglob(".*.tmp"):
        number = path.name.split(".")[-2]
        # A number may be this process's own: in a container the first process often has the same one each time.
        if number.isdigit() and (int(number) == os.getpid() or not psutil.pid_exists(int(number))):
            with suppress(OSError):
                path.unlink()


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


def stated(path: Path, key: str) -> Any:
    """What a JSON file states under a key of its outermost object, None where there is nothing.

    Of a number that stands first or last, as versions do, only the beginning and the end are read: a run's
    measurements may be hundreds of megabytes. Raises OSError where the file cannot be read.
    """
    with path.open("rb") as stream:
        head = stream.read(1000)
        stream.seek(max(0, path.stat().st_size - 1000))
        tail = stream.read()
    number = rf'"{re.escape(key)}":\s*(\d+)'.encode()
    if found := re.match(rb"\s*{\s*" + number, head) or re.search(number + rb"\s*}\s*$", tail):
        return int(found[1])
    data = read_json(path)
    return data.get(key) if isinstance(data, dict) else None


def _sync(folder: Path) -> None:
    """Put a folder's list of names on disk: a file may be there and its new name not, when the power fails."""
    with suppress(OSError):  # some network file systems have no such thing
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(item) for item in value]
    return value
