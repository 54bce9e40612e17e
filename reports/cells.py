"""The pieces of a table: a figure with its interval, a program's row."""

from dataclasses import dataclass

from reports import formats
from reports.compare import NO_DIFFERENCE_SHORT, Entry, Verdict
from reports.conditions import taint_of
from reports.metrics import BY_KEY
from reports.names import framework_class, framework_title
from reports.stats import Ratio
from reports.tables import Row

LEARNED = "Fit"  # the phase whose samples are trainings from several seeds: too few for an interval


@dataclass(frozen=True)
class Cell:
    """A figure, its interval, a remark (why there is none, say), and what tainted it."""

    text: str = ""
    interval: str = ""
    remark: str = ""
    taint: str = ""


@dataclass(frozen=True)
class Line:
    """A program's row. `problem`: why the whole row has no figure."""

    framework: str
    mode: str
    css: str
    cells: tuple[Cell, ...]
    problem: str = ""


def figure(row: Row | None) -> Cell:
    """A value with its interval, or its status with the reason."""
    if row is None:
        return Cell()
    if row["status"] != "ok":
        return Cell(row["status"], remark=row["reason"])
    unit = BY_KEY[row["metric"]].unit
    interval = formats.interval(row["low"], row["high"], row["value"], unit)
    if row["phase"] == LEARNED and len(row["samples"]) > 1:
        ends = (formats.quantity(end(row["samples"]), unit) for end in (min, max))
        interval = f"{' to '.join(ends)}, {len(row['samples'])} seeds"
    return Cell(formats.quantity(row["value"], unit), interval, taint=taint_of(row["conditions"]))


def tail(row: Row | None, key: str) -> Cell:
    """A percentile: key is p95 or p99."""
    if row is None or row["status"] != "ok" or not row["samples"]:
        return Cell()
    return Cell(formats.quantity(row[key], row["unit"]))


def against_lowest(entry: Entry | None, verdict: Verdict) -> Cell:
    """The ratio of a program's time to the lowest one; "fastest" only where the verdict claims it."""
    if entry is None:
        return Cell()
    if entry is verdict.entries[0]:
        return Cell("fastest" if verdict.state == "faster" else "lowest median")
    return ratio(entry.ratio)


def ratio(found: Ratio) -> Cell:
    """A ratio of two times."""
    if not found.known:
        return Cell(f"{found.value:.2f}x", remark="too few for an interval")
    remark = "" if found.excludes_one else NO_DIFFERENCE_SHORT
    return Cell(f"{found.value:.2f}x", f"[{found.low:.2f}, {found.high:.2f}]", remark)


def line(framework: str, mode: str, cells: tuple[Cell, ...], rows: list[Row]) -> Line:
    """A program's row; one sentence instead of cells where nothing of it has a figure."""
    problem = ""
    if not any(row["status"] == "ok" for row in rows):
        worst = next((row for row in rows if row["status"] == "failed"), rows[0])
        problem = f"{worst['status']}: {worst['reason']}"
        mode = mode if worst["status"] == "failed" else ""
    return Line(framework_title(framework), mode, framework_class(framework), cells, problem)


def latency(entry: Entry) -> Cell:
    """A ranked program's median, its mode as the remark."""
    interval = formats.interval(entry.low, entry.high, entry.median, "s")
    return Cell(formats.quantity(entry.median, "s"), interval, entry.mode, taint_of(entry.conditions))
