"""`--fail-on`: whether a comparison holds a change for the worse that continuous integration has to stop."""

import math

from reports.formats import some
from reports.pairs import Comparison, Figure
from reports.pairs_text import programs_differ, ratio_text

REGRESSION, NOTHING_COMPARABLE = 3, 4  # exit codes


def threshold(text: str) -> float:
    """A fraction from "5%" or "0.05". Raises ValueError, one line for the user."""
    number, percent, rest = text.partition("%")
    try:
        value = float(number) / (100 if percent else 1)
    except ValueError:
        value = math.nan
    # A bare 5 may have been meant as 5 %: then nothing would ever fail.
    if rest.strip() or not (math.isfinite(value) and value >= 0) or (not percent and value >= 1):
        raise ValueError(f"--fail-on takes a share such as 5% or 0.05, not {text!r}")
    return value


def is_regression(figure: Figure, least: float) -> bool:
    """Whether the whole interval lies on the bad side and the ratio is worse by at least this fraction."""
    return figure.is_worse and figure.worsening >= least


def exit_code(comparison: Comparison, least: float) -> int:
    """0, REGRESSION or NOTHING_COMPARABLE."""
    if all(figure.reason for figure in comparison.figures):
        return NOTHING_COMPARABLE
    return REGRESSION if any(is_regression(figure, least) for figure in comparison.figures) else 0


def lines(comparison: Comparison, least: float) -> list[str]:
    """One for each regression, and one on all that could not be judged."""
    found = [
        f"regression: {_name(figure)}: B is {figure.verdict}, B / A {ratio_text(figure.ratio)}"
        for figure in comparison.figures
        if is_regression(figure, least)
    ]
    silent = not_comparable(comparison)
    return [*found, f"not judged: {silent}"] if silent else found


def _name(figure: Figure) -> str:
    """As in "resnet50 224px-batch1 pytorch/eager inference_latency": the words of the results on disk."""
    row = figure.first
    program = "" if programs_differ(figure) else f"{row['framework']}/{row['mode']}"
    return " ".join(" ".join((row["workload"], row["size"], program, row["metric"])).split())


def not_comparable(comparison: Comparison) -> str:
    """As in "3 of 40 figures are not comparable: measured once: resnet50 224px-batch1 ..."; '' if none is."""
    kinds: dict[str, list[Figure]] = {}
    for figure in comparison.figures:
        if figure.reason:
            kinds.setdefault(figure.reason.partition(" (")[0], []).append(figure)
    count = sum(map(len, kinds.values()))
    named = "; ".join(f"{_reason(kind, figures)}: {some(list(map(_name, figures)))}" for kind, figures in kinds.items())
    return f"{count} of {len(comparison.figures)} figures are not comparable: {named}" if count else ""


def _reason(kind: str, figures: list[Figure]) -> str:
    """In full where it is the same for all."""
    reasons = {figure.reason for figure in figures}
    return reasons.pop() if len(reasons) == 1 else kind
