"""RAM and swap: what the machine has, and what this process may use of it."""

from hwprobe import cgroup, system
from hwprobe.facts import Room, known_or
from hwprobe.files import field, parse_int, read_text


def collect(root: str = "/") -> Room:
    """All in bytes. `usable` is the capacity that a tier asks for, `available` the headroom at this moment."""
    info = read_text("/proc/meminfo", root)
    source = system.source("/proc/meminfo", info is not None, root)
    total, available = _bytes(info, "MemTotal"), _bytes(info, "MemAvailable")
    swap, swap_free = _bytes(info, "SwapTotal"), _bytes(info, "SwapFree")
    if info is None and system.is_here(root):  # macOS, Windows
        memory, swaps = system.ask("memory") or {}, system.ask("swap") or {}
        total, available = memory.get("total"), memory.get("available")
        swap, swap_free = swaps.get("total"), swaps.get("free")
    limit, headroom = cgroup.memory_limit(root), cgroup.memory_headroom(root)
    smaller = f"min({source}, control group)"
    absent = "cannot be read"
    return {
        "total": known_or(total, absent, source, "bytes"),
        "limit": known_or(limit, "no limit is set", "control group", "bytes"),
        "usable": known_or(_least(total, limit), absent, smaller, "bytes"),
        "available": known_or(_least(available, headroom), absent, smaller, "bytes"),
        "swap": known_or(swap, absent, source, "bytes"),
        "swap_free": known_or(swap_free, absent, source, "bytes"),
    }


def _bytes(info: str | None, key: str) -> int | None:
    kibibytes = parse_int((field(info, key) or "").removesuffix("kB"))
    return None if kibibytes is None or kibibytes < 0 else kibibytes * 1024


def _least(*sizes: int | None) -> int | None:
    return min((size for size in sizes if size is not None), default=None)
