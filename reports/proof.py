"""What stands behind the figures: certificates, failures and exclusions, how it was measured, the manifest."""

import json
from dataclasses import dataclass
from typing import Any

import pandas as pd

from reports import formats
from reports.asv_file import outside
from reports.certificates import MISSING, Certificate, Check, Program
from reports.load import Run
from reports.names import (
    KERNELS,
    framework_class,
    framework_order,
    framework_title,
    phase_title,
    program_order,
    program_title,
    size_title,
)
from reports.tables import records

DTYPES = ("float64", "float32")
# Shown in places of their own, or long and of no use to a reader.
ELSEWHERE = ("certificates", "failures", "curves", "readiness", "kernels", "stage_conditions")


@dataclass(frozen=True)
class Proof:
    """One program's certificate; `worst`: (error with its tolerance, tensor) for each of DTYPES."""

    framework: str
    mode: str
    css: str
    certificate: Certificate
    worst: tuple[tuple[str, str], ...]
    checks: tuple[tuple[Check, int], ...]  # the worst of each name and dtype, and of how many tensors


@dataclass(frozen=True)
class WorkloadProof:
    workload: str
    is_kernel: bool
    proofs: tuple[Proof, ...]
    worst: tuple[str, ...]  # for each of DTYPES: the largest error of all programs, with its tolerance

    @property
    def passed(self) -> int:
        return sum(proof.certificate.status == "passed" for proof in self.proofs)

    @property
    def is_brief(self) -> bool:
        """Whether one line says enough: there are hundreds of kernels."""
        return self.is_kernel and self.passed == len(self.proofs)


@dataclass(frozen=True)
class Exclusion:
    """Programs without a figure for one and the same reason, each with where that is so."""

    status: str
    reason: str
    programs: tuple[tuple[str, tuple[str, ...]], ...]


def workload_proofs(frame: pd.DataFrame, proofs: dict[Program, Certificate]) -> list[WorkloadProof]:
    """The certificates of everything that has a figure, and of what else was verified; models first."""
    timed = {(row["workload"], row["framework"], row["mode"]) for row in records(frame[frame["status"] == "ok"])}
    kernels = {row["workload"] for row in records(frame[frame["suite"] == KERNELS])}
    programs = timed | proofs.keys()
    workloads = sorted({program[0] for program in programs}, key=lambda name: (name in kernels, name))
    own: dict[str, list[Program]] = {}
    for program in programs:
        own.setdefault(program[0], []).append(program)
    return [_workload_proof(name, name in kernels, own[name], proofs) for name in workloads]


def exclusions(frame: pd.DataFrame, run: Run) -> list[Exclusion]:
    """Everything without a figure, failures first, then what was left out, grouped by reason and program."""
    groups: dict[tuple[str, str], dict[str, dict[str, None]]] = {}
    for row in records(frame[frame["status"] != "ok"]):
        program = program_title(row["framework"], row["mode"])
        suite = row["suite"] if row["suite"] == KERNELS else row["workload"]
        parts = [suite, phase_title(row["phase"], row["suite"]).lower(), size_title(row["size"])]
        where = ", ".join(part for part in parts if part)
        groups.setdefault((row["status"], row["reason"]), {}).setdefault(program, {})[where] = None
    if run.untried:
        groups.setdefault(("n/a", outside(run.manifest)), {})["whole workloads"] = dict.fromkeys(run.untried)
    return [
        Exclusion(status, reason, tuple((program, tuple(wheres)) for program, wheres in programs.items()))
        for (status, reason), programs in sorted(groups.items())
    ]


def failures(run: Run) -> list[dict[str, str]]:
    """Recorded failures with what the process said last; what was not to be measured is no failure."""
    found = []
    for failure in run.manifest["failures"]:
        if failure["kind"] == "n/a":
            continue
        stderr = failure.get("stderr")
        parts = [failure["workload"], framework_title(failure["framework"]), failure["mode"], failure["size"]]
        where = ", ".join(part for part in (*parts, failure["phase"]) if part)
        said = "\n".join(str(text) for text in stderr) if isinstance(stderr, list) else str(stderr or "")
        found.append({"where": where, "what": f"{failure['kind']}: {failure['message']}", "stderr": said})
    return found


def settings(run: Run) -> list[tuple[str, str]]:
    """What was set for the measurement, as (name, value)."""
    manifest = run.manifest
    rows = [("profile", run.profile), ("threads", manifest["threads"]), ("precision", manifest["precision"])]
    rows += [(str(key), value) for key, value in manifest["profile"].items() if key != "name"]
    for name in sorted(manifest["frameworks"], key=framework_order):
        entry = manifest["frameworks"][name]
        text = entry.get("reason") or f"device {entry.get('device')}, layout {entry.get('layout')}"
        rows.append((framework_title(name), text))
    advice = manifest["conditions"].get("advice")
    states = [one.get("reason") for one in advice if isinstance(one, dict)] if isinstance(advice, list) else []
    rows += [("state of the machine", "; ".join(map(str, states)))] if states else []
    return [(name, _plain(value)) for name, value in rows]


def manifest_text(run: Run) -> str:
    """The manifest as indented JSON, without what the page shows in places of its own."""
    shown = {key: value for key, value in run.manifest.items() if key not in ELSEWHERE}
    return json.dumps(shown, indent=2, sort_keys=True, ensure_ascii=False)


def _workload_proof(
    workload: str, is_kernel: bool, programs: list[Program], proofs: dict[Program, Certificate]
) -> WorkloadProof:
    ordered = sorted(programs, key=lambda program: program_order(*program[1:]))
    found = tuple(_proof(program, proofs.get(program, MISSING)) for program in ordered)
    worst = []
    for dtype in DTYPES:
        checks = [check for proof in found if (check := proof.certificate.worst(dtype))]
        worst.append(_with_tolerance(max(checks, key=lambda check: check.error)) if checks else "none")
    return WorkloadProof(workload, is_kernel, found, tuple(worst))


def _proof(program: Program, certificate: Certificate) -> Proof:
    _, framework, mode = program
    worst = [certificate.worst(dtype) for dtype in DTYPES]
    groups: dict[tuple[str, str], list[Check]] = {}
    for check in certificate.checks:
        groups.setdefault((check.name, check.dtype), []).append(check)
    return Proof(
        framework=framework_title(framework),
        mode=mode,
        css=framework_class(framework),
        certificate=certificate,
        worst=tuple(
            (_with_tolerance(check), f"{check.name}: {check.tensor}") if check else ("none", "") for check in worst
        ),
        checks=tuple(
            (Certificate("passed", "", "", "", tuple(same)).worst(key[1]) or same[0], len(same))
            for key, same in groups.items()
        ),
    )


def _with_tolerance(check: Check) -> str:
    return f"{formats.error(check.error)} (tolerance {formats.error(check.tolerance)})"


def _plain(value: Any) -> str:
    if isinstance(value, dict):
        return "; ".join(f"{key}: {_plain(entry)}" for key, entry in value.items())
    if isinstance(value, list):
        return ", ".join(_plain(entry) for entry in value)
    return "not recorded" if value in (None, "") else str(value)
