"""`make fairness`: our implementations against the frameworks' own, in turns in one process, as a Markdown table.

A row is one model in one framework, at the paper's image size; a cell is one phase and batch size. Both programs are
loaded in one process, in random order, and called in blocks, in random order; then in a fresh process again, for where
a process happens to put its memory can make either of them 20 % slower throughout. The ratio is the median over the
processes of ours / reference, with the 95 % bootstrap interval of that median. Where the two networks do not have the
same multiply-accumulates (Keras' ResNet50 is version 1) both times are divided by their own, and the row says so.
"""

import random
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

import hwprobe
import impls
from impls import references
from suites import intervals
from suites.plan import Program
from suites.profiles import QUICK
from suites.worker_process import WorkerError, WorkerProcess, imported

LIMIT = 1.03
BATCHES = (1, 8)
PHASES = ("inference", "training")
SECONDS = 8.0  # of calls of one row in one process beyond which there are fewer blocks
BLOCKS, LEAST_BLOCKS, CALLS = 7, 3, 2
COLUMNS = [f"{phase}, batch {batch_size}" for phase in PHASES for batch_size in BATCHES]
HEADER = ["Model", "Framework", "Reference", *COLUMNS]


@dataclass(frozen=True)
class Comparison:
    """A cell: latencies in seconds; the ratio per multiply-accumulate, with its interval."""

    ours: float
    reference: float
    ratio: float
    low: float
    high: float

    @property
    def is_slower(self) -> bool:
        """Whether the whole interval lies above the limit."""
        return self.low > LIMIT

    def __str__(self) -> str:
        ratio = f"{self.ratio:.2f} [{self.low:.2f}, {self.high:.2f}]"
        return f"{f'**{ratio}**' if self.is_slower else ratio}, {milliseconds(self.ours)} ms"


@dataclass(frozen=True)
class Row:
    """What was compared of one program, in the order of COLUMNS; instead of a comparison why there is none."""

    program: Program
    comparisons: list[Comparison | str]
    per_mac: bool

    @property
    def is_slower(self) -> bool:
        """Whether one of its cells is."""
        return any(one.is_slower for one in self.comparisons if isinstance(one, Comparison))

    @property
    def remarks(self) -> list[str]:
        """Which cells there are not, and why."""
        workload, framework = self.program.workload, self.program.framework
        cells = zip(COLUMNS, self.comparisons, strict=True)
        return [f"- {workload}, {framework}, {column}: {why}" for column, why in cells if isinstance(why, str)]

    def __str__(self) -> str:
        workload, framework, mode, _ = self.program
        title = references.title(workload, framework) + (", per MAC" if self.per_mac else "")
        cells = ["n/a" if isinstance(one, str) else str(one) for one in self.comparisons]
        return table_line([workload, f"{framework} {mode}", title, *cells])


@dataclass(frozen=True)
class Turns:
    """What one process measured: seconds of each block; macs: ours, the reference's."""

    ours: list[float]
    reference: list[float]
    macs: tuple[int, int]

    @property
    def ratio(self) -> float:
        """Ours / reference, per multiply-accumulate."""
        ours, reference = self.macs
        return float(np.median(np.array(self.ours) / np.array(self.reference))) * reference / ours


def measure(program: Program, phase: str, batch_size: int, worker: WorkerProcess, order: random.Random) -> Turns:
    """Measure both programs of a row in a worker that has imported the framework. Raises WorkerError."""
    work = impls.WORKLOADS[program.workload]
    assert work.model
    size = {"image_size": work.model.image_size, "batch_size": batch_size}
    classes = {"num_classes": work.model.num_classes}

    def ask(do: str, key: str, **request: Any) -> dict[str, Any]:
        return worker.ask(do, QUICK.timeout_s, key=key, **request)

    common = {"phase": phase, "program": program.names, "seed": 0}
    load = {
        "ours": lambda: ask("load", "ours", options=classes, size=size, **common),
        "reference": lambda: ask("load_reference", "reference", **classes, **size, **common),
    }
    answers = {key: load[key]() for key in order.sample(list(load), 2)}
    warm = sum(ask("warm_up", key, phase=phase, calls=2)["seconds"] for key in load)
    samples: dict[str, list[float]] = {key: [] for key in load}
    for _ in range(max(LEAST_BLOCKS, min(BLOCKS, int(SECONDS / (warm * CALLS))))):
        for key in order.sample(list(samples), 2):
            samples[key].append(
                float(np.median(ask("measure", key, phase=phase, calls=CALLS, settle_calls=1)["samples"]))
            )
    for key in samples:
        ask("drop", key)
    return Turns(samples["ours"], samples["reference"], (sum(work.macs()), answers["reference"]["macs"]))


def compare(turns: list[Turns]) -> Comparison:
    """What the processes measured, taken together."""
    ratios = np.array([one.ratio for one in turns])
    low, high = intervals.of_median(ratios)
    return Comparison(
        float(np.median([value for one in turns for value in one.ours])),
        float(np.median([value for one in turns for value in one.reference])),
        float(np.median(ratios)),
        low,
        high,
    )


def rows(models: list[str], frameworks: list[str], processes: int) -> Iterator[Row | str]:
    """Every row, or why there is none."""
    for workload in models:
        for framework in frameworks:
            if reason := references.missing(workload, framework):
                yield f"{workload}, {framework}: n/a, {reason}"
                continue
            try:
                yield row(Program(workload, framework, QUICK.first_mode(framework)), processes)
            except WorkerError as error:
                yield f"{workload}, {framework}: failed, {error.message}"


def row(program: Program, processes: int) -> Row:
    """Measure one program and its reference. Raises WorkerError where there is no framework to measure in."""
    found = [turns for phase in PHASES for turns in phase_turns(program, phase, processes)]
    macs = {one.macs for turns in found if isinstance(turns, list) for one in turns}
    cells = [turns if isinstance(turns, str) else compare(turns) for turns in found]
    return Row(program, cells, any(ours != reference for ours, reference in macs))


def phase_turns(program: Program, phase: str, processes: int) -> list[list[Turns] | str]:
    """For each batch size what each process measured, or why it failed; the batch sizes share the processes.

    Not every network can be trained on one image: batch norm of one value has no variance. Raises WorkerError where
    the framework cannot be imported.
    """
    order, threads = random.Random(f"{program}/{phase}"), hwprobe.usable_cpus()
    turns: dict[int, list[Turns]] = {batch_size: [] for batch_size in BATCHES}
    failures: dict[int, str] = {}
    for _ in range(processes):
        sizes = [batch_size for batch_size in BATCHES if batch_size not in failures]
        while sizes:
            found = _process_turns(program, phase, sizes, order, threads)
            for batch_size, one in found.items():
                if isinstance(one, str):
                    failures[batch_size] = one
                else:
                    turns[batch_size].append(one)
            sizes = [batch_size for batch_size in sizes if batch_size not in found]
    return [failures[batch_size] if batch_size in failures else turns[batch_size] for batch_size in BATCHES]


def _process_turns(
    program: Program, phase: str, sizes: list[int], order: random.Random, threads: int
) -> dict[int, Turns | str]:
    """What one fresh process measured for each batch size, or why it failed; one that dies leaves the rest out."""
    found: dict[int, Turns | str] = {}
    with imported("fairness", program.framework, threads, QUICK.timeout_s) as (worker, _):
        for batch_size in sizes:
            try:
                found[batch_size] = measure(program, phase, batch_size, worker, order)
            except WorkerError as error:
                found[batch_size] = error.message
                if worker.death:
                    break
    return found


def table_line(cells: list[str]) -> str:
    """A line of a Markdown table."""
    return f"| {' | '.join(cells)} |"


def milliseconds(seconds: float) -> str:
    """With three digits."""
    return f"{seconds * 1e3:.{2 if seconds < 0.01 else 1 if seconds < 0.1 else 0}f}"


def main(
    models: Annotated[
        list[str] | None, typer.Argument(metavar="[MODEL]...", help="Default: all with a reference.")
    ] = None,
    framework: Annotated[list[str] | None, typer.Option(help="Only this one; can be given again.")] = None,
    processes: Annotated[int, typer.Option(help="Fresh processes of each row.", min=2)] = 5,
    out: Annotated[Path | None, typer.Option(help="A file for the table, Markdown.")] = None,
) -> None:
    """Measure our implementations against the frameworks' own, in turns, and print a Markdown table.

    A cell is ours / reference with its 95 % interval, bold if all of it is above 1.03, and our latency.

    Exit codes: 0 no row is slower than 1.03 with its whole interval; 2 wrong usage; 3 one is.

    Example: python -m suites.fairness mobilenet_v2 --framework pytorch
    """
    known = list(dict.fromkeys(name for public, _ in references.REFERENCES.values() for name in public))
    chosen, columns = models or known, framework or list(impls.FRAMEWORKS)
    for what, names, offered in (("model with a reference", chosen, known), ("framework", columns, impls.FRAMEWORKS)):
        if strangers := [name for name in names if name not in offered]:
            print(
                f"evenbench: no such {what}: {', '.join(strangers)} (there are {', '.join(offered)})", file=sys.stderr
            )
            raise typer.Exit(2)
    lines, remarks, slow = [table_line(HEADER), "|---" * len(HEADER) + "|"], [], False
    print("\n".join(lines), flush=True)
    for found in rows(chosen, columns, processes):
        if isinstance(found, str):
            remarks.append(f"- {found}")
            continue
        slow = slow or found.is_slower
        remarks += found.remarks
        lines.append(str(found))
        print(found, flush=True)
    print("\n".join(["", *remarks]))
    if out:
        out.write_text("\n".join([*lines, "", *remarks]) + "\n")
    raise typer.Exit(3 if slow else 0)


if __name__ == "__main__":
    typer.run(main)
