"""Whether a result was measured on an undisturbed machine: what the manifest says of the stage that it comes from."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import pandas as pd

from reports.manifest import Manifest

CLEAN, TAINTED, UNKNOWN = "clean", "tainted", "unknown"
# What spoils a figure that is no time: other programs' load changes no score, and heat no amount of memory.
SPOILED_BY = {"fraction": {"GPU memory errors"}, "bytes": {"swap", "memory pressure", "out of memory"}}
DEFAULT = "default"  # how the phases of the lane with default settings begin
COLD = ("inference", "forward")  # the stages whose first calls are the cold starts

Row = dict[str, Any]
Stage = dict[str, Any]
Stages = dict[tuple[str, str, str], list[Stage]]  # (workload, size, phase as rows have it, in small letters)


def stages_of(manifest: Manifest) -> Stages:
    """The manifest's stages, by the results that were measured in them."""
    found: Stages = {}
    for stage in manifest["stage_conditions"]:
        phase = str(stage.get("stage")).replace(" ", "").lower()
        for name in (phase, "coldstart") if phase in COLD else (phase,):
            found.setdefault((stage["workload"], stage["size"], name), []).append(stage)
    return found


def conditions_of(row: Row, stages: Stages, unsteady: Iterable[str] = ()) -> str:
    """CLEAN, UNKNOWN (an older run does not say), or what tainted a result; '' where there is no result.

    unsteady: what is known of its own calls.
    """
    if row["status"] != "ok":
        return ""
    program = f"{row['framework']}/{row['mode']}"
    phase = row["phase"].lower().removeprefix(DEFAULT)  # measured in turns with the equalised programs
    mine = [
        stage
        for stage in stages.get((row["workload"], row["size"], phase), [])
        # A part of a stage is one program's, from one seed.
        if str(stage.get("part") or program).partition("#")[0] == program
    ]
    if reasons := _unique([*unsteady, *(reason for stage in mine for reason in _reasons(stage, row["unit"]))]):
        return "; ".join(reasons)
    return CLEAN if mine and all(stage.get("verdict") in (CLEAN, TAINTED) for stage in mine) else UNKNOWN


def taint_of(conditions: str) -> str:
    """What tainted a result; '' for all others."""
    return "" if conditions in ("", CLEAN, UNKNOWN) else conditions


def taints_of(conditions: Iterable[str]) -> tuple[str, ...]:
    """What tainted any of these results, each reason once."""
    return tuple(_unique(taint for one in conditions if (taint := taint_of(one))))


@dataclass(frozen=True)
class Tally:
    """How many results of a run there are, and what they are worth."""

    results: int
    tainted: int
    unknown: int
    reasons: tuple[str, ...]

    @property
    def sentence(self) -> str:
        """As in "3 of 40 results tainted, 2 unknown"."""
        if self.unknown == self.results:
            return UNKNOWN
        return f"{self.tainted} of {self.results} results tainted" + (
            f", {self.unknown} unknown" if self.unknown else ""
        )


def tally(frame: pd.DataFrame) -> Tally:
    """Of a run's measured rows, before rates are derived from them."""
    found = [str(one) for one in frame["conditions"] if one]
    tainted = [one for one in found if taint_of(one)]
    return Tally(len(found), len(tainted), found.count(UNKNOWN), taints_of(tainted))


def _reasons(stage: Stage, unit: str) -> list[str]:
    """What tainted a figure in this unit."""
    stored = stage.get("taints")
    taints = [taint for taint in stored if isinstance(taint, dict)] if isinstance(stored, list) else []
    spoils = SPOILED_BY.get(unit, {taint.get("condition") for taint in taints})
    return [str(taint.get("reason")) for taint in taints if taint.get("condition") in spoils]


def _unique(texts: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(texts))
