"""`python -m suites.pipelines`: how many images a second each framework's own input pipeline delivers.

All pipelines read the same files and deliver the same batches (impls/pipelines), each with as many workers as there are
usable CPUs. Each runs in a process of its own; they take turns, one pass each, in random order, and nothing consumes
the batches. Then all is done again in fresh processes: the figure is the median over the processes of each one's median
pass, with the 95 % bootstrap interval of that median.

With --model, what a model consumes is measured in the same processes, on batches of the same size that are on the
device already. On a GPU the pipeline keeps up if it is faster. On a CPU both want the same cores: of the time of an
image the pipeline then takes the share pipeline / (pipeline + model).
"""

import random
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import numpy as np
import typer

import hwprobe
import impls
from impls.pipelines import photographs, spec
from suites import intervals, pipeline_stage
from suites.choices import check_installed, one_of
from suites.fairness import milliseconds, table_line
from suites.fits import left_out
from suites.plan import Program
from suites.profiles import QUICK, Size
from suites.worker_process import WorkerError, WorkerProcess, environment

PHASES = ("inference", "training")
CALLS = 3  # of the model, after the two that warm it up
KEY = "pipeline"
FIRST = {"First batch of all": "cold_first_batch", "First batch of a pass": "first_batch"}
HEADER = ["Framework", "Images/s", *FIRST]
Record = dict[str, Any]


class Task(NamedTuple):
    """What each process measures. paths: of the files. model: whose consumption, too, if one is named."""

    format: str
    paths: list[str]
    passes: int
    model: str | None


def check(format: str, frameworks: list[str], model: str | None) -> list[str]:
    """The frameworks to measure, all that can run here if none is named. Raises ValueError, one line."""
    one_of("format", format, spec.FORMATS)
    for framework in frameworks:
        check_installed(one_of("framework", framework, impls.FRAMEWORKS))
    if model is not None:
        facts = impls.WORKLOADS[one_of("model", model, impls.MODELS)].model
        if facts and facts.image_size != spec.IMAGE_SIZE:
            raise ValueError(f"{model} takes images of {facts.image_size} pixels, not of {spec.IMAGE_SIZE}")
    photographs.photographs()
    return frameworks or [framework for framework in impls.FRAMEWORKS if not impls.missing(framework)]


def measure(frameworks: list[str], format: str, model: str | None, processes: int, passes: int) -> Iterator[Record]:
    """What each process measured: the pipeline's record with `framework`, and `error` if it failed.

    Raises OSError where there is no space for the files.
    """
    order = random.Random(format)
    with pipeline_stage.files(format) as paths:
        for _ in range(processes):
            with workers(order.sample(frameworks, len(frameworks))) as found:
                yield from _measure_process(found, Task(format, paths, passes, model), order)


@contextmanager
def workers(frameworks: list[str]) -> Iterator[dict[str, WorkerProcess]]:
    """A fresh process for each framework; all end with the block."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="evenbench-")))
        found = {}
        for framework in frameworks:
            variables = environment(hwprobe.usable_cpus())
            found[framework] = WorkerProcess(sys.executable, f"pipeline-{framework}", folder / framework, variables)
            stack.callback(found[framework].close)
        yield found


def _measure_process(workers: dict[str, WorkerProcess], task: Task, order: random.Random) -> Iterator[Record]:
    records = {framework: _load(worker, framework, task) for framework, worker in workers.items()}
    going = [framework for framework, record in records.items() if "error" not in record]
    for _ in range(task.passes):
        for framework in order.sample(going, len(going)):
            try:
                pipeline_stage.add(records[framework], workers[framework].ask("measure_pass", QUICK.timeout_s, key=KEY))
            except WorkerError as error:
                records[framework]["error"] = error.message
                going.remove(framework)
    for framework in going if task.model else ():
        for phase in PHASES:
            records[framework][phase] = _consumption(workers[framework], str(task.model), framework, phase)
    yield from records.values()


def _load(worker: WorkerProcess, framework: str, task: Task) -> Record:
    """Import the framework, build its pipeline, prove it and warm it up."""
    threads = hwprobe.usable_cpus()
    try:
        worker.ask("import_framework", QUICK.timeout_s, framework=framework, threads=threads)
        request = pipeline_stage.request(framework, task.format, task.paths, threads)
        answer = worker.ask("load_pipeline", QUICK.timeout_s, key=KEY, **request)
        worker.ask("measure_pass", QUICK.timeout_s, key=KEY)
    except WorkerError as error:
        return {"framework": framework, "error": error.message}
    found = {"framework": framework, **pipeline_stage.record(answer)}
    if not answer["check"]["passed"]:
        off = answer["check"]["error"]
        found["error"] = f"it is not equal: {'other batches' if off is None else f'values are off by {off:.1e}'}"
    return found


def _consumption(worker: WorkerProcess, model: str, framework: str, phase: str) -> float | str:
    """Seconds of an image in a call of the model, or why there are none."""
    program, size = Program(model, framework, QUICK.first_mode(framework)), Size(spec.IMAGE_SIZE, spec.BATCH_SIZE)
    if no_room := left_out([program], phase, size):
        return no_room[program]
    facts = impls.WORKLOADS[model].model
    assert facts
    options = {"num_classes": facts.num_classes}
    request: Record = {"program": program.names, "options": options, "size": size._asdict(), "seed": 0}
    try:
        worker.ask("load", QUICK.timeout_s, key=phase, phase=phase, **request)
        worker.ask("warm_up", QUICK.timeout_s, key=phase, phase=phase, calls=2)
        turn = worker.ask("measure", QUICK.timeout_s, key=phase, phase=phase, calls=CALLS, settle_calls=0)
        worker.ask("drop", QUICK.timeout_s, key=phase)
    except WorkerError as error:
        return error.message
    return float(np.median(turn["samples"])) / spec.BATCH_SIZE


def row(framework: str, records: list[Record], phases: tuple[str, ...] = ()) -> str:
    """A line of the table: what several processes measured of one framework."""
    seconds = [float(np.median(record["latency"])) / spec.BATCH_SIZE for record in records]  # of an image
    low, high = intervals.of_median(seconds)
    image = float(np.median(seconds))
    firsts = (np.median([value for record in records for value in record[key]]) for key in FIRST.values())
    cells = [_cell([record[phase] for record in records], image) for phase in phases]
    rate = f"{1 / image:.0f} [{1 / high:.0f}, {1 / low:.0f}]"
    return table_line([framework, rate, *(f"{milliseconds(float(first))} ms" for first in firsts), *cells])


def _cell(consumed: list[float | str], image: float) -> str:
    """What a model consumes, and how much of it the pipeline delivers."""
    if reasons := [why for why in consumed if isinstance(why, str)]:
        return f"n/a: {reasons[0]}"
    seconds = float(np.median([value for value in consumed if not isinstance(value, str)]))
    return f"{1 / seconds:.0f}, {seconds / image:.1f} times"


def main(
    format: Annotated[str, typer.Option(help=f"Of the files: {' or '.join(spec.FORMATS)}.")] = spec.FORMATS[0],
    framework: Annotated[list[str] | None, typer.Option(help="Only this one; can be given again.")] = None,
    model: Annotated[str | None, typer.Option(help="Also measure what this model consumes.")] = None,
    processes: Annotated[int, typer.Option(help="Fresh processes of each framework.", min=2)] = 3,
    passes: Annotated[int, typer.Option(help="Measured passes in each process.", min=1)] = 7,
) -> None:
    """Measure every framework's input pipeline, in turns, and print a Markdown table.

    A model's cell is what it consumes, images a second, and how many times that the pipeline delivers.

    Exit codes: 0 done; 2 wrong usage; 3 a pipeline failed or did not deliver what it should.

    Example: python -m suites.pipelines --model resnet50
    """
    try:
        frameworks = check(format, framework or [], model)
        found = list(measure(frameworks, format, model, processes, passes))
    except (ValueError, OSError) as error:
        print(f"evenbench: {error}", file=sys.stderr)
        raise typer.Exit(2) from None
    phases = PHASES if model else ()
    header = [*HEADER, *(f"{model}, {phase}" for phase in phases)]
    print(table_line(header), "|---" * len(header) + "|", sep="\n")
    failures = {one["framework"]: one["error"] for one in found if "error" in one}
    for name in frameworks:
        if name not in failures:
            print(row(name, [one for one in found if one["framework"] == name], phases))
    for name, why in failures.items():
        print(f"evenbench: {name}: {why}", file=sys.stderr)
    raise typer.Exit(3 if failures else 0)


if __name__ == "__main__":
    typer.run(main)
