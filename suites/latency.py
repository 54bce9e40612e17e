"""Time and memory of calls: programs are started one by one, then called in turns."""

from contextlib import suppress

from suites.fits import left_out
from suites.plan import Program
from suites.stages import Record, StageRun
from suites.worker_process import WorkerError

SETTLED = 0.05  # seconds of a call beyond which it does not matter what the processor did before
MIN_BLOCKS = 7  # fewer could never show a difference


def measure(run: StageRun) -> None:
    """Cold start and memory of each program; then calls of all of them in blocks, in random order."""
    loaded = _load(run)
    run.watch.look()
    warm = _warm_up(run, loaded)
    blocks = _blocks(run, sum(warm[program] for program in loaded))
    for block in range(blocks):
        run.say(f"block {block + 1} of {blocks}")
        for program in run.shuffled(loaded):
            with run.attempt(program, loaded):
                turn = run.crew.ask_loaded(
                    run.key(program),
                    "measure",
                    phase=run.stage.phase,
                    calls=run.profile.calls_per_block,
                    settle_calls=run.profile.settle_calls if warm[program] < SETTLED else 0,
                )
                loaded[program]["latency"] += turn["samples"]
                run.turns.append(
                    {
                        "block": block,
                        "program": program.label,
                        "started": turn["started"],
                        "cpu_share": round(turn["cpus"] / run.crew.threads, 3),
                    }
                )
        run.watch.look()
    run.progress.advance()
    for program in warm:
        with suppress(WorkerError):  # it has died, with the worker
            run.crew.ask_loaded(run.key(program), "drop")
    run.records += [{**run.stage.row(program), **record} for program, record in loaded.items()]


def _load(run: StageRun) -> dict[Program, Record]:
    """Load every program: its memory, and its cold start if that is what this is.

    Each stage of a model has fresh processes: memory that an earlier one left to a process would be used again, and
    be missing from the increment. Where the time is not reported, they start at the same time.
    """
    run.say("starting the processes")
    if not run.is_kernel:
        run.crew.renew()
    no_room = left_out(run.stage.programs, run.stage.phase, run.stage.size)
    for program, why in no_room.items():
        run.leave_out(program, why)
        if run.is_cold:
            run.leave_out(program, why, "cold start")
        run.progress.advance()
    programs = [program for program in run.stage.programs if program not in no_room]
    requests = {program: (run.key(program), _request(run, program)) for program in run.shuffled(programs)}
    answers: dict[Program, Record | WorkerError] = {}
    if not run.is_kernel:
        if run.is_cold:
            run.crew.start(requests)
        else:
            answers = run.crew.load_together(requests)
    loaded: dict[Program, Record] = {}
    for program, (key, request) in requests.items():
        run.say(f"starting {program.label}")
        with run.attempt(program):
            answer = answers[program] if answers else run.crew.load(program, key, **request)
            if isinstance(answer, WorkerError):
                raise answer
            loaded[program] = {"latency": [], **{name: [answer[name]] for name in ("peak_memory", "peak_vram")}}
            if run.is_cold:
                seconds = run.crew.imports[run.crew.group.worker(program)]
                times = {"import": [seconds], "build": [answer["build"]], "first_call": [answer["first_call"]]}
                run.records.append({**run.stage.row(program), "phase": "cold start", **times})
        run.progress.advance()
    return loaded


def _request(run: StageRun, program: Program) -> Record:
    return {"phase": run.stage.phase, **run.arguments(program)}


def _warm_up(run: StageRun, loaded: dict[Program, Record]) -> dict[Program, float]:
    """Warm every loaded program up: seconds of a warm call. Kernels that take too long do not go on."""
    warm = {}
    for program in run.shuffled(loaded):
        with run.attempt(program, loaded):
            answer = run.crew.ask_loaded(
                run.key(program), "warm_up", phase=run.stage.phase, calls=run.profile.warmup_calls
            )
            warm[program] = answer["seconds"]
            if run.is_kernel and warm[program] > run.profile.kernel_limit_s:
                why = f"a call takes {warm[program]:.1f} s, too long for the profile {run.profile.name}"
                run.leave_out(program, why)
                del loaded[program]
    return warm


def _blocks(run: StageRun, seconds: float) -> int:
    """As many blocks as the profile says, or fewer if calls that take so long in all would exceed its limit."""
    wanted = run.profile.kernel_blocks if run.is_kernel else run.profile.blocks
    affordable = int(run.profile.stage_limit_s / max(seconds * run.profile.calls_per_block, 1e-9))
    return min(wanted, max(affordable, MIN_BLOCKS))
