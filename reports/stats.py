"""Intervals without a normal distribution: the bootstrap over units, seeded so that a report is reproducible.

The unit that is resampled is the *process*, the noisiest level, and in a run with one process the *block* (one turn of
every program); never the call: calls of one process share its memory's places, calls of one block the state of the
machine. Sources: Hoefler and Belli, "Scientific Benchmarking of Parallel Computing Systems" (SC15),
rules 5 to 8; Kalibera and Jones, "Rigorous Benchmarking in Reasonable Time" (ISMM 2013) for ratios and replication;
Hesterberg, "What Teachers Should Know About the Bootstrap" (The American Statistician 69, 2015) for few units.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import bootstrap, norm, t

CONFIDENCE = 0.95
RESAMPLES = 4000
SEED = 20260101
# With fewer than 6 pairs even a clean sweep (2 x 0.5^5 = 6 %) is no evidence at the 5 % level.
MIN_UNITS = 6

Units = NDArray[np.float64]  # shape (units, calls)


@dataclass(frozen=True)
class Ratio:
    """Ratio of two medians; `low` and `high` are its 95 % interval, NaN where there are too few units for one."""

    value: float
    low: float
    high: float

    @property
    def known(self) -> bool:
        return bool(np.isfinite(self.low) and np.isfinite(self.high))

    @property
    def excludes_one(self) -> bool:
        return self.known and not self.low <= 1.0 <= self.high


def units(samples: list[float], calls_per_block: int, per_process: list[int] = []) -> Units:  # noqa: B006  (never changed)
    """Samples in the order of processes and blocks -> shape (units, calls).

    per_process: how many samples each process gave. Of several processes each is a unit, with as many calls as the
    one that gave fewest; else each block is, and an incomplete last one is left out.
    """
    if len(per_process) > 1 and sum(per_process) == len(samples):
        starts = np.cumsum([0, *per_process[:-1]])
        return np.asarray([samples[start : start + min(per_process)] for start in starts], dtype=np.float64)
    calls = calls_per_block if 1 <= calls_per_block <= len(samples) else 1
    whole = len(samples) // calls * calls
    return np.asarray(samples[:whole], dtype=np.float64).reshape(-1, calls)


def median_interval(data: Units) -> tuple[float, float]:
    """95 % interval of the median over all calls, in the unit of `data`; (NaN, NaN) below MIN_UNITS units."""
    if len(data) < MIN_UNITS:
        return float("nan"), float("nan")

    def statistic(rows: Units, axis: int) -> Units:  # noqa: ARG001  (scipy always passes the last axis)
        return _median(data, rows)

    return _interval((np.arange(len(data)),), statistic)


def ratio_of_medians(baseline: Units, candidate: Units, paired: bool) -> Ratio:
    """median(baseline) / median(candidate), the speed-up of the candidate where the data are latencies.

    `paired`: row i of both is the same unit of the same run, measured in turns, so both are resampled together and what
    the moment did to both (clock, neighbours) cancels. Otherwise each is resampled alone.
    """
    value = float(np.median(baseline) / np.median(candidate))
    if min(len(baseline), len(candidate)) < MIN_UNITS:
        return Ratio(value, float("nan"), float("nan"))
    if paired and len(baseline) == len(candidate):

        def together(rows: Units, axis: int) -> Units:  # noqa: ARG001
            return _median(baseline, rows) / _median(candidate, rows)

        return Ratio(value, *_interval((np.arange(len(baseline)),), together))

    def apart(rows: Units, others: Units, axis: int) -> Units:  # noqa: ARG001
        return _median(baseline, rows) / _median(candidate, others)

    return Ratio(value, *_interval((np.arange(len(baseline)), np.arange(len(candidate))), apart))


def difference_of_medians(more: Units, less: Units) -> tuple[float, float, float]:
    """median(more) - median(less) with its 95 % interval, in the unit of the data; both measured in turns."""
    value = float(np.median(more) - np.median(less))
    if len(more) != len(less) or len(more) < MIN_UNITS:
        return value, float("nan"), float("nan")

    def together(rows: Units, axis: int) -> Units:  # noqa: ARG001
        return _median(more, rows) - _median(less, rows)

    return value, *_interval((np.arange(len(more)),), together)


def smallest_detectable_effect(itself: Ratio) -> float:
    """What an A/A pair tells: by how much the ratio of one program to itself may seem to differ from 1; a fraction."""
    return max(itself.high, 1 / itself.low) - 1 if itself.known else float("nan")


def percentile(samples: list[float], q: float) -> float:
    """q-th percentile (0 to 100), linear between the neighbouring calls; NaN without samples."""
    return float(np.percentile(samples, q)) if samples else float("nan")


def _median(data: Units, rows: Units) -> Units:
    """Medians of resampled units. rows: shape (..., units), indices that scipy may hand over as floats."""
    picked = data[rows.astype(np.intp)]
    return np.asarray(np.median(picked.reshape(*rows.shape[:-1], -1), axis=-1))


def _expanded(count: int) -> float:
    """The level at which a percentile interval over `count` units really covers 95 % (Hesterberg's expansion).

    A plain percentile interval is too narrow for few units: with 7 it calls one in ten equal pairs different.
    """
    tail = norm.cdf(-np.sqrt(count / (count - 1)) * t.ppf((1 + CONFIDENCE) / 2, count - 1))
    return float(1 - 2 * tail)


def _interval(indices: tuple[NDArray[np.intp], ...], statistic: object) -> tuple[float, float]:
    # Percentile method: the bias-corrected one breaks down on medians of few, discrete values.
    count = min(len(index) for index in indices)
    result = bootstrap(
        indices,
        statistic,
        vectorized=True,
        axis=-1,
        n_resamples=RESAMPLES,
        confidence_level=_expanded(count),
        method="percentile",
        rng=np.random.default_rng(SEED),
    )
    return float(result.confidence_interval.low), float(result.confidence_interval.high)
