"""The tables that benchmarks usually publish without saying how: here with intervals, the setting and the command."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pandas as pd

from reports import cells, formats
from reports.cells import Cell, Line
from reports.load import Run
from reports.metrics import BY_KEY
from reports.names import program_order, size_title
from reports.tables import Row, records


@dataclass(frozen=True)
class Familiar:
    """One such table: a column for each metric of one phase. suite: whose workloads, '' for all models."""

    title: str
    suite: str
    phase: str
    metrics: tuple[str, ...]
    command: str


FAMILIAR = (
    Familiar(
        "Accuracy of classification models",
        "classification",
        "Accuracy",
        ("accuracy_top1", "accuracy_precision", "accuracy_recall", "accuracy_f1"),
        "evenbench run --bench classification.Accuracy",
    ),
    Familiar(
        "Training time of segmentation models",
        "segmentation",
        "Fit",
        ("fit_seconds", "fit_epoch", "fit_quality"),
        "evenbench run --profile standard --bench segmentation.Fit",
    ),
    Familiar(
        "Inference time of detection models",
        "detection",
        "Inference",
        ("inference_latency", "inference_throughput"),
        "evenbench run --profile standard --bench detection.Inference",
    ),
    Familiar("Memory of inference", "", "Inference", ("inference_peak_memory",), "evenbench run --bench Inference"),
    Familiar("Memory of training", "", "Training", ("training_peak_memory",), "evenbench run --bench Training"),
)


@dataclass(frozen=True)
class Rows:
    """A table's lines of one workload at one size, and how they were made."""

    workload: str
    setting: str
    lines: tuple[Line, ...]


@dataclass(frozen=True)
class Table:
    """What there is to show; no rows: the command makes them."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[Rows, ...]
    command: str


def familiar_tables(frame: pd.DataFrame, run: Run) -> list[Table]:
    """All of them."""
    return [_table(familiar, frame, run) for familiar in FAMILIAR]


def _table(familiar: Familiar, frame: pd.DataFrame, run: Run) -> Table:
    chosen = frame[frame["metric"].isin(familiar.metrics) & (frame["status"] == "ok")]
    if familiar.suite:
        chosen = chosen[chosen["suite"] == familiar.suite]
    groups: dict[tuple[str, str], dict[tuple[str, str], dict[str, Row]]] = {}
    for row in records(chosen):
        programs = groups.setdefault((row["workload"], row["size"]), {})
        programs.setdefault((row["framework"], row["mode"]), {})[row["metric"]] = row
    found = []
    for (workload, size), programs in sorted(groups.items()):
        ordered = sorted(programs, key=lambda program: program_order(*program))
        lines = [_line(program, programs[program], familiar.metrics) for program in ordered]
        found.append(Rows(workload, _setting(familiar.phase, workload, size, run), tuple(lines)))
    columns = tuple(BY_KEY[metric].title for metric in familiar.metrics)
    return Table(familiar.title, columns, tuple(found), familiar.command)


def _line(program: tuple[str, str], figures: dict[str, Row], metrics: tuple[str, ...]) -> Line:
    found: tuple[Cell, ...] = tuple(cells.figure(figures.get(metric)) for metric in metrics)
    return cells.line(*program, found, list(figures.values()))


def _setting(phase: str, workload: str, size: str, run: Run) -> str:
    """As in "64 px, batch_size 16, composed_digits_masks, width 0.25, 240 steps" for what is learned."""
    recipes = run.manifest["profile"].get("recipes")
    recipe = recipes.get(workload) if isinstance(recipes, dict) else None
    parts = [size_title(size)]
    if phase in ("Fit", "Accuracy") and isinstance(recipe, dict):
        told: tuple[tuple[str, Callable[[Any], str]], ...] = (
            ("data", str),
            ("width", lambda width: f"width {width}"),
            ("steps", lambda steps: f"{steps} steps"),
        )
        parts += [say(recipe[key]) for key, say in told if key in recipe]
    return ", ".join(part for part in parts if part) or formats.UNKNOWN
