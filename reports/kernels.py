"""All kernels in one compact section: kernels down, frameworks across."""

import math
from dataclasses import dataclass, replace

import pandas as pd

from reports import cells
from reports.cells import Cell, Line
from reports.compare import Verdict
from reports.metrics import METRICS, PHASES
from reports.names import KERNELS, framework_class, framework_order, framework_title, mode_order, phase_title
from reports.tables import Row, records


@dataclass(frozen=True)
class KernelLine:
    """One kernel: for each framework the figure of its fastest mode (named in the remark) and the ratio."""

    verdict: Verdict
    pairs: tuple[tuple[Cell, Cell], ...]


@dataclass(frozen=True)
class KernelTable:
    """One phase of all kernels. `frameworks`: (title, CSS class) of each column."""

    title: str
    frameworks: tuple[tuple[str, str], ...]
    lines: tuple[KernelLine, ...]
    verdicts: tuple[Verdict, ...]
    summary: str


@dataclass(frozen=True)
class Details:
    """Every program of every kernel with all its figures."""

    columns: tuple[str, ...]
    lines: tuple[Line, ...]


def kernel_tables(verdicts: list[Verdict]) -> list[KernelTable]:
    """A table for each phase that was timed; the kernels in the order of their time in the first of these phases."""
    tables: list[KernelTable] = []
    for phase in PHASES:
        mine = tuple(verdict for verdict in verdicts if verdict.suite == KERNELS and verdict.phase == phase)
        if not mine:
            continue
        places: dict[str, int] = (
            {line.verdict.workload: place for place, line in enumerate(tables[0].lines)} if tables else {}
        )
        mine = tuple(sorted(mine, key=lambda verdict: (places.get(verdict.workload, len(places)), _lowest(verdict))))
        names = sorted({entry.framework for verdict in mine for entry in verdict.entries}, key=framework_order)
        heads = tuple((framework_title(name), framework_class(name)) for name in names)
        lines = tuple(KernelLine(verdict, tuple(_pair(verdict, name) for name in names)) for verdict in mine)
        tables.append(KernelTable(phase_title(phase, KERNELS), heads, lines, mine, summary(mine)))
    return tables


def kernel_details(frame: pd.DataFrame) -> Details:
    """A row for each kernel x framework x mode that was tried, a column for each metric."""
    programs: dict[tuple[str, str, str], dict[str, Row]] = {}
    for row in records(frame[(frame["suite"] == KERNELS) & (frame["status"] != "n/a")]):
        programs.setdefault((row["workload"], row["framework"], row["mode"]), {})[row["metric"]] = row
    metrics = [metric for metric in METRICS if any(metric.key in rows for rows in programs.values())]
    lines = []
    for program in sorted(programs, key=lambda key: (key[0], framework_order(key[1]), mode_order(key[2]))):
        workload, framework, mode = program
        rows = programs[program]
        line = cells.line(framework, mode, (), list(rows.values()))
        figures = (Cell(workload), *(cells.figure(rows.get(metric.key)) for metric in metrics))
        lines.append(replace(line, cells=figures))
    titles = [f"{phase_title(metric.phase, KERNELS)}: {metric.title}" for metric in metrics]
    return Details(("Kernel", *titles), tuple(lines))


def summary(verdicts: tuple[Verdict, ...]) -> str:
    """As in "Of 11 kernels: PyTorch is fastest in 5, TensorFlow in 2; no difference detectable at the top in 4."."""
    wins: dict[str, int] = {}
    for verdict in verdicts:
        if verdict.state == "faster":
            wins[verdict.entries[0].framework] = wins.get(verdict.entries[0].framework, 0) + 1
    ordered = sorted(wins.items(), key=lambda win: (-win[1], framework_order(win[0])))
    parts = [
        f"{framework_title(name)} {'' if place else 'is fastest '}in {n}" for place, (name, n) in enumerate(ordered)
    ]
    found = [", ".join(parts)] if parts else []
    words = {"tie": "no difference detectable at the top", "withheld": "ranking withheld", "open": "no verdict"}
    for state, title in words.items():
        count = sum(verdict.state == state for verdict in verdicts)
        found += [f"{title} in {count}"] if count else []
    return f"Of {len(verdicts)} kernels: {'; '.join(found)}."


def _lowest(verdict: Verdict) -> float:
    return verdict.entries[0].median if verdict.entries else math.inf


def _pair(verdict: Verdict, framework: str) -> tuple[Cell, Cell]:
    entry = next((entry for entry in verdict.best if entry.framework == framework), None)
    if entry is None:
        return Cell("no figure"), Cell()
    latency = cells.latency(entry)
    ranked = verdict.state != "withheld"
    return latency, cells.against_lowest(entry, verdict) if ranked else Cell()
