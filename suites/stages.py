"""How each stage of a group is measured: latency, fit and accuracy."""

import random
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from suites import trained
from suites.crew import Crew
from suites.plan import KERNELS, Program, Stage
from suites.progress import Progress
from suites.worker_process import WorkerError

Record = dict[str, Any]
SETTLED = 0.05  # seconds of a call beyond which it does not matter what the processor did before
MIN_BLOCKS = 7  # fewer could never show a difference


@dataclass
class StageRun:
    """One stage while it is measured, and its results."""

    stage: Stage
    crew: Crew
    order: random.Random
    progress: Progress
    source: str  # hash of the code
    records: list[Record] = field(default_factory=list)
    failures: list[Record] = field(default_factory=list)
    curves: list[Record] = field(default_factory=list)
    turns: list[Record] = field(default_factory=list)

    def measure(self) -> None:
        """Measure it. What fails is kept as a failure, and the others go on."""
        {"fit": self._fit, "accuracy": self._accuracy}.get(self.stage.phase, self._latency)()

    def _latency(self) -> None:
        """Cold start and memory of one program after the other, then calls of all in blocks, in random order."""
        loaded: dict[Program, Record] = {}
        warm: dict[Program, float] = {}  # seconds of the last discarded call
        for program in self._shuffled(self.stage.programs):
            with self._attempt(program):
                answer = self._load(program)
                warm[program] = answer["warm"]
                loaded[program] = {"latency": [], **{name: [answer[name]] for name in ("peak_memory", "peak_vram")}}
                if self._kernel and answer["warm"] > self.crew.profile.kernel_limit_s:
                    self._not_applicable(program, f"a call takes {answer['warm']:.1f} s, too long for this profile")
                    del loaded[program]
            self.progress.advance()
        blocks = self._blocks(sum(warm[program] for program in loaded))
        for block in range(blocks):
            self._say(f"block {block + 1} of {blocks}")
            for program in self._shuffled(loaded):
                with self._attempt(program, loaded):
                    turn = self._turn(program, settle=self._kernel and warm[program] < SETTLED)
                    loaded[program]["latency"] += turn["samples"]
                    self.turns.append({"block": block, "program": program.label, "started": turn["started"]})
        self.progress.advance()
        for program in warm:
            with suppress(WorkerError):  # it died with its worker
                self.crew.ask_loaded(self._key(program), "drop")
        self.records += [{**self.stage.row(program), **record} for program, record in loaded.items()]

    def _turn(self, program: Program, settle: bool) -> Record:
        profile = self.crew.profile
        return self.crew.ask_loaded(
            self._key(program),
            "measure",
            phase=self.stage.phase,
            calls=profile.calls_per_block,
            settle_calls=profile.settle_calls if settle else 0,
        )

    def _blocks(self, seconds: float) -> int:
        """How many blocks: as many as the profile says, or fewer if calls that take so long would exceed its limit."""
        profile = self.crew.profile
        wanted = profile.kernel_blocks if self._kernel else profile.blocks
        affordable = int(profile.stage_limit_s / max(seconds * profile.calls_per_block, 1e-9))
        return min(wanted, max(affordable, MIN_BLOCKS))

    @property
    def _kernel(self) -> bool:
        return self.crew.group.name == KERNELS

    def _load(self, program: Program) -> Record:
        """Load a program. If this is its cold start, that is kept as a record of its own."""
        self._say(f"starting {program.label}")
        profile = self.crew.profile
        answer = self.crew.load(
            program,
            self._key(program),
            phase=self.stage.phase,
            warmup_calls=profile.warmup_calls,
            seed=profile.seed,
            **self._arguments(program),
        )
        if self._cold:
            seconds = self.crew.imports[self.crew.group.worker(program)]
            times = {"import": [seconds], "build": [answer["build"]], "first_call": [answer["first_call"]]}
            self.records.append({**self.stage.row(program), "phase": "cold start", **times})
        return answer

    def _fit(self) -> None:
        """Train one program after the other from the same weights; the first one's trained weights are kept."""
        profile, kept = self.crew.profile, self._weights()
        cached = kept.exists()
        for program in self.stage.programs:
            if not profile.fit_all and (cached or self.records):
                why = "the trained weights were there from an earlier run" if cached else "one program trains for all"
                self._not_applicable(program, why)
            else:
                self._train(program, kept)
            self.progress.advance()
        trained.discard_others(kept)

    def _train(self, program: Program, kept: Path) -> None:
        profile = self.crew.profile

        def report(done: int, total: int) -> None:
            self._say(f"training {program.label}, step {done} of {total}")

        with self._attempt(program):
            answer = self.crew.ask(
                program,
                "fit",
                report=report,
                steps=profile.fit_steps,
                seed=profile.seed,
                save="" if kept.exists() else str(kept),
                **self._arguments(program),
            )
            row = self.stage.row(program)
            self.curves.append({**row, "stage": "fit", **answer})
            self.records.append({**row, "top1": answer["top1"], "seconds": answer["seconds"][-1]})

    def _not_applicable(self, program: Program, why: str) -> None:
        what = {"stage": self.stage.phase, "kind": "n/a", "message": why, "stderr": []}
        self.failures.append({**self.stage.row(program), **what})

    def _accuracy(self) -> None:
        """Evaluate the same trained weights in every program."""
        weights = self._weights()
        for program in self.stage.programs:
            self._say(f"evaluating {program.label}")
            with self._attempt(program):
                if not weights.exists():
                    raise WorkerError("exception", "no program could train the weights", [])
                answer = self.crew.ask(program, "evaluate", weights=str(weights), **self._arguments(program))
                self.records.append({**self.stage.row(program), **answer["scores"]})
            self.progress.advance()

    def _weights(self) -> Path:
        """Where the trained weights are kept. Whoever of the programs trained them, the recipe is the same."""
        profile = self.crew.profile
        recipe = {
            "steps": profile.fit_steps,
            "size": profile.fit_size,
            "classes": profile.classes,
            "seed": profile.seed,
            "source": self.source,
            "versions": self.crew.run.manifest["versions"],
            "programs": [program.label for program in self.crew.group.programs],
        }
        return trained.path(self.stage.workload, recipe)

    @property
    def _cold(self) -> bool:
        """Whether this stage's first calls are the programs' cold starts."""
        return self.stage.phase == "inference" and self.stage.size in (None, self.crew.profile.inference_sizes[0])

    def _key(self, program: Program) -> str:
        return f"{self.stage.workload}/{self.stage.phase}/{self.stage.label}/{program.label}"

    def _arguments(self, program: Program) -> Record:
        if self.stage.size is None:
            return {"program": program._asdict(), "options": {}, "size": {}}
        profile = self.crew.profile
        classes = profile.inference_classes if self.stage.phase == "inference" else profile.classes
        return {
            "program": program._asdict(),
            "options": {"num_classes": classes},
            "size": self.stage.size._asdict(),
        }

    def _shuffled(self, programs: Collection[Program]) -> list[Program]:
        return self.order.sample(list(programs), len(programs))

    def _say(self, step: str) -> None:
        self.progress.say(f"{self.stage.workload}, {self.stage.phase}, {step}")

    @contextmanager
    def _attempt(self, program: Program, going_on: dict[Program, Record] | None = None) -> Iterator[None]:
        """Turn a failed request into a failure of the program, which then does not go on."""
        try:
            yield
        except WorkerError as error:
            what = {"stage": self.stage.phase, "kind": error.kind, "message": error.message, "stderr": error.stderr}
            self.failures.append({**self.stage.row(program), **what})
            if going_on is not None:
                going_on.pop(program, None)
            elif self._cold:
                self.failures.append({**self.stage.row(program), "phase": "cold start", **what})
