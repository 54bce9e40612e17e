"""Image classification: each model in every framework."""

from suites import common, profiles

PROGRAMS = common.programs("model")
NAMES = ["workload", "framework", "mode", "size"]


class Inference(common.Inference):
    """Logits of a batch."""

    params = [*PROGRAMS, profiles.sizes("inference_sizes")]  # noqa: RUF012
    param_names = NAMES


class Training(common.Training):
    """One optimiser step: forward, loss, backward, update."""

    params = [*PROGRAMS, profiles.sizes("training_sizes")]  # noqa: RUF012
    param_names = NAMES


class ColdStart(common.ColdStart):
    """Import, build and first call in a fresh process."""

    params = [*PROGRAMS, [profiles.QUICK.inference_sizes[0].label]]  # noqa: RUF012
    param_names = NAMES


class Accuracy(common.Accuracy):
    """The same trained weights, evaluated on the held-out digits."""

    params = [*PROGRAMS, [profiles.QUICK.fit_size.label]]  # noqa: RUF012
    param_names = NAMES


class Fit(common.Fit):
    """Training on the digits."""

    params = [*PROGRAMS, [profiles.QUICK.fit_size.label]]  # noqa: RUF012
    param_names = NAMES
