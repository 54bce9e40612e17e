"""The parent's side of suites.worker: start it, ask it, notice how it died."""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import IO, Any

import psutil

from hwprobe.private import scrub

ROOT = Path(__file__).resolve().parent.parent
STDERR_LINES = 20
LOOK_S = 1.0  # between two looks whether a worker that says nothing is alive


class WorkerError(Exception):
    """A request that failed. kind: "exception", "signal", "timeout" or "out of memory"; stderr: its last lines."""

    def __init__(self, kind: str, message: str, stderr: list[str]) -> None:
        self.kind = kind
        self.message = scrub(message)  # it is stored, and a path may name a person
        super().__init__(self.message)
        self.stderr = stderr


def environment(threads: int | None) -> dict[str, str]:
    """The variables of a worker: this process's, with one number of threads for every library; None: with none."""
    names = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
    others = {name: value for name, value in os.environ.items() if name not in names}
    return others | (dict.fromkeys(names, str(threads)) if threads else {})


class WorkerProcess:
    """One running suites.worker. death: why it does not run any more."""

    def __init__(self, python: str, name: str, log: Path, variables: dict[str, str]) -> None:
        self._scratch = tempfile.mkdtemp(prefix="evenbench-")
        self._log = log
        self._ooms = _oom_kills()
        # Its paths and messages name people and machines: the log that is kept is written when it has ended.
        self._written = Path(self._scratch, "stderr")
        self._last_lines: list[str] = []
        with self._written.open("wb") as stderr:
            self._process = subprocess.Popen(
                # The name is for who looks at a list of processes.
                [python, "-m", "suites.worker", name, self._scratch],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=stderr,
                cwd=ROOT,
                # Compiled code of earlier processes must not make this one's first call look short.
                env={**variables, "TORCHINDUCTOR_CACHE_DIR": self._scratch, "TMPDIR": self._scratch},
                start_new_session=True,  # a Ctrl-C is for the parent; and it can be killed with its children
            )
        self.death: WorkerError | None = None
        self._closed = False
        self._answers: SimpleQueue[str] = SimpleQueue()
        threading.Thread(target=_read, args=(self._process.stdout, self._answers), daemon=True).start()

    @property
    def pid(self) -> int:
        """Process id, which is its process group's too."""
        return self._process.pid

    def ask(
        self, do: str, timeout_s: float, report: Callable[[int, int], None] | None = None, **request: Any
    ) -> dict[str, Any]:
        """Send one request and wait for its answer, at most timeout_s of wall clock.

        Raises WorkerError if the request fails or the worker is dead; a request that takes too long kills it.
        """
        deadline = time.monotonic() + timeout_s
        self._send({"do": do, **request})
        while True:
            line = self._next_line(deadline)
            if line is None:
                raise self._die("timeout", f"no answer within {timeout_s:.0f} s")
            if not line.endswith("\n"):  # nothing, or half an answer
                raise self._died()
            answer = json.loads(line)
            if "ok" in answer:
                return answer["ok"]
            if "error" in answer:
                raise WorkerError(**answer["error"], stderr=self._stderr())
            if report:
                report(answer["done"], answer["total"])

    def close(self) -> None:
        """End it and all its children at once: whatever it had to tell has been told."""
        if self._closed:  # its number may be another process's by now
            return
        self._closed = True
        try:
            os.killpg(self.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        except PermissionError:  # macOS, for a group that has ended
            self._process.kill()
        kill_those_in(self._scratch)
        with suppress(subprocess.TimeoutExpired):  # a driver may hold it back for ever
            self._process.wait(timeout=30)
        self._last_lines = self._stderr()
        with suppress(OSError), self._log.open("a", encoding="utf-8") as log:  # no space: its results count more
            log.write(scrub(self._written.read_text(errors="replace")))
        shutil.rmtree(self._scratch, ignore_errors=True)

    def _send(self, request: dict[str, Any]) -> None:
        if self.death:
            raise self.death
        assert self._process.stdin
        try:
            self._process.stdin.write(json.dumps(request).encode() + b"\n")
            self._process.stdin.flush()
        except OSError:
            raise self._died() from None

    def _next_line(self, deadline: float) -> str | None:
        """What it says next: "" if it has ended, None at the deadline."""
        while True:
            left = deadline - time.monotonic()
            with suppress(Empty):
                return self._answers.get(timeout=max(0.0, min(left, LOOK_S)))
            if self._process.poll() is not None:  # a child of its own may keep its output open
                with suppress(Empty):
                    return self._answers.get(timeout=LOOK_S)
                return ""
            if left <= LOOK_S:
                return None

    def _died(self) -> WorkerError:
        try:
            code = self._process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            return self._die("exception", "closed its output")
        if code >= 0:
            return self._die("exception", f"ended with exit code {code}")
        name = signal.Signals(-code).name
        if name == "SIGKILL" and _oom_kills() > self._ooms:
            return self._die("out of memory", "killed by the system for lack of memory")
        return self._die("signal", f"ended by {name}")

    def _die(self, kind: str, message: str) -> WorkerError:
        self.close()
        self.death = WorkerError(kind, message, self._stderr())
        return self.death

    def _stderr(self) -> list[str]:
        """The last lines that it wrote."""
        if self._last_lines:
            return self._last_lines
        with suppress(OSError):
            lines = self._written.read_text(errors="replace").splitlines()[-STDERR_LINES:]
            return scrub("\n".join(lines)).splitlines()  # only what is kept: a log can be long
        return []


@contextmanager
def imported(
    name: str, framework: str, threads: int, timeout_s: float
) -> Iterator[tuple[WorkerProcess, dict[str, Any]]]:
    """A worker of this interpreter with a framework imported, and what it says of it; it ends with the block.

    Its log is not kept. Raises WorkerError.
    """
    with tempfile.TemporaryDirectory(prefix="evenbench-") as folder:
        worker = WorkerProcess(sys.executable, name, Path(folder, "log"), environment(threads))
        try:
            yield worker, worker.ask("import_framework", timeout_s, framework=framework, threads=threads)
        finally:
            worker.close()


def _read(stream: IO[bytes], answers: SimpleQueue[str]) -> None:
    for line in stream:
        answers.put(line.decode(errors="replace"))
    answers.put("")


def kill_those_in(folder: str | os.PathLike[str]) -> None:
    """End all processes whose temporary files belong into a folder, whatever group or parent they have by now."""
    for process in psutil.process_iter():
        with suppress(psutil.Error):  # it has ended, or is another user's
            if Path(process.environ().get("TMPDIR", "/")).is_relative_to(folder):
                process.kill()


def _oom_kills() -> int:
    """How many processes the system has killed for memory so far (Linux), 0 where it does not say."""
    try:
        lines = Path("/proc/vmstat").read_text().splitlines()
    except OSError:
        return 0
    return sum(int(line.split()[1]) for line in lines if line.startswith("oom_kill "))
