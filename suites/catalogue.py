"""What `evenbench workloads` lists."""

import sys
from typing import Any

import impls
from hwprobe import needs

PHASES = {"inference": 1, "training": 8}  # phase -> batch_size of the memory that is listed


def rows() -> list[dict[str, Any]]:
    """One row a workload, in counts and bytes; memory is None where it was not measured."""
    return [
        {
            "name": workload.name,
            "kind": workload.kind,
            "named": workload.kind == "model" or workload.name in impls.NAMED_KERNELS,
            "title": workload.title,
            "parameters": workload.parameters(),
            "macs": sum(workload.macs()),
            "memory": {phase: _memory(workload.name, phase, batch_size) for phase, batch_size in PHASES.items()},
        }
        for workload in impls.WORKLOADS.values()
    ]


def _memory(workload: str, phase: str, batch_size: int) -> int | None:
    return max(needs.per_framework(workload, phase, "float32", batch_size).values(), default=None)


def show(found: list[dict[str, Any]]) -> None:
    """The rows as a table, those with names of their own."""
    from rich import box
    from rich.console import Console
    from rich.table import Table

    table = Table(
        caption="a model: the paper's image size and classes; RAM: the peak of the framework that needs most",
        box=box.SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
        pad_edge=False,
    )
    table.add_column("Workload", overflow="fold")
    for column in ("Parameters", "MACs,\n10^6", *(f"RAM, {phase},\nbatch {n}" for phase, n in PHASES.items())):
        table.add_column(column, justify="right")
    for row in (row for row in found if row["named"]):
        memory = [_bytes(row["memory"][phase], row["kind"]) for phase in PHASES]
        table.add_row(row["name"], f"{row['parameters']:,}", f"{row['macs'] / 1e6:,.1f}", *memory)
    console = Console(width=None if sys.stdout.isatty() else 120)
    console.print(table)
    unnamed = sum(not row["named"] for row in found)
    console.print(f"and {unnamed} kernels more (the models' layers, DeepBench's, sweeps); --json lists all")


def _bytes(value: int | None, kind: str) -> str:
    if value is None:
        return "" if kind == "kernel" else "not measured"
    return f"{value / 2**30:.2f} GiB"
