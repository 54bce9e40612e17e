"""What all charts share: a program's marks, the frameworks' colours, the modes' shapes, tooltips, axes' numbers."""

import math
from typing import Any

import altair as alt

from reports import formats
from reports.compare import Entry
from reports.names import FRAMEWORKS, MODES, OTHER_COLOUR, framework_title

Spec = dict[str, Any]
Point = dict[str, Any]

SHAPES = ["circle", "square", "triangle-up", "diamond"]


def calls(entry: Entry, divisor: float) -> Point:
    """All calls of a program in one object, which the chart takes apart: a fifth of the size."""
    values = [rounded(value / divisor) for value in entry.data.ravel().tolist()]
    return {**program(entry), "value": values, "call": list(range(1, len(values) + 1))}


def middle(entry: Entry, divisor: float) -> Point:
    """The median with its interval, as numbers and as text."""
    ends = [end if math.isfinite(end) else entry.median for end in (entry.low, entry.high)]
    return {
        **program(entry),
        "value": rounded(entry.median / divisor),
        "low": rounded(ends[0] / divisor),
        "high": rounded(ends[1] / divisor),
        "text": latency_text(entry),
    }


def latency_text(entry: Entry) -> str:
    """As in "12.3 ms [12.1, 12.6]"."""
    interval = formats.interval(entry.low, entry.high, entry.median, "s") or "too few blocks"
    return f"{formats.quantity(entry.median, 's')} {interval}"


def program(entry: Entry) -> Point:
    return {"program": entry.title, "framework": framework_title(entry.framework), "mode": entry.mode}


def tips(*fields: str) -> list[alt.Tooltip]:
    """Tooltip rows from "field:type" or "field:type|title"."""
    pairs = [field.partition("|") for field in fields]
    return [alt.Tooltip(field, title=title) if title else alt.Tooltip(field) for field, _, title in pairs]


def domain(titles: set[str]) -> list[str]:
    """Frameworks' titles in their fixed order."""
    known = [framework.title for framework in FRAMEWORKS.values() if framework.title in titles]
    return known + sorted(titles - set(known))


def colour(titles: set[str], legend: alt.Legend | None = None) -> alt.Color:
    """The framework's own colour, the same in every chart whichever frameworks are in it."""
    colours = {framework.title: framework.colour for framework in FRAMEWORKS.values()}
    shown = domain(titles)
    scale = alt.Scale(domain=shown, range=[colours.get(title, OTHER_COLOUR) for title in shown])
    return alt.Color("framework:N", scale=scale, legend=legend)


def framework_legend(columns: int = 2) -> alt.Legend:
    """columns: one where long names of kernels leave little room on a phone."""
    return alt.Legend(title=None, orient="top", columns=columns, symbolOpacity=1)


def shape(columns: int = len(MODES)) -> alt.Shape:
    return alt.Shape(
        "mode:N",
        scale=alt.Scale(domain=list(MODES), range=SHAPES[: len(MODES)]),
        legend=alt.Legend(title=None, orient="top", columns=columns, symbolFillColor="gray", symbolStrokeColor="gray"),
    )


def round_numbers(low: float, high: float, digits: tuple[int, ...] = (1, 2, 5)) -> list[float]:
    """1, 2, 5, 10, 20 and so on from low to high: few enough for labels on a logarithmic axis."""
    exponents = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    numbers = [round(digit * 10.0**exponent, 9) for exponent in exponents for digit in digits]
    return [number for number in numbers if low <= number <= high]


def rounded(number: float) -> float:
    """Five digits are more than any clock is good for, and keep the page small."""
    return float(f"{number:.5g}")


def spec(chart: alt.Chart | alt.LayerChart, description: str) -> Spec:
    """The specification; colours and fonts are the page's, light or dark."""
    found: Spec = chart.properties(width="container", description=description).to_dict()
    found.pop("config", None)
    return found
