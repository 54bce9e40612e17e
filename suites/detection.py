"""Object detection: each model in every framework."""

from suites import common
from suites.profiles import Profile

PROGRAMS = common.programs("detection")
NAMES = ["workload", "framework", "mode", "size"]


class Inference(common.Inference):
    """Raw heads of a batch; decoding and suppression are a stage of their own."""

    params = [*PROGRAMS, common.sizes("detection", Profile.inference_sizes)]  # noqa: RUF012
    param_names = NAMES


class Boxes(common.Boxes):
    """From the heads of a batch to its detections."""

    params = [*PROGRAMS, common.sizes("detection", Profile.inference_sizes)]  # noqa: RUF012
    param_names = NAMES


class Training(common.Training):
    """One optimiser step: forward, loss, backward, update."""

    params = [*PROGRAMS, common.sizes("detection", Profile.training_sizes)]  # noqa: RUF012
    param_names = NAMES


class DefaultInference(common.DefaultInference):
    """The same with the settings that the framework is installed with."""

    params = [*PROGRAMS, common.sizes("detection", Profile.inference_sizes)]  # noqa: RUF012
    param_names = NAMES


class DefaultTraining(common.DefaultTraining):
    """One optimiser step with the settings that the framework is installed with."""

    params = [*PROGRAMS, common.sizes("detection", Profile.training_sizes)]  # noqa: RUF012
    param_names = NAMES


class LargestInferenceBatch(common.LargestInferenceBatch):
    """The largest batch of inference."""

    params = [*PROGRAMS, common.sizes("detection", Profile.largest_batch_sizes)]  # noqa: RUF012
    param_names = NAMES


class LargestTrainingBatch(common.LargestTrainingBatch):
    """The largest batch of training."""

    params = [*PROGRAMS, common.sizes("detection", Profile.largest_batch_sizes)]  # noqa: RUF012
    param_names = NAMES


class ColdStart(common.ColdStart):
    """Import, build and first call in a fresh process."""

    params = [*PROGRAMS, common.sizes("detection", Profile.cold_sizes)]  # noqa: RUF012
    param_names = NAMES


class Accuracy(common.DetectionAccuracy):
    """The same trained weights, evaluated on held-out images."""

    params = [*PROGRAMS, common.sizes("detection", Profile.fit_sizes)]  # noqa: RUF012
    param_names = NAMES


class Fit(common.Fit):
    """Training to a held-out mAP@.5."""

    params = [*PROGRAMS, common.sizes("detection", Profile.fit_sizes)]  # noqa: RUF012
    param_names = NAMES
