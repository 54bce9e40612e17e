"""The metrics: one row each. A new metric is a new row here and a method in the suites."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal


def throughput(latency: float, batch_size: int) -> float:
    """Images a second from seconds a call: derived, never measured a second time."""
    return batch_size / latency


@dataclass(frozen=True)
class Metric:
    """One measured or derived quantity, in SI base units on disk (s, bytes, fraction)."""

    key: str
    suffix: str  # the last two parts of the asv benchmark's name; a derived metric has no benchmark of this name
    title: str
    unit: str
    better: Literal["lower", "higher"]
    source: str = ""  # for a derived metric: the key that it is computed from
    formula: Callable[[float, int], float] | None = None  # (source value, batch_size) -> value

    @property
    def phase(self) -> str:
        return self.suffix.split(".")[0]


def calls(phase: str, latency: str = "Latency") -> tuple[Metric, ...]:
    """What is known of every phase whose calls are timed. latency: its title."""
    key = phase.lower()
    return (
        Metric(f"{key}_latency", f"{phase}.track_latency", latency, "s", "lower"),
        Metric(
            f"{key}_throughput",
            f"{phase}.throughput",
            "Throughput",
            "images/s",
            "higher",
            source=f"{key}_latency",
            formula=throughput,
        ),
        Metric(f"{key}_peak_memory", f"{phase}.track_peak_memory", "Peak RSS increment", "bytes", "lower"),
        Metric(f"{key}_peak_vram", f"{phase}.track_peak_vram", "Peak VRAM", "bytes", "lower"),
    )


METRICS = (
    *calls("Inference"),
    *calls("Boxes"),
    *calls("Training", latency="Step time"),
    Metric("cold_start_import", "ColdStart.track_import", "Import", "s", "lower"),
    Metric("cold_start_build", "ColdStart.track_build", "Build", "s", "lower"),
    Metric("cold_start_first_call", "ColdStart.track_first_call", "First call", "s", "lower"),
    Metric("accuracy_top1", "Accuracy.track_top1", "Top-1", "fraction", "higher"),
    Metric("accuracy_precision", "Accuracy.track_precision", "Precision (macro)", "fraction", "higher"),
    Metric("accuracy_recall", "Accuracy.track_recall", "Recall (macro)", "fraction", "higher"),
    Metric("accuracy_f1", "Accuracy.track_f1", "F1 (macro)", "fraction", "higher"),
    Metric("fit_top1", "Fit.track_top1", "Held-out top-1", "fraction", "higher"),
    Metric("fit_seconds", "Fit.track_seconds", "Training time", "s", "lower"),
)
BY_KEY = {metric.key: metric for metric in METRICS}
BY_SUFFIX = {metric.suffix: metric for metric in METRICS if metric.formula is None}
PHASES = tuple(dict.fromkeys(metric.phase for metric in METRICS))

# The phases in which programs are ranked, and the metric that ranks them.
RANKED = {"Inference": "inference_latency", "Boxes": "boxes_latency", "Training": "training_latency"}
