"""What a manifest says of trainings: each loss curve, and how far curves are apart between frameworks and seeds."""

import itertools
import math
from statistics import median
from typing import Any

import numpy as np

from reports import formats
from reports.load import Run
from reports.names import program_title

Curve = dict[str, Any]


def learning_sections(run: Run) -> list[dict[str, Any]]:
    """The learning curves of a run by workload, those that hold figures, each with what is to be said of them."""
    workloads: dict[str, list[Curve]] = {}
    for curve in run.manifest["curves"]:
        if _holds_figures(curve):
            workloads.setdefault(curve["workload"], []).append(curve)
    return [
        {
            "workload": workload,
            "name": f"curves-{index}",
            "curves": curves,
            "caption": " ".join(filter(None, (_ends(curves), _targets(curves), _apart(curves)))),
        }
        for index, (workload, curves) in enumerate(sorted(workloads.items()), start=1)
    ]


def _holds_figures(curve: Curve) -> bool:
    lists = (curve.get("loss"), curve.get("seconds"))
    return all(isinstance(values, list) and values and all(map(_is_number, values)) for values in lists)


def _ends(curves: list[Curve]) -> str:
    ends = [
        f"{_title(curve)} {formats.quantity(curve['quality'], 'fraction')} in {formats.duration(curve['seconds'][-1])}"
        for curve in curves
        if _is_number(curve.get("quality"))
    ]
    return f"Held-out quality at the end: {formats.join(ends)}." if ends else "No held-out quality is recorded."


def _targets(curves: list[Curve]) -> str:
    """Who reached the quality that the profile sets, and when."""
    target = curves[0].get("target")
    if not isinstance(target, int | float) or not _is_number(target):
        return ""
    reached = [
        f"{_title(curve)} {formats.duration(curve['to_target'])}"
        for curve in curves
        if _is_number(curve.get("to_target"))
    ]
    until = f"Time until {formats.quantity(target, 'fraction')}, the target, was first found"
    return f"{until}: {formats.join(reached)}." if reached else f"None reached {formats.quantity(target, 'fraction')}."


def _apart(curves: list[Curve]) -> str:
    """Whether frameworks differ by more than the luck of the initial weights does."""
    pairs = list(itertools.combinations(curves, 2))
    between = [distance(one, other) for one, other in pairs if _seed(one) == _seed(other)]
    seeds = [distance(one, other) for one, other in pairs if _program(one) == _program(other)]
    found = []
    if between:
        found.append(f"between programs with one seed {formats.quantity(median(between), 'fraction')}")
    if seeds:
        found.append(f"between seeds of one program {formats.quantity(median(seeds), 'fraction')}")
    return f"Mean distance of two loss curves, relative to their height: {formats.join(found)}." if found else ""


def distance(one: Curve, other: Curve) -> float:
    """Mean over the steps of the losses' absolute difference, over the mean of both."""
    steps = min(len(one["loss"]), len(other["loss"]))
    first, second = (np.array(curve["loss"][:steps], float) for curve in (one, other))
    return float(np.abs(first - second).mean() / ((first + second).mean() / 2))


def _title(curve: Curve) -> str:
    seed = f", seed {_seed(curve)}" if _seed(curve) else ""
    return f"{program_title(curve['framework'], curve['mode'])}{seed}"


def _program(curve: Curve) -> tuple[Any, Any]:
    return curve["framework"], curve["mode"]


def _seed(curve: Curve) -> int:
    seed = curve.get("seed")
    return seed if isinstance(seed, int) else 0


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
