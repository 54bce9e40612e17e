"""The worker processes of a group: started afresh when first needed, started again when one has died."""

import random
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from suites.plan import Group, Program
from suites.profiles import Profile, Size
from suites.store import Run
from suites.worker_process import WorkerError, WorkerProcess, environment

Answer = dict[str, Any]
REHEARSAL = "mobilenet_v2"


class Crew:
    """Workers by name; see Group.worker for who shares one."""

    def __init__(self, run: Run, group: Group, profile: Profile, python: str, threads: int) -> None:
        self.run = run
        self.group = group
        self.profile = profile
        self.python = python
        self.threads = threads
        self.imports: dict[str, float] = {}  # worker -> seconds that its first start took to import the framework
        self._workers: dict[str, WorkerProcess] = {}
        self._useless: dict[str, WorkerError] = {}  # worker -> why it cannot even import its framework
        self._homes: dict[str, WorkerProcess] = {}  # key of a loaded program -> where it is

    def start(self, order: random.Random) -> None:
        """Start every worker, one after the other while the others idle: their cold starts."""
        programs = self.group.programs
        for program in order.sample(programs, len(programs)):
            try:
                self._worker(program)
            except WorkerError:
                continue  # told to whoever asks it for something

    def rehearse(self) -> None:
        """Have every worker of kernels train something else first, a small network whose shapes no kernel has.

        What a process does only once (thread pools, first use of a library) shall not be its first kernel's.
        """
        for framework in dict.fromkeys(program.framework for program in self.group.programs):
            program = Program(REHEARSAL, framework, "eager")
            with suppress(WorkerError):  # it will fail again where it counts
                self.load(
                    program,
                    REHEARSAL,
                    phase="training",
                    program=program._asdict(),
                    options={"num_classes": 10},
                    size=Size(32, 2)._asdict(),
                    warmup_calls=1,
                    seed=0,
                )
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

    def ask_loaded(self, key: str, do: str, /, **request: Any) -> Answer:
        """Have something done with a loaded program. Raises WorkerError, also if its worker died meanwhile."""
        return self._count(self._homes[key].ask(do, self.profile.timeout_s, key=key, **request))

    def close(self) -> None:
        """End all workers."""
        for worker in self._workers.values():
            worker.close()

    def _worker(self, program: Program) -> WorkerProcess:
        name = self.group.worker(program)
        if name in self._useless:
            raise self._useless[name]
        if name not in self._workers or self._workers[name].death:
            title = f"{self.group.name}-{name.replace('/', '-')}"
            worker = WorkerProcess(self.python, title, self.run.log(title), environment(self.threads))
            self._workers[name] = worker
            try:
                self._introduce(name, program.framework, worker)
            except WorkerError as error:
                self._useless[name] = error
                raise
        return self._workers[name]

    def _introduce(self, name: str, framework: str, worker: WorkerProcess) -> None:
        answer = worker.ask("import_framework", self.profile.timeout_s, framework=framework, threads=self.threads)
        self._count(answer)
        self.imports.setdefault(name, answer["import"])
        self.run.manifest["frameworks"][framework].update(device=answer["device"], layout=answer["layout"])

    def _count(self, answer: Answer) -> Answer:
        self.run.spend("measured", answer.pop("measured_s", 0.0))
        return answer
