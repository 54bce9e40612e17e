"""From files to batches on the device: each framework's own input pipeline, apart from any model."""

import impls
from impls.pipelines import spec
from suites import common
from suites.profiles import PIPELINE_SIZE


class InputPipeline(common.InputPipeline):
    """Batches as fast as they come."""

    params = [  # noqa: RUF012
        list(spec.WORKLOADS),
        list(impls.FRAMEWORKS),
        sorted(set(spec.MODES.values())),
        [PIPELINE_SIZE.label],
    ]
    param_names = ["workload", "framework", "mode", "size"]  # noqa: RUF012
