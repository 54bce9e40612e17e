"""What `evenbench workloads` lists."""

import sys
import tomllib
from pathlib import Path
from typing import Any

import impls

MEMORY = Path(__file__).with_name("memory_need.toml")


def rows() -> list[dict[str, Any]]:
    """One row a workload, in counts and bytes; memory is None where it was not measured."""
    memory = tomllib.loads(MEMORY.read_text())
    return [
        {
            "name": workload.name,
            "kind": workload.kind,
            "named": workload.kind == "model" or workload.name in impls.NAMED_KERNELS,
            "title": workload.title,
            "parameters": workload.parameters(),
            "macs": sum(workload.macs()),
            "memory": {phase: memory[phase].get(workload.name) for phase in ("inference", "training")},
        }
        for workload in impls.WORKLOADS.values()
    ]


def show(found: list[dict[str, Any]]) -> None:
    """The rows as a table, those with names of their own."""
    from rich.console import Console
    from rich.table import Table

    table = Table(
        caption="a model: the paper's image size and classes, batch 1 (training: 32 px, batch 32, 10 classes)"
    )
    for column, justify in (("Workload", "left"), ("Parameters", "right"), ("MACs", "right")):
        table.add_column(column, justify=justify)  # type: ignore[arg-type]
    for phase in ("inference", "training"):
        table.add_column(f"Memory, {phase}", justify="right")
    for row in (row for row in found if row["named"]):
        memory = [_bytes(row["memory"][phase]) for phase in ("inference", "training")]
        table.add_row(row["name"], f"{row['parameters']:,}", f"{row['macs']:,}", *memory)
    console = Console(width=None if sys.stdout.isatty() else 120)
    console.print(table)
    unnamed = sum(not row["named"] for row in found)
    console.print(f"and {unnamed} kernels more (the models' layers, DeepBench's, sweeps); --json lists all")


def _bytes(value: int | None) -> str:
    return "not measured" if value is None else f"{value / 2**20:,.0f} MiB"
