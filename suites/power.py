"""`make power`: how often a comparison of two runs is wrong, on real models, with the schedule of the profile standard.

Each run starts its processes afresh and times every program twice, in turns: as it is, and slowed down by a known share
(its calls are followed by so much waiting). Each run is compared with the one after it, as `evenbench compare` does it:
the same program in both is a false alarm if they are called different; the slowed one is found if it is called slower.
"""

import random
import sys
import tempfile
from itertools import pairwise
from pathlib import Path
from statistics import median, stdev
from typing import Annotated, Any, NamedTuple

import typer
from scipy.stats import binomtest

import hwprobe
import impls
from hwprobe.watch import Watch
from suites import noise
from suites.files import write_json
from suites.plan import Program
from suites.profiles import STANDARD, Size
from suites.worker_process import WorkerProcess, environment

MODELS = ("resnet50", "mobilenet_v2", "mobilenet_v3_small", "yolov3_tiny")
FRAMEWORKS = ("pytorch", "tensorflow")
PHASE = "inference"
FALSE_ALARMS, FOUND = 0.05, 0.95  # at most, at least
SLOWED = "slowed"


class Figure(NamedTuple):
    """What is compared from run to run."""

    workload: str
    framework: str


Series = dict[tuple[Figure, str], list[float]]  # (figure, "" or SLOWED) -> seconds of each call, process by process


class Outcome(NamedTuple):
    """How a figure's comparisons went. `noise`: the deviation of a run's median from run to run, a fraction."""

    figure: Figure
    latency: float
    noise: float
    comparisons: int
    false_alarms: int
    found: int


def measure_run(number: int, slowdown: float, processes: int = STANDARD.processes) -> Series:
    """One run, as standard makes it. Raises WorkerError."""
    order = random.Random(number)
    series: Series = {}
    with tempfile.TemporaryDirectory(prefix="evenbench-") as folder:
        for _ in range(processes):
            _measure_process(series, order, slowdown, Path(folder) / "log")
    return series


def _measure_process(series: Series, order: random.Random, slowdown: float, log: Path) -> None:
    threads = hwprobe.usable_cpus()
    workers: dict[str, WorkerProcess] = {}
    try:
        for framework in order.sample(FRAMEWORKS, len(FRAMEWORKS)):
            workers[framework] = WorkerProcess(sys.executable, f"power-{framework}", log, environment(threads))
            _ask(workers[framework], "import_framework", framework=framework, threads=threads)
        turns = [(Figure(*names), kind) for names in _names() for kind in ("", SLOWED)]
        for figure, kind in order.sample(turns, len(turns)):
            worker, key = workers[figure.framework], f"{figure.workload}{kind}"
            _ask(worker, "load", key=key, phase=PHASE, **_request(figure))
            if kind:
                _ask(worker, "slow_down", key=key, share=slowdown)
            _ask(worker, "warm_up", key=key, phase=PHASE, calls=STANDARD.warmup_calls)
        for _ in range(STANDARD.blocks):
            for figure, kind in order.sample(turns, len(turns)):
                request = {"key": f"{figure.workload}{kind}", "phase": PHASE, "calls": STANDARD.calls_per_block}
                answer = _ask(workers[figure.framework], "measure", **request, settle_calls=STANDARD.settle_calls)
                series.setdefault((figure, kind), []).extend(answer["samples"])
    finally:
        for worker in workers.values():
            worker.close()


def rows(series: Series) -> list[dict[str, Any]]:
    """A run as JSON has it: the seconds of each call of a program, process by process."""
    return [{**figure._asdict(), "kind": kind, "seconds": seconds} for (figure, kind), seconds in series.items()]


def _names() -> list[tuple[str, str]]:
    return [(workload, framework) for workload in MODELS for framework in FRAMEWORKS]


def _request(figure: Figure) -> dict[str, Any]:
    model = impls.WORKLOADS[figure.workload].model
    assert model
    program = Program(figure.workload, figure.framework, STANDARD.default_modes[figure.framework][0])
    options, size = {"num_classes": model.num_classes}, Size(model.image_size, 1)
    return {"program": program.names, "options": options, "size": size._asdict(), "seed": 0}


def _ask(worker: WorkerProcess, do: str, **request: Any) -> dict[str, Any]:
    return worker.ask(do, STANDARD.timeout_s, **request)


def judge(runs: list[Series]) -> list[Outcome]:
    """Each run against the next, figure by figure."""
    outcomes = []
    for figure in dict.fromkeys(figure for figure, _ in runs[0]):
        same, slowed = (_ratios(runs, figure, kind) for kind in ("", SLOWED))
        medians = [median(run[figure, ""]) for run in runs]
        outcomes.append(
            Outcome(
                figure=figure,
                latency=median(medians),
                noise=stdev(medians) / median(medians),
                comparisons=len(runs) - 1,
                false_alarms=sum(ratio.excludes_one for ratio in same),
                # The speed-up of the slowed one lies below 1, with its whole interval.
                found=sum(ratio.excludes_one and ratio.value < 1 for ratio in slowed),
            )
        )
    return outcomes


def _ratios(runs: list[Series], figure: Figure, kind: str) -> list[Any]:
    processes = STANDARD.processes
    return [noise.compare(one[figure, ""], other[figure, kind], processes) for one, other in pairwise(runs)]


def table(outcomes: list[Outcome], slowdown: float) -> list[str]:
    """The figures as a table in Markdown."""
    lines = [
        f"| Program | Latency | From run to run | Comparisons | False alarms | {slowdown:.0%} slower found |",
        "|---|---|---|---|---|---|",
    ]
    for one in outcomes:
        name = f"{one.figure.workload}, {one.figure.framework}"
        shares = f"{one.comparisons} | {one.false_alarms} | {one.found}"
        lines.append(f"| {name} | {1e3 * one.latency:.1f} ms | ±{one.noise:.1%} | {shares} |")
    total = sum(one.comparisons for one in outcomes)
    alarms, found = sum(one.false_alarms for one in outcomes), sum(one.found for one in outcomes)
    spread = median(one.noise for one in outcomes)
    return [*lines, f"| all | | ±{spread:.1%} | {total} | {_share(alarms, total)} | {_share(found, total)} |"]


def _share(count: int, total: int) -> str:
    interval = binomtest(count, total).proportion_ci(method="exact")
    return f"{count} = {count / total:.1%} [{interval.low:.1%}, {interval.high:.1%}]"


def passes(outcomes: list[Outcome]) -> bool:
    """Whether false alarms are rare and the slowdown is found nearly always."""
    total = sum(one.comparisons for one in outcomes)
    alarms, found = sum(one.false_alarms for one in outcomes), sum(one.found for one in outcomes)
    return alarms < FALSE_ALARMS * total and found >= FOUND * total


def main(
    runs: Annotated[int, typer.Option(help="Runs; each is compared with the next.", min=2)] = 14,
    slowdown: Annotated[float, typer.Option(help="Share by which a program is slowed.", min=0.001, max=10)] = 0.05,
    keep: Annotated[Path | None, typer.Option(help="Where every call's seconds go, run by run: JSON.")] = None,
) -> None:
    """Count false alarms and found slowdowns between runs of real models, and print the table.

    Exit codes: 0 fewer than 5 % false alarms and at least 95 % found; 2 wrong usage; 3 not so, or a framework failed.

    Example: python -m suites.power --runs 14
    """
    from suites.worker_process import WorkerError

    found, tainted = [], 0
    for number in range(runs):
        watch = Watch()
        try:
            found.append(measure_run(number, slowdown))
            if keep:
                write_json(keep, [rows(series) for series in found])
        except WorkerError as error:
            print(f"evenbench: {error.kind}: {error.message}", file=sys.stderr)
            raise typer.Exit(3) from None
        verdict = watch.verdict()
        tainted += verdict["verdict"] == "tainted"
        reasons = "; ".join(taint["reason"] for taint in verdict["taints"])
        print(f"run {number + 1} of {runs}: {verdict['verdict']}{f' ({reasons})' if reasons else ''}", flush=True)
    outcomes = judge(found)
    print("\n".join(table(outcomes, slowdown)))
    print(f"{tainted} of {runs} runs were tainted; {STANDARD.processes} processes a run, {STANDARD.blocks} blocks each")
    raise typer.Exit(0 if passes(outcomes) else 3)


if __name__ == "__main__":
    typer.run(main)
