"""What a run's manifest says of its kernels: a report knows no implementations, only what is on disk."""

from collections import Counter
from collections.abc import Iterable
from functools import cache
from typing import Any

import impls
from impls import kernels
from impls.kernels import Case, catalogue
from suites import common


def facts(names: Iterable[str]) -> dict[str, Any]:
    """Kernel -> title, kind of shape, work and traffic of each phase, and how many layers of which models it is."""
    models = layers()
    return {name: _facts(name, models) for name in names}


@cache
def layers() -> dict[str, Counter[Case]]:
    """Model -> the kernels that it is made of at the paper's image size, batch size 1, and how many of each."""
    return {name: catalogue.of_model(impls.WORKLOADS[name].layers()) for name in impls.MODELS}


def _facts(name: str, models: dict[str, Counter[Case]]) -> dict[str, Any]:
    work = impls.WORKLOADS[name]
    case: Case = work.facts
    phases = {
        kind.__name__: {
            "operations": case.operations,
            "macs": case.macs,
            "bytes": kernels.bytes_moved(case, kind.phase),
        }
        for kind in (common.Forward, common.GradientByInput, common.GradientByWeight)
        if kind.phase in kernels.phases(case)
    }
    return {
        "kernel": case.kernel,
        "title": work.title,
        "group": catalogue.group(case),
        "phases": phases,
        "models": {model: counts[case] for model, counts in models.items() if case in counts},
    }
