"""Image classification: each model in every framework."""

from suites import common
from suites.profiles import Profile

PROGRAMS = common.programs("classification")
NAMES = ["workload", "framework", "mode", "size"]


class Inference(common.Inference):
    """Logits of a batch."""

    params = [*PROGRAMS, common.sizes("classification", Profile.inference_sizes)]  # noqa: RUF012
    param_names = NAMES


class Training(common.Training):
    """One optimiser step: forward, loss, backward, update."""

    params = [*PROGRAMS, common.sizes("classification", Profile.training_sizes)]  # noqa: RUF012
    param_names = NAMES


class DefaultInference(common.DefaultInference):
    """The same with the settings that the framework is installed with."""

    params = [*PROGRAMS, common.sizes("classification", Profile.inference_sizes)]  # noqa: RUF012
    param_names = NAMES


class DefaultTraining(common.DefaultTraining):
    """One optimiser step with the settings that the framework is installed with."""

    params = [*PROGRAMS, common.sizes("classification", Profile.training_sizes)]  # noqa: RUF012
    param_names = NAMES


class LargestInferenceBatch(common.LargestInferenceBatch):
    """The largest batch of inference."""

    params = [*PROGRAMS, common.sizes("classification", Profile.largest_batch_sizes)]  # noqa: RUF012
    param_names = NAMES


class LargestTrainingBatch(common.LargestTrainingBatch):
    """The largest batch of training."""

    params = [*PROGRAMS, common.sizes("classification", Profile.largest_batch_sizes)]  # noqa: RUF012
    param_names = NAMES


class ColdStart(common.ColdStart):
    """Import, build and first call in a fresh process."""

    params = [*PROGRAMS, common.sizes("classification", Profile.cold_sizes)]  # noqa: RUF012
    param_names = NAMES


class Accuracy(common.ClassificationAccuracy):
    """The same trained weights, evaluated on held-out images."""

    params = [*PROGRAMS, common.sizes("classification", Profile.fit_sizes)]  # noqa: RUF012
    param_names = NAMES


class Fit(common.Fit):
    """Training to a held-out top-1."""

    params = [*PROGRAMS, common.sizes("classification", Profile.fit_sizes)]  # noqa: RUF012
    param_names = NAMES
