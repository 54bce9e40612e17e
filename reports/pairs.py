"""Two runs, or two frameworks of one run, figure by figure: B is judged against A."""

import math
from dataclasses import dataclass

import numpy as np

from reports import stats
from reports.comparable import Reason, is_one_run, reasons, unproven
from reports.compare import NO_DIFFERENCE_SHORT as NO_DIFFERENCE
from reports.metrics import BY_KEY, RANKED, Metric
from reports.names import KERNELS
from reports.sides import Side
from reports.tables import Row, records

NOT_COMPARABLE = "not comparable"
NONE = stats.Ratio(math.nan, math.nan, math.nan)
Key = tuple[str, ...]  # suite, workload, size, metric and, unless frameworks are compared, framework and mode


@dataclass(frozen=True)
class Figure:
    """One figure of both sides.

    `ratio`: B's over A's, NaN without proof that both did the same work. `reason`: why they are not comparable, '' if
    they are.

    `first` and `second` are rows of the tidy table with `low` and `high`, the 95 % interval of the median.
    """

    first: Row
    second: Row
    ratio: stats.Ratio
    reason: str

    @property
    def metric(self) -> Metric:
        return BY_KEY[self.first["metric"]]

    @property
    def worsening(self) -> float:
        """By which fraction of A's figure B's is worse; negative where it is better, NaN where there is no ratio."""
        return self.ratio.value - 1 if self.metric.better == "lower" else 1 - self.ratio.value

    @property
    def differs(self) -> bool:
        """Whether the interval of the ratio says so, of figures that are comparable."""
        return not self.reason and self.ratio.excludes_one

    @property
    def is_worse(self) -> bool:
        """Whether the whole interval lies on the bad side of 1."""
        return self.differs and (self.ratio.low > 1) == (self.metric.better == "lower")

    @property
    def verdict(self) -> str:
        """What B is, beside A: one of `words`, NO_DIFFERENCE or NOT_COMPARABLE."""
        if self.reason:
            return NOT_COMPARABLE
        return words(self.metric)[self.is_worse] if self.differs else NO_DIFFERENCE


@dataclass(frozen=True)
class Comparison:
    """What both sides were asked for, worst first. `only_first`: how many figures A has and B was not asked for."""

    first: Side
    second: Side
    figures: list[Figure]
    only_first: int
    only_second: int


def words(metric: Metric) -> tuple[str, str]:
    """What a figure that differs is called, where it is better and where it is worse."""
    if metric.unit == "s" or metric.unit.endswith("/s"):
        return "faster", "slower"
    if metric.unit == "fraction":
        return "better", "worse"
    return ("less", "more") if metric.better == "lower" else ("more", "less")


def compare(first: Side, second: Side) -> Comparison:
    """Every figure that both sides were asked for, except where both failed. Two runs' samples are never paired."""
    why_not, paired = (reasons(first, second), unproven(first, second)), is_one_run(first, second)
    chosen = [_rows(side) for side in (first, second)]
    both = sorted(chosen[0].keys() & chosen[1].keys(), key=_order)
    pairs = [(chosen[0][key], chosen[1][key]) for key in both]
    figures = [_figure(pair, why_not, paired) for pair in pairs if "ok" in (pair[0]["status"], pair[1]["status"])]
    only = [sum(row["status"] == "ok" for key, row in mine.items() if key not in set(both)) for mine in chosen]
    return Comparison(first, second, sorted(figures, key=_rank), only[0], only[1])


def _rows(side: Side) -> dict[Key, Row]:
    """The side's rows that were tried, by what they are compared on. Derived ones would say the same twice."""
    rows = [row for row in records(side.source.results.of(side.run)) if row["status"] in ("ok", "failed")]
    if not side.framework:
        return {(*_group(row), row["metric"], row["framework"], row["mode"]): row for row in rows}
    mine = [row for row in rows if row["framework"] == side.framework and side.mode in ("", row["mode"])]
    fastest = _fastest([row for row in mine if row["status"] == "ok"])
    found: dict[Key, Row] = {}
    for row in sorted(mine, key=lambda row: row["status"] != "ok"):  # a mode that failed only where none has a figure
        key = (*_group(row), row["metric"])
        if key not in found or (row["status"] == "ok" and row["mode"] == fastest.get((*_group(row), row["phase"]), "")):
            found[key] = row
    return found


def _fastest(rows: list[Row]) -> dict[Key, str]:
    """(suite, workload, size, phase) -> the mode with the shortest latency.

    Cold start and so on go by inference, a kernel's by its forward pass.
    """
    best: dict[Key, Row] = {}
    for row in rows:
        if row["metric"] in RANKED.values():
            key = (*_group(row), row["phase"])
            if key not in best or row["value"] < best[key]["value"]:
                best[key] = row
    modes = {key: row["mode"] for key, row in best.items()}
    for row in rows:
        leading = modes.get((*_group(row), "Forward" if row["suite"] == KERNELS else "Inference"))
        if leading is not None:
            modes.setdefault((*_group(row), row["phase"]), leading)
    return modes


def _group(row: Row) -> Key:
    return row["suite"], row["workload"], row["size"]


def _order(key: Key) -> tuple[object, ...]:
    return (key[0] == KERNELS, *key[:3], list(BY_KEY).index(key[3]), key[4:])


def _figure(pair: tuple[Row, Row], why_not: tuple[Reason, Reason], paired: bool) -> Figure:
    units = [stats.units(row["samples"], row["calls_per_block"], row["per_process"]) for row in pair]
    first, second = (
        {**row, **dict(zip(("low", "high"), stats.median_interval(data), strict=True))}
        for row, data in zip(pair, units, strict=True)
    )
    reason, proof = (why(*pair) for why in why_not)
    ratio = NONE if proof else _ratio(pair, units, paired)  # a ratio is a ranking
    return Figure(first, second, ratio, reason or proof or _no_interval(pair, units, ratio))


def _ratio(pair: tuple[Row, Row], units: list[stats.Units], paired: bool) -> stats.Ratio:
    """B's figure over A's."""
    first, second = (row["value"] for row in pair)
    if not (first > 0 and math.isfinite(second)):  # memory may not have grown at all; a failure has no figure
        return NONE
    if not (units[0].size and units[1].size):
        return stats.Ratio(second / first, math.nan, math.nan)
    with np.errstate(divide="ignore", invalid="ignore"):  # some samples of A may be 0: then there is no interval
        return stats.ratio_of_medians(units[1], units[0], paired)


def _no_interval(pair: tuple[Row, Row], units: list[stats.Units], ratio: stats.Ratio) -> str:
    """Why nothing can be said of figures that are otherwise comparable."""
    if ratio.known:
        return ""
    if not pair[0]["value"] > 0:
        return "A is 0"
    if not (units[0].size and units[1].size):
        return "measured once"
    if min(map(len, units)) < stats.MIN_UNITS:
        return "too few processes or blocks for an interval"
    return "A's samples hold 0"


def _rank(figure: Figure) -> tuple[int, float]:
    """What got worse comes first, the most first; then what got better, what did not change, what is not comparable."""
    if figure.is_worse:
        return 0, -figure.worsening
    return (3 if figure.reason else 1 if figure.differs else 2), 0.0
