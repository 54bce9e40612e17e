"""The CPU time of this process and of all that it started: what a benchmark's own work is, and other load is not.

Workers live on while they are watched, so that waiting for a process to end and asking the kernel then is not enough.
"""

import os
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from hwprobe.files import parse_int, read_text, under

_LONGEST = 4096  # bytes of a stat file, which is one line of some 50 numbers


class Process(NamedTuple):
    """`seconds`: of CPU time, its own and that of its children that ended and that it waited for."""

    pid: int
    parent: int
    start: float  # seconds since the machine's start
    seconds: float


class OwnTime:
    """Counts on from one reading to the next. A single reading gives the time since the processes' starts."""

    def __init__(self, root: str = "/") -> None:
        self._root = root
        self._seconds = 0.0
        self._tree: dict[int, Process] = {}

    @property
    def pids(self) -> frozenset[int]:
        """The processes of the last reading. They are never published."""
        return frozenset(self._tree)

    def read(self) -> tuple[float | None, float | None]:
        """(CPU seconds, start of this process in seconds); None where the system does not count them."""
        tree = _tree(self._root)
        if not tree:
            return None, None
        # A process that ended has left its time to its parent, which waited for it, and must not count twice. One that
        # was killed together with its parent has left it to nobody, and must not be taken away from what was counted.
        counted_twice = (old for old in self._tree.values() if _lives(old, tree) or self._has_left_its_time(old, tree))
        self._seconds += sum(now.seconds for now in tree.values()) - sum(old.seconds for old in counted_twice)
        self._tree = tree
        return self._seconds, next(iter(tree.values())).start

    def _has_left_its_time(self, old: Process, tree: dict[int, Process]) -> bool:
        parent = self._tree.get(old.parent)
        return parent is not None and _lives(parent, tree)


def ticks_per_second() -> int:
    """The unit of CPU times in /proc: usually 100 a second."""
    return os.sysconf("SC_CLK_TCK") if hasattr(os, "sysconf") else 100


def _lives(old: Process, tree: dict[int, Process]) -> bool:
    now = tree.get(old.pid)
    return now is not None and now.start == old.start  # else the number is another process's by now


def _tree(root: str) -> dict[int, Process]:
    """This process first, then its descendants; empty where the system does not tell."""
    own = _parsed(read_text("/proc/self/stat", root) or "")
    if own is None:
        return {one.pid: one for one in _by_psutil()} if root == "/" else {}
    children: dict[bytes, list[bytes]] = {}
    for stat in _stats(root):
        children.setdefault(_parent(stat), []).append(stat)
    tree, todo = {own.pid: own}, [own.pid]
    while todo:
        for stat in children.get(b"%d" % todo.pop(), []):
            child = _parsed(stat.decode("ascii", "replace"))
            if child is not None and child.pid not in tree:
                tree[child.pid] = child
                todo.append(child.pid)
    return tree


def _stats(root: str) -> Iterator[bytes]:
    """/proc/<pid>/stat of every process. Without pathlib: a server has thousands, and is measured meanwhile."""
    folder = under(root, "/proc")
    try:
        names = [name for name in os.listdir(folder) if name.isdecimal()]  # noqa: PTH208
    except OSError:
        return
    for name in names:
        try:
            file = os.open(f"{folder}/{name}/stat", os.O_RDONLY)
        except OSError:  # it has ended meanwhile
            continue
        try:
            yield os.read(file, _LONGEST)
        except OSError:
            continue
        finally:
            os.close(file)


def _parent(stat: bytes) -> bytes:
    """All that has to be known of a stranger."""
    return stat.rpartition(b") ")[2][2:].partition(b" ")[0]


def _parsed(stat: str) -> Process | None:
    """One line of /proc/<pid>/stat, or None."""
    # The program's name, in brackets, may hold spaces and brackets itself: fields count from the last one.
    fields = stat.rpartition(")")[2].split()
    parts = [stat.partition(" ")[0], *fields[1:2], *fields[11:15], *fields[19:20]]
    numbers = [number for part in parts if (number := parse_int(part)) is not None]
    if len(numbers) < 7:
        return None
    pid, parent, *times, start = numbers
    return Process(pid, parent, start / ticks_per_second(), sum(times) / ticks_per_second())


def _by_psutil() -> Iterable[Process]:
    """The same where there is no /proc: macOS, Windows."""
    import psutil

    found = []
    for process in [psutil.Process(), *psutil.Process().children(recursive=True)]:
        try:
            times, start = process.cpu_times(), process.create_time()
            found.append(Process(process.pid, process.ppid(), start, sum(times[:4])))
        except psutil.Error:  # it has ended meanwhile
            continue
    return found
