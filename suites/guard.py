"""What surrounds a run, so that it loses nothing and leaves nothing behind, however it ends.

Results are on disk as soon as they are known, so Ctrl-C and SIGTERM end the process at once: unwinding it would wait
for threads, and these for proofs that take minutes. What a kill -9 leaves is removed by the next run.
"""

import fcntl
import os
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NoReturn

import psutil

from impls.equivalence import cache_folder
from suites import files, worker_process

SCRATCH = "evenbench-run-"
NEW_S = 5
SIGNALS = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def guarded(store: Path) -> Iterator[None]:
    """Around a run that writes into store/results and store/runs.

    Temporary files of the run and its children are in one folder, deleted in the end. Ctrl-C and SIGTERM end all
    processes, then this one with one line and exit code 130 or 143; a signal that is ignored stays so.
    Raises OSError, one line, where the folder cannot be written, and while another run writes there: asv would
    overwrite its results.
    """
    try:
        files.make_folder(store)
    except OSError as error:
        raise OSError(f"cannot write {store}: {error.strerror}") from None
    with _locked(store, f"another run is measuring into {store}: wait for it, or end it"):
        for folder in (store / "results", store / "runs", cache_folder()):
            files.remove_leftovers(folder)
        with _scratch() as scratch, ending_at_once(scratch):
            yield


@contextmanager
def ending_at_once(scratch: Path | None = None) -> Iterator[None]:
    """Have Ctrl-C and SIGTERM end all processes that this one has started, then this one, with one line.

    scratch: a folder that is deleted before.
    """

    def end(number: int, _frame: Any) -> NoReturn:
        for one in SIGNALS:
            signal.signal(one, signal.SIG_IGN)  # a second one must not cut this short
        for process in psutil.Process().children(recursive=True):
            with suppress(psutil.Error):
                process.kill()
        if scratch:
            _delete(scratch)
        name, cursor = signal.Signals(number).name, "\x1b[?25h" if sys.stderr.isatty() else ""
        line = f"evenbench: ended by {name}; what is finished is kept, and `evenbench run --resume` does the rest"
        with suppress(OSError):  # not print, which may be what was interrupted
            os.write(1, b"\n")  # asv has left a line open
            os.write(2, f"{cursor}{line}\n".encode())  # a progress bar may have hidden the cursor
        os._exit(128 + number)

    wanted = [one for one in SIGNALS if signal.getsignal(one) != signal.SIG_IGN]
    before = {one: signal.signal(one, end) for one in wanted}
    try:
        yield
    finally:
        for one, handler in before.items():
            signal.signal(one, handler)


@contextmanager
def _locked(folder: Path, otherwise: str) -> Iterator[None]:
    """Hold the lock of a folder, which the system takes away from a process that ends."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise BlockingIOError(otherwise) from None
    except OSError:  # some network file systems have no locks
        pass
    try:
        yield
    finally:
        os.close(descriptor)


@contextmanager
def _scratch() -> Iterator[Path]:
    """A folder for temporary files of this process and its children. What a killed run left is ended and deleted."""
    before = tempfile.gettempdir(), os.environ.get("TMPDIR")
    for old in Path(before[0]).glob(f"{SCRATCH}*"):
        # Another user's cannot be opened, another run's is locked; one that is new may not be yet.
        with suppress(OSError), _locked(old, "in use"):
            if time.time() - old.stat().st_mtime > NEW_S:
                _delete(old)
    folder = Path(tempfile.mkdtemp(prefix=SCRATCH))
    with _locked(folder, "in use"):
        tempfile.tempdir = os.environ["TMPDIR"] = str(folder)
        try:
            yield folder
        finally:
            tempfile.tempdir = before[0]
            os.environ.pop("TMPDIR")
            os.environ.update({"TMPDIR": before[1]} if before[1] else {})
            _delete(folder)


def _delete(scratch: Path) -> None:
    worker_process.kill_those_in(scratch)
    shutil.rmtree(scratch, ignore_errors=True)
