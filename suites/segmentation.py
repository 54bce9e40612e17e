"""Image segmentation: each model in every framework."""

from suites import common
from suites.profiles import Profile

PROGRAMS = common.programs("segmentation")
NAMES = ["workload", "framework", "mode", "size"]


class Inference(common.Inference):
    """Logits of every pixel of a batch."""

    params = [*PROGRAMS, common.sizes("segmentation", Profile.inference_sizes)]  # noqa: RUF012
    param_names = NAMES


class Training(common.Training):
    """One optimiser step: forward, loss, backward, update."""

    params = [*PROGRAMS, common.sizes("segmentation", Profile.training_sizes)]  # noqa: RUF012
    param_names = NAMES


class ColdStart(common.ColdStart):
    """Import, build and first call in a fresh process."""

    params = [*PROGRAMS, common.sizes("segmentation", Profile.cold_sizes)]  # noqa: RUF012
    param_names = NAMES
