"""The stage that seeks the largest batch of each program: one after the other, with nothing else in memory."""

from suites.bisection import FAILURE, MEMORY, TIME
from suites.largest_batch import largest_batch
from suites.plan import LARGEST_BATCH, Program
from suites.stages import Record, StageRun
from suites.worker_process import WorkerError

TIMEOUT_S = 300  # of one attempt: a larger batch that takes longer is of no use on this machine
KINDS = {MEMORY: "out of memory", TIME: "timeout", FAILURE: "exception"}  # of failures, as everywhere
PHASES = {stage: phase for phase, stage in LARGEST_BATCH.items()}


def measure(run: StageRun) -> None:
    """Seek each program's largest batch."""
    run.crew.renew()
    for program in run.stage.programs:
        run.say(program.label)
        with run.attempt(program):
            run.records.append({**run.stage.row(program), **_seek(run, program)})
        run.watch.look()
        run.progress.advance()


def _seek(run: StageRun, program: Program) -> Record:
    arguments, profile = run.arguments(program), run.profile
    found = largest_batch(
        python=run.crew.python,
        program=arguments["program"],
        phase=PHASES[run.stage.phase],
        image_size=arguments["size"]["image_size"],
        num_classes=arguments["options"]["num_classes"],
        threads=run.crew.threads,
        folder=run.crew.run.log(program.framework).parent,
        cap=profile.largest_batch,
        timeout_s=TIMEOUT_S,
    )
    if found["batch_size"] is None:
        refused = found["refused"]
        raise WorkerError(KINDS[refused["outcome"]], f"batch_size {refused['batch_size']}: {refused['message']}", [])
    return {key: found[key] for key in ("batch_size", "limit", "is_lower_bound", "attempts", "swapped")}
