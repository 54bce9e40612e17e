"""Writing a set of files so that a reader never meets half of one."""

import os
import tempfile
from contextlib import suppress
from pathlib import Path


def write_all(folder: Path, files: dict[str, bytes]) -> None:
    """Write every file, or leave all of them as they were where the folder cannot be written or is full (OSError)."""
    folder.mkdir(parents=True, exist_ok=True)
    written: list[tuple[Path, Path]] = []
    try:
        for name, content in files.items():
            written.append((_temporary(folder, content), folder / name))
        for temporary, path in written:
            temporary.replace(path)
    finally:
        for temporary, _ in written:
            temporary.unlink(missing_ok=True)


def _temporary(folder: Path, content: bytes) -> Path:
    """The content in a file of its own, on the same file system so that it can be moved into place, and on the disk."""
    handle, name = tempfile.mkstemp(dir=folder, prefix=".report-")
    path = Path(name)
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        path.chmod(0o666 & ~_umask())  # mkstemp makes files that only their owner may read
    except OSError:
        with suppress(OSError):
            path.unlink()
        raise
    return path


def _umask() -> int:
    """The process's mask, which can only be read by setting it."""
    mask = os.umask(0)
    os.umask(mask)
    return mask
