"""The charts, as Vega-Lite specifications: raw points, intervals, and lines only where there is a trend."""

import math
from typing import Any

import altair as alt

from reports import chart_parts as parts
from reports import formats
from reports.chart_parts import Spec
from reports.compare import Verdict
from reports.names import MODES, framework_title, phase_title

ROW_HEIGHT = 30  # pixels of a program in a workload's chart
KERNEL_ROW_HEIGHT = 46  # pixels of a kernel, which holds a lane for each framework
MANY_POINTS = 8000  # a browser draws more of them slowly, and nobody tells them apart


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
    calls = [parts.calls(entry, divisor) for entry in verdict.shown]
    middles = [parts.middle(entry, divisor) for entry in verdict.shown]
    titles = {one["framework"] for one in calls}
    points = (
        alt.Chart(alt.Data(values=calls))
        .transform_flatten(["value", "call"])
        .mark_point(filled=True, size=22, opacity=0.6)
        .encode(
            x=x,
            y=y,
            yOffset=alt.YOffset("call:Q", scale=alt.Scale(nice=False)),
            color=parts.colour(titles),
            tooltip=parts.tips("program:N", f"value:Q|this call, {unit}", "call:Q"),
        )
    )
    spread = (
        alt.Chart(alt.Data(values=middles))
        .mark_rule(strokeWidth=4)
        .encode(x="low:Q", x2="high:Q", y=y, color=parts.colour(titles))
    )
    median = (
        alt.Chart(alt.Data(values=middles))
        .mark_tick(thickness=3, height=18)
        .encode(x="value:Q", y=y, color=parts.colour(titles), tooltip=parts.tips("program:N", "text:N|median [95 %]"))
    )
    title = f"{verdict.workload}, {phase_title(verdict.phase, verdict.suite)}: latency of each program"
    return parts.spec(alt.layer(points, spread, median).properties(height=ROW_HEIGHT * len(middles)), title)


def kernel_chart(verdicts: list[Verdict]) -> Spec:
    """The fastest mode of each framework on every kernel, on a logarithmic axis: equal distances are equal ratios.

    Each call is a point, unless there are more than MANY_POINTS.
    """
    best = [(verdict.workload, entry) for verdict in verdicts for entry in verdict.best]
    programs = [{**parts.middle(entry, 1e-3), "kernel": name} for name, entry in best]
    if sum(entry.data.size for _, entry in best) <= MANY_POINTS:
        for program, (_, entry) in zip(programs, best, strict=True):
            program["calls"] = parts.calls(entry, 1e-3)["value"]
    reach = [end for program in programs for end in (program["low"], program["high"], *program.get("calls", []))]
    titles = {program["framework"] for program in programs}
    shown = alt.selection_point(fields=["framework"], bind="legend", name="shown")
    scale = alt.Scale(type="log", nice=False, padding=12)
    numbers = alt.Axis(values=parts.round_numbers(min(reach), max(reach)))
    x = alt.X("value:Q", title="ms a call, logarithmic", scale=scale, axis=numbers)
    kernels = alt.Axis(labelLimit=170, ticks=False, grid=True, bandPosition=0)
    shared = {
        "y": alt.Y("kernel:N", title=None, sort=[verdict.workload for verdict in verdicts], axis=kernels),
        "yOffset": alt.YOffset("framework:N", sort=parts.domain(titles)),
        "color": parts.colour(titles, parts.framework_legend(columns=1)),
    }
    clear = alt.condition(shown, alt.value(1), alt.value(0.06))
    spread = alt.Chart().mark_rule(strokeWidth=2.5).encode(x="low:Q", x2="high:Q", opacity=clear, **shared)
    tips = parts.tips("kernel:N", "program:N", "text:N|median [95 %]")
    median = alt.Chart(name="medians").mark_point(filled=True, size=36)
    median = median.encode(x=x, shape=parts.shape(columns=1), opacity=clear, tooltip=tips, **shared).add_params(shown)
    layers = [spread, median]
    if "calls" in programs[0]:
        faint = alt.condition(shown, alt.value(0.45), alt.value(0.03))
        tips = parts.tips("kernel:N", "program:N", "calls:Q|this call, ms")
        points = alt.Chart().transform_flatten(["calls"]).mark_point(filled=True, size=10)
        layers.insert(0, points.encode(x=alt.X("calls:Q"), opacity=faint, tooltip=tips, **shared))
    title = f"{phase_title(verdicts[0].phase, verdicts[0].suite)}: latency of every kernel"
    chart = alt.layer(*layers, data=alt.Data(values=programs))
    return parts.spec(chart.properties(height=KERNEL_ROW_HEIGHT * len(verdicts)), title)


def curves_chart(curves: list[dict[str, Any]], workload: str) -> Spec:
    """Training loss over steps, a line for each program."""
    values = [
        {
            "framework": framework_title(curve["framework"]),
            "mode": curve["mode"],
            "seed": curve.get("seed") or 0,
            "step": step,
            "loss": parts.rounded(loss),
            "seconds": parts.rounded(seconds),
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
            color=parts.colour({value["framework"] for value in values}, parts.framework_legend()),
            strokeDash=alt.StrokeDash(
                "mode:N", scale=alt.Scale(domain=list(MODES), range=[[1, 0], [6, 3], [2, 2]]), legend=None
            ),
            detail="seed:N",
            tooltip=parts.tips("framework:N", "mode:N", "seed:N", "step:Q", "loss:Q", "seconds:Q"),
        )
    )
    return parts.spec(lines.properties(height=240), f"{workload}: training loss over steps")
