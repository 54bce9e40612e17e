"""A section for each model: a table for each phase and size, a row for each program."""

from dataclasses import dataclass

import pandas as pd

from reports import cells, formats, stats
from reports.cells import Cell, Line
from reports.compare import Verdict, break_even
from reports.conditions import taints_of
from reports.metrics import EQUALISED, LARGEST_BATCH, METRICS, PHASES, RANKED, Metric
from reports.names import KERNELS, framework_order, phase_title, program_order, size_title
from reports.tables import Row, records, units

SAME_SCORE = 1e-6  # fractions closer than this are the same count of images, summed in another order
MANY_CALLS = 100  # from this many calls on, p99 says more than the slowest call
Column = dict[tuple[str, str], Cell]  # (framework, mode) -> what stands there
Programs = dict[tuple[str, str], dict[str, Row]]  # (framework, mode) -> metric -> row


@dataclass(frozen=True)
class Table:
    """One phase of a workload at one size."""

    title: str
    columns: tuple[str, ...]
    lines: tuple[Line, ...]
    verdict: Verdict | None
    note: str
    taints: tuple[str, ...]


@dataclass(frozen=True)
class Section:
    """A workload with its tables, in the order of the phases."""

    workload: str
    suite: str
    tables: tuple[Table, ...]


def model_sections(frame: pd.DataFrame, verdicts: list[Verdict], most_images: int = 0) -> list[Section]:
    """A section for each workload that is no kernel and has anything to show; the others are named as left out.

    most_images: as far as the run sought the largest batch.
    """
    workloads: dict[tuple[str, str], list[Row]] = {}
    for row in records(frame[frame["suite"] != KERNELS]):
        workloads.setdefault((row["suite"], row["workload"]), []).append(row)
    sections = []
    for (suite, workload), rows in sorted(workloads.items()):
        judged = {(v.phase, v.size): v for v in verdicts if (v.suite, v.workload) == (suite, workload)}
        if tables := _tables(suite, rows, judged, most_images):
            sections.append(Section(workload, suite, tuple(tables)))
    return sections


def _tables(suite: str, rows: list[Row], judged: dict[tuple[str, str], Verdict], most_images: int) -> list[Table]:
    tables = []
    for phase in PHASES:
        # asv lists every size for every profile: those that this one left out have no table.
        for size in sorted({row["size"] for row in rows if row["phase"] == phase and row["status"] != "n/a"}):
            same_size = [row for row in rows if row["size"] == size]
            title = ", ".join(part for part in (phase_title(phase, suite), size_title(size)) if part)
            same_phase = [row for row in same_size if row["phase"] == phase]
            added = {**_pays_off(same_size, phase), **_against_equalised(same_size, phase)}
            note = " ".join(filter(None, (_agreement(same_phase), _bounded(same_phase, most_images))))
            tables.append(_table(title, same_phase, judged.get((phase, size)), added, note))
    return tables


def _pays_off(rows: list[Row], phase: str) -> dict[str, Column]:
    """A column on compiling; none where it is not the question, or nothing is earned back."""
    unit = "step" if phase == "Training" else "call"
    counts = break_even(rows, phase)
    cells_ = {program: Cell(f"{count:,} {unit}{'s' * (count != 1)}") for program, count in counts.items()}
    return {"Pays off against eager after": cells_} if cells_ else {}


def _against_equalised(rows: list[Row], phase: str) -> dict[str, Column]:
    """For default settings a column with the ratio of their times to the equalised ones', measured in turns."""
    if phase not in EQUALISED:
        return {}
    mine, others = (
        {(row["framework"], row["mode"]): row for row in rows if row["metric"] == RANKED[one] and row["status"] == "ok"}
        for one in (phase, EQUALISED[phase])
    )
    both = mine.keys() & others.keys()
    ratios = {one: stats.ratio_of_medians(units(mine[one]), units(others[one]), paired=True) for one in both}
    return {"Against equalised": {one: cells.ratio(found) for one, found in ratios.items()}}


def _table(title: str, rows: list[Row], verdict: Verdict | None, added: dict[str, Column], note: str) -> Table:
    measured = {row["metric"] for row in rows if row["status"] != "n/a"}
    metrics = [metric for metric in METRICS if metric.key in measured]
    programs: Programs = {}
    for row in rows:
        programs.setdefault((row["framework"], row["mode"]), {})[row["metric"]] = row
    tails = ("p95", "p99") if any(len(row["samples"]) >= MANY_CALLS for row in rows) else ("p95",)
    columns = [column for metric in metrics for column in _columns(metric, tails, verdict)]
    columns += added
    lines = []
    for program in _order(programs, verdict):
        figures = programs[program]
        found = [cell for metric in metrics for cell in _cells(metric, program, figures, tails, verdict)]
        found += [column.get(program, Cell()) for column in added.values()]
        lines.append(cells.line(*program, tuple(found), list(figures.values())))
    taints = taints_of(row["conditions"] for row in rows)
    return Table(title, tuple(columns), tuple(lines), verdict, note, taints)


def _agreement(rows: list[Row]) -> str:
    """Whether the same trained weights score the same in every program; '' for other phases."""
    scores: dict[str, list[float]] = {}
    for row in rows:
        if row["phase"] == "Accuracy" and row["status"] == "ok":
            scores.setdefault(row["metric"], []).append(row["value"])
    distances = scores.pop("accuracy_distance", [])
    if not any(len(values) > 1 for values in scores.values()):
        return ""
    apart = max(max(values) - min(values) for values in scores.values())
    told = f"; no output differs by more than {max(distances):.0e} of the largest" if distances else ""
    if apart < SAME_SCORE:
        return f"All programs score the same{told}."
    return f"The programs' scores differ by up to {formats.quantity(apart, 'fraction')}{told}: they should not."


def _bounded(rows: list[Row], most_images: int) -> str:
    """That more may fit, where the search for the largest batch ended before memory did."""
    sought = [row["value"] for row in rows if row["phase"] in LARGEST_BATCH and row["status"] == "ok"]
    if most_images and any(value >= most_images for value in sought):
        return f"Larger ones than {most_images:,} were not tried: more may fit."
    return ""


def _columns(metric: Metric, tails: tuple[str, ...], verdict: Verdict | None) -> list[str]:
    if metric.key not in RANKED.values():
        return [metric.title]
    return [f"{metric.title}, p50", *tails, *(["Against the lowest"] if _is_ranked(verdict) else [])]


def _cells(
    metric: Metric,
    program: tuple[str, str],
    figures: dict[str, Row],
    tails: tuple[str, ...],
    verdict: Verdict | None,
) -> list[Cell]:
    """What one metric contributes to a program's row: as many cells as `_columns` has titles."""
    row = figures.get(metric.key)
    if metric.key not in RANKED.values():
        return [cells.figure(row)]
    found = [cells.figure(row), *[cells.tail(row, key) for key in tails]]
    if verdict is not None and _is_ranked(verdict):
        entry = next((entry for entry in verdict.entries if (entry.framework, entry.mode) == program), None)
        found.append(cells.against_lowest(entry, verdict))
    return found


def _is_ranked(verdict: Verdict | None) -> bool:
    return verdict is not None and verdict.state != "withheld" and bool(verdict.entries)


def _order(programs: Programs, verdict: Verdict | None) -> list[tuple[str, str]]:
    """Ranked programs, then failed ones, then a row for each framework that has nothing at all.

    Modes that were not to be measured are no rows: they are listed under failures and exclusions.
    """
    ranked = [(entry.framework, entry.mode) for entry in verdict.shown] if verdict else []
    rest = sorted(programs.keys() - set(ranked), key=lambda program: program_order(*program))
    tried = [key for key in rest if any(row["status"] != "n/a" for row in programs[key].values())]
    there = {framework for framework, _ in ranked + tried}
    absent = {framework: (framework, mode) for framework, mode in reversed(rest) if framework not in there}
    return ranked + tried + sorted(absent.values(), key=lambda key: framework_order(key[0]))
