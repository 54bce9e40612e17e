"""Where data sets lie on disk, in their publishers' own formats, so that a folder that is there can be linked."""

import hashlib
import os
from collections.abc import Iterable
from pathlib import Path

from impls.equivalence import cache_folder
from impls.tasks.data import DataError

VARIABLE = "EVENBENCH_DATA"


def data_folder(name: str) -> Path:
    """A data set's folder in EVENBENCH_DATA, by default in `data` of the cache folder; it need not be there."""
    root = os.environ.get(VARIABLE)
    return (Path(root) if root else cache_folder() / "data") / name


def absent(folder: Path, names: Iterable[str], remedy: str) -> str | None:
    """One line about the first file or folder of these that `folder` has not, None where it has all."""
    for name in names:
        if not (folder / name).exists():
            return f"{folder / name} is not there: {remedy}"
    return None


def lines(path: Path) -> list[str]:
    """What stands in each line of a list that is not empty. Raises DataError where it is none."""
    try:
        found = [line.strip() for line in path.read_text().splitlines()]
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: {getattr(error, 'strerror', None) or 'no text'}") from error
    if not any(found):
        raise DataError(f"{path}: nothing stands in it")
    return [line for line in found if line]


def checksum(folder: Path, paths: Iterable[Path]) -> str:
    """SHA-256 of the list of files below a folder: their names and bytes. Raises DataError for one that is missing."""
    digest = hashlib.sha256()
    for path in paths:
        try:
            size = path.stat().st_size
        except OSError as error:
            raise DataError(f"{path}: {error.strerror}") from error
        digest.update(f"{path.relative_to(folder).as_posix()} {size}\n".encode())
    return digest.hexdigest()
