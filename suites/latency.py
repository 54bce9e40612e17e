"""Time and memory of calls: programs are started one by one, then called in turns."""

from contextlib import suppress

from hwprobe import energy
from suites import fits, steady
from suites.plan import EQUALISED, Program
from suites.stages import Record, StageRun
from suites.worker_process import WorkerError

SETTLED = 0.05  # seconds of a call beyond which it does not matter what the processor did before
MIN_BLOCKS = 7  # of the only process: fewer could never show a difference
# What a program is asked for in each of its turns: series of samples -> phase of the worker.
PARTS = {"forward": "training loss", "gradient": "training gradient"}
ENERGY_SECONDS = 2.0
MEMORY = ("peak_memory", "peak_vram", "process_vram")


def measure(run: StageRun) -> None:
    """Cold start and memory of each program; then calls of all of them in blocks, in random order.

    Where memory does not hold all at once, one part after the other.
    """
    run.say("starting the processes")
    parts = fits.parts(_with_room(run), run.stage.phase, run.stage.size)
    for number, part in enumerate(parts, start=1):
        if not run.is_kernel and (run.is_first or len(parts) > 1):
            run.crew.renew()
        apart = f"took turns with part {number} of {len(parts)} of the programs alone: memory does not hold all"
        _measure_part(run, part, [apart] if len(parts) > 1 else [])
    run.progress.advance()


def _measure_part(run: StageRun, programs: list[Program], doubts: list[str]) -> None:
    """doubts: what a reader must know of all their times."""
    loaded = _load(run, programs)
    run.watch.look()
    warm = _warm_up(run, loaded)
    blocks = blocks_of(run, sum(sum(warm[program].values()) for program in loaded))
    for block in range(blocks):
        run.say(f"block {block + 1} of {blocks}")
        for program in run.shuffled(loaded):
            with run.attempt(program, loaded):
                _turn(run, program, loaded[program], warm[program], block)
        run.watch.look()
    _energy(run, loaded)
    for program in warm:
        with suppress(WorkerError):  # it has died, with the worker
            run.crew.ask_loaded(run.key(program), "drop")
    for program, record in loaded.items():
        row = {**run.stage.row(program), "stage": run.stage.phase}
        calls, unsteady = [len(record["latency"])], _unsteady(run, program, record)
        run.records.append({**row, **record, "calls": calls, "unstable": [*doubts, *unsteady]})


def series(run: StageRun) -> dict[str, str]:
    """What is timed in this stage: series of samples -> phase of the worker."""
    parts = run.stage.phase == "training" and run.profile.training_parts
    return {"latency": run.stage.phase, **(PARTS if parts else {})}


def _with_room(run: StageRun) -> list[Program]:
    """The stage's programs but those that memory cannot hold."""
    no_room = fits.left_out(run.stage.programs, run.stage.phase, run.stage.size)
    for program, why in no_room.items():
        run.leave_out(program, why)
        if run.is_cold and program.lane == EQUALISED:
            run.leave_out(program, why, "cold start")
        run.progress.advance()
    return [program for program in run.stage.programs if program not in no_room]


def _load(run: StageRun, programs: list[Program]) -> dict[Program, Record]:
    """Load programs: their memory, and their cold start if that is what this is.

    In the first process each stage of a model has fresh workers: memory that an earlier one left to a worker would be
    used again, and be missing from the increment. Where the time is not reported, they start at the same time. In
    later ones a worker goes on with the next stage: its framework is imported once.
    """
    requests = {program: (run.key(program), _request(run, program)) for program in run.shuffled(programs)}
    answers: dict[Program, Record | WorkerError] = {}
    if not run.is_kernel:
        if run.is_cold:
            run.crew.start(requests)
        elif run.is_first:
            answers = run.crew.load_together(requests)
    loaded: dict[Program, Record] = {}
    for program, (key, request) in requests.items():
        run.say(f"starting {program.label}")
        with run.attempt(program):
            answer = answers[program] if answers else run.crew.load(program, key, **request)
            if isinstance(answer, WorkerError):
                raise answer
            loaded[program] = _record(run, program, answer)
        run.progress.advance()
    return loaded


def _request(run: StageRun, program: Program) -> Record:
    return {"phase": run.stage.phase, **run.arguments(program)}


def _record(run: StageRun, program: Program, answer: Record) -> Record:
    """A program's record, empty but for what its loading told."""
    record: Record = {name: [] for name in series(run)}
    if run.is_first:
        record |= {name: [answer[name]] for name in MEMORY}
    elif not run.is_cold:
        record["first_call"] = [answer["first_call"]]  # loaded alone: its time counts
    if run.is_cold and program.lane == EQUALISED:
        seconds = run.crew.imports[run.crew.group.worker(program)]
        times = {"import": [seconds], "build": [answer["build"]], "first_call": [answer["first_call"]]}
        run.records.append({**run.stage.row(program), "phase": "cold start", **times})
    return record


def _warm_up(run: StageRun, loaded: dict[Program, Record]) -> dict[Program, dict[str, float]]:
    """Warm every loaded program up: seconds of a warm call. Kernels that take too long do not go on."""
    warm = {}
    for program in run.shuffled(loaded):
        with run.attempt(program, loaded):
            seconds = {
                name: run.crew.ask_loaded(run.key(program), "warm_up", phase=phase, calls=run.profile.warmup_calls)
                for name, phase in series(run).items()
            }
            warm[program] = {name: answer["seconds"] for name, answer in seconds.items()}
            if run.is_kernel and warm[program]["latency"] > run.profile.kernel_limit_s:
                took = warm[program]["latency"]
                run.leave_out(program, f"a call takes {took:.1f} s, too long for the profile {run.profile.name}")
                del loaded[program]
    return warm


def _turn(run: StageRun, program: Program, record: Record, warm: dict[str, float], block: int) -> None:
    """One program's calls in one block."""
    for name, phase in series(run).items():
        turn = run.crew.ask_loaded(
            run.key(program),
            "measure",
            phase=phase,
            calls=run.profile.calls_per_block,
            settle_calls=run.profile.settle_calls if warm[name] < SETTLED else 0,
        )
        record[name] += turn["samples"]
        run.turns.append(
            {
                "block": block,
                "program": program.label,
                "series": name,
                "started": turn["started"],
                "compilations": turn["compilations"],
                "cpu_share": round(turn["cpus"] / run.crew.threads, 3),
            }
        )


def _energy(run: StageRun, loaded: dict[Program, Record]) -> None:
    """Joules of a model's call, in a pass of its own: counters tick too seldom for single calls.

    In the first process alone.
    """
    if run.is_kernel or not run.is_first:
        return
    frameworks = run.crew.run.manifest["frameworks"]
    for program in run.shuffled(loaded):
        if not energy.available(frameworks[program.framework].get("device", "cpu")):
            continue
        with run.attempt(program, loaded):
            key, phase = run.key(program), run.stage.phase
            answer = run.crew.ask_loaded(key, "energy", phase=phase, seconds=ENERGY_SECONDS)
            loaded[program]["energy"] = [answer["energy"]]


def _unsteady(run: StageRun, program: Program, record: Record) -> list[str]:
    """Why the calls that this process timed are no steady state; empty if they are one."""
    turns = [turn for turn in run.turns if turn["program"] == program.label and turn["series"] == "latency"]
    compilations = sum(turn["compilations"] for turn in turns)
    return steady.doubts(record["latency"], run.profile.calls_per_block, compilations)


def blocks_of(run: StageRun, seconds: float) -> int:
    """As many blocks as the profile says, or fewer if calls that take so long in all would exceed its limit.

    seconds: of one call of every program.
    """
    profile = run.profile
    wanted = profile.kernel_blocks if run.is_kernel else profile.blocks
    limit_s = profile.stage_limit_s / profile.processes
    affordable = int(limit_s / max(seconds * profile.calls_per_block, 1e-9))
    return min(wanted, max(affordable, MIN_BLOCKS if profile.processes == 1 else 1))
