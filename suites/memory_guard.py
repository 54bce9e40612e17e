"""Ends a worker before the machine runs out of memory, so that nothing goes to swap.

No limit that a system sets on a process serves. RLIMIT_AS counts addresses, of which frameworks reserve gigabytes that
they never touch. RLIMIT_DATA counts threads' whole stacks, and where it refuses memory TensorFlow ends by SIGSEGV and
XLA by SIGABRT, like any crash. Linux ignores RLIMIT_RSS. So what is left is read again and again, and at the reserve
the worker is killed: what it touches between two readings must fit into the reserve. A control group's limit counts,
for the reading knows it. Should the guard be late all the same, the kernel ends the worker before anything else: its
oom_score_adj says so (suites.worker_process).
"""

import threading
from contextlib import suppress
from typing import Self

import psutil

from hwprobe.files import field, parse_int, read_text
from hwprobe.memory import collect
from hwprobe.readiness import GIB
from suites import memory
from suites.worker_process import WorkerError

POLL_S = 0.02
LEAST_RESERVE = GIB // 2
RESERVE = 0.05  # of what is usable


def reserve(usable: int) -> int:
    """Bytes that are to be left, of so many that are usable."""
    return max(LEAST_RESERVE, int(usable * RESERVE))


def room(allowance: int | None = None) -> tuple[int, int]:
    """Bytes that are usable, and that are available now; an allowance is as if the machine had no more than that.

    Raises WorkerError where the system does not tell.
    """
    facts = collect()
    usable, available = facts["usable"]["value"], facts["available"]["value"]
    if not isinstance(usable, int) or not isinstance(available, int):
        raise _unreadable(facts["available"]["reason"] or "is unknown")
    return (usable, available) if allowance is None else (min(usable, allowance), min(available, allowance))


def swapped_out() -> int | None:
    """Pages that the machine has written to swap since it started (Linux), None where it does not tell."""
    return parse_int(field(read_text("/proc/vmstat"), "pswpout", " ") or "")


class MemoryGuard:
    """Around what a worker does: `with MemoryGuard(pid, keep) as guard`.

    keep: bytes that are to be left. allowance: bytes that the worker and its children may have in memory together,
    less `keep`; None where only the machine's memory counts.
    error: why the guard ended them, None if it did not. peak: the most bytes that the worker has had in memory.
    """

    def __init__(self, pid: int, keep: int, allowance: int | None = None) -> None:
        self.error: WorkerError | None = None
        self.peak = 0
        self._worker = psutil.Process(pid)
        self._keep = keep
        self._allowance = allowance
        self._swapped = swapped_out()
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()
        self._note_peak()

    def _watch(self) -> None:
        while self.error is None and not self._done.is_set():
            try:
                self._note_peak()
                self.error = self._objection()
            except psutil.NoSuchProcess:  # it has ended by itself
                return
            except Exception as error:  # a guard that sees nothing must not look like one that watches
                self.error = _unreadable(f"cannot be read: {error}")
            self._done.wait(POLL_S)
        if self.error:
            self._end()

    def _note_peak(self) -> None:
        self.peak = max(self.peak, memory.peak(self._worker.pid) or 0)

    def _objection(self) -> WorkerError | None:
        if swapped_out() != self._swapped:
            # Also where memory seems to be left: Linux may rather write to swap than give up its file cache.
            return WorkerError("out of memory", "ended when the machine began to swap", [])
        _, left = room()
        if self._allowance is not None:
            left = min(left, self._allowance - self._resident())
        if left >= self._keep:
            return None
        sizes = f"{max(left, 0) / GIB:.2f} GiB were left, less than the reserve of {self._keep / GIB:.2f} GiB"
        return WorkerError("out of memory", f"ended before the machine would swap: {sizes}", [])

    def _resident(self) -> int:
        """Bytes of the worker and its children; what they share counts more than once."""
        total = self._worker.memory_info().rss
        for child in self._worker.children(recursive=True):
            with suppress(psutil.Error):  # gone meanwhile
                total += child.memory_info().rss
        return total

    def _end(self) -> None:
        # psutil kills no other process that has got the number meanwhile.
        with suppress(psutil.Error):
            children = self._worker.children(recursive=True)
            self._worker.kill()
            for child in children:
                with suppress(psutil.Error):
                    child.kill()


def _unreadable(why: str) -> WorkerError:
    said = f"nothing would keep the machine from swapping, the memory that is left {' '.join(why.split())}"
    return WorkerError("exception", said, [])
