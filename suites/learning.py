"""What is learned: trainings by the profile's recipes, and the same trained weights in every program."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

from suites import trained
from suites.plan import Program
from suites.stages import Record, StageRun
from suites.worker_process import WorkerError


def fit(run: StageRun) -> None:
    """Train one program after the other from the same weights; the first one's trained weights are kept."""
    kept, recipe = _weights(run), _recipe(run)
    cached = kept.exists()
    for program in run.stage.programs:
        if not run.stage.part and (cached or run.records):
            why = "the trained weights were there from an earlier run" if cached else "one program trains for all"
            run.leave_out(program, why)
        else:
            _train(run, program, kept, recipe)
        run.progress.advance()
    trained.discard_others(kept)
    trained.discard_abandoned()


def accuracy(run: StageRun) -> None:
    """Evaluate the same trained weights in every program; what comes out of each is held against the first one's."""
    weights = _weights(run)
    with _outputs(run) as outputs:
        for program in run.stage.programs:
            run.say(f"evaluating {program.label}")
            with run.attempt(program):
                if not weights.exists():
                    raise WorkerError("exception", "no program could train the weights", [])
                request: Record = {"program": program.names, "recipe": _recipe(run), "weights": str(weights)}
                answer = run.crew.ask(program, "evaluate", outputs=str(outputs), **request)
                run.records.append({**run.stage.row(program), **answer["scores"], "distance": answer["distance"]})
            run.watch.look()
            run.progress.advance()


@contextmanager
def _outputs(run: StageRun) -> Iterator[Path]:
    """The file of what came out of the first program, gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="evenbench-") as folder:
        yield Path(folder) / f"{run.stage.workload}.npz"


def _train(run: StageRun, program: Program, kept: Path, recipe: Record) -> None:
    def report(done: int, total: int) -> None:
        run.say(f"training {program.label}, step {done} of {total}")
        run.watch.look()

    number = _number(run.stage.part)
    with run.attempt(program):
        answer = run.crew.ask(
            program,
            "fit",
            report=report,
            program=program.names,
            recipe=recipe,
            seed=run.profile.seed + number,
            checkpoint=str(trained.path(run.stage.workload, _facts(run, [program.label, number]), trained.UNFINISHED)),
            save="" if number or kept.exists() else str(kept),
        )
        row = run.stage.row(program)
        run.curves.append({**row, "stage": "fit", "seed": number, "target": recipe["target"], **answer})
        figures = {"quality": [answer["quality"]], "seconds": [answer["seconds"][-1]], "epoch": [answer["epoch"]]}
        reached = [] if answer["to_target"] is None else [answer["to_target"]]
        run.records.append({**row, **figures, "to_target": reached})


def _number(part: str) -> int:
    """Which of the trainings of a program a stage is."""
    return int(part.rpartition("#")[2] or 0)


def _recipe(run: StageRun) -> Record:
    return asdict(run.profile.recipes[run.stage.workload])


def _weights(run: StageRun) -> Path:
    """Where the trained weights are kept. Whichever of the programs trained them, the recipe is the same."""
    return trained.path(run.stage.workload, _facts(run, []))


def _facts(run: StageRun, of: list[str | int]) -> Record:
    """All that a training depends on. of: what only its unfinished state depends on."""
    manifest = run.crew.run.manifest
    return {
        "recipe": _recipe(run),
        "seed": run.profile.seed,
        "source": manifest["source"],
        "versions": manifest["versions"],
        "of": of,
    }
