"""The heat map: for each kernel and phase, how far each framework is from the fastest program."""

from dataclasses import dataclass
from itertools import pairwise

import pandas as pd

from reports import cells, formats
from reports.compare import Entry, Verdict
from reports.conditions import taint_of
from reports.metrics import RANKED
from reports.names import KERNELS, framework_class, framework_order, framework_title, phase_title, program_title
from reports.tables import Row, records
from reports.work import Facts, Kernel, group_order

# From these ratios on a cell has the next colour of the scale (style.css: heat-0 to heat-5).
STEPS = (1.1, 1.25, 1.5, 2.0, 4.0)
NEUTRAL = "heat-none"
LEVEL = "≈"  # before a ratio whose interval holds 1
WITHHELD, FAILED, ABSENT = "?", "×", "–"

Place = tuple[str, str, str]  # workload, phase, framework


@dataclass(frozen=True)
class HeatCell:
    """A ratio or a sign; `hint`: the whole story, shown on hover."""

    text: str
    css: str
    hint: str
    fastest: bool = False


@dataclass(frozen=True)
class HeatRow:
    workload: str
    hint: str
    cells: tuple[HeatCell, ...]


@dataclass(frozen=True)
class HeatMap:
    """`frameworks`: (title, CSS class) of the columns of each phase; `groups`: (kind of shape, its rows)."""

    phases: tuple[str, ...]
    frameworks: tuple[tuple[str, str], ...]
    groups: tuple[tuple[str, tuple[HeatRow, ...]], ...]
    scale: tuple[tuple[str, str], ...]  # (text, CSS class) of each colour


def heat_map(frame: pd.DataFrame, verdicts: list[Verdict], facts: Facts) -> HeatMap:
    """Kernels down, by kind of shape; phases and in each of them the frameworks across."""
    found = {(verdict.workload, verdict.phase): verdict for verdict in verdicts}
    phases = [phase for phase in RANKED if any(verdict.phase == phase for verdict in verdicts)]
    names = sorted({entry.framework for verdict in verdicts for entry in verdict.entries}, key=framework_order)
    reasons = _reasons(frame)
    groups: dict[str, list[HeatRow]] = {}
    for workload in sorted({verdict.workload for verdict in verdicts}):
        places = [(workload, phase, name) for phase in phases for name in names]
        row = tuple(_cell(found.get(place[:2]), place, reasons) for place in places)
        kernel = facts.kernel(workload)
        groups.setdefault(kernel.group, []).append(HeatRow(workload, described(workload, kernel), row))
    return HeatMap(
        phases=tuple(phase_title(phase, KERNELS) for phase in phases),
        frameworks=tuple((framework_title(name), framework_class(name)) for name in names),
        groups=tuple((group, tuple(groups[group])) for group in sorted(groups, key=group_order)),
        scale=_scale(),
    )


def described(workload: str, kernel: Kernel) -> str:
    """As in "64 -> 64 channels, 56 x 56 px; 3 layers of resnet50": what the workload's name does not tell."""
    title = "" if kernel.title.replace(" ", "-") == workload else kernel.title
    layers = [f"{count} layer{'s' * (count != 1)} of {model}" for model, count in kernel.models.items()]
    return "; ".join(part for part in (title, formats.join(layers)) if part)


def _cell(verdict: Verdict | None, place: Place, reasons: dict[Place, tuple[str, str]]) -> HeatCell:
    """reasons: sign and reason where a framework has no figure."""
    entry = next((one for one in verdict.best if one.framework == place[2]), None) if verdict else None
    if verdict is None or entry is None:
        sign, reason = reasons.get(place, (ABSENT, f"{framework_title(place[2])}: not measured"))
        return HeatCell(sign, NEUTRAL, reason)
    latency = " ".join(part for part in (cells.latency(entry).text, cells.latency(entry).interval) if part)
    if verdict.state == "withheld":
        return HeatCell(WITHHELD, NEUTRAL, f"{entry.title}: {latency}. {verdict.sentence}")
    first, taint = entry is verdict.entries[0], taint_of(entry.conditions)
    level = verdict.state == "tie" if first else entry.ratio.known and not entry.ratio.excludes_one
    return HeatCell(
        text=f"{LEVEL if level else ''}{_short(entry.ratio.value)}",
        css=f"heat-{sum(entry.ratio.value >= step for step in STEPS)}",
        hint=f"{entry.title}: {latency}, {_remark(entry, verdict)}{f'; tainted: {taint}' if taint else ''}",
        fastest=first and verdict.state == "faster",
    )


def _remark(entry: Entry, verdict: Verdict) -> str:
    """As in "1.31x [1.24, 1.39]"."""
    cell = cells.against_lowest(entry, verdict)
    return " ".join(part for part in (cell.text, cell.interval, cell.remark and f"({cell.remark})") if part)


def _reasons(frame: pd.DataFrame) -> dict[Place, tuple[str, str]]:
    """Why a framework has no figure of a phase, as (sign, reason); a failure says more than a mode left out."""
    rows = records(frame[(frame["suite"] == KERNELS) & frame["metric"].isin(RANKED.values())])
    found: dict[Place, tuple[str, str]] = {}
    for row in sorted((row for row in rows if row["status"] != "ok"), key=_least_first):
        sign = FAILED if row["status"] == "failed" else ABSENT
        program = program_title(row["framework"], row["mode"])
        found[row["workload"], row["phase"], row["framework"]] = (sign, f"{program} {row['status']}: {row['reason']}")
    return found


def _least_first(row: Row) -> tuple[bool, str, str, str]:
    return row["status"] == "failed", row["workload"], row["framework"], row["mode"]


def _short(ratio: float) -> str:
    """Three significant digits."""
    return f"{ratio:.2f}" if ratio < 9.995 else f"{ratio:.3g}"


def _scale() -> tuple[tuple[str, str], ...]:
    """As in "1 to 1.1"."""
    ends = ["1", *(f"{step:g}" for step in STEPS)]
    texts = [f"{low} to {high}" for low, high in pairwise(ends)] + [f"{ends[-1]} and more"]
    return tuple((text, f"heat-{step}") for step, text in enumerate(texts))
