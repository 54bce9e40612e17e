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


METRICS = (
    Metric("inference_latency", "Inference.track_latency", "Latency", "s", "lower"),
    Metric(
        "inference_throughput",
        "Inference.throughput",
        "Throughput",
        "images/s",
        "higher",
        source="inference_latency",
        formula=throughput,
    ),
    Metric("inference_peak_memory", "Inference.track_peak_memory", "Peak RSS increment", "bytes", "lower"),
    Metric("inference_peak_vram", "Inference.track_peak_vram", "Peak VRAM", "bytes", "lower"),
    Metric("boxes_latency", "Boxes.track_latency", "Latency", "s", "lower"),
    Metric(
        "boxes_throughput",
        "Boxes.throughput",
        "Throughput",
        "images/s",
        "higher",
        source="boxes_latency",
        formula=throughput,
    ),
    Metric("boxes_peak_memory", "Boxes.track_peak_memory", "Peak RSS increment", "bytes", "lower"),
    Metric("boxes_peak_vram", "Boxes.track_peak_vram", "Peak VRAM", "bytes", "lower"),
    Metric("training_latency", "Training.track_latency", "Step time", "s", "lower"),
    Metric(
        "training_throughput",
        "Training.throughput",
        "Throughput",
        "images/s",
        "higher",
        source="training_latency",
        formula=throughput,
    ),
    Metric("training_peak_memory", "Training.track_peak_memory", "Peak RSS increment", "bytes", "lower"),
    Metric("training_peak_vram", "Training.track_peak_vram", "Peak VRAM", "bytes", "lower"),
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
