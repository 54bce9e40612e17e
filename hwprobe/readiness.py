"""Facts held against requirements: for each check a verdict, with what was measured, what is asked, why, and a remedy.

Verdicts: pass; warn (met, with a doubt); fail; unknown (no honest answer: a fact is missing); skipped (told to ignore).
"""

import tomllib
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypedDict

from hwprobe.facts import Fact

OK, INTERNAL_ERROR, USAGE, BELOW_TIER, UNKNOWN = range(5)  # exit codes
GIB, GB = 2**30, 10**9
_WORST_FIRST = ("fail", "unknown", "warn", "pass", "skipped")


class CheckResult(TypedDict):
    """One row. `measured` and `required` are in `unit`: CPUs or bytes; None where unknown."""

    check: str
    verdict: str
    measured: int | float | None
    required: int | float | None
    unit: str
    source: str
    reason: str | None
    remedy: str | None


class TierResult(TypedDict):
    """One tier: its overall verdict is the worst of its checks'."""

    verdict: str
    checks: list[CheckResult]


class Readiness(TypedDict):
    """Per tier the result, and the checks that were skipped on demand."""

    tiers: dict[str, TierResult]
    forced: list[str]


class _Check(NamedTuple):
    requirement: str  # the key in requirements.toml
    scale: int  # a requirement of 1 is so many units
    unit: str
    if_less: str  # remedies; {required} is in the requirement's own unit
    if_unknown: str


CHECKS = {
    "cores": _Check(
        requirement="cores",
        scale=1,
        unit="CPUs",
        if_less="use a machine with {required} or more physical cores",
        if_unknown="make /proc and /sys readable",
    ),
    "vram": _Check(
        requirement="vram_gib",
        scale=GIB,
        unit="bytes",
        if_less="use a GPU with {required} GB or more, or pass --ignore vram",
        if_unknown="pass --frameworks, see that its driver works (a container needs --gpus all), or pass --ignore vram",
    ),
    "ram": _Check(
        requirement="ram_gib",
        scale=GIB,
        unit="bytes",
        if_less="use a machine with {required} GB of RAM or more",
        if_unknown="make /proc/meminfo readable",
    ),
    "disk": _Check(
        requirement="ssd_gb",
        scale=GB,
        unit="bytes",
        if_less="work on an SSD of {required} GB or more",
        if_unknown="work in a folder on a local disk, or pass --ignore disk",
    ),
}


def requirements() -> dict[str, Any]:
    """The shipped requirements.toml."""
    return tomllib.loads(Path(__file__).with_name("requirements.toml").read_text(encoding="utf-8"))


def judge(
    facts: Mapping[str, Any], tiers: Sequence[str] = ("minimum", "ideal"), ignore: Collection[str] = ()
) -> Readiness:
    """Judge what `hwprobe.collect` returned, live or read back from JSON, against these tiers.

    Raises KeyError for an unknown tier and ValueError for an unknown check in `ignore`.
    """
    if strangers := sorted(set(ignore) - set(CHECKS)):
        raise ValueError(f"no such check: {', '.join(strangers)} (there are {', '.join(CHECKS)})")
    asked = requirements()
    results = {}
    for tier in tiers:
        rows = [_check(name, facts, asked["tiers"][tier], asked["tolerance"], name in ignore) for name in CHECKS]
        results[tier] = TierResult(verdict=worst(rows), checks=rows)
    return Readiness(tiers=results, forced=[name for name in CHECKS if name in ignore])


def skipped(check: CheckResult) -> CheckResult:
    """The same, not judged."""
    return {**check, "verdict": "skipped", "reason": "ignored on demand", "remedy": None}


def worst(checks: Sequence[CheckResult]) -> str:
    """The verdict of all of them together."""
    return min((row["verdict"] for row in checks), key=_WORST_FIRST.index)


def exit_code(tier: Mapping[str, Any], strict: bool = False) -> int:
    """0 met, 3 below the tier, 4 unknown where `strict`; a failure outweighs an unknown."""
    if tier["verdict"] == "fail":
        return BELOW_TIER
    return UNKNOWN if strict and tier["verdict"] == "unknown" else OK


def _check(
    name: str, facts: Mapping[str, Any], tier: Mapping[str, float], tolerance: float, ignored: bool
) -> CheckResult:
    check = CHECKS[name]
    nominal = tier[check.requirement]
    required = nominal * check.scale
    enough = required * (1 - tolerance) if check.unit == "bytes" else required
    fact = _fact(name, facts)
    measured = fact["value"] if isinstance(fact["value"], int | float) else None
    verdict, reason, remedy = _size_verdict(measured, enough, fact["reason"]), fact["reason"], None
    if verdict == "unknown":
        remedy = check.if_unknown
    elif verdict == "fail":
        cause = _cause(name, facts, enough)
        reason = cause[0] if cause else None
        remedy = (cause[1] if cause and cause[1] else check.if_less).format(required=nominal)
    elif name == "disk":
        verdict, reason, remedy = _medium(_disk(facts)["kind"])
    if verdict == "pass" and measured is not None and measured < required:
        reason = f"within {tolerance:.0%} of the nominal size"
    found = CheckResult(
        check=name,
        verdict=verdict,
        measured=measured,
        required=required,
        unit=check.unit,
        source=fact["source"],
        reason=reason,
        remedy=remedy,
    )
    return skipped(found) if ignored else found


def _size_verdict(measured: int | float | None, enough: float, reason: str | None) -> str:
    if measured is None:
        return "unknown"
    if measured >= enough:
        return "pass"
    return "unknown" if reason else "fail"  # a value with a reason is a floor: there may be more


def _medium(kind: Fact) -> tuple[str, str | None, str | None]:
    """Verdict, reason and remedy for a disk that is large enough."""
    if kind["value"] is None:
        return "warn", kind["reason"], "see that it is an SSD"
    if kind["value"] == "HDD":
        return "fail", "a hard disk, not an SSD", "work in a folder on an SSD"
    return "pass", None, None


def _cause(name: str, facts: Mapping[str, Any], enough: float) -> tuple[str, str | None] | None:
    """Reason and remedy of a failure that something other than the hardware's size explains."""
    cpu, memory = facts["cpu"], facts["memory"]
    if name == "cores" and (cpu["physical"]["value"] or 0) >= enough:
        if cpu["limited_by"]["value"] == "quota":
            return "the container's CPU quota", "raise the quota: docker run --cpus {required}"
        return "the process is bound to some of the cores", "start it without taskset or cpuset"
    if name == "ram" and (memory["total"]["value"] or 0) >= enough:
        return "the container's memory limit", "raise the limit: docker run --memory {required}g"
    if name == "vram" and facts["gpu"]["count"]["value"] == 0:
        return "no GPU found, CPU benchmarks still run", None
    return None


def _fact(name: str, facts: Mapping[str, Any]) -> Fact:
    fact: Fact = {
        "cores": lambda: facts["cpu"]["cores"],
        "vram": lambda: facts["gpu"]["vram"],
        "ram": lambda: facts["memory"]["usable"],
        "disk": lambda: _disk(facts)["size"],
    }[name]()
    return fact


def _disk(facts: Mapping[str, Any]) -> Mapping[str, Fact]:
    """The disk of the first path that was given: the one that is judged."""
    disk: Mapping[str, Fact] = next(iter(facts["disk"].values()))
    return disk
