"""One stage of a group while it is measured: what its measurement asks and what it leaves."""

import random
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from hwprobe.watch import Watch
from impls.kernels import FORWARD
from suites.crew import Crew
from suites.plan import EQUALISED, KERNELS, Case, Program, Stage, row
from suites.profiles import Profile
from suites.progress import Progress
from suites.worker_process import WorkerError

Record = dict[str, Any]


@dataclass
class StageRun:
    """A stage, who measures it, and its results; latency.py and learning.py fill them."""

    stage: Stage
    crew: Crew
    order: random.Random
    progress: Progress
    watch: Watch
    records: list[Record] = field(default_factory=list)
    failures: list[Record] = field(default_factory=list)
    curves: list[Record] = field(default_factory=list)
    turns: list[Record] = field(default_factory=list)

    @property
    def profile(self) -> Profile:
        """The settings."""
        return self.crew.profile

    @property
    def is_kernel(self) -> bool:
        """Whether it measures a kernel and no model."""
        return self.crew.group.name == KERNELS

    @property
    def is_cold(self) -> bool:
        """Whether its first calls are the programs' cold starts."""
        size = self.stage.size
        if self.stage.phase not in ("inference", FORWARD):
            return False
        return size is None or size in self.profile.cold_sizes(self.stage.workload)

    @property
    def is_first(self) -> bool:
        """Whether this is the first of the profile's processes: the one that measures memory."""
        return self.crew.process == 0

    def key(self, program: Program) -> str:
        """The name of a loaded program in its worker."""
        return f"{self.stage.workload}/{self.stage.phase}/{self.stage.label}/{program.label}"

    def arguments(self, program: Program) -> Record:
        """What a worker has to know to build a program and its inputs."""
        if self.stage.size is None:
            return {"program": program.names, "options": {}, "size": {}, "seed": self.profile.seed}
        return {
            "program": program.names,
            "options": {"num_classes": self.profile.num_classes(self.stage.workload, self.stage.phase)},
            "size": self.stage.size._asdict(),
            "seed": self.profile.seed,
        }

    def shuffled(self, programs: Collection[Program]) -> list[Program]:
        """The programs in random order."""
        return self.order.sample(list(programs), len(programs))

    def say(self, step: str) -> None:
        """Tell the person at the terminal."""
        self.progress.say(f"{self.stage.workload}, {self.stage.phase}, {step}")

    @contextmanager
    def attempt(self, program: Program, going_on: dict[Program, Record] | None = None) -> Iterator[None]:
        """Turn a failed request into a failure of the program, which is then dropped from those that go on."""
        try:
            yield
        except WorkerError as error:
            self._fail(program, self.stage.phase, error.kind, error.message, error.stderr)
            if going_on is not None:
                going_on.pop(program, None)
            elif self.is_cold and program.lane == EQUALISED:
                self._fail(program, "cold start", error.kind, error.message, error.stderr)

    def leave_out(self, program: Program, why: str, phase: str | None = None) -> None:
        """Note that the program has no result here (of the stage's phase, if none is named), which is no failure."""
        self._fail(program, phase or self.stage.phase, "n/a", why, [])

    def _fail(self, program: Program, phase: str, kind: str, message: str, stderr: list[str]) -> None:
        what = {"stage": self.stage.phase, "kind": kind, "message": message, "stderr": stderr}
        self.failures.append({**row(Case(phase, program, self.stage.label)), **what})
