"""The charts, as Vega-Lite specifications: raw points, intervals, and lines only where there is a trend."""

import math
from typing import Any

import altair as alt

from reports import formats
from reports.compare import Entry, Verdict
from reports.names import FRAMEWORKS, MODES, OTHER_COLOUR, framework_title, phase_title

Spec = dict[str, Any]
Point = dict[str, Any]

ROW_HEIGHT = 30  # pixels of a program in a workload's chart
KERNEL_ROW_HEIGHT = 46  # pixels of a kernel, which holds a lane for each framework
SHAPES = ["circle", "square", "triangle-up", "diamond"]


def latency_chart(verdict: Verdict) -> Spec:
    """Every program of one workload: each call as a point, the interval as a bar, the median as a tick."""
    divisor, unit = formats.scale(min(entry.median for entry in verdict.entries), "s")
    x = alt.X(
        "value:Q",
        title=f"{unit} a call",
        scale=alt.Scale(zero=False, nice=False, padding=12),
        axis=alt.Axis(tickCount=8),
    )
    y = alt.Y("program:N", title=None, sort=None, axis=alt.Axis(labelLimit=150, ticks=False, domain=False))
    calls = [_calls(entry, divisor) for entry in verdict.shown]
    middles = [_middle(entry, divisor) for entry in verdict.shown]
    points = (
        alt.Chart(alt.Data(values=calls))
        .transform_flatten(["value", "call"])
        .mark_point(filled=True, size=22, opacity=0.6)
        .encode(
            x=x,
            y=y,
            yOffset=alt.YOffset("call:Q", scale=alt.Scale(nice=False)),
            color=_colour(calls),
            tooltip=_tips("program:N", f"value:Q|this call, {unit}", "call:Q"),
        )
    )
    spread = (
        alt.Chart(alt.Data(values=middles))
        .mark_rule(strokeWidth=4)
        .encode(x="low:Q", x2="high:Q", y=y, color=_colour(calls))
    )
    median = (
        alt.Chart(alt.Data(values=middles))
        .mark_tick(thickness=3, height=18)
        .encode(x="value:Q", y=y, color=_colour(calls), tooltip=_tips("program:N", "text:N|median [95 %]"))
    )
    title = f"{verdict.workload}, {phase_title(verdict.phase, verdict.suite)}: latency of each program"
    return _spec(alt.layer(points, spread, median).properties(height=ROW_HEIGHT * len(middles)), title)


def kernel_chart(verdicts: list[Verdict]) -> Spec:
    """The fastest mode of each framework on every kernel, on a logarithmic axis: equal distances are equal ratios."""
    order = [verdict.workload for verdict in verdicts]
    best = [(verdict.workload, entry) for verdict in verdicts for entry in verdict.best]
    calls = [{**_calls(entry, 1e-3), "kernel": name} for name, entry in best]
    middles = [{**_middle(entry, 1e-3), "kernel": name} for name, entry in best]
    frameworks = _domain(calls)
    shown = alt.selection_point(fields=["framework"], bind="legend", name="shown")
    x = alt.X(
        "value:Q",
        title="ms a call, logarithmic",
        scale=alt.Scale(type="log", nice=False, padding=12),
        axis=alt.Axis(values=_round_numbers([value for one in calls for value in one["value"]])),
    )
    shared = {
        "y": alt.Y(
            "kernel:N", title=None, sort=order, axis=alt.Axis(labelLimit=170, ticks=False, grid=True, bandPosition=0)
        ),
        "yOffset": alt.YOffset("framework:N", sort=frameworks),
        "color": _colour(calls, legend=alt.Legend(title=None, orient="top", columns=2, symbolOpacity=1)),
    }
    faint = alt.condition(shown, alt.value(0.45), alt.value(0.03))
    clear = alt.condition(shown, alt.value(1), alt.value(0.06))
    points = (
        alt.Chart(alt.Data(values=calls))
        .transform_flatten(["value", "call"])
        .mark_point(filled=True, size=10)
        .encode(x=x, opacity=faint, tooltip=_tips("kernel:N", "program:N", "value:Q|this call, ms", "call:Q"), **shared)
    )
    spread = (
        alt.Chart(alt.Data(values=middles))
        .mark_rule(strokeWidth=2.5)
        .encode(x="low:Q", x2="high:Q", opacity=clear, **shared)
    )
    median = (
        alt.Chart(alt.Data(values=middles), name="medians")
        .mark_point(filled=True, size=36)
        .encode(
            x="value:Q",
            shape=_shape(),
            opacity=clear,
            tooltip=_tips("kernel:N", "program:N", "text:N|median [95 %]"),
            **shared,
        )
        .add_params(shown)
    )
    title = f"{phase_title(verdicts[0].phase, verdicts[0].suite)}: latency of every kernel"
    return _spec(alt.layer(points, spread, median).properties(height=KERNEL_ROW_HEIGHT * len(order)), title)


def curves_chart(curves: list[dict[str, Any]], workload: str) -> Spec:
    """Training loss over steps, a line for each program."""
    values = [
        {
            "framework": framework_title(curve["framework"]),
            "mode": curve["mode"],
            "step": step,
            "loss": _round(loss),
            "seconds": _round(seconds),
        }
        for curve in curves
        for step, (loss, seconds) in enumerate(zip(curve["loss"], curve["seconds"], strict=False), start=1)
        if math.isfinite(loss)
    ]
    lines = (
        alt.Chart(alt.Data(values=values))
        .mark_line(strokeWidth=2, point=alt.OverlayMarkDef(size=12, opacity=0.6))
        .encode(
            x=alt.X("step:Q", title="step", axis=alt.Axis(tickMinStep=1, tickCount=8)),
            y=alt.Y("loss:Q", title="training loss", scale=alt.Scale(zero=True)),
            color=_colour(values, legend=alt.Legend(title=None, orient="top", columns=2, symbolOpacity=1)),
            strokeDash=alt.StrokeDash(
                "mode:N", scale=alt.Scale(domain=list(MODES), range=[[1, 0], [6, 3], [2, 2]]), legend=None
            ),
            tooltip=_tips("framework:N", "mode:N", "step:Q", "loss:Q", "seconds:Q"),
        )
    )
    return _spec(lines.properties(height=240), f"{workload}: training loss over steps")


def _calls(entry: Entry, divisor: float) -> Point:
    """All calls of a program in one object, which the chart takes apart: a fifth of the size."""
    values = [_round(value / divisor) for value in entry.data.ravel().tolist()]
    return {**_program(entry), "value": values, "call": list(range(1, len(values) + 1))}


def _middle(entry: Entry, divisor: float) -> Point:
    ends = [end if math.isfinite(end) else entry.median for end in (entry.low, entry.high)]
    interval = formats.interval(entry.low, entry.high, entry.median, "s") or "too few blocks"
    return {
        **_program(entry),
        "value": _round(entry.median / divisor),
        "low": _round(ends[0] / divisor),
        "high": _round(ends[1] / divisor),
        "text": f"{formats.quantity(entry.median, 's')} {interval}",
    }


def _program(entry: Entry) -> Point:
    return {"program": entry.title, "framework": framework_title(entry.framework), "mode": entry.mode}


def _tips(*fields: str) -> list[alt.Tooltip]:
    """Tooltip rows from "field:type" or "field:type|title"."""
    pairs = [field.partition("|") for field in fields]
    return [alt.Tooltip(field, title=title) if title else alt.Tooltip(field) for field, _, title in pairs]


def _domain(values: list[Point]) -> list[str]:
    present = {value["framework"] for value in values}
    known = [framework.title for framework in FRAMEWORKS.values() if framework.title in present]
    return known + sorted(present - set(known))


def _colour(values: list[Point], legend: alt.Legend | None = None) -> alt.Color:
    """The framework's own colour, the same in every chart whichever frameworks are in it."""
    colours = {framework.title: framework.colour for framework in FRAMEWORKS.values()}
    domain = _domain(values)
    scale = alt.Scale(domain=domain, range=[colours.get(title, OTHER_COLOUR) for title in domain])
    return alt.Color("framework:N", scale=scale, legend=legend)


def _shape() -> alt.Shape:
    return alt.Shape(
        "mode:N",
        scale=alt.Scale(domain=list(MODES), range=SHAPES[: len(MODES)]),
        legend=alt.Legend(title=None, orient="top", symbolFillColor="gray", symbolStrokeColor="gray"),
    )


def _round_numbers(values: list[float]) -> list[float]:
    """1, 2, 5, 10, 20 and so on, as far as the values reach: few enough for labels on a logarithmic axis."""
    exponents = range(math.floor(math.log10(min(values))), math.ceil(math.log10(max(values))) + 1)
    numbers = [round(digit * 10.0**exponent, 9) for exponent in exponents for digit in (1, 2, 5)]
    return [number for number in numbers if min(values) <= number <= max(values)]


def _round(number: float) -> float:
    """Five digits are more than any clock is good for, and keep the page small."""
    return float(f"{number:.5g}")


def _spec(chart: alt.Chart | alt.LayerChart, description: str) -> Spec:
    spec: Spec = chart.properties(width="container", description=description).to_dict()
    spec.pop("config", None)  # colours and fonts are the page's, light or dark
    return spec
