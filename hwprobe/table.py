"""Facts, verdicts and ceilings as tables for people: 80 columns wide unless told otherwise, plain text when piped."""

from collections.abc import Iterable, Mapping
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from hwprobe.facts import Fact
from hwprobe.readiness import GB, GIB, CheckResult, Readiness

_LABELS = {"cores": "CPU cores", "vram": "GPU memory", "ram": "RAM", "disk": "Disk"}
_STYLES = {"pass": "green", "warn": "yellow", "fail": "bold red", "unknown": "magenta", "skipped": "dim"}


def show(facts: Mapping[str, Any], fingerprint: str, readiness: Readiness, console: Console | None = None) -> None:
    """Print what was found, a row per check, why and what to do, and the verdict of each tier."""
    console = console or Console(highlight=False)
    console.print(_found(facts, fingerprint))
    console.print(_checks(readiness))
    console.print(_remedies(readiness))
    console.print()
    for tier, result in readiness["tiers"].items():
        console.print(_verdict(tier, result["checks"]))
    if readiness["forced"]:
        console.print(Text(f"Not judged, as asked: {', '.join(readiness['forced'])}."))


def show_ceilings(ceilings: Mapping[str, Any], console: Console | None = None) -> None:
    """Print the rates that were measured, how, when, what could not be measured and what spoiled it."""
    console = console or Console(highlight=False)
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, collapse_padding=True)
    for name in ("Framework", "Device", "Ceiling", "Size"):
        table.add_column(name)
    for name in ("Best", "Median", "Spread"):
        table.add_column(name, justify="right")
    for row in ceilings["gemm"]:
        table.add_row(*_place(row), f"GEMM {row['dtype']}", f"{row['size']}", *_rates(row, "flops_per_s", "GFLOP/s"))
    for row in ceilings["bandwidth"]:
        table.add_row(*_place(row), "memory", f"{row['array_bytes'] >> 20} MiB", *_rates(row, "bytes_per_s", "GB/s"))
    for row in ceilings["copy"]:
        size = f"{row['array_bytes'] >> 20} MiB"
        table.add_row(*_place(row), row["direction"], size, *_rates(row, "bytes_per_s", "GB/s"))
    console.print(table)
    day, threads = ceilings["measured_at"].partition("T")[0], ceilings["threads"]
    lines = [
        f"Ceilings: measured {day}, {threads} {'thread' if threads == 1 else 'threads'}; spread: quartiles / median.",
        "GEMM: C = A B, n x n matrices, 2 n^3 FLOPs.",
        *dict.fromkeys(f"Memory: {row['operation']}, {row['convention']}." for row in ceilings["bandwidth"]),
        *([_disk_speed(ceilings["disk"])] if ceilings["disk"] else []),
        *(f"n/a: {failure['framework']}, {failure['message']}." for failure in ceilings["failures"]),
        *(f"Tainted: {taint['reason']}." for taint in ceilings["taints"]),
    ]
    for line in lines:
        console.print(Text(line))


def _disk_speed(disk: Mapping[str, Any]) -> str:
    if disk["kind"] is None:
        return f"Disk: unknown, {disk['reason']}."
    return f"Disk: reads like a {disk['kind']}; {disk['latency_s'] * 1e3:.2f} ms to find 4 KiB."


def _place(row: Mapping[str, Any]) -> tuple[str, str]:
    return row["framework"], row["device"]


def _rates(row: Mapping[str, Any], name: str, unit: str) -> tuple[str, str, str]:
    spread = (row["high"] - row["low"]) / row["median"]
    return f"{_rate(row[name])} {unit}", _rate(row["median"]), f"{spread:.1%}"


def _rate(rate: float) -> str:
    """In 10^9 a second, with three digits or more."""
    billions = rate / 1e9
    return f"{billions:.0f}" if billions >= 100 else f"{billions:.3g}"


def _found(facts: Mapping[str, Any], fingerprint: str) -> Table:
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True, style="bold")
    table.add_column(overflow="fold")
    software = facts["software"]
    rows = [("CPU", _cpu(facts["cpu"])), ("RAM", _ram(facts["memory"])), *_gpus(facts["gpu"])]
    rows += [("Disk", f"{_disk(disk)} ({label})") for label, disk in facts["disk"].items()]
    rows += [("System", ", ".join(_text(software[name]) for name in ("os", "kernel", "python")))]
    packages = ("torch", "tensorflow", "keras", "jax", "numpy")
    rows += [("Packages", ", ".join(f"{name} {_text(software[name])}" for name in packages))]
    for name, text in [*rows, ("Fingerprint", fingerprint)]:
        table.add_row(name, Text(text))
    return table


def _cpu(cpu: Mapping[str, Fact]) -> str:
    quota = "" if cpu["quota"]["value"] is None else f", quota {cpu['quota']['value']:g} CPUs"
    counts = f"{_text(cpu['physical'])} cores, {_text(cpu['logical'])} threads{quota}; usable: {_text(cpu['usable'])}"
    return f"{_text(cpu['model'])}; {counts}"


def _ram(memory: Mapping[str, Fact]) -> str:
    limit = "" if memory["limit"]["value"] is None else f", limited to {size(memory['limit'], GIB)}"
    return f"{size(memory['total'], GIB)}{limit}; {size(memory['available'], GIB)} available"


def _gpus(gpu: Mapping[str, Any]) -> list[tuple[str, str]]:
    if not gpu["devices"]:
        return [("GPU", "no NVIDIA GPU found" if gpu["count"]["value"] == 0 else f"unknown ({gpu['count']['reason']})")]
    driver = f"driver {_text(gpu['driver'])}, CUDA {_text(gpu['cuda'])}"
    return [("GPU", f"{_text(d['name'])}; {size(d['vram'], GIB)}; {driver}") for d in gpu["devices"]]


def _disk(disk: Mapping[str, Fact]) -> str:
    kind = disk["kind"]["value"] or "kind unknown"
    return f"{size(disk['size'], GB)}, {kind}, {_text(disk['filesystem'])}; {size(disk['free'], GB)} free"


def _checks(readiness: Readiness) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for name in ("Check", "Found", *(tier.capitalize() for tier in readiness["tiers"])):
        table.add_column(name)
    for rows in _rows(readiness):
        table.add_row(_LABELS[rows[0]["check"]], _amount(rows[0]["check"], rows[0]["measured"]), *map(_cell, rows))
    return table


def _remedies(readiness: Readiness) -> Table:
    """Below the table and not in it: sentences need the width."""
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True, style="bold")
    table.add_column()
    for rows in _rows(readiness):
        if advice := _advice(rows):
            table.add_row(_LABELS[rows[0]["check"]], Text(advice))
    return table


def _rows(readiness: Readiness) -> Iterable[tuple[CheckResult, ...]]:
    """Per check its result in each tier."""
    return zip(*(result["checks"] for result in readiness["tiers"].values()), strict=True)


def _cell(row: CheckResult) -> Text:
    asked = _amount(row["check"], row["required"])
    return Text.assemble((row["verdict"], _STYLES[row["verdict"]]), f" ({asked})")


def _advice(rows: tuple[CheckResult, ...]) -> str:
    """For the first tier that is not met: who meets that one reads on about the next."""
    row = next((row for row in rows if row["remedy"]), rows[0])
    text = "; ".join(part for part in (row["reason"], row["remedy"]) if part)
    return text[:1].upper() + text[1:] + "." if text else ""


def _verdict(tier: str, rows: list[CheckResult]) -> Text:
    missed = [_LABELS[row["check"]] for row in rows if row["verdict"] == "fail"]
    open_ = [_LABELS[row["check"]] for row in rows if row["verdict"] == "unknown"]
    text = f"not met ({', '.join(missed)})" if missed else "unknown" if open_ else "met"
    text += f"; cannot be judged: {', '.join(open_)}" if open_ else ""
    return Text.assemble((f"{tier.capitalize()} tier: ", "bold"), (text, _STYLES["fail" if missed else "pass"]), ".")


def _amount(check: str, value: float | None) -> str:
    if value is None:
        return "unknown"
    if check == "cores" or value == 0:
        return f"{value:g}" if value else "none"
    unit, name = (GB, "GB") if check == "disk" else (GIB, "GiB")
    return f"{value / unit:.3g} {name}"


def size(fact: Fact, unit: int) -> str:
    """Bytes as GiB or GB; "unknown" where they are."""
    if not isinstance(fact["value"], int | float):
        return "unknown"
    return f"{fact['value'] / unit:.1f} {'GB' if unit == GB else 'GiB'}"


def _text(fact: Fact) -> str:
    return str(fact["value"]) if fact["value"] is not None else str(fact["reason"])
