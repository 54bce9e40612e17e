"""The rates that this machine really reaches: matrix products in FLOP/s and passes through memory in bytes/s.

A ceiling is what a framework achieves at its easiest work, not the peak of a datasheet: a program's own rate is held
against it. Each framework runs in a process of its own (python -m hwprobe.ceilings), which alone imports it, through
its hwprobe/ceilings_<framework>.py; all of these have the same functions.
"""

import json
import os
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from importlib import import_module
from pathlib import Path
from typing import Any

import hwprobe
from hwprobe import conditions, memory
from hwprobe.files import clean, names_in, read_int, read_text
from hwprobe.fingerprint import fingerprint

PACKAGES = {"pytorch": "torch", "tensorflow": "tensorflow", "jax": "jax"}  # framework -> its name in the facts
DTYPES = ("float32", "float64", "bfloat16")
SMALLEST, LARGEST = 256, 8192  # n of the n x n matrices; 8192 keeps a large GPU busy and fits a small one
RUNS = 3  # at least
PATIENCE_S = 120  # for a framework's import, its compilers and a machine that is busy; besides the budgets
KEPT_FOR = timedelta(days=7)
# Of each of the three arrays: four times the largest cache of a GPU, and of a CPU whose virtual machine hides it.
ARRAY_BYTES = 512 << 20
BYTES_PER_ELEMENT = 12  # three of float32; that a CPU may also read what it is about to write is not counted
CONVENTION = f"two arrays read, one written: {BYTES_PER_ELEMENT} bytes an element"
_CPU = "/sys/devices/system/cpu"
_KEYS = {"schema_version", "measured_at", "threads", "fingerprint", "versions", "dtypes"}
_KEYS |= {"gemm", "bandwidth", "failures", "taints"}


def measure(
    threads: int,
    frameworks: Sequence[str] | None = None,
    dtypes: Sequence[str] = ("float32",),
    budget_s: float = 1.5,
    python: str = sys.executable,
) -> dict[str, Any]:
    """Measure these frameworks (default: all), each with so many threads, for about `budget_s` per dtype and operation.

    Returns, ready for JSON: `gemm` (C = A B, n x n, 2 n^3 FLOPs), `bandwidth` (a = b + 3 c, as STREAM's triad counts
    it), `failures` (what could not be measured, and why), `taints` (what spoiled it), and where and when it was done.
    Rates are the best run's; `low` and `high` are the quartiles. Reads no cache.

    python: the interpreter that has the frameworks; another one's versions are not known.
    Raises ValueError for a framework that is not in PACKAGES.
    """
    names = list(PACKAGES) if frameworks is None else list(frameworks)
    if strangers := [name for name in names if name not in PACKAGES]:
        raise ValueError(f"no such framework: {', '.join(strangers)} (there are {', '.join(PACKAGES)})")
    facts = hwprobe.collect()
    here = python == sys.executable
    versions = {name: _versions(facts)[name] if here else None for name in names}
    rows: dict[str, list[dict[str, Any]]] = {"gemm": [], "bandwidth": [], "failures": []}
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


# --- the process that measures one framework ------------------------------------------------------------------------


def _in_a_process(
    framework: str, threads: int, dtypes: Sequence[str], budget_s: float, python: str = sys.executable
) -> Iterator[tuple[str, dict[str, Any]]]:
    """(kind, row) for all that the framework's process told before it ended, however it did."""
    command = [python, "-m", "hwprobe.ceilings", framework, str(threads), str(budget_s), *dtypes]
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
    return (_one_line(errors.strip().rpartition("\n")[2]) or f"exit code {code}") if code else None


def _one_line(text: str) -> str:
    """Of an error's text, without the home folder: its name may be a person's."""
    return clean(text.replace(str(Path.home()), "~")) or ""


def main(framework: str, threads: str, budget_s: str, *dtypes: str) -> None:
    """Measure one framework; print a JSON line [kind, row] as soon as each is known."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what a library prints must not stand between the answers
    twin = import_module(f"hwprobe.ceilings_{framework}")
    twin.configure(int(threads))
    for name in (*dtypes, "memory"):
        try:
            kind = "bandwidth" if name == "memory" else "gemm"
            row = _bandwidth(twin, float(budget_s)) if name == "memory" else _gemm(twin, name, float(budget_s))
        except Exception as error:  # whatever a framework raises for what it cannot do; the rest goes on
            kind, row = "failures", {"message": _one_line(f"{name}: {type(error).__name__}: {error}")}
        print(json.dumps([kind, row]), file=answers, flush=True)


def _gemm(twin: Any, dtype: str, budget_s: float) -> dict[str, Any]:
    """Double n while the next size still fits: without hardware for it, a small type can be 800 times slower."""
    size = SMALLEST
    call = twin.gemm(dtype, size)
    while size < LARGEST and 8 * RUNS * min(_seconds(call, 0)) <= budget_s:
        size *= 2
        call = twin.gemm(dtype, size)
    rates = _rates("flops_per_s", 2 * size**3, _seconds(call, budget_s))
    return {"device": twin.device(), "dtype": dtype, "size": size, **rates}


def _bandwidth(twin: Any, budget_s: float) -> dict[str, Any]:
    elements = array_bytes() // 4
    rates = _rates("bytes_per_s", BYTES_PER_ELEMENT * elements, _seconds(twin.triad(elements), budget_s))
    facts = {"device": twin.device(), "operation": "a = b + 3 c", "dtype": "float32"}
    return {**facts, "array_bytes": 4 * elements, "convention": CONVENTION, **rates}


def _seconds(call: Callable[[], Any], budget_s: float) -> list[float]:
    """Of each run until the budget is spent, after one to warm up."""
    call()
    seconds: list[float] = []
    end = time.perf_counter() + budget_s
    while len(seconds) < RUNS or time.perf_counter() < end:
        start = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - start)
    return seconds


def _rates(name: str, amount: int, seconds: Sequence[float]) -> dict[str, Any]:
    rates = [amount / second for second in seconds]
    low, median, high = statistics.quantiles(rates, n=4, method="inclusive")
    return {name: max(rates), "median": median, "low": low, "high": high, "runs": len(rates)}


def array_bytes(root: str = "/") -> int:
    """Of one array: 4 times the last-level cache and at least ARRAY_BYTES, but never above a tenth of the free RAM."""
    wanted = max(ARRAY_BYTES, 4 * cache_bytes(root))
    available = memory.collect(root)["available"]["value"]
    return min(wanted, available // 10) if isinstance(available, int) else wanted


def cache_bytes(root: str = "/") -> int:
    """The last-level cache, all its copies together; 0 where the system shows none."""
    copies: dict[tuple[int, str], int] = {}
    for cpu in (name for name in names_in(_CPU, root) if name[:3] == "cpu" and name[3:].isdigit()):
        for index in names_in(f"{_CPU}/{cpu}/cache", root):
            folder = f"{_CPU}/{cpu}/cache/{index}"
            level, shared = read_int(f"{folder}/level", root), read_text(f"{folder}/shared_cpu_list", root)
            kibibytes = (read_text(f"{folder}/size", root) or "").strip().removesuffix("K")
            if level and shared and kibibytes.isdecimal():
                copies[level, shared] = int(kibibytes) * 1024
    last = max((level for level, _ in copies), default=0)
    return sum(size for (level, _), size in copies.items() if level == last)


if __name__ == "__main__":
    main(*sys.argv[1:])
