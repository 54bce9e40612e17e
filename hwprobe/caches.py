"""The processor's caches: of each level the size of one copy, how many CPUs share it and how many copies there are."""

from typing import NamedTuple

from hwprobe.facts import Room, known_or
from hwprobe.files import names_in, parse_int, parse_ranges, read_int, read_text

_CPU = "/sys/devices/system/cpu"
_SOURCE = f"{_CPU}/cpu*/cache"
_LEVELS = ("l1d", "l1i", "l2", "l3")
_LETTERS = {"Data": "d", "Instruction": "i"}


class Cache(NamedTuple):
    """One copy of one cache."""

    level: int
    kind: str  # Data, Instruction or Unified; empty where it is not told
    cpus: str  # that share it, as the kernel writes them: "0-3,8-11"
    size: int  # bytes

    @property
    def name(self) -> str:
        """l1d, l1i, l2, l3."""
        return f"l{self.level}{_LETTERS.get(self.kind, '')}"


def collect(root: str = "/") -> Room:
    """Per level `<level>_cache` (bytes of one copy), `<level>_shared_by` (CPUs) and `<level>_copies`.

    Where copies differ - fast and slow cores in one processor - it is the largest one's size and sharing. A virtual
    machine may show its host's whole cache, or none. psutil tells nothing of it on macOS and Windows.
    """
    caches, room = read(root), Room()
    for level in _LEVELS:
        copies = [cache for cache in caches if cache.name == level]
        largest = max(copies, key=lambda cache: (cache.size, cache.cpus), default=None)
        sharing = len(parse_ranges(largest.cpus)) if largest else 0
        absent = "the system shows none"
        room |= {
            f"{level}_cache": known_or(largest.size if largest else None, absent, _SOURCE, "bytes"),
            f"{level}_shared_by": known_or(sharing or None, absent, _SOURCE, "CPUs"),
            f"{level}_copies": known_or(len(copies) or None, absent, _SOURCE, "count"),
        }
    return room


def read(root: str = "/") -> set[Cache]:
    """Every copy once, though each of the CPUs that share it shows it."""
    found = set()
    for cpu in (name for name in names_in(_CPU, root) if name[:3] == "cpu" and name[3:].isdigit()):
        for index in names_in(f"{_CPU}/{cpu}/cache", root):
            folder = f"{_CPU}/{cpu}/cache/{index}"
            level, shared = read_int(f"{folder}/level", root), read_text(f"{folder}/shared_cpu_list", root)
            kibibytes = parse_int((read_text(f"{folder}/size", root) or "").strip().removesuffix("K"))
            if level and shared and kibibytes and min(level, kibibytes) > 0:
                kind = (read_text(f"{folder}/type", root) or "").strip()
                found.add(Cache(level, kind, shared.strip(), kibibytes * 1024))
    return found


def cache_bytes(root: str = "/") -> int:
    """The last-level cache, all its copies together; 0 where the system shows none."""
    caches = read(root)
    last = max((cache.level for cache in caches), default=0)
    return sum(cache.size for cache in caches if cache.level == last)
