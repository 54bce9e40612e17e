"""Verdicts, needs and ceilings in words: the lines and cells that the table and the Markdown have in common."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from hwprobe.readiness import GB, GIB, CheckResult, Readiness

LABELS = {"cores": "CPU cores", "vram": "GPU memory", "ram": "RAM", "disk": "Disk"}
WORKLOAD_COLUMNS = ("Check", "Free now", "Needed", "Verdict")
CEILING_COLUMNS = ("Framework", "Device", "Ceiling", "Size", "Best", "Median", "Spread")


def rows(readiness: Readiness) -> Iterable[tuple[CheckResult, ...]]:
    """Per check its result in each tier."""
    return zip(*(result["checks"] for result in readiness["tiers"].values()), strict=True)


def amount(check: str, value: float | None) -> str:
    """What a check measured or asks for."""
    if value is None:
        return "unknown"
    if check == "cores" or value == 0:
        return f"{value:g}" if value else "none"
    unit, name = (GB, "GB") if check == "disk" else (GIB, "GiB")
    return f"{value / unit:.3g} {name}"


def advice(results: Sequence[CheckResult]) -> str:
    """For the first tier that is not met: who meets that one reads on about the next. Empty where all is well."""
    row = next((row for row in results if row["remedy"]), results[0])
    text = "; ".join(part for part in (row["reason"], row["remedy"]) if part)
    return text[:1].upper() + text[1:] + "." if text else ""


def tier_verdict(checks: Sequence[CheckResult]) -> tuple[str, bool]:
    """As in "not met (RAM); cannot be judged: Disk"; and whether nothing is missed."""
    missed = [LABELS[row["check"]] for row in checks if row["verdict"] == "fail"]
    open_ = [LABELS[row["check"]] for row in checks if row["verdict"] == "unknown"]
    text = f"not met ({', '.join(missed)})" if missed else "unknown" if open_ else "met"
    return text + (f"; cannot be judged: {', '.join(open_)}" if open_ else ""), not missed


def forced(readiness: Readiness) -> str:
    """What was not judged; empty where all was."""
    return f"Not judged, as asked: {', '.join(readiness['forced'])}." if readiness["forced"] else ""


def workload_title(result: Mapping[str, Any]) -> str:
    """Which workload was judged (hwprobe.needs.judge)."""
    title = f"{result['workload']}, {result['phase']}, {result['precision']}"
    return f"{title}, {result['image_size']} px, batch_size {result['batch_size']}"


def workload_needs(result: Mapping[str, Any]) -> str:
    """What each framework needs for it."""
    needs = ", ".join(f"{name} {size / GIB:.2f} GiB" for name, size in result["ram_bytes"].items())
    return f"Peak memory of a process: {needs or 'never measured'}."


def ceiling_rows(ceilings: Mapping[str, Any]) -> list[tuple[str, ...]]:
    """A row of CEILING_COLUMNS for each rate."""
    found = [(row, f"GEMM {row['dtype']}", f"{row['size']}", "flops_per_s", "GFLOP/s") for row in ceilings["gemm"]]
    passes = [(row, "memory") for row in ceilings["bandwidth"]] + [(row, row["direction"]) for row in ceilings["copy"]]
    found += [(row, name, f"{row['array_bytes'] >> 20} MiB", "bytes_per_s", "GB/s") for row, name in passes]
    return [
        (row["framework"], row["device"], name, size, *_rates(row, rate, unit)) for row, name, size, rate, unit in found
    ]


def ceiling_notes(ceilings: Mapping[str, Any]) -> list[str]:
    """How and when they were measured, what could not be measured and what spoiled it."""
    day, threads = ceilings["measured_at"].partition("T")[0], ceilings["threads"]
    return [
        f"Ceilings: measured {day}, {threads} {'thread' if threads == 1 else 'threads'}; spread: quartiles / median.",
        "GEMM: C = A B, n x n matrices, 2 n^3 FLOPs.",
        *dict.fromkeys(f"Memory: {row['operation']}, {row['convention']}." for row in ceilings["bandwidth"]),
        *([_disk_speed(ceilings["disk"])] if ceilings["disk"] else []),
        *(f"n/a: {failure['framework']}, {failure['message']}." for failure in ceilings["failures"]),
        *(f"Tainted: {taint['reason']}." for taint in ceilings["taints"]),
    ]


def _disk_speed(disk: Mapping[str, Any]) -> str:
    if disk["kind"] is None:
        return f"Disk: unknown, {disk['reason']}."
    return f"Disk: reads like a {disk['kind']}; {disk['latency_s'] * 1e3:.2f} ms to find 4 KiB."


def _rates(row: Mapping[str, Any], name: str, unit: str) -> tuple[str, str, str]:
    spread = (row["high"] - row["low"]) / row["median"]
    return f"{_rate(row[name])} {unit}", _rate(row["median"]), f"{spread:.1%}"


def _rate(rate: float) -> str:
    """In 10^9 a second, with three digits or more."""
    billions = rate / 1e9
    return f"{billions:.0f}" if billions >= 100 else f"{billions:.3g}"
