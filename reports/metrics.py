"""The metrics: one row each. A new metric is a new row here and a method in the suites."""

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Work:
    """What one call does, and the most that its device was measured to do. NaN: unknown."""

    batch_size: float = math.nan
    operations: float = math.nan
    bytes_moved: float = math.nan
    peak: float = math.nan  # FLOP/s
    bandwidth: float = math.nan  # bytes/s

    @property
    def intensity(self) -> float:
        """Arithmetic intensity, FLOP/byte."""
        return self.operations / self.bytes_moved


Formula = Callable[[float, Work], float]  # (latency in seconds, what the call does) -> value; NaN: unknown


def throughput(latency: float, work: Work) -> float:
    """Images a second: derived, as all rates are, never measured a second time."""
    return work.batch_size / latency


def flop_rate(latency: float, work: Work) -> float:
    """Achieved FLOP/s, counting the operations that the definition has, whatever the program really does."""
    return work.operations / latency


def byte_rate(latency: float, work: Work) -> float:
    """Achieved bytes/s, counting the least traffic: each operand read once, each result written once."""
    return work.bytes_moved / latency


def ceiling_share(latency: float, work: Work) -> float:
    """Achieved FLOP/s over the roofline at the call's intensity, min(peak, intensity x bandwidth).

    That is the larger of the shares of both ceilings, and so written it also holds where there is no arithmetic.
    Source: Williams, Waterman and Patterson, "Roofline" (CACM 52, 2009).
    """
    arithmetic = flop_rate(latency, work) / work.peak if work.operations else 0.0
    traffic = byte_rate(latency, work) / work.bandwidth
    return max(arithmetic, traffic) if math.isfinite(arithmetic + traffic) else math.nan


@dataclass(frozen=True)
class Metric:
    """One measured or derived quantity, in SI base units on disk (s, bytes, fraction)."""

    key: str
    suffix: str  # the last two parts of the asv benchmark's name; a derived metric has no benchmark of this name
    title: str
    unit: str
    better: Literal["lower", "higher"]
    source: str = ""  # for a derived metric: the key of the latency that it is computed from
    formula: Formula | None = None
    less: str = ""  # for a difference of two latencies: the key of the one that is taken away from the source

    @property
    def phase(self) -> str:
        return self.suffix.split(".")[0]


@dataclass(frozen=True)
class Rate:
    """What is derived from a latency."""

    name: str
    title: str
    unit: str
    formula: Formula


IMAGES = (Rate("throughput", "Throughput", "images/s", throughput),)
ROOFLINE = (
    Rate("flop_rate", "Achieved FLOP/s", "FLOP/s", flop_rate),
    Rate("byte_rate", "Achieved bytes/s", "bytes/s", byte_rate),
    Rate("ceiling_share", "Share of the ceiling", "fraction", ceiling_share),
)


def calls(phase: str, latency: str = "Latency", rates: tuple[Rate, ...] = IMAGES) -> tuple[Metric, ...]:
    """What is known of every phase whose calls are timed. latency: its title."""
    key = metric_key(phase, "latency")
    return (
        Metric(key, f"{phase}.track_latency", latency, "s", "lower"),
        *(
            Metric(
                metric_key(phase, rate.name),
                f"{phase}.{rate.name}",
                rate.title,
                rate.unit,
                "higher",
                source=key,
                formula=rate.formula,
            )
            for rate in rates
        ),
        Metric(metric_key(phase, "peak_memory"), f"{phase}.track_peak_memory", "Peak RSS increment", "bytes", "lower"),
        Metric(metric_key(phase, "peak_vram"), f"{phase}.track_peak_vram", "Peak VRAM", "bytes", "lower"),
        *(of_process(phase) if rates is IMAGES else ()),
    )


def of_process(phase: str) -> tuple[Metric, ...]:
    """What is known of a model's whole process, which kernels share."""
    return (
        Metric(metric_key(phase, "process_vram"), f"{phase}.track_process_vram", "VRAM, process", "bytes", "lower"),
        Metric(metric_key(phase, "energy"), f"{phase}.track_energy", "Energy", "J", "lower"),
    )


def steps(phase: str) -> tuple[Metric, ...]:
    """What is known of every phase whose calls are training steps: the parts of a step by differences."""
    step, forward, gradient = (metric_key(phase, name) for name in ("latency", "forward", "gradient"))
    backward, update = metric_key(phase, "backward"), metric_key(phase, "update")
    return (
        *calls(phase, latency="Step time"),
        Metric(forward, f"{phase}.track_forward", "Forward and loss", "s", "lower"),
        Metric(gradient, f"{phase}.track_gradient", "Forward, loss and backward", "s", "lower"),
        Metric(backward, f"{phase}.backward", "Backward", "s", "lower", source=gradient, less=forward),
        Metric(update, f"{phase}.update", "Update", "s", "lower", source=step, less=gradient),
        Metric(metric_key(phase, "first_call"), f"{phase}.track_first_call", "First step", "s", "lower"),
    )


def metric_key(phase: str, name: str) -> str:
    """As in "gradient_by_input_latency"."""
    return f"{re.sub(r'(?<!^)(?=[A-Z])', '_', phase).lower()}_{name}"


LARGEST_BATCH = ("LargestInferenceBatch", "LargestTrainingBatch")
METRICS = (
    *calls("Inference"),
    *calls("DefaultInference"),
    *calls("Boxes"),
    *steps("Training"),
    *steps("DefaultTraining"),
    *(
        Metric(
            metric_key(phase, "batch_size"), f"{phase}.track_batch_size", "Largest batch that fits", "images", "higher"
        )
        for phase in LARGEST_BATCH
    ),
    *calls("Forward", rates=ROOFLINE),
    *calls("GradientByInput", rates=ROOFLINE),
    *calls("GradientByWeight", rates=ROOFLINE),
    Metric("cold_start_import", "ColdStart.track_import", "Import", "s", "lower"),
    Metric("cold_start_build", "ColdStart.track_build", "Build", "s", "lower"),
    Metric("cold_start_first_call", "ColdStart.track_first_call", "First call", "s", "lower"),
    Metric("accuracy_top1", "Accuracy.track_top1", "Top-1", "fraction", "higher"),
    Metric("accuracy_precision", "Accuracy.track_precision", "Precision (macro)", "fraction", "higher"),
    Metric("accuracy_recall", "Accuracy.track_recall", "Recall (macro)", "fraction", "higher"),
    Metric("accuracy_f1", "Accuracy.track_f1", "F1 (macro)", "fraction", "higher"),
    Metric("accuracy_foreground_iou", "Accuracy.track_foreground_iou", "IoU of the foreground", "fraction", "higher"),
    Metric("accuracy_miou", "Accuracy.track_miou", "mIoU", "fraction", "higher"),
    Metric("accuracy_dice", "Accuracy.track_dice", "Dice (mean)", "fraction", "higher"),
    Metric("accuracy_map50", "Accuracy.track_map50", "mAP@.5", "fraction", "higher"),
    Metric("accuracy_map", "Accuracy.track_map", "mAP@[.5:.95]", "fraction", "higher"),
    Metric("accuracy_distance", "Accuracy.track_distance", "Outputs differ by", "fraction", "lower"),
    Metric("fit_quality", "Fit.track_quality", "Held-out quality", "fraction", "higher"),
    Metric("fit_seconds", "Fit.track_seconds", "Training time", "s", "lower"),
    Metric("fit_epoch", "Fit.track_epoch", "Time of an epoch", "s", "lower"),
    Metric("fit_to_target", "Fit.track_to_target", "Time to the target", "s", "lower"),
    Metric("input_pipeline_latency", "InputPipeline.track_latency", "Time of a batch", "s", "lower"),
    Metric(
        "input_pipeline_throughput",
        "InputPipeline.throughput",
        "Throughput",
        "images/s",
        "higher",
        source="input_pipeline_latency",
        formula=throughput,
    ),
    Metric("input_pipeline_first_batch", "InputPipeline.track_first_batch", "First batch of a pass", "s", "lower"),
    Metric("input_pipeline_cold_first_batch", "InputPipeline.track_cold_first_batch", "First batch", "s", "lower"),
)
BY_KEY = {metric.key: metric for metric in METRICS}
BY_SUFFIX = {metric.suffix: metric for metric in METRICS if not metric.source}
PHASES = tuple(dict.fromkeys(metric.phase for metric in METRICS))

# What runs with default settings -> the same with what would differ fixed.
EQUALISED = {"DefaultInference": "Inference", "DefaultTraining": "Training"}
# The phases in which programs are ranked, and the metric that ranks them.
RANKED = {
    phase: metric_key(phase, "latency")
    for phase in (
        *("Inference", "DefaultInference", "Boxes", "Training", "DefaultTraining", "InputPipeline"),
        *("Forward", "GradientByInput", "GradientByWeight"),
    )
}
