"""The peak of this process's resident memory (RSS), counted by the kernel from a chosen moment on (Linux)."""

import ctypes
import gc
from contextlib import suppress
from pathlib import Path

_STATUS = Path("/proc/self/status")
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


def _status(key: str) -> int | None:
    try:
        lines = _STATUS.read_text().splitlines()
    except OSError:
        return None
    for line in lines:
        name, _, rest = line.partition(":")
        if name == key:
            return int(rest.split()[0]) * 1024  # the file says kB and means KiB
    return None
