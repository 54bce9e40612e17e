"""`make agreement`: our latencies against what others measure of the same call, and what our loop costs per call.

Each process loads a model once and lets everyone time it in turns, in random order (suites/agreement_pytorch.py). The
ratio is ours / theirs, of the medians over a process's turns; the figure is its median over the processes, with the
95 % bootstrap interval of that median. A single process has its blocks for units. That of us against ourselves tells
what the machine lets one see. The overhead (suites/overhead.py) is measured in every framework, for each waits for its
device in its own way.
"""

import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from typing import Annotated, Any

import typer

import hwprobe
import impls
from hwprobe import conditions
from suites import command, intervals
from suites.choices import check_installed, one_of
from suites.fairness import milliseconds, table_line
from suites.profiles import QUICK
from suites.worker_process import ROOT, environment

MODELS = ("resnet50", "mobilenet_v2")
OURS = "evenbench"
LIMIT = 0.02  # by which a ratio may differ from 1
OVERHEAD_S, OVERHEAD_SHARE = 1e-6, 0.001  # of the loop: seconds, or as a part of the shortest call
PATIENCE_S = 3600
Turns = dict[str, list[float]]  # whose figure -> seconds of a call in each block


@dataclass(frozen=True)
class Agreement:
    """A cell: seconds of a call as the other one measures them; ours / theirs, with its interval."""

    theirs: float
    ratio: float
    low: float
    high: float

    @property
    def holds(self) -> bool:
        """Whether ratio and interval allow for agreement within the limit."""
        least, most = 1 - LIMIT, 1 + LIMIT
        return least <= self.ratio <= most and self.low <= most and self.high >= least

    def __str__(self) -> str:
        ratio = f"{self.ratio:.3f} [{self.low:.3f}, {self.high:.3f}]"
        return f"{ratio if self.holds else f'**{ratio}**'}, {milliseconds(self.theirs)} ms"


def agreements(processes: Sequence[Turns]) -> dict[str, Agreement]:
    """Whose figure -> how ours compares with it."""
    others = [name for name in processes[0] if name != OURS]
    return {name: _agreement(name, processes) for name in others}


def _agreement(name: str, processes: Sequence[Turns]) -> Agreement:
    if len(processes) == 1:
        pairs = list(zip(processes[0][OURS], processes[0][name], strict=True))
    else:
        pairs = [(median(turns[OURS]), median(turns[name])) for turns in processes]
    ratios = [ours / theirs for ours, theirs in pairs]
    low, high = intervals.of_median(ratios)
    return Agreement(median(theirs for _, theirs in pairs), median(ratios), low, high)


@dataclass(frozen=True)
class Overhead:
    """A row: seconds per call of our loop, of it in the sample, and of the framework's shortest call."""

    framework: str
    loop: float
    sample: float
    call: float

    @property
    def holds(self) -> bool:
        """Whether it is below one of the limits."""
        return self.loop < OVERHEAD_S or self.loop < OVERHEAD_SHARE * self.call

    def __str__(self) -> str:
        loop, sample, call = (f"{seconds * 1e6:.2f} µs" for seconds in (self.loop, self.sample, self.call))
        share = f"{self.loop / self.call:.2%}"
        return table_line([self.framework, loop if self.holds else f"**{loop}**", sample, call, share])


def ask(module: str, threads: int, **request: Any) -> Any:
    """What a fresh process of a module answers. Raises RuntimeError, one line, where it fails."""
    command = [sys.executable, "-m", module, json.dumps({"threads": threads, **request})]
    try:
        answer = subprocess.run(
            command, cwd=ROOT, env=environment(threads), timeout=PATIENCE_S, capture_output=True, text=True, check=False
        )
    except subprocess.TimeoutExpired:
        raise RuntimeError(f"{module}: no answer within {PATIENCE_S} s") from None
    if answer.returncode:
        said = answer.stderr.strip().splitlines() or [f"exit code {answer.returncode}"]
        raise RuntimeError(f"{module}: {said[-1]}")
    return json.loads(answer.stdout.splitlines()[-1])  # before it stands what libraries print


def compare(models: Sequence[str], processes: int, threads: int, **request: Any) -> Iterator[bool]:
    """Print a row for each model as soon as it is measured; whether it agrees. Raises RuntimeError, one line."""
    for number, model in enumerate(models):
        work = impls.WORKLOADS[model].model
        assert work
        request |= {"model": model, "image_size": work.image_size}
        turns = [ask("suites.agreement_pytorch", threads, seed=seed, **request) for seed in range(processes)]
        cells = agreements(turns)
        if number == 0:
            _print_header(["Model", f"{OURS}, ms", *cells])
        ours = milliseconds(median(median(one[OURS]) for one in turns))
        print(table_line([model, ours, *map(str, cells.values())]), flush=True)
        yield all(cell.holds for cell in cells.values())


def overheads(threads: int) -> Iterator[bool]:
    """Print a row for each framework that is installed; whether each holds. Raises RuntimeError, one line."""
    print()
    _print_header(
        ["Framework", "Overhead per call", "of it in the sample", "Shortest call", "Overhead / shortest call"]
    )
    for framework in impls.FRAMEWORKS:
        if reason := impls.missing(framework):
            print(table_line([framework, f"n/a: {reason}", *[""] * 3]))
            continue
        mode = QUICK.first_mode(framework)
        row = Overhead(framework, **ask("suites.overhead", threads, framework=framework, mode=mode))
        print(row, flush=True)
        yield row.holds


def _print_header(titles: list[str]) -> None:
    print(f"{table_line(titles)}\n{'|---' * len(titles)}|", flush=True)


def agreement(
    models: Annotated[list[str] | None, typer.Argument(metavar="[MODEL]...", help="Default: both.")] = None,
    processes: Annotated[int, typer.Option(help="Fresh processes of each model.", min=1)] = 5,
    blocks: Annotated[int, typer.Option(help="Turns of everyone in a process.", min=2)] = 15,
    batch_size: Annotated[int, typer.Option(help="Images in a call.", min=1)] = 1,
    timm_script: Annotated[
        Path | None,
        typer.Option(help="timm's benchmark.py, of its repository: it is run itself.", exists=True, dir_okay=False),
    ] = None,
) -> None:
    """Measure PyTorch models as we do and as others do, and our loop's overhead per call; print Markdown tables.

    A cell is ours / theirs with its 95 % interval, bold where it is off by more than 2 %, and their latency.

    Exit codes: 0 all agree within 2 %, and the overhead is below 1 µs or 0.1 % everywhere; 2 wrong usage; 3 not so.

    Example: python -m suites.agreement mobilenet_v2
    """
    chosen, threads = [one_of("model to compare", name, MODELS) for name in models or MODELS], hwprobe.usable_cpus()
    check_installed("pytorch")
    if not find_spec("pyperf"):
        raise ValueError("pyperf is not installed: make setup")
    before = conditions.collect()
    request = {"blocks": blocks, "batch_size": batch_size, "timm_script": timm_script and str(timm_script.resolve())}
    try:
        found = [*compare(chosen, processes, threads, **request), *overheads(threads)]
    except RuntimeError as error:
        print(f"evenbench: {error}", file=sys.stderr)
        raise typer.Exit(3) from None
    for taint in conditions.compare(before, conditions.collect()):
        print(f"tainted: {taint['reason']}")
    raise typer.Exit(0 if all(found) else 3)


if __name__ == "__main__":
    command.main(agreement, "agreement")
