"""What a workload needs, from measured peaks: needs.csv, made by `python -m suites.needs`.

Formulas do not serve: four times the parameters leaves the activations out, and no formula knows what a framework's
allocator keeps. Between two measured batch sizes, and beyond them, the need is the straight line through both: images
of a batch take the same each. Beyond a single one it is not known.

The RAM was measured on CPUs; the GPU's memory on an NVIDIA H200, with PyTorch 2.11.
"""

import csv
from collections.abc import Collection, Mapping
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple, TypedDict

from hwprobe.facts import Fact
from hwprobe.readiness import CheckResult, skipped, worst

TABLE = Path(__file__).with_name("needs.csv")
COMMAND = "python -m suites.needs"
VERIFICATION = "verification"
TEMPORARY_FILES = "temporary files"  # what their disk is called in the facts that are judged


class Need(NamedTuple):
    """One row of the table. Bytes; None where it was not measured."""

    workload: str
    phase: str  # inference, training, verification
    framework: str
    mode: str
    precision: str
    image_size: int
    batch_size: int
    ram_bytes: int | None
    vram_bytes: int | None
    disk_bytes: int | None

    @property
    def key(self) -> tuple[str, str, str, str, int]:
        """What tells it from the others."""
        return self.workload, self.phase, self.framework, self.precision, self.batch_size


class WorkloadResult(TypedDict):
    """The answer for one workload. `ram_bytes`: what each framework needs, the least first."""

    workload: str
    phase: str
    precision: str
    image_size: int
    batch_size: int
    ram_bytes: dict[str, int]
    verdict: str
    checks: list[CheckResult]


@cache
def load() -> list[Need]:
    """The shipped table; empty where there is none."""
    try:
        with TABLE.open(newline="", encoding="utf-8") as lines:
            return [_need(row) for row in csv.DictReader(lines)]
    except FileNotFoundError:
        return []


def _need(row: Mapping[str, str]) -> Need:
    numbers = {
        name: int(row[name]) if row[name] else None
        for name in ("image_size", "batch_size", "ram_bytes", "vram_bytes", "disk_bytes")
    }
    return Need(**{**row, **numbers})  # type: ignore[arg-type]


def image_size(workload: str) -> int | None:
    """Pixels of the side of the images that its needs were measured with; None for a stranger."""
    return next((need.image_size for need in load() if need.workload == workload), None)


def models() -> list[str]:
    """The workloads of the table."""
    return list(dict.fromkeys(need.workload for need in load()))


def per_framework(
    workload: str, phase: str, precision: str, batch_size: int, field: str = "ram_bytes"
) -> dict[str, int]:
    """Bytes that each measured framework needs, the least first; empty where nothing was measured."""
    found: dict[str, list[tuple[int, int]]] = {}
    for need in load():
        value = getattr(need, field)
        if (need.workload, need.phase, need.precision) == (workload, phase, precision) and value is not None:
            found.setdefault(need.framework, []).append((need.batch_size, value))
    amounts = {
        framework: _on_the_line(points, batch_size)
        for framework, points in found.items()
        if len(points) > 1 or batch_size <= points[0][0]
    }
    return dict(sorted(amounts.items(), key=lambda item: item[1]))


def _on_the_line(points: list[tuple[int, int]], batch_size: int) -> int:
    """The need at a batch size, by the measured points next to it; a need never falls below the smallest measured."""
    points = sorted(points)
    if len(points) == 1:
        return points[0][1]
    above = next((n for n, (size, _) in enumerate(points) if size >= batch_size), len(points) - 1)
    (x1, y1), (x2, y2) = points[max(above, 1) - 1], points[max(above, 1)]
    return max(round(y1 + (y2 - y1) * (batch_size - x1) / (x2 - x1)), points[0][1])


def judge(
    facts: Mapping[str, Any],
    workload: str,
    phase: str,
    precision: str,
    batch_size: int,
    ignore: Collection[str] = (),
) -> WorkloadResult:
    """Judge what is free now, on the machine of `hwprobe.collect`, against what the workload needs.

    Its disks must hold one called TEMPORARY_FILES, which is judged. No tolerance: what is free is not a nominal size.
    Raises KeyError without that disk, and for a workload that is not in the table.
    """
    pixels = image_size(workload)
    if pixels is None:
        raise KeyError(workload)
    ram = per_framework(workload, phase, precision, batch_size)
    vram = per_framework(workload, phase, precision, batch_size, "vram_bytes")
    disk = per_framework(workload, VERIFICATION, "float64", 1, "disk_bytes")
    checks = [
        _check("ram", facts["memory"]["available"], ram, "close other programs, or take a smaller batch"),
        _vram(facts["gpu"], vram),
        _check("disk", facts["disk"][TEMPORARY_FILES]["free"], disk, "name another folder in TMPDIR"),
    ]
    checks = [skipped(check) if check["check"] in ignore else check for check in checks]
    return {
        "workload": workload,
        "phase": phase,
        "precision": precision,
        "image_size": pixels,
        "batch_size": batch_size,
        "ram_bytes": ram,
        "verdict": worst(checks),
        "checks": checks,
    }


def _vram(gpu: Mapping[str, Any], needs: Mapping[str, int]) -> CheckResult:
    if gpu["count"]["value"] == 0:
        return _row("vram", gpu["vram"], None, "skipped", "no GPU: it runs on the CPU", None)
    free = [device.get("vram_free", device["vram"]) for device in gpu["devices"]]
    known = [fact for fact in free if fact["value"] is not None]
    best = max(known, key=lambda fact: fact["value"]) if known else gpu["vram"]
    return _check("vram", best, needs, "end what else uses the GPU, or take a smaller batch")


def _check(name: str, free: Fact, needs: Mapping[str, int], remedy: str) -> CheckResult:
    """Pass if it is enough for every framework, warn if only for some."""
    if not needs:
        return _row(name, free, None, "unknown", "never measured", f"measure it: {COMMAND}")
    required, value = max(needs.values()), free["value"]
    if not isinstance(value, int):
        return _row(name, free, required, "unknown", free["reason"], None)
    if value >= required:
        return _row(name, free, required, "pass", None, None)
    fits = [framework for framework, need in needs.items() if need <= value]
    if fits:
        return _row(name, free, required, "warn", f"enough only for {', '.join(fits)}", remedy)
    return _row(name, free, required, "fail", f"the least is {min(needs, key=lambda name: needs[name])}'s", remedy)


def _row(
    name: str, free: Fact, required: int | None, verdict: str, reason: str | None, remedy: str | None
) -> CheckResult:
    measured = free["value"] if isinstance(free["value"], int) else None
    return CheckResult(
        check=name,
        verdict=verdict,
        measured=measured,
        required=required,
        unit="bytes",
        source=f"{free['source']}; {TABLE.name}",
        reason=reason,
        remedy=remedy,
    )
