"""Measure a group of programs: certify them, go through the stages, keep each stage's results as soon as it is done."""

import random
import time
from statistics import median
from typing import Any

from hwprobe import ceilings
from hwprobe.watch import Watch
from impls import equivalence
from suites import capacity, interpreter, latency, learning, pipeline_stage
from suites.crew import Crew
from suites.plan import KERNELS, LARGEST_BATCH, LATENCY_PHASES, PIPELINE, Group, Program, Stage, proofs
from suites.profiles import Profile
from suites.progress import Progress
from suites.stages import StageRun
from suites.store import Run, same

MEASURE = {
    **dict.fromkeys(LATENCY_PHASES, latency.measure),
    PIPELINE: pipeline_stage.measure,
    "fit": learning.fit,
    "accuracy": learning.accuracy,
    **dict.fromkeys(LARGEST_BATCH.values(), capacity.measure),
}
CEILING_SECONDS = 0.7  # of each framework's matrix products, and of its passes through memory
IDENTITY = ("workload", "framework", "mode", "phase", "size")
STAGE = ("phase", "workload", "size", "part", "process")


def measure(run: Run, group: Group, profile: Profile, python: str, threads: int) -> None:
    """Measure what is not complete yet; stages that an earlier, interrupted attempt completed stay as they are."""
    stored = run.group(group.name)
    todo = [stage for process in range(profile.processes) for stage in _todo(group, stored, process)]
    if not todo:
        return
    programs = group.programs
    steps = len(proofs(programs, profile)) + sum(_steps(stage) for stage in todo)
    with Progress(group.name, steps) as progress:
        _certify(run, programs, profile, python, progress)
        for process in range(profile.processes):
            _measure_process(run, group, Crew(run, group, profile, python, threads, process), progress)


def _measure_process(run: Run, group: Group, crew: Crew, progress: Progress) -> None:
    """All stages in one set of freshly started processes."""
    stored, process = run.group(group.name), crew.process
    try:
        for number, stage in enumerate(_todo(group, stored, process)):
            seed = f"{run.manifest['run_id']}/{stage.phase}/{stage.workload}/{stage.label}/{process}"
            order = random.Random(seed)
            if number == 0 and group.name == KERNELS:
                _measure_ceilings(run, crew, progress)
                progress.say("starting the frameworks")
                crew.start(order.sample(group.programs, len(group.programs)))
                crew.rehearse()
            going = StageRun(stage, crew, order, progress, Watch())
            MEASURE[stage.phase](going)
            for record in going.records:
                _merge(stored["records"], record)
            results = {"failures": going.failures, "curves": going.curves, "turns": going.turns}
            stored["stages"].append(
                {**_identity(stage, process), "seed": seed, "conditions": _conditions(going), **results}
            )
            run.save_group(stored)
    finally:
        crew.close()


def _conditions(going: StageRun) -> dict[str, Any]:
    """What tainted a stage; and `cpu_share`: of each program's threads' time the part it had a CPU, while timed."""
    devices = [entry.get("device") for entry in going.crew.run.manifest["frameworks"].values()]
    verdict = going.watch.verdict(uses_gpu=any(device not in (None, "cpu") for device in devices))
    shares: dict[str, list[float]] = {}
    for turn in going.turns:
        shares.setdefault(turn["program"], []).append(turn["cpu_share"])
    return {**verdict, "cpu_share": {program: round(median(found), 3) for program, found in shares.items()}}


def _measure_ceilings(run: Run, crew: Crew, progress: Progress) -> None:
    """What the machine can do at all, once a run: a kernel's figures are shares of it."""
    if run.manifest["ceilings"]:
        return
    progress.say("measuring the machine's ceilings")
    start = time.monotonic()
    run.manifest["ceilings"] = ceilings.measure(crew.threads, budget_s=CEILING_SECONDS, python=crew.python)
    run.spend("measured", time.monotonic() - start)
    run.save()


def _todo(group: Group, stored: dict[str, Any], process: int) -> list[Stage]:
    """The stages of a process that are not complete. What is no latency is measured in the first process only."""
    stages = [stage for stage in group.stages if process == 0 or stage.phase in LATENCY_PHASES]
    return [
        stage for stage in stages if not any(same(done, _identity(stage, process), STAGE) for done in stored["stages"])
    ]


def _identity(stage: Stage, process: int) -> dict[str, Any]:
    return {
        "phase": stage.phase,
        "workload": stage.workload,
        "size": stage.label,
        "part": stage.part,
        "process": process,
    }


def _steps(stage: Stage) -> int:
    """How many steps of progress a stage has: starting, training or evaluating each program; all blocks."""
    return len(stage.programs) + (stage.phase in LATENCY_PHASES)


def _merge(records: list[dict[str, Any]], record: dict[str, Any]) -> None:
    """Add a record; what several processes measured of the same case becomes one list of values."""
    for known in records:
        if same(known, record, IDENTITY):
            for key, values in record.items():
                if isinstance(values, list):
                    known[key] = known.get(key, []) + values
            return
    records.append(record)


def _certify(run: Run, programs: list[Program], profile: Profile, python: str, progress: Progress) -> None:
    """Prove that the programs compute the same. A failure stops nothing here: the report withholds the ranking."""

    def report(name: equivalence.ProgramName, certificate: dict[str, Any] | None) -> None:
        if certificate is None:
            progress.say(f"verifying {name.workload}, {name.framework}/{name.mode}")
        else:
            progress.advance()

    start = time.monotonic()
    proven = interpreter.proofs(python)
    names = proofs(programs, profile)
    for certificate in equivalence.verify(names, report, precisions=profile.precisions, interpreter=proven):
        run.certify(certificate)
    run.spend("verifying", time.monotonic() - start)
    run.save()
