"""What makes real faults: disks that are small or lose their power, and memory that ends; skips where it cannot."""

import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

GROUPS = {  # where control groups may be made -> the file of their limit: version 1, version 2
    Path("/sys/fs/cgroup/memory"): "memory.limit_in_bytes",
    Path("/sys/fs/cgroup"): "memory.max",
}


@contextmanager
def mounted(folder: Path, *arguments: str) -> Iterator[bool]:
    """Something mounted on a folder; False where that is not allowed."""
    folder.mkdir(parents=True, exist_ok=True)
    try:
        command = ["mount", *arguments, str(folder)]
        done = subprocess.run(command, capture_output=True, check=False).returncode == 0
    except OSError:
        done = False
    try:
        yield done
    finally:
        if done:
            subprocess.run(["umount", "--lazy", str(folder)], check=True)


def small_disk(folder: Path, megabytes: int) -> "contextmanager[bool]":
    """A disk of a given size in memory, mounted on a folder."""
    return mounted(folder, "-t", "tmpfs", "-o", f"size={megabytes}m", "evenbench")


def fill(folder: Path) -> Path:
    """Fill the disk that a folder is on, to the last byte; deleting the file that is given gives the space back."""
    filler = folder / "filler"
    with filler.open("wb", buffering=0) as stream, suppress(OSError):
        for size in (2**20, 2**12, 1):
            with suppress(OSError):
                while stream.write(b"\0" * size):
                    pass
    return filler


@contextmanager
def after_a_power_cut(folder: Path, write: Callable[[Path], None]) -> Iterator[Path]:
    """What a disk holds after the power failed: `write` gets a disk, and of it what had reached it is mounted again.

    Skips where loop devices or ext4 are not to be had. Nothing reaches the disk by the mere passing of time: the
    journal is committed every ten minutes.
    """
    image, copy = folder / "image", folder / "copy"
    with image.open("wb") as stream:
        stream.truncate(16 << 20)
    if shutil.which("mkfs.ext4") is None:
        pytest.skip("mkfs.ext4 is not installed")
    subprocess.run(["mkfs.ext4", "-q", "-F", str(image)], check=True)
    with mounted(folder / "disk", "-o", "loop,commit=600", str(image)) as done:
        if not done:
            pytest.skip("loop devices cannot be mounted here")
        write(folder / "disk")
        shutil.copy(image, copy)
    with mounted(folder / "again", "-o", "loop", str(copy)) as done:
        assert done
        yield folder / "again"


@contextmanager
def memory_group(limit: int) -> Iterator[Callable[[int], object]]:
    """A control group with so many bytes; call what is given with the number of a process to put it there."""
    for base, name in GROUPS.items():
        group = base / f"evenbench-{os.getpid()}"
        with suppress(OSError):
            group.mkdir()
            (group / name).write_text(str(limit))
            break
        with suppress(OSError):
            group.rmdir()
    else:
        pytest.skip("no control group with a limit of memory can be made here")
    try:
        yield lambda pid: (group / "cgroup.procs").write_text(str(pid))
    finally:
        for _ in range(100):
            with suppress(OSError):
                group.rmdir()
                break
            time.sleep(0.05)
