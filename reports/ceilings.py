"""Sentences on the machine's ceilings, and on how close a large 3x3 convolution comes to them."""

import math
from typing import Any

from reports import formats
from reports.compare import Verdict
from reports.metrics import flop_rate
from reports.names import framework_title
from reports.work import Ceiling, Facts

WORKLOAD, PHASE = "conv2d-3x3-256", "Forward"
TARGET = 0.60  # of the matrix product's FLOP/s


def ceiling_sentences(ceilings: dict[str, Any], facts: Facts) -> list[str]:
    """What was measured as the most that each device can do, and what casts doubt on it."""
    found = [f"Ceilings of {device}: {_ceiling(ceiling)}" for device, ceiling in facts.ceilings.items()]
    for key, words in (("failures", "Ceilings that could not be measured"), ("taints", "Doubt about the ceilings")):
        entries = ceilings.get(key)
        reasons = [_reason(entry) for entry in entries] if isinstance(entries, list) else []
        found += [f"{words}: {'; '.join(reasons)}"] if reasons else []
    return found


def yardstick(verdicts: list[Verdict], facts: Facts) -> str:
    """Whether the best program of WORKLOAD reaches TARGET, with the figures, or why that is not known."""
    question = f"A 3x3 convolution with 256 channels at {TARGET * 100:.0f} % of the matrix product's FLOP/s"
    verdict = next((one for one in verdicts if (one.workload, one.phase) == (WORKLOAD, PHASE) and one.entries), None)
    if verdict is None:
        return f"{question}: {WORKLOAD} was not measured."
    if verdict.state == "withheld":
        return f"{question}: not said. {verdict.sentence}"
    best = verdict.entries[0]
    work = facts.work_of(WORKLOAD, PHASE, best.framework)
    low, value, high = (flop_rate(latency, work) for latency in (best.high, best.median, best.low))
    if not math.isfinite(value):
        return f"{question}: unknown, how many operations it has is not recorded."
    rate = f"{formats.quantity(value, 'FLOP/s')} {formats.interval(low, high, value, 'FLOP/s')}".strip()
    if not math.isfinite(work.peak):
        return f"{question}: unknown, {best.title} computes {rate}, but no matrix product was measured."
    product = f"{formats.quantity(work.peak, 'FLOP/s')} ({facts.ceiling(best.framework).peak_of})"
    ends = (low, high) if math.isfinite(low + high) else (value, value)
    answer = _answer(ends[0] / work.peak, ends[1] / work.peak)
    share = formats.quantity(value / work.peak, "fraction")
    return f"{question}: {answer}. {best.title} computes {rate}, {share} of {product}."


def _answer(low: float, high: float) -> str:
    """low, high: the interval of the share."""
    if low >= TARGET:
        return "reached"
    return "not reached" if high < TARGET else "cannot be told, the interval holds it"


def _ceiling(ceiling: Ceiling) -> str:
    """As in "matrix product 210 GFLOP/s (PyTorch, 2048 x 2048), memory 21.0 GB/s (PyTorch, a = b + 3 c)"."""
    parts = []
    for title, value, unit, source in (
        ("matrix product", ceiling.peak, "FLOP/s", ceiling.peak_of),
        ("memory", ceiling.bandwidth, "bytes/s", ceiling.bandwidth_of),
    ):
        known = f"{formats.quantity(value, unit)} ({source})" if math.isfinite(value) else "not measured"
        parts.append(f"{title} {known}")
    return ", ".join(parts)


def _reason(entry: Any) -> str:
    """The text of a taint, or of a failure with whose it is."""
    if not isinstance(entry, dict):
        return str(entry)
    text = str(entry.get("reason") or entry.get("message") or entry)
    return f"{framework_title(str(entry['framework']))}: {text}" if "framework" in entry else text
