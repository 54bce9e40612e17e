"""The roofline of a phase: how fast each kernel computes, against what the machine's ceilings allow.

Source: Williams, Waterman and Patterson, "Roofline: An Insightful Visual Performance Model for Multicore
Architectures" (CACM 52, 2009).
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass

import altair as alt

from reports import chart_parts as parts
from reports import formats
from reports.chart_parts import Point, Spec
from reports.compare import Verdict
from reports.metrics import ceiling_share, flop_rate
from reports.names import KERNELS, phase_title
from reports.work import Ceiling, Facts

HEIGHT = 320  # pixels
GIGA = 1e9
BESIDE = 1.5  # how far from the ridge the memory's figure stands
AROUND = 3.0  # how far the plot reaches to either side of the ridge at least, so that both ceilings are seen
MANY_DECADES = 100.0  # an axis that spans more is labelled at powers of ten only


@dataclass(frozen=True)
class Roofline:
    """`spec`: None where nothing can be drawn; `left_out`: in words, which kernels are not in it; '' if all are."""

    spec: Spec | None
    left_out: str


def roofline(verdicts: tuple[Verdict, ...], facts: Facts) -> Roofline:
    """The fastest mode of each framework on every kernel of one phase, on logarithmic axes."""
    drawn: list[Point] = []
    left_out: dict[str, int] = {}
    for verdict in verdicts:
        reason = _reason(verdict, facts)
        if reason:
            left_out[reason] = left_out.get(reason, 0) + 1
        elif verdict.entries:
            drawn.append(_points(verdict, facts))
    words = formats.join([f"{count} kernel{'s' * (count != 1)} {reason}" for reason, count in left_out.items()])
    return Roofline(_chart(drawn, facts, verdicts[0]) if drawn else None, words)


def _reason(verdict: Verdict, facts: Facts) -> str:
    """Why a kernel is not drawn; '' if it is."""
    operations, bytes_moved = facts.kernel(verdict.workload).phases.get(verdict.phase, (math.nan, math.nan))
    if not math.isfinite(operations + bytes_moved):
        return "of unknown work"
    if not operations:
        return "without arithmetic"
    return "without proof of equal work" if verdict.state == "withheld" else ""


def _points(verdict: Verdict, facts: Facts) -> Point:
    """All programs of a kernel in one object, which the chart takes apart."""
    programs = []
    for entry in verdict.best:
        work = facts.work_of(verdict.workload, verdict.phase, entry.framework)
        programs.append(
            {
                **parts.program(entry),
                "y": parts.rounded(flop_rate(entry.median, work) / GIGA),
                "text": parts.latency_text(entry),
                "share": formats.quantity(ceiling_share(entry.median, work), "fraction"),
                "device": facts.device(entry.framework),
            }
        )
    columns = {key: [program[key] for program in programs] for key in programs[0]}
    intensity = facts.work_of(verdict.workload, verdict.phase, verdict.best[0].framework).intensity
    return {"kernel": facts.kernel(verdict.workload).title, "x": parts.rounded(intensity), **columns}


def _chart(points: list[Point], facts: Facts, verdict: Verdict) -> Spec:
    titles = {title for point in points for title in point["framework"]}
    devices = sorted({device for point in points for device in point.pop("device")})
    ceilings = {device: facts.ceilings[device] for device in devices if device in facts.ceilings}
    low, high = _reach([point["x"] for point in points], ceilings.values())
    roofs = [{**corner, "device": device} for device, one in ceilings.items() for corner in _corners(one, low, high)]
    heights = [y for point in points for y in point["y"]] + [corner["y"] for corner in roofs]
    shown = alt.selection_point(fields=["framework"], bind="legend", name="shown")
    axes = {
        "x": _axis(alt.X("x:Q", title="arithmetic intensity, FLOP/byte"), [low, high]),
        "y": _axis(alt.Y("y:Q", title="GFLOP/s"), heights),
    }
    fields = ("kernel:N", "program:N", "text:N|median [95 %]", "y:Q|GFLOP/s", "x:Q|FLOP/byte", "share:N|of the ceiling")
    programs = (
        alt.Chart(alt.Data(values=points), name="programs")
        .transform_flatten([key for key in points[0] if key not in ("kernel", "x")])
        .mark_point(filled=True, size=42)
        .encode(
            **axes,
            color=parts.colour(titles, parts.framework_legend()),
            shape=parts.shape(),
            opacity=alt.condition(shown, alt.value(0.75), alt.value(0.05)),
            tooltip=parts.tips(*fields),
        )
        .add_params(shown)
    )
    lines = alt.Chart(alt.Data(values=roofs)).mark_line(style="roof").encode(**axes, detail="device:N")
    labels = [_labels(one, device if len(ceilings) > 1 else "", high) for device, one in ceilings.items()]
    layers = [lines, programs, *[label.encode(**axes, text="text:N") for pair in labels for label in pair]]
    title = f"{phase_title(verdict.phase, KERNELS)}: rate and arithmetic intensity of every kernel, under the ceilings"
    return parts.spec(alt.layer(*layers).properties(height=HEIGHT), title)


def _reach(intensities: list[float], ceilings: Iterable[Ceiling]) -> tuple[float, float]:
    """From which intensity to which the plot goes: all kernels, and both sides of each ridge."""
    ridges = [one.ridge for one in ceilings if math.isfinite(one.ridge)]
    return (
        parts.rounded(min([*intensities, *[ridge / AROUND for ridge in ridges]])),
        parts.rounded(max([*intensities, *[ridge * AROUND for ridge in ridges]])),
    )


def _corners(ceiling: Ceiling, low: float, high: float) -> list[Point]:
    """The roof from low to high: its ends and, where both ceilings are known, its ridge."""
    corners = []
    for x in [low, *([ceiling.ridge] if math.isfinite(ceiling.ridge) else []), high]:
        limits = [limit for limit in (ceiling.peak, x * ceiling.bandwidth) if math.isfinite(limit)]
        corners += [{"x": parts.rounded(x), "y": parts.rounded(min(limits) / GIGA)}] if limits else []
    return corners


def _labels(ceiling: Ceiling, device: str, high: float) -> list[alt.Chart]:
    """The figure of each ceiling that is known, above its line."""
    suffix = f", {device}" if device else ""
    beside = parts.rounded(ceiling.ridge / BESIDE) if math.isfinite(ceiling.ridge) else high
    found = []
    for x, limit, text, offset in (
        (high, ceiling.peak, f"matrix product {formats.quantity(ceiling.peak, 'FLOP/s')}", {"dy": -8}),
        (beside, beside * ceiling.bandwidth, f"memory {formats.quantity(ceiling.bandwidth, 'bytes/s')}", {"dx": -8}),
    ):
        if math.isfinite(limit):
            place = {"x": x, "y": parts.rounded(limit / GIGA), "text": text + suffix}
            found.append(alt.Chart(alt.Data(values=[place])).mark_text(style="ceiling", align="right", **offset))
    return found


def _axis(channel: alt.X | alt.Y, values: list[float]) -> alt.X | alt.Y:
    low, high = min(values), max(values)
    digits = (1,) if high / low > MANY_DECADES else (1, 2, 5)
    return channel.scale(type="log", nice=False, padding=14).axis(values=parts.round_numbers(low, high, digits))
