"""What kind of disk a folder is on, by how it reads: for disks that do not tell, such as a virtual machine's.

A class and no figure to compare: the same disk's rates differ by a third from one minute to the next, and behind a
virtual disk its host's cache answers. Reads go past this system's own cache (O_DIRECT).
"""

import errno
import mmap
import os
import random
import statistics
import tempfile
import time
from contextlib import closing
from typing import Any

from hwprobe import disk

FILE_BYTES = 256 << 20
CHUNK = 1 << 20  # bytes of a sequential read
BLOCK = 4096  # bytes of a random read
READS = 200
# A disk that turns needs milliseconds for its arm (4.2 ms for half a turn at 7,200 a minute, besides the way); flash
# needs tenths of one. SATA carries 600 MB/s at most (SATA revision 3.x: 6 Gbit/s, 8 of 10 bits are data).
ARM_S = 1.5e-3
SATA_BYTES_PER_S = 600e6


def measure(folder: str | os.PathLike[str] = ".") -> dict[str, Any]:
    """`kind` (HDD, SATA SSD, NVMe), or None and the `reason`; `latency_s`, the median of a random read of 4 KiB, with
    its quartiles, and `bytes_per_s` of a sequential read."""
    filesystem = disk.collect(folder)["filesystem"]["value"]
    if filesystem in disk.IN_RAM:
        return _unknown(f"{filesystem} is memory, not a disk")
    if not hasattr(os, "O_DIRECT"):
        return _unknown("this system has no way past its own cache")
    try:
        with tempfile.NamedTemporaryFile(dir=folder, prefix=".evenbench-") as file:
            _fill(file.fileno())
            return _read(file.name)
    except OSError as error:
        if error.errno == errno.EINVAL:
            return _unknown("the file system has no way past the cache")
        return _unknown(f"no file could be written and read: {error.strerror}")


def kind_of(latency_s: float, bytes_per_s: float) -> str:
    """The class of disk that reads so."""
    if latency_s > ARM_S:
        return disk.HDD
    return disk.NVME if bytes_per_s > SATA_BYTES_PER_S else disk.SATA_SSD


def _fill(descriptor: int) -> None:
    """Random bytes: file systems that compress would make nothing of zeros."""
    for _ in range(FILE_BYTES // CHUNK):
        os.write(descriptor, os.urandom(CHUNK))
    os.fsync(descriptor)


def _read(path: str) -> dict[str, Any]:
    places = [random.randrange(FILE_BYTES // BLOCK) * BLOCK for _ in range(READS)]
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECT)
    try:
        # Memory of its own pages: O_DIRECT wants buffers that begin where a block does.
        with closing(mmap.mmap(-1, CHUNK)) as chunk, closing(mmap.mmap(-1, BLOCK)) as block:
            start = time.perf_counter()
            for place in range(0, FILE_BYTES, CHUNK):
                os.preadv(descriptor, [chunk], place)
            rate = FILE_BYTES / (time.perf_counter() - start)
            low, median, high = statistics.quantiles((_seconds(descriptor, block, place) for place in places), n=4)
    finally:
        os.close(descriptor)
    latency = {"latency_s": median, "latency_low_s": low, "latency_high_s": high}
    return {"kind": kind_of(median, rate), "reason": None, **latency, "bytes_per_s": rate}


def _seconds(descriptor: int, block: mmap.mmap, place: int) -> float:
    start = time.perf_counter()
    os.preadv(descriptor, [block], place)
    return time.perf_counter() - start


def _unknown(reason: str) -> dict[str, Any]:
    numbers = dict.fromkeys(("latency_s", "latency_low_s", "latency_high_s", "bytes_per_s"))
    return {"kind": None, "reason": reason, **numbers}
