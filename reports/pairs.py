"""`evenbench compare`: two frameworks within a run, or two commits on one machine, figure by figure."""

import math
from dataclasses import dataclass

import pandas as pd

from reports import formats, stats
from reports.certificates import Certificate, Program, certificates
from reports.compare import NO_DIFFERENCE, withheld
from reports.load import Results, Run
from reports.metrics import BY_KEY, METRICS, RANKED
from reports.names import KERNELS, phase_title, program_title, size_title
from reports.tables import Row, enrich, records

Group = tuple[str, str, str]  # suite, workload, size


class UnknownNameError(Exception):
    """What was asked for is not there; the text names what is."""


@dataclass(frozen=True)
class Side:
    """One of the two: its run and, if frameworks are compared, which program."""

    title: str
    run: Run
    framework: str = ""
    mode: str = ""  # '': the fastest


@dataclass(frozen=True)
class Comparison:
    """One figure of both sides, as text. `ratio` is B's over A's."""

    workload: str
    metric: str
    first: str
    second: str
    ratio: str
    verdict: str


def sides(results: Results, first: str, second: str) -> tuple[Side, Side]:
    """Resolve both names: framework, framework:mode, or the beginning of a commit. Raises UnknownNameError."""
    frameworks = sorted({str(name) for name in results.frame["framework"]})
    kinds = [name.partition(":")[0] in frameworks for name in (first, second)]
    if all(kinds):
        return _programs(results, first, second)
    commits = [_runs_of(results, name) for name in (first, second)]
    if not any(kinds) and all(commits):
        for newest in commits[0]:
            same_machine = [run for run in commits[1] if run.machine == newest.machine]
            if same_machine:
                return Side(first, newest), Side(second, same_machine[0])
        raise UnknownNameError(f"{first} and {second} were not measured on the same machine")
    stranger = next(
        (name for name, kind, runs in zip((first, second), kinds, commits, strict=True) if not (kind or runs)), ""
    )
    problem = f"unknown {stranger!r}" if stranger else "compare two frameworks or two commits, not one with the other"
    known = sorted({run.commit[:8] for run in results.runs})
    raise UnknownNameError(f"{problem}; frameworks: {', '.join(frameworks)}; commits: {', '.join(known)}")


def compare(results: Results, first: Side, second: Side) -> list[Comparison]:
    """All figures that both sides have, workload by workload. Two runs' samples are never paired."""
    paired = first.run.key == second.run.key
    proofs = [certificates(side.run.manifest) for side in (first, second)]
    frames = [enrich(results.of(first.run))]
    frames.append(frames[0] if paired else enrich(results.of(second.run)))
    chosen = [_rows(frame, side) for frame, side in zip(frames, (first, second), strict=True)]
    found = []
    for key in sorted(chosen[0].keys() & chosen[1].keys(), key=_order):
        if BY_KEY[key[3]].formula is not None:
            continue  # a derived figure's ratio is its source's, turned round
        pair = (chosen[0][key], chosen[1][key])
        titles = (first.title, second.title)
        found.append(_comparison(pair, titles, (proofs[0], proofs[1]), paired))
    return found


def _programs(results: Results, first: str, second: str) -> tuple[Side, Side]:
    run = results.runs[0]
    frame = results.of(run)
    found = []
    for name in (first, second):
        framework, _, mode = name.partition(":")
        mine = frame[(frame["framework"] == framework) & (frame["status"] == "ok")]
        modes = sorted({str(one) for one in mine["mode"]})
        if mode and mode not in modes:
            raise UnknownNameError(
                f"no figures of {framework} in mode {mode!r}; there are: {', '.join(modes) or 'none'}"
            )
        if not modes:
            raise UnknownNameError(f"the newest run has no figures of {framework}")
        found.append(Side(name, run, framework, mode))
    return found[0], found[1]


def _runs_of(results: Results, name: str) -> list[Run]:
    """Runs of the commits that begin with this name, newest first; 4 digits at least, as git has it."""
    return [run for run in results.runs if len(name) >= 4 and run.commit.startswith(name.lower())]


Key = tuple[str, ...]  # suite, workload, size, metric and, for commits, framework and mode


def _rows(frame: pd.DataFrame, side: Side) -> dict[Key, Row]:
    """The side's rows that have a figure, by what they are compared on."""
    rows = [row for row in records(frame) if row["status"] == "ok"]
    if not side.framework:
        return {(*_group(row), row["metric"], row["framework"], row["mode"]): row for row in rows}
    mine = [row for row in rows if row["framework"] == side.framework and side.mode in ("", row["mode"])]
    fastest = _fastest(mine)
    found: dict[Key, Row] = {}
    for row in mine:
        key = (*_group(row), row["metric"])
        if key not in found or row["mode"] == fastest.get((*_group(row), row["phase"]), ""):
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


def _group(row: Row) -> Group:
    return row["suite"], row["workload"], row["size"]


def _order(key: Key) -> tuple[object, ...]:
    metrics = [metric.key for metric in METRICS]
    return (key[0] == KERNELS, *key[:3], metrics.index(key[3]), key[4:])


def _comparison(
    pair: tuple[Row, Row], titles: tuple[str, str], proofs: tuple[dict[Program, Certificate], ...], paired: bool
) -> Comparison:
    first, second = pair
    metric = BY_KEY[first["metric"]]
    data = [stats.blocks(row["samples"], row["calls_per_block"]) for row in pair if row["samples"]]
    same_program = (first["framework"], first["mode"]) == (second["framework"], second["mode"])
    ratio = stats.Ratio(second["value"] / first["value"] if first["value"] else math.nan, math.nan, math.nan)
    if len(data) == 2:
        ratio = stats.ratio_of_medians(data[1], data[0], paired=paired)
    problems = [
        withheld(row["workload"], [(row["framework"], row["mode"])], proof)
        for row, proof in zip(pair, proofs, strict=True)
    ]
    where = ", ".join(part for part in (first["workload"], size_title(first["size"])) if part)
    return Comparison(
        workload=f"{where}, {program_title(first['framework'], first['mode'])}" if same_program else where,
        metric=f"{phase_title(first['phase'], first['suite'])}: {metric.title.lower()}",
        first=_figure(first, not same_program),
        second=_figure(second, not same_program),
        ratio=_ratio(ratio),
        verdict=_verdict(
            ratio, titles[ratio.value < 1 if metric.better == "lower" else ratio.value > 1], problems, len(data) == 2
        ),
    )


def _figure(row: Row, with_mode: bool) -> str:
    unit = BY_KEY[row["metric"]].unit
    parts = [formats.quantity(row["value"], unit), formats.interval(row["low"], row["high"], row["value"], unit)]
    return " ".join(part for part in (*parts, f"({row['mode']})" if with_mode else "") if part)


def _ratio(ratio: stats.Ratio) -> str:
    if not math.isfinite(ratio.value):
        return "none"
    return f"{ratio.value:.2f}" + (f" [{ratio.low:.2f}, {ratio.high:.2f}]" if ratio.known else "")


def _verdict(ratio: stats.Ratio, winner: str, problems: list[str], sampled: bool) -> str:
    if any(problems):
        return f"withheld: {next(problem for problem in problems if problem)}"
    if not ratio.known:
        return "too few blocks for a verdict" if sampled else "measured once: no verdict"
    if not ratio.excludes_one:
        return NO_DIFFERENCE
    return f"{winner} is better"
