"""Intervals of what a command measures for itself; a report has its own (reports/stats.py)."""

from collections.abc import Sequence

import numpy as np
from scipy import stats


def of_median(values: Sequence[float] | np.ndarray) -> tuple[float, float]:
    """The 95 % bootstrap interval of the median, by percentiles."""
    interval = stats.bootstrap(
        (np.asarray(values),), np.median, method="percentile", rng=np.random.default_rng(0)
    ).confidence_interval
    return float(interval.low), float(interval.high)
