"""The metrics, written once. A class of the suite derives from one of these and declares its parameters.

Every metric is read from the run's measurements; the first one that is asked for has its group measured (session).
asv's idea of what is measured is in the names and units here, so raise `version` when the way of measuring changes.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from statistics import median
from typing import Any

from asv_runner.benchmarks.mark import SkipNotImplemented

import impls
from impls import kernels
from suites import session
from suites.plan import DEFAULT, EQUALISED, LARGEST_BATCH, PIPELINE, Case, Program
from suites.profiles import PROFILES, Profile, Size

Samples = dict[str, Any]


class Metrics(ABC):
    """What all have in common. Parameters: workload, framework, mode and, for models, size."""

    phase = ""
    lane = EQUALISED
    version = "2"
    timeout = 7 * 24 * 3600  # the workers have time limits of their own
    rounds = 1  # repetitions are interleaved within the run

    @property
    @abstractmethod
    def params(self) -> list[list[str]]:
        """The parameters' values."""

    def case(self, workload: str, framework: str, mode: str, size: str | None = None) -> Case:
        """What is measured with these parameters."""
        return Case(self.phase, Program(workload, framework, mode, self.lane), size)

    def setup(self, *case: str) -> None:
        """Have it measured, or find out why it is not applicable (asv's n/a) or failed."""
        self._record = session.current().record(self.case(*case))

    def _value(self, name: str) -> float:
        """One figure: the median over the processes where there are several."""
        value = self._record.get(name)
        values = value if isinstance(value, list) else [value]
        if None in values:
            raise SkipNotImplemented(f"{name} cannot be measured here")
        return float(median(values))

    def _samples(self, name: str) -> Samples:
        """Seconds of each call, in the order of the processes and their blocks."""
        if not self._record.get(name):
            raise SkipNotImplemented(f"the profile does not measure {name}")
        return {"samples": self._record[name], "number": 1}


class Latency(Metrics):
    """Time and memory of a call."""

    def track_latency(self, *case: str) -> Samples:
        """From the call until its result is there."""
        return self._samples("latency")

    def track_peak_memory(self, *case: str) -> float:
        """Peak increment of resident memory from before the program is built until after its first call."""
        return self._value("peak_memory")

    def track_peak_vram(self, *case: str) -> float:
        """Peak of GPU memory that the framework's allocator has handed out."""
        return self._value("peak_vram")

    track_latency.unit = "seconds"  # type: ignore[attr-defined]
    track_peak_memory.unit = "bytes"  # type: ignore[attr-defined]
    track_peak_vram.unit = "bytes"  # type: ignore[attr-defined]


class ModelCalls(Latency):
    """Of a model also what its whole process takes, which kernels share."""

    def track_process_vram(self, *case: str) -> float:
        """GPU memory that the driver books for the process after its first call: the allocator's reserve included."""
        return self._value("process_vram")

    def track_energy(self, *case: str) -> float:
        """What the counters of processor and GPU say of a call."""
        return self._value("energy")

    track_process_vram.unit = "bytes"  # type: ignore[attr-defined]
    track_energy.unit = "joules"  # type: ignore[attr-defined]


class Inference(ModelCalls):
    """A call of predict."""

    phase = "inference"


class Boxes(ModelCalls):
    """Decoding and suppression of a detector's heads: the stage behind its predict."""

    phase = "boxes"


class Training(ModelCalls):
    """A call of train_step: a model's whole optimiser step."""

    phase = "training"
    version = "3"

    def track_forward(self, *case: str) -> Samples:
        """Forward in training mode and loss."""
        return self._samples("forward")

    def track_gradient(self, *case: str) -> Samples:
        """Forward, loss and backward."""
        return self._samples("gradient")

    def track_first_call(self, *case: str) -> float:
        """The first step: tracing and compiling included."""
        return self._value("first_call")

    track_forward.unit = "seconds"  # type: ignore[attr-defined]
    track_gradient.unit = "seconds"  # type: ignore[attr-defined]
    track_first_call.unit = "seconds"  # type: ignore[attr-defined]


class DefaultInference(Inference):
    """A call of predict, with the settings that the framework is installed with."""

    lane = DEFAULT


class DefaultTraining(Training):
    """A call of train_step, with the settings that the framework is installed with."""

    lane = DEFAULT


class LargestInferenceBatch(Metrics):
    """How many images fit into memory at once."""

    phase = LARGEST_BATCH["inference"]
    unit = "images"

    def track_batch_size(self, *case: str) -> float:
        """The largest batch size that fits."""
        return self._value("batch_size")


class LargestTrainingBatch(LargestInferenceBatch):
    """How many images fit into memory in a training step."""

    phase = LARGEST_BATCH["training"]


class Forward(Latency):
    """A kernel's forward pass."""

    phase = kernels.FORWARD


class GradientByInput(Latency):
    """A kernel's gradient by its inputs; the forward pass is not timed."""

    phase = kernels.BY_INPUT


class GradientByWeight(Latency):
    """A kernel's gradient by its weights; the forward pass is not timed."""

    phase = kernels.BY_WEIGHT


class FirstCall(Metrics):
    """The first call in a process."""

    phase = "cold start"
    unit = "seconds"

    def track_first_call(self, *case: str) -> float:
        """From the call until its result is there: tracing and compiling included."""
        return self._value("first_call")


class ColdStart(FirstCall):
    """From nothing to the first output, in a fresh process."""

    def track_import(self, *case: str) -> float:
        """Importing the framework."""
        return self._value("import")

    def track_build(self, *case: str) -> float:
        """Building the program and loading its weights."""
        return self._value("build")


class Accuracy(Metrics):
    """The same trained weights on held-out data."""

    phase = "accuracy"
    unit = "fraction"
    version = "3"

    def track_distance(self, *case: str) -> float:
        """Largest difference of anything that comes out from the first program's, relative to its largest value."""
        return self._value("distance")


class ClassificationAccuracy(Accuracy):
    """By scikit-learn."""

    def track_top1(self, *case: str) -> float:
        """Fraction of images whose class has the largest logit."""
        return self._value("top1")

    def track_precision(self, *case: str) -> float:
        """Mean over the classes."""
        return self._value("precision")

    def track_recall(self, *case: str) -> float:
        """Mean over the classes."""
        return self._value("recall")

    def track_f1(self, *case: str) -> float:
        """Mean over the classes."""
        return self._value("f1")


class SegmentationAccuracy(Accuracy):
    """By scikit-learn, pixel by pixel."""

    def track_foreground_iou(self, *case: str) -> float:
        """Intersection over union of what is no background."""
        return self._value("foreground_iou")

    def track_miou(self, *case: str) -> float:
        """Intersection over union, mean over the classes."""
        return self._value("miou")

    def track_dice(self, *case: str) -> float:
        """Dice coefficient, mean over the classes."""
        return self._value("dice")


class DetectionAccuracy(Accuracy):
    """By pycocotools."""

    def track_map50(self, *case: str) -> float:
        """Mean average precision at an IoU of .5."""
        return self._value("map50")

    def track_map(self, *case: str) -> float:
        """Mean average precision, mean over the IoUs .5, .55 to .95."""
        return self._value("map")


class Fit(Metrics):
    """Training from the same initial weights, on the same batches, once or from several seeds."""

    phase = "fit"
    version = "3"

    def track_quality(self, *case: str) -> Samples:
        """Of the held-out data at the end: top-1, the foreground's IoU or mAP@.5."""
        return self._samples("quality")

    def track_seconds(self, *case: str) -> Samples:
        """Time of all steps."""
        return self._samples("seconds")

    def track_epoch(self, *case: str) -> Samples:
        """Time of an epoch."""
        return self._samples("epoch")

    def track_to_target(self, *case: str) -> Samples:
        """Time until the quality was first found to be what the profile sets as the target."""
        if not self._record["to_target"]:
            raise SkipNotImplemented("the target was not reached")
        return self._samples("to_target")

    track_quality.unit = "fraction"  # type: ignore[attr-defined]
    track_seconds.unit = "seconds"  # type: ignore[attr-defined]
    track_epoch.unit = "seconds"  # type: ignore[attr-defined]
    track_to_target.unit = "seconds"  # type: ignore[attr-defined]


class InputPipeline(Metrics):
    """A pass over the files; nothing consumes its batches."""

    phase = PIPELINE

    def track_latency(self, *case: str) -> Samples:
        """A batch's time: the mean of a pass, one figure for each pass."""
        return self._samples("latency")

    def track_first_batch(self, *case: str) -> Samples:
        """From a pass's start until its first batch is on the device."""
        return self._samples("first_batch")

    def track_cold_first_batch(self, *case: str) -> float:
        """The same in a process's first pass, with all that happens only once."""
        return self._value("cold_first_batch")

    track_latency.unit = "seconds"  # type: ignore[attr-defined]
    track_first_batch.unit = "seconds"  # type: ignore[attr-defined]
    track_cold_first_batch.unit = "seconds"  # type: ignore[attr-defined]


def workloads(task: str | None) -> list[str]:
    """The models of a task, or the kernels."""
    return [name for name, work in impls.WORKLOADS.items() if (work.model.task if work.model else None) == task]


def sizes(task: str, sizes_of: Callable[[Profile, str], Iterable[Size]]) -> list[str]:
    """The labels of the sizes of all profiles and models of a task, each once."""
    found = (size for profile in PROFILES.values() for name in workloads(task) for size in sizes_of(profile, name))
    return list(dict.fromkeys(size.label for size in found))


def programs(task: str | None) -> list[list[str]]:
    """The parameters that name a program: workloads of a task (or the kernels), frameworks, modes.

    They are the same in every profile, so that asv can lay results of different profiles side by side.
    """
    modes = dict.fromkeys(mode for modes in impls.MODES.values() for mode in modes)
    return [workloads(task), list(impls.FRAMEWORKS), [mode for mode in ("eager", "graph", "compiled") if mode in modes]]
