"""The worker processes of a group: started afresh when first needed, started again when one has died."""

import time
from collections.abc import Callable, Collection, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import suppress
from typing import Any

import impls
from impls import kernels
from impls.kernels import BY_WEIGHT, FORWARD
from suites.plan import DEFAULT, Group, Program
from suites.profiles import Profile
from suites.store import Run
from suites.worker_process import WorkerError, WorkerProcess, environment

Answer = dict[str, Any]
REHEARSAL = "conv2d-lenet5-3"


class Crew:
    """Workers by name; see Group.worker for who shares one."""

    def __init__(self, run: Run, group: Group, profile: Profile, python: str, threads: int, process: int = 0) -> None:
        self.run = run
        self.group = group
        self.profile = profile
        self.python = python
        self.threads = threads
        self.process = process  # which of the profile's processes: each starts all workers afresh
        self.imports: dict[str, float] = {}  # worker -> seconds that its first start took to import the framework
        self._workers: dict[str, WorkerProcess] = {}
        self._useless: dict[str, WorkerError] = {}  # worker -> why it cannot even import its framework
        self._homes: dict[str, WorkerProcess] = {}  # key of a loaded program -> where it is
        self._counting = True

    def renew(self) -> None:
        """End all workers, so that what is loaded next is loaded in fresh ones."""
        self.close()
        self._workers.clear()
        self._homes.clear()

    def start(self, programs: Collection[Program]) -> None:
        """Start the workers of programs, one after the other while the others idle: their cold starts."""
        for program in programs:
            with suppress(WorkerError):  # told to whoever asks it for something
                self._worker(program)

    def rehearse(self) -> None:
        """Have every worker of kernels run another one first.

        What a process does only once (thread pools, first use of a library) shall not be its first kernel's.
        """
        for program in dict.fromkeys(p._replace(workload=REHEARSAL) for p in self.group.programs):
            for phase in (FORWARD, BY_WEIGHT):
                if kernels.missing(impls.WORKLOADS[REHEARSAL].facts, program.framework, program.mode, phase):
                    continue
                with suppress(WorkerError):  # it will fail again where it counts
                    request = {"program": program.names, "options": {}, "size": {}, "seed": 0}
                    self.load(program, REHEARSAL, phase=phase, **request)
                    self.ask_loaded(REHEARSAL, "drop")

    def ask(
        self, program: Program, do: str, /, report: Callable[[int, int], None] | None = None, **request: Any
    ) -> Answer:
        """Have a program's worker do something. Raises WorkerError."""
        return self._count(self._worker(program).ask(do, self.profile.timeout_s, report, **request))

    def load(self, program: Program, key: str, /, **request: Any) -> Answer:
        """Have a program loaded under a key. Raises WorkerError."""
        answer = self.ask(program, "load", key=key, **request)
        self._homes[key] = self._worker(program)
        return answer

    def load_together(self, requests: Mapping[Program, tuple[str, Answer]]) -> dict[Program, Answer | WorkerError]:
        """Have programs loaded at the same time, where their memory is of interest but not the time that it takes.

        requests: program -> key, arguments of load.
        """
        start = time.monotonic()
        pool = ThreadPoolExecutor(self.threads)
        self._counting = False  # times that overlap must not be added up
        try:
            futures = {
                program: pool.submit(self.load, program, key, **rest) for program, (key, rest) in requests.items()
            }
            wait(futures.values())
        except BaseException:
            self.close()  # a Ctrl-C shall not wait for their answers
            raise
        finally:
            pool.shutdown(cancel_futures=True)
            self._counting = True
        self.run.spend("measured", time.monotonic() - start)
        return {program: _outcome(future) for program, future in futures.items()}

    def ask_loaded(self, key: str, do: str, /, **request: Any) -> Answer:
        """Have something done with a loaded program. Raises WorkerError, also if its worker died meanwhile."""
        return self._count(self._homes[key].ask(do, self.profile.timeout_s, key=key, **request))

    def close(self) -> None:
        """End all workers."""
        for worker in list(self._workers.values()):  # threads may still add one
            worker.close()

    def _worker(self, program: Program) -> WorkerProcess:
        name = self.group.worker(program)
        if name in self._useless:
            raise self._useless[name]
        if name not in self._workers or self._workers[name].death:
            title = f"{self.group.name}-{name.replace('/', '-').replace(' ', '-')}"
            threads = None if program.lane == DEFAULT else self.threads
            worker = WorkerProcess(self.python, title, self.run.log(title), environment(threads))
            self._workers[name] = worker
            try:
                self._introduce(name, program, worker, threads)
            except WorkerError as error:
                self._useless[name] = error
                raise
        return self._workers[name]

    def _introduce(self, name: str, program: Program, worker: WorkerProcess, threads: int | None) -> None:
        name_of, timeout_s = program.framework, self.profile.timeout_s
        answer = worker.ask("import_framework", timeout_s, framework=name_of, threads=threads)
        self._count(answer)
        self.imports.setdefault(name, answer["import"])
        found = {key: answer[key] for key in ("device", "layout")}
        known = self.run.manifest["frameworks"][program.framework]
        known.update({"default": found} if program.lane == DEFAULT else found)

    def _count(self, answer: Answer) -> Answer:
        seconds = answer.pop("measured_s", 0.0)
        if self._counting:
            self.run.spend("measured", seconds)
        return answer


def _outcome(future: Future[Answer]) -> Answer | WorkerError:
    try:
        return future.result()
    except WorkerError as error:
        return error
