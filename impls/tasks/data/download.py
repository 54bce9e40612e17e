"""Data sets from their publishers: fetched beside their place, checked, unpacked, and only then moved into it."""

import fcntl
import hashlib
import os
import shutil
import tarfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http.client import HTTPException
from pathlib import Path
from typing import NamedTuple
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from impls.tasks.data import DataError, Report
from impls.tasks.data.folder import data_folder

BLOCK = 1 << 20
TIMEOUT_S = 60  # without a byte


class Archive(NamedTuple):
    """A file to fetch and unpack: its size in bytes, and the MD5 that its publisher states."""

    url: str
    size: int
    md5: str


def fetch(name: str, archives: Sequence[Archive], report: Report) -> None:
    """Fetch archives and unpack them into a data set's folder. Raises DataError; the folder is whole or not there."""
    with prepared(data_folder(name)) as content:
        needed, free = 2 * sum(archive.size for archive in archives), shutil.disk_usage(content).free
        if free < needed:
            raise DataError(f"{content.parent}: {free / 1e9:.1f} GB are free, {needed / 1e9:.1f} GB are needed")
        for archive in archives:
            path = content.with_name(archive.url.rpartition("/")[2])
            download(archive, path, report)
            report(f"unpacking {path.name}", 0, None)
            unpack(path, content)
            path.unlink()


@contextmanager
def prepared(target: Path) -> Iterator[Path]:
    """A folder to fill, which becomes `target` when the block ends well, and is deleted when it does not.

    It is beside the target, or beside what a symbolic link in its place points to. What a killed process left there is
    deleted. Raises DataError, one line, if there is something in the target, another process prepares it, or a file
    cannot be written.
    """
    target = target.resolve()
    place = target.with_name(f".{target.name}.partial")
    try:
        if target.exists() and not (target.is_dir() and not any(target.iterdir())):
            raise DataError(f"{target} is there and not whole: move it away first")
        with _alone(place):
            content = place / "content"
            content.mkdir()
            yield content
            content.replace(target)
    except OSError as error:
        raise DataError(f"{error.filename or target}: {error.strerror or error}") from error


@contextmanager
def _alone(place: Path) -> Iterator[None]:
    """An empty folder that no other process uses, and that is gone afterwards."""
    place.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(place, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)  # the system gives it back when the process ends
    except BlockingIOError:
        os.close(descriptor)
        raise DataError(f"{place}: another process is using it") from None
    try:
        for left in place.iterdir():
            shutil.rmtree(left) if left.is_dir() else left.unlink()
        yield
    finally:
        shutil.rmtree(place, ignore_errors=True)
        os.close(descriptor)


def download(archive: Archive, path: Path, report: Report) -> None:
    """Write a file from its publisher. Raises DataError without a network and for another size or checksum."""
    digest, size = hashlib.md5(usedforsecurity=False), 0
    with path.open("wb") as stream:
        for block in _blocks(archive.url):
            stream.write(block)
            digest.update(block)
            size += len(block)
            report(f"downloading {path.name}", size, archive.size)
            if size > archive.size:
                break
    if size != archive.size:
        raise DataError(f"{archive.url}: {size:,} bytes came, not {archive.size:,}")
    if digest.hexdigest() != archive.md5:
        raise DataError(f"{archive.url}: MD5 is {digest.hexdigest()}, its publisher's {archive.md5}")


def _blocks(url: str) -> Iterator[bytes]:
    try:
        with urlopen(Request(url, headers={"User-Agent": "evenbench"}), timeout=TIMEOUT_S) as response:
            while block := response.read(BLOCK):
                yield block
    except (OSError, HTTPException) as error:
        reason = error if isinstance(error, HTTPError) else getattr(error, "reason", error)
        raise DataError(f"{url}: {reason}") from error


def unpack(path: Path, folder: Path) -> None:
    """Unpack a tar archive of files and folders. Raises DataError for what is broken or would land elsewhere."""

    def checked(member: tarfile.TarInfo, destination: str) -> tarfile.TarInfo | None:
        if not (member.isfile() or member.isdir()) or member.name.startswith("/"):
            raise DataError(f"{path.name}: {member.name} is no file or folder of its own")
        return tarfile.data_filter(member, destination)

    try:
        with tarfile.open(path) as archive:
            archive.extractall(folder, filter=checked)
    except (tarfile.TarError, EOFError, zlib.error) as error:
        raise DataError(f"{path.name}: {str(error).splitlines()[0].rstrip(':')}") from error
