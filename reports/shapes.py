"""Which kernel shape favours whom: the kernels' verdicts, counted by kind of shape and phase."""

import math
from dataclasses import dataclass

from reports.cells import Cell
from reports.compare import Entry, Verdict
from reports.metrics import RANKED
from reports.names import KERNELS, framework_class, framework_order, framework_title, phase_title
from reports.work import Facts, group_order


@dataclass(frozen=True)
class ShapeLine:
    """One kind of shape. `cells`: for each framework its wins and the mean of its ratios."""

    group: str
    phase: str  # '' for all phases together
    cases: int
    cells: tuple[Cell, ...]
    ties: int
    unjudged: int  # rankings withheld, or with too few figures for a verdict


@dataclass(frozen=True)
class ShapeTable:
    """`frameworks`: (title, CSS class) of each column."""

    frameworks: tuple[tuple[str, str], ...]
    lines: tuple[ShapeLine, ...]


def shape_table(verdicts: list[Verdict], facts: Facts, by_phase: bool) -> ShapeTable:
    """A line for each kind of shape, or for each of its phases, in the fixed order of both."""
    names = sorted({entry.framework for verdict in verdicts for entry in verdict.entries}, key=framework_order)
    groups: dict[tuple[str, str], list[Verdict]] = {}
    for verdict in verdicts:
        key = facts.kernel(verdict.workload).group, verdict.phase if by_phase else ""
        groups.setdefault(key, []).append(verdict)
    phases = ["", *RANKED]
    ordered = sorted(groups, key=lambda key: (group_order(key[0]), phases.index(key[1])))
    lines = tuple(_line(group, phase, groups[group, phase], names) for group, phase in ordered)
    return ShapeTable(tuple((framework_title(name), framework_class(name)) for name in names), lines)


def geometric_mean(ratios: list[float]) -> float:
    """NaN of nothing."""
    return math.exp(sum(map(math.log, ratios)) / len(ratios)) if ratios else math.nan


def _line(group: str, phase: str, verdicts: list[Verdict], names: list[str]) -> ShapeLine:
    judged = [verdict for verdict in verdicts if verdict.state in ("faster", "tie")]
    return ShapeLine(
        group=group,
        phase=phase_title(phase, KERNELS),
        cases=len(verdicts),
        cells=tuple(_cell(judged, name) for name in names),
        ties=sum(verdict.state == "tie" for verdict in judged),
        unjudged=len(verdicts) - len(judged),
    )


def _cell(judged: list[Verdict], framework: str) -> Cell:
    """In how many cases it is the fastest with certainty, and the geometric mean of its ratios to the fastest."""
    if not judged:
        return Cell()
    entries = [entry for verdict in judged if (entry := _entry(verdict, framework))]
    if not entries:
        return Cell("no figure")
    wins = sum(verdict.state == "faster" and verdict.entries[0].framework == framework for verdict in judged)
    mean = geometric_mean([entry.ratio.value for entry in entries])
    remark = f"of {len(entries)} comparisons" if len(entries) < len(judged) else ""
    return Cell(str(wins), f"{mean:.2f}x", remark)


def _entry(verdict: Verdict, framework: str) -> Entry | None:
    return next((entry for entry in verdict.best if entry.framework == framework), None)
