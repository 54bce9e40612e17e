"""All kernels in one compact section: kernels down, frameworks across."""

import math
from dataclasses import dataclass, replace
from typing import Any

import pandas as pd

from reports import cells, formats
from reports.ceilings import ceiling_sentences, yardstick
from reports.cells import Cell, Line
from reports.compare import Verdict
from reports.heat import HeatMap, described, heat_map
from reports.metrics import METRICS, PHASES, RANKED, metric_key
from reports.names import KERNELS, framework_class, framework_order, framework_title, phase_title, program_order
from reports.roofline import Roofline, roofline
from reports.shapes import ShapeTable, shape_table
from reports.tables import Row, records
from reports.work import Facts

# More kernels have no chart and no list of every program, which would make the page slow and which nobody would read,
# and their tables are not unfolded to be printed. results.csv has all figures.
MANY = 100


@dataclass(frozen=True)
class KernelLine:
    """One kernel: for each framework the figure of its fastest mode (named in the remark) and the ratio."""

    verdict: Verdict
    about: str
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


@dataclass(frozen=True)
class KernelSection:
    """All that the page says of kernels. `tables` and `rooflines`: one for each phase that was timed."""

    yardstick: str
    heat: HeatMap
    shapes: ShapeTable
    shapes_by_phase: ShapeTable
    ceilings: tuple[str, ...]
    rooflines: tuple[Roofline, ...]
    tables: tuple[KernelTable, ...]
    details: Details | None


def kernel_section(frame: pd.DataFrame, judged: list[Verdict], ceilings: Any, facts: Facts) -> KernelSection | None:
    """None where no kernel was timed. ceilings: the manifest's entry."""
    verdicts = [verdict for verdict in judged if verdict.suite == KERNELS]
    tables = kernel_tables(verdicts, facts)
    if not tables:
        return None
    return KernelSection(
        yardstick=yardstick(verdicts, facts),
        heat=heat_map(frame, verdicts, facts),
        shapes=shape_table(verdicts, facts, by_phase=False),
        shapes_by_phase=shape_table(verdicts, facts, by_phase=True),
        ceilings=tuple(ceiling_sentences(ceilings, facts)),
        rooflines=tuple(roofline(table.verdicts, facts) for table in tables),
        tables=tuple(tables),
        details=kernel_details(frame) if len(tables[0].lines) <= MANY else None,
    )


def kernel_tables(verdicts: list[Verdict], facts: Facts) -> list[KernelTable]:
    """A table for each phase that was timed; the kernels in the order of their time in the first of these phases."""
    tables: list[KernelTable] = []
    for phase in PHASES:
        mine = tuple(verdict for verdict in verdicts if verdict.phase == phase)
        if not mine:
            continue
        places: dict[str, int] = (
            {line.verdict.workload: place for place, line in enumerate(tables[0].lines)} if tables else {}
        )
        mine = tuple(sorted(mine, key=lambda verdict: (places.get(verdict.workload, len(places)), _lowest(verdict))))
        names = sorted({entry.framework for verdict in mine for entry in verdict.entries}, key=framework_order)
        heads = tuple((framework_title(name), framework_class(name)) for name in names)
        lines = tuple(_line(verdict, names, facts) for verdict in mine)
        tables.append(KernelTable(phase_title(phase, KERNELS), heads, lines, mine, summary(mine)))
    return tables


def kernel_details(frame: pd.DataFrame) -> Details:
    """A row for each kernel x framework x mode that was tried, a column for each measured metric, and the rates."""
    programs: dict[tuple[str, str, str], dict[str, Row]] = {}
    for row in records(frame[(frame["suite"] == KERNELS) & (frame["status"] != "n/a")]):
        programs.setdefault((row["workload"], row["framework"], row["mode"]), {})[row["metric"]] = row
    present = {key for rows in programs.values() for key in rows}
    metrics = [metric for metric in METRICS if metric.key in present and not metric.source]
    titles = []
    for metric in metrics:
        phase = phase_title(metric.phase, KERNELS)
        titles += [f"{phase}: {metric.title}", *([f"{phase}: Achieved"] if metric.key in RANKED.values() else [])]
    lines = []
    for program in sorted(programs, key=lambda key: (key[0], program_order(*key[1:]))):
        workload, framework, mode = program
        rows = programs[program]
        figures = [Cell(workload)]
        for metric in metrics:
            figures.append(cells.figure(rows.get(metric.key)))
            figures += [_achieved(rows, metric.phase)] if metric.key in RANKED.values() else []
        lines.append(replace(cells.line(framework, mode, (), list(rows.values())), cells=tuple(figures)))
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


def _line(verdict: Verdict, frameworks: list[str], facts: Facts) -> KernelLine:
    about = described(verdict.workload, facts.kernel(verdict.workload))
    return KernelLine(verdict, about, tuple(_pair(verdict, name) for name in frameworks))


def _pair(verdict: Verdict, framework: str) -> tuple[Cell, Cell]:
    entry = next((entry for entry in verdict.best if entry.framework == framework), None)
    if entry is None:
        return Cell("no figure"), Cell()
    latency = cells.latency(entry)
    ranked = verdict.state != "withheld"
    return latency, cells.against_lowest(entry, verdict) if ranked else Cell()


def _achieved(rows: dict[str, Row], phase: str) -> Cell:
    """Both rates, the arithmetic intensity and the share of the ceiling; nothing where nothing was timed."""
    latency = rows.get(metric_key(phase, "latency"))
    if latency is None or latency["status"] != "ok":
        return Cell()
    flop, byte, share = (rows.get(metric_key(phase, name)) for name in ("flop_rate", "byte_rate", "ceiling_share"))
    if flop is None or byte is None:
        return Cell(formats.UNKNOWN, remark="the kernel's operations and bytes are not recorded")
    traffic = f"{cells.figure(byte).text}, {latency['intensity']:.3g} FLOP/byte"
    remark = f"{cells.figure(share).text} of the ceiling" if share else "no ceiling was measured"
    return Cell(cells.figure(flop).text if flop["value"] else "no arithmetic", traffic, remark)
