"""RAM and swap: what the machine has, and what this process may use of it."""

from hwprobe import cgroup
from hwprobe.facts import Room, known_or
from hwprobe.files import field, parse_int, read_text


def collect(root: str = "/") -> Room:
    """All in bytes. `usable` is the capacity that a tier asks for, `available` the headroom at this moment."""
    info = read_text("/proc/meminfo", root)
    source = "/proc/meminfo"
    total, available, swap = (_bytes(info, key) for key in ("MemTotal", "MemAvailable", "SwapTotal"))
    if info is None and root == "/":  # macOS, Windows
        total, available, swap = _ask_psutil()
        source = "psutil"
    limit, headroom = cgroup.memory_limit(root), cgroup.memory_headroom(root)
    smaller = f"min({source}, control group)"
    absent = "cannot be read"
    return {
        "total": known_or(total, absent, source, "bytes"),
        "limit": known_or(limit, "no limit is set", "control group", "bytes"),
        "usable": known_or(_least(total, limit), absent, smaller, "bytes"),
        "available": known_or(_least(available, headroom), absent, smaller, "bytes"),
        "swap": known_or(swap, absent, source, "bytes"),
    }


def _bytes(info: str | None, key: str) -> int | None:
    kibibytes = parse_int((field(info, key) or "").removesuffix("kB"))
    return None if kibibytes is None or kibibytes < 0 else kibibytes * 1024


def _least(*sizes: int | None) -> int | None:
    return min((size for size in sizes if size is not None), default=None)


def _ask_psutil() -> tuple[int, int, int]:
    import psutil

    memory = psutil.virtual_memory()
    return memory.total, memory.available, psutil.swap_memory().total
