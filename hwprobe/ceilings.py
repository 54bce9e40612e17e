"""The rates that this machine really reaches: matrix products in FLOP/s and passes through memory in bytes/s.

A ceiling is what a framework achieves at its easiest work, not the peak of a datasheet: a program's own rate is held
against it. Each framework runs in a process of its own (hwprobe/ceilings_worker.py), which alone imports it.
"""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import hwprobe
from hwprobe import conditions, disk_speed
from hwprobe.ceilings_worker import BUDGET_S
from hwprobe.files import one_line
from hwprobe.fingerprint import fingerprint

PACKAGES = {"pytorch": "torch", "tensorflow": "tensorflow", "jax": "jax"}  # framework -> its name in the facts
DTYPES = ("float32", "float64", "bfloat16")
PATIENCE_S = 120  # for a framework's import, its compilers and a machine that is busy; besides the budgets
KEPT_FOR = timedelta(days=7)
_KEYS = {"schema_version", "measured_at", "threads", "fingerprint", "versions", "dtypes"}
_KEYS |= {"gemm", "bandwidth", "copy", "disk", "failures", "taints"}


def measure(
    threads: int,
    frameworks: Sequence[str] | None = None,
    dtypes: Sequence[str] = ("float32",),
    budget_s: float = BUDGET_S,
    python: str = sys.executable,
    folder: str | os.PathLike[str] | None = None,
) -> dict[str, Any]:
    """Measure these frameworks (default: all), each with so many threads, for about `budget_s` per dtype and operation.

    Returns, ready for JSON: `gemm` (C = A B, n x n, 2 n^3 FLOPs), `bandwidth` (a = b + 3 c, as STREAM's triad counts
    it), `copy` (between RAM and a GPU, both ways), `disk` (its class), `failures` (what could not be measured, and
    why), `taints` (what spoiled it), and where and when it was done. Rates are the best run's; `low` and `high` are the
    quartiles. Reads no cache.

    python: the interpreter that has the frameworks; another one's versions are not known. folder: whose disk is read,
    if one is named.
    Raises ValueError for a framework that is not in PACKAGES.
    """
    names = list(PACKAGES) if frameworks is None else list(frameworks)
    if strangers := [name for name in names if name not in PACKAGES]:
        raise ValueError(f"no such framework: {', '.join(strangers)} (there are {', '.join(PACKAGES)})")
    facts = hwprobe.collect()
    here = python == sys.executable
    versions = {name: _versions(facts)[name] if here else None for name in names}
    rows: dict[str, list[dict[str, Any]]] = {"gemm": [], "bandwidth": [], "copy": [], "failures": []}
    before = conditions.collect()
    for framework, version in versions.items():
        if version is None and here:
            rows["failures"].append({"framework": framework, "message": "not installed"})
            continue
        for kind, row in _in_a_process(framework, threads, dtypes, budget_s, python):
            rows[kind].append({"framework": framework, **row})
    return {
        "schema_version": hwprobe.SCHEMA_VERSION,
        "measured_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "threads": threads,
        "fingerprint": fingerprint(facts)["id"],
        "versions": versions,
        "dtypes": list(dtypes),
        **rows,
        "disk": None if folder is None else disk_speed.measure(folder),
        "taints": [dict(taint) for taint in conditions.compare(before, conditions.collect())],
    }


def peak_flops(ceilings: Mapping[str, Any], dtype: str) -> dict[str, Any] | None:
    """The fastest framework's row of `gemm` for this dtype; None where none was measured."""
    rows = [row for row in ceilings["gemm"] if row["dtype"] == dtype]
    return max(rows, key=lambda row: row["flops_per_s"], default=None)


def peak_bandwidth(ceilings: Mapping[str, Any]) -> dict[str, Any] | None:
    """The fastest framework's row of `bandwidth`; None where none was measured."""
    return max(ceilings["bandwidth"], key=lambda row: row["bytes_per_s"], default=None)


# --- what was measured is kept --------------------------------------------------------------------------------------


def kept(facts: Mapping[str, Any], threads: int, dtypes: Sequence[str] = DTYPES) -> dict[str, Any] | None:
    """What `save` kept, if it still holds: same machine, threads, dtypes and versions, clean, younger than a week."""
    machine = fingerprint(facts)["id"]
    ceilings = load(path_of(machine, threads))
    if ceilings is None or ceilings["taints"]:
        return None
    same = {
        "schema_version": hwprobe.SCHEMA_VERSION,
        "threads": threads,
        "fingerprint": machine,
        "versions": _versions(facts),
        "dtypes": list(dtypes),
    }
    try:
        age = datetime.now(UTC) - datetime.fromisoformat(ceilings["measured_at"])
    except (TypeError, ValueError):  # no date, or one without its time zone
        return None
    is_recent = timedelta(0) <= age < KEPT_FOR
    return ceilings if is_recent and all(ceilings[key] == value for key, value in same.items()) else None


def path_of(fingerprint_id: str, threads: int) -> Path:
    """The file in the user's cache folder that keeps the ceilings of this machine with so many threads."""
    folder = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return folder / "evenbench" / "ceilings" / f"{fingerprint_id}-{threads}.json"


def load(path: Path) -> dict[str, Any] | None:
    """What the file keeps; None where it is missing or broken."""
    try:
        ceilings = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return None
    return ceilings if isinstance(ceilings, dict) and ceilings.keys() >= _KEYS else None


def save(path: Path, ceilings: Mapping[str, Any]) -> None:
    """Replace the file at once: nobody reads half of it. Raises OSError where the folder cannot be written."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        temporary.write_text(json.dumps(ceilings, indent=1, allow_nan=False), encoding="utf-8")
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def _versions(facts: Mapping[str, Any]) -> dict[str, str | None]:
    return {framework: facts["software"][package]["value"] for framework, package in PACKAGES.items()}


# --- a process for each framework -----------------------------------------------------------------------------------


def _in_a_process(
    framework: str, threads: int, dtypes: Sequence[str], budget_s: float, python: str = sys.executable
) -> Iterator[tuple[str, dict[str, Any]]]:
    """(kind, row) for all that the framework's process told before it ended, however it did."""
    command = [python, "-m", "hwprobe.ceilings_worker", framework, str(threads), str(budget_s), *dtypes]
    variables = {**os.environ, "OMP_NUM_THREADS": str(threads), "TF_CPP_MIN_LOG_LEVEL": "2"}
    timeout = PATIENCE_S + 20 * budget_s * (len(dtypes) + 1)
    with subprocess.Popen(
        command,
        cwd=Path(__file__).parents[1],
        env=variables,
        text=True,
        errors="replace",
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        try:
            answers, errors = process.communicate(timeout=timeout)
            death = _death(process.returncode, errors)
        except subprocess.TimeoutExpired:
            process.kill()
            answers, errors = process.communicate()
            death = f"not done after {timeout:.0f} s"
    for line in answers.splitlines():
        kind, row = json.loads(line)
        yield kind, row
    if death:
        yield "failures", {"message": death}


def _death(code: int, errors: str) -> str | None:
    """Why a process ended, in one line; None if all went well."""
    if code < 0:
        return f"the process was ended by {signal.Signals(-code).name}"
    return (one_line(errors.strip().rpartition("\n")[2]) or f"exit code {code}") if code else None
