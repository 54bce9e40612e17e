"""Intervals without a normal distribution: the bootstrap over blocks, seeded so that a report is reproducible.

The unit that is resampled is the *block* (one turn of every program), not the call: calls within a block share the
state of the machine. Sources: Hoefler and Belli, "Scientific Benchmarking of Parallel Computing Systems" (SC15),
rules 5 to 8; Kalibera and Jones, "Rigorous Benchmarking in Reasonable Time" (ISMM 2013) for ratios and replication;
Hesterberg, "What Teachers Should Know About the Bootstrap" (The American Statistician 69, 2015) for few blocks.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import bootstrap, norm, t

CONFIDENCE = 0.95
RESAMPLES = 4000
SEED = 20260101
# With fewer than 6 pairs even a clean sweep (2 x 0.5^5 = 6 %) is no evidence at the 5 % level.
MIN_BLOCKS = 6

Blocks = NDArray[np.float64]


@dataclass(frozen=True)
class Ratio:
    """Ratio of two medians; `low` and `high` are its 95 % interval, NaN where there are too few blocks for one."""

    value: float
    low: float
    high: float

    @property
    def known(self) -> bool:
        return bool(np.isfinite(self.low) and np.isfinite(self.high))

    @property
    def excludes_one(self) -> bool:
        return self.known and not self.low <= 1.0 <= self.high


def blocks(samples: list[float], calls_per_block: int) -> Blocks:
    """Samples in block order -> shape (blocks, calls). An incomplete last block is left out."""
    calls = calls_per_block if 1 <= calls_per_block <= len(samples) else 1
    whole = len(samples) // calls * calls
    return np.asarray(samples[:whole], dtype=np.float64).reshape(-1, calls)


def median_interval(data: Blocks) -> tuple[float, float]:
    """95 % interval of the median over all calls, in the unit of `data`; (NaN, NaN) below MIN_BLOCKS blocks."""
    if len(data) < MIN_BLOCKS:
        return float("nan"), float("nan")

    def statistic(rows: Blocks, axis: int) -> Blocks:  # noqa: ARG001  (scipy always passes the last axis)
        return _median(data, rows)

    return _interval((np.arange(len(data)),), statistic)


def ratio_of_medians(baseline: Blocks, candidate: Blocks, paired: bool) -> Ratio:
    """median(baseline) / median(candidate), the speed-up of the candidate where the data are latencies.

    `paired`: row i of both is the same block of the same run, so both are resampled together and what the block's
    moment did to both (clock, neighbours) cancels. Otherwise each is resampled alone.
    """
    value = float(np.median(baseline) / np.median(candidate))
    if min(len(baseline), len(candidate)) < MIN_BLOCKS:
        return Ratio(value, float("nan"), float("nan"))
    if paired and len(baseline) == len(candidate):

        def together(rows: Blocks, axis: int) -> Blocks:  # noqa: ARG001
            return _median(baseline, rows) / _median(candidate, rows)

        return Ratio(value, *_interval((np.arange(len(baseline)),), together))

    def apart(rows: Blocks, others: Blocks, axis: int) -> Blocks:  # noqa: ARG001
        return _median(baseline, rows) / _median(candidate, others)

    return Ratio(value, *_interval((np.arange(len(baseline)), np.arange(len(candidate))), apart))


def against_itself(data: Blocks) -> Ratio:
    """A/A: one program's calls split in two halves and compared as if they were two programs.

    Halves alternate within and between blocks, so that neither always holds the first call after a turn.
    """
    count, calls = data.shape
    if calls == 1:
        return ratio_of_medians(data[0::2], data[1::2], paired=False)
    even = data[:, : calls // 2 * 2]
    first = (np.arange(count)[:, None] + np.arange(even.shape[1])[None, :]) % 2 == 0
    return ratio_of_medians(even[first].reshape(count, -1), even[~first].reshape(count, -1), paired=True)


def percentile(samples: list[float], q: float) -> float:
    """q-th percentile (0 to 100), linear between the neighbouring calls; NaN without samples."""
    return float(np.percentile(samples, q)) if samples else float("nan")


def _median(data: Blocks, rows: Blocks) -> Blocks:
    """Medians of resampled blocks. rows: shape (..., blocks), indices that scipy may hand over as floats."""
    picked = data[rows.astype(np.intp)]
    return np.asarray(np.median(picked.reshape(*rows.shape[:-1], -1), axis=-1))


def _expanded(count: int) -> float:
    """The level at which a percentile interval over `count` blocks really covers 95 % (Hesterberg's expansion).

    A plain percentile interval is too narrow for few blocks: with 7 it calls one in ten equal pairs different.
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
