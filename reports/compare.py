"""Who is faster: rankings and verdict sentences, claimed only where the interval of the ratio excludes 1.

A ranking needs a passed certificate of every program that is compared; otherwise it is withheld.
"""

import math
from dataclasses import dataclass, field
from statistics import median
from typing import Any, Literal

import pandas as pd

from reports import stats
from reports.certificates import MISSING, Certificate, Program
from reports.conditions import taints_of
from reports.formats import join
from reports.metrics import RANKED
from reports.names import phase_title, program_order, program_title
from reports.tables import records, units

State = Literal["faster", "tie", "withheld", "open"]
NO_DIFFERENCE_SHORT = "no difference detectable"
NO_DIFFERENCE = f"{NO_DIFFERENCE_SHORT} on this machine"
UNSTABLE = 0.10  # an interval of the median wider than this, to either side, marks a program as unstable


@dataclass(frozen=True)
class Entry:
    """One program of a ranking. `ratio`: its median latency over the fastest one's, 1 for the fastest itself."""

    framework: str
    mode: str
    median: float  # seconds, as are its interval's ends
    low: float
    high: float
    data: stats.Units = field(repr=False, compare=False)
    ratio: stats.Ratio
    conditions: str = ""

    @property
    def title(self) -> str:
        return program_title(self.framework, self.mode)


@dataclass(frozen=True)
class Verdict:
    """What can be said of one workload in one phase at one size. `entries`: every program, fastest first."""

    suite: str
    workload: str
    phase: str
    size: str
    state: State
    sentence: str
    entries: tuple[Entry, ...]

    @property
    def best(self) -> list[Entry]:
        """The fastest mode of each framework, fastest first."""
        return best(self.entries)

    @property
    def shown(self) -> list[Entry]:
        """The programs as a page lists them: fastest first, or in a neutral order where the ranking is withheld."""
        if self.state != "withheld":
            return list(self.entries)
        return sorted(self.entries, key=lambda entry: program_order(entry.framework, entry.mode))

    @property
    def taint(self) -> str:
        """What tainted its figures; '' if nothing did."""
        return "; ".join(taints_of(entry.conditions for entry in self.entries))


def best(entries: tuple[Entry, ...]) -> list[Entry]:
    chosen: dict[str, Entry] = {}
    for entry in entries:
        chosen.setdefault(entry.framework, entry)
    return list(chosen.values())


def verdicts(frame: pd.DataFrame, proofs: dict[Program, Certificate]) -> list[Verdict]:
    """A verdict for each workload x phase x size that was tried in one run's enriched rows, in sorted order."""
    groups: dict[tuple[str, str, str, str], list[dict[str, Any]]] = {}
    for row in records(frame[frame["metric"].isin(RANKED.values())]):
        groups.setdefault((row["suite"], row["workload"], row["phase"], row["size"]), []).append(row)
    found = []
    for (suite, workload, phase, size), rows in sorted(groups.items(), key=lambda group: _order(*group[0])):
        if all(row["status"] == "n/a" for row in rows):
            continue  # asv lists every size for every profile
        entries = _entries([row for row in rows if row["status"] == "ok"])
        problem = withheld(workload, [(entry.framework, entry.mode) for entry in entries], proofs)
        state, sentence = _judge(best(entries)) if not problem else ("withheld", f"Ranking withheld: {problem}.")
        found.append(Verdict(suite, workload, phase, size, state, sentence, entries))
    return found


def _order(suite: str, workload: str, phase: str, size: str) -> tuple[Any, ...]:
    return suite, workload, list(RANKED).index(phase), size


def withheld(workload: str, programs: list[tuple[str, str]], proofs: dict[Program, Certificate]) -> str:
    """Why these programs may not be ranked: which certificate is missing or failed, with the figure; '' if none is."""
    problems = []
    for framework, mode in programs:
        proof = proofs.get((workload, framework, mode), MISSING)
        if proof.status != "passed":
            problems.append(f"certificate of {program_title(framework, mode)} {proof.status} ({proof.problem})")
    return "; ".join(problems)


def times(ratio: stats.Ratio, word: str = "") -> str:
    """As in "1.31x faster [1.24, 1.39]", the word being " faster"."""
    return f"{ratio.value:.2f}x{word} [{ratio.low:.2f}, {ratio.high:.2f}]"


def _entries(rows: list[dict[str, Any]]) -> tuple[Entry, ...]:
    rows = sorted(rows, key=lambda row: (row["value"], program_order(row["framework"], row["mode"])))
    data = [units(row) for row in rows]
    ratios = [stats.Ratio(1.0, 1.0, 1.0)] + [stats.ratio_of_medians(mine, data[0], paired=True) for mine in data[1:]]
    return tuple(
        Entry(row["framework"], row["mode"], row["value"], row["low"], row["high"], mine, ratio, row["conditions"])
        for row, mine, ratio in zip(rows, data, ratios, strict=bool(rows))
    )


def _judge(ranking: list[Entry]) -> tuple[State, str]:
    """The sentence on the fastest mode of each framework. Needs passed certificates."""
    if not ranking:
        return "open", "No program has a figure."
    leader, others = ranking[0], ranking[1:]
    if not others:
        return "open", f"Only {leader.title} has a figure: nothing to compare it with."
    if not all(entry.ratio.known for entry in others):
        return "open", f"No verdict: an interval needs {stats.MIN_UNITS} processes, or blocks of one process, at least."
    slower = [entry for entry in others if entry.ratio.excludes_one]
    level = [entry for entry in others if not entry.ratio.excludes_one]
    words = [" faster", *[""] * len(slower)]
    claims = join(
        [f"{times(entry.ratio, word)} than {entry.title}" for entry, word in zip(slower, words, strict=False)]
    )
    if not level:
        return "faster", f"{leader.title} is {claims}."
    tie = f"{join([entry.title for entry in [leader, *level]])}: {NO_DIFFERENCE}"
    return "tie", f"{tie}; {leader.title} is {claims}." if slower else f"{tie}."


@dataclass(frozen=True)
class Noise:
    """How well this run can tell programs apart. Fractions, not percent."""

    timed: int  # programs with a latency
    pairs: int  # A/A pairs: programs that were timed twice, as if they were two
    false_alarms: int  # of these, intervals that exclude 1
    smallest: float  # the smallest detectable effect: the median of what the pairs allow
    largest: float  # and the largest
    detectable: float  # median half-width of the intervals between programs: what half of the pairs can show
    unstable: tuple[str, ...]  # programs whose median is known to worse than UNSTABLE

    @property
    def sentence(self) -> str:
        """As in "2.3% (A/A pairs: 3)"."""
        return f"{self.smallest:.1%} (A/A pairs: {self.pairs})" if self.pairs else "unknown"


def noise(verdicts_: list[Verdict], pairs: list[dict[str, Any]]) -> Noise:
    """The manifest's A/A pairs, and the widths of the intervals."""
    halves, unstable = [], []
    for verdict in verdicts_:
        for entry in verdict.entries:
            if max(entry.high - entry.median, entry.median - entry.low) > UNSTABLE * entry.median:
                phase = phase_title(verdict.phase, verdict.suite).lower()
                unstable.append(f"{entry.title}, {verdict.workload}, {phase}")
            other = entry.ratio.known and entry is not verdict.entries[0]
            halves += [(entry.ratio.high - entry.ratio.low) / 2 / entry.ratio.value] if other else []
    known = [pair for pair in pairs if all(_positive(pair.get(key)) for key in ("low", "high", "ratio"))]
    ratios = [stats.Ratio(pair["ratio"], pair["low"], pair["high"]) for pair in known]
    effects = [stats.smallest_detectable_effect(ratio) for ratio in ratios]
    return Noise(
        timed=sum(len(verdict.entries) for verdict in verdicts_),
        pairs=len(known),
        false_alarms=sum(ratio.excludes_one for ratio in ratios),
        smallest=median(effects) if effects else math.nan,
        largest=max(effects, default=math.nan),
        detectable=median(halves) if halves else math.nan,
        unstable=tuple(unstable),
    )


def _positive(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value) and value > 0


# Phase -> the metrics of its first and of its later calls.
COMPILING = {
    "ColdStart": ("cold_start_first_call", "inference_latency"),
    "Training": ("training_first_call", "training_latency"),
}


def break_even(rows: list[dict[str, Any]], phase: str) -> dict[tuple[str, str], int]:
    """Calls after which a mode has earned back its longer first call, against eager, by (framework, mode).

    rows: those of one workload and size; phase: one of COMPILING, else there is nothing to earn back.
    """
    first, steady = (
        {_program(row): row["value"] for row in rows if row["metric"] == metric}
        for metric in COMPILING.get(phase, ("", ""))
    )
    calls = {}
    for framework, mode in first.keys() & steady.keys():
        eager = (framework, "eager")
        if eager not in first or eager not in steady:
            continue
        longer = first[framework, mode] - first[eager]
        saved = steady[eager] - steady[framework, mode]
        if longer > 0 and saved > 0:  # never so where either figure is not a number
            calls[framework, mode] = math.ceil(longer / saved)
    return calls


def _program(row: dict[str, Any]) -> tuple[str, str]:
    return str(row["framework"]), str(row["mode"])
