"""How well runs can tell programs apart: the A/A pairs of a run, and two runs compared.

The statistics are the report's own, so that both say the same.
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from suites.plan import AGAIN

if TYPE_CHECKING:  # SciPy takes a second to import: every start of asv would wait for it
    from reports.stats import Ratio

Record = dict[str, Any]
PROGRAM = ("workload", "framework", "mode", "size")


def pairs(records: Iterable[Record], calls_per_block: int) -> list[Record]:
    """For each program that was timed twice the ratio of both medians with its 95 % interval, and what that allows.

    smallest_detectable_effect: the fraction by which two programs must differ to be told apart; None where there were
    too few processes or blocks for an interval.
    """
    from reports import stats

    timed = {_key(record, record["phase"]): record for record in records if record.get("latency")}
    found = []
    for twin in timed.values():
        lane, _, phase = twin["phase"].partition(" ")
        one = timed.get(_key(twin, phase)) if lane == AGAIN else None
        if one is None:
            continue
        first, second = (stats.units(record["latency"], calls_per_block, record["calls"]) for record in (one, twin))
        ratio = stats.ratio_of_medians(first, second, paired=True)
        found.append(
            {
                **{key: twin[key] for key in (*PROGRAM, "stage")},
                "phase": phase,
                "ratio": ratio.value,
                "low": ratio.low,
                "high": ratio.high,
                "smallest_detectable_effect": stats.smallest_detectable_effect(ratio),
            }
        )
    return found


def compare(baseline: list[float], candidate: list[float], processes: int) -> "Ratio":
    """The speed-up of a candidate that another run timed, in as many processes, all with as many calls."""
    from reports import stats

    first, second = (
        stats.units(samples, 1, [len(samples) // processes] * processes) for samples in (baseline, candidate)
    )
    return stats.ratio_of_medians(first, second, paired=False)


def _key(record: Record, phase: str) -> tuple[Any, ...]:
    return (*(record[key] for key in PROGRAM), phase)
