"""Certificates as stored in a manifest: the proof that the compared programs did the same work.

The stored `passed` is not taken on trust: a certificate passes only if it has checks and each of them holds.
"""

import math
from dataclasses import dataclass
from typing import Any, Literal

from reports.formats import error as error_text
from reports.manifest import Manifest

Program = tuple[str, str, str]  # workload, framework, mode
Status = Literal["passed", "failed", "missing"]


@dataclass(frozen=True)
class Check:
    """One comparison: the largest relative error (a difference, for counts) against its tolerance."""

    name: str
    dtype: str
    tensor: str
    error: float
    tolerance: float
    passed: bool

    @property
    def figure(self) -> str:
        """As in "gradients, float64: conv1.weight 3.2e-03 > 1e-10"."""
        sign = "<=" if self.error <= self.tolerance else ">"
        return f"{self.name}, {self.dtype}: {self.tensor} {error_text(self.error)} {sign} {error_text(self.tolerance)}"


@dataclass(frozen=True)
class Certificate:
    status: Status
    problem: str  # why it has not passed
    reference: str
    sizes: str
    checks: tuple[Check, ...]

    def worst(self, dtype: str) -> Check | None:
        """The check of this dtype that comes closest to its tolerance, or exceeds it most."""
        mine = [check for check in self.checks if check.dtype == dtype]
        return max(mine, key=_closeness, default=None)


MISSING = Certificate("missing", "there is no certificate", "", "", ())


def certificates(manifest: Manifest) -> dict[Program, Certificate]:
    """By program; a program with several entries (one for each size, say) passes only if all of them do."""
    entries: dict[Program, list[dict[str, Any]]] = {}
    for entry in manifest["certificates"]:
        entries.setdefault((entry["workload"], entry["framework"], entry["mode"]), []).append(entry)
    return {program: _certificate(same) for program, same in entries.items()}


def _certificate(entries: list[dict[str, Any]]) -> Certificate:
    checks, problems = [], []
    for entry in entries:
        stored = entry.get("checks")
        mine = [_check(raw) for raw in (stored if isinstance(stored, list) else []) if isinstance(raw, dict)]
        failed = sorted((check for check in mine if not check.passed), key=_closeness, reverse=True)
        if entry["error"]:
            problems.append(f"could not be computed: {entry['error']}")
        elif failed:
            more = f" and {len(failed) - 1} more" if len(failed) > 1 else ""
            problems.append(failed[0].figure + more)
        elif not mine:
            problems.append("it holds no checks")
        elif entry.get("passed") is not True:
            problems.append("it is marked as failed")
        checks += mine
    return Certificate(
        status="failed" if problems else "passed",
        problem="; ".join(problems),
        reference=entries[0]["reference"],
        sizes=", ".join(dict.fromkeys(entry["sizes"] for entry in entries if entry["sizes"])),
        checks=tuple(checks),
    )


def _check(raw: dict[str, Any]) -> Check:
    # An error that is not finite (a NaN in a result, another shape) is stored as null.
    error = math.inf if raw.get("error") is None else _number(raw["error"])
    tolerance = _number(raw.get("tolerance"))
    name, dtype, tensor = (str(raw.get(key, "")) for key in ("name", "dtype", "tensor"))
    return Check(name, dtype, tensor, error, tolerance, raw.get("passed") is True and error <= tolerance)


def _number(value: Any) -> float:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else math.nan


def _closeness(check: Check) -> float:
    """Error in units of the tolerance; what cannot be judged counts as the worst."""
    if math.isnan(check.error) or math.isnan(check.tolerance):
        return math.inf
    if check.tolerance > 0:
        return check.error / check.tolerance
    return math.inf if check.error > 0 else 0.0
