"""The peak of this process's resident memory (RSS), counted by the kernel from a chosen moment on (Linux)."""

import ctypes
import gc
from contextlib import suppress
from pathlib import Path

_CLEAR_REFS = Path("/proc/self/clear_refs")


def start() -> int | None:
    """Reset the high-water mark and give the resident bytes now, None where the system cannot do it."""
    gc.collect()
    with suppress(AttributeError, OSError, TypeError):
        # What was freed but is still in the C library's heap would be used again unseen: hand it back first.
        ctypes.CDLL(None).malloc_trim(0)
    try:
        _CLEAR_REFS.write_text("5")
    except OSError:
        return None
    return _status("VmRSS")


def increment(before: int | None) -> int | None:
    """Bytes by which resident memory rose at most since `start` gave `before`."""
    peak = _status("VmHWM")
    return None if before is None or peak is None else max(0, peak - before)


def peak(pid: int) -> int | None:
    """The most bytes that another process has had in memory; None where it is gone or the system does not tell."""
    return _status("VmHWM", str(pid))


def _status(key: str, process: str = "self") -> int | None:
    try:
        lines = Path("/proc", process, "status").read_text().splitlines()
    except OSError:
        return None
    for line in lines:
        name, _, rest = line.partition(":")
        if name == key:
            return int(rest.split()[0]) * 1024  # the file says kB and means KiB
    return None
