"""What is learned: training on the digits, and the same trained weights in every program."""

from pathlib import Path

from suites import trained
from suites.plan import Program
from suites.stages import StageRun
from suites.worker_process import WorkerError


def fit(run: StageRun) -> None:
    """Train one program after the other from the same weights; the first one's trained weights are kept."""
    kept = _weights(run)
    cached = kept.exists()
    for program in run.stage.programs:
        if not run.profile.fit_all and (cached or run.records):
            why = "the trained weights were there from an earlier run" if cached else "one program trains for all"
            run.leave_out(program, why)
        else:
            _train(run, program, kept)
        run.progress.advance()
    trained.discard_others(kept)


def accuracy(run: StageRun) -> None:
    """Evaluate the same trained weights in every program."""
    weights = _weights(run)
    for program in run.stage.programs:
        run.say(f"evaluating {program.label}")
        with run.attempt(program):
            if not weights.exists():
                raise WorkerError("exception", "no program could train the weights", [])
            arguments = run.arguments(program)
            del arguments["seed"]
            answer = run.crew.ask(program, "evaluate", weights=str(weights), **arguments)
            run.records.append({**run.stage.row(program), **answer["scores"]})
        run.watch.look()
        run.progress.advance()


def _train(run: StageRun, program: Program, kept: Path) -> None:
    def report(done: int, total: int) -> None:
        run.say(f"training {program.label}, step {done} of {total}")
        run.watch.look()

    with run.attempt(program):
        answer = run.crew.ask(
            program,
            "fit",
            report=report,
            steps=run.profile.fit_steps,
            save="" if kept.exists() else str(kept),
            **run.arguments(program),
        )
        row = run.stage.row(program)
        run.curves.append({**row, "stage": "fit", **answer})
        run.records.append({**row, "top1": answer["top1"], "seconds": answer["seconds"][-1]})


def _weights(run: StageRun) -> Path:
    """Where the trained weights are kept. Whichever of the programs trained them, the recipe is the same."""
    manifest, profile = run.crew.run.manifest, run.profile
    recipe = {
        "steps": profile.fit_steps,
        "size": run.stage.size,
        "classes": profile.digits,
        "seed": profile.seed,
        "source": manifest["source"],
        "versions": manifest["versions"],
    }
    return trained.path(run.stage.workload, recipe)
