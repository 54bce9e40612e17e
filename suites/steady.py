"""Whether a program's timed calls were a steady state: nothing was compiled meanwhile, and they did not drift."""

import numpy as np

SIGNIFICANT = 0.01  # of Kendall's rank correlation of time and latency; needs 6 blocks at least
DRIFT = 0.05  # by which the line through the blocks may rise or fall, from the first to the last


def doubts(samples: list[float], calls_per_block: int, compilations: int) -> list[str]:
    """Why the calls of one process were no steady state, in words; none if they were.

    A drift: block medians that rise or fall steadily (Kendall's tau) and, along the median slope between all pairs
    (Theil and Sen), by more than DRIFT.
    """
    found = []
    if compilations:
        found.append(f"compiled {compilations} times while it was timed")
    change = drift(samples, calls_per_block)
    if abs(change) > DRIFT:
        found.append(f"drifted by {change:+.0%} while it was timed")
    return found


def drift(samples: list[float], calls_per_block: int) -> float:
    """The change from the first block to the last, as a fraction of the median; 0 where there is no steady trend."""
    whole = len(samples) // calls_per_block * calls_per_block
    medians = np.median(np.reshape(samples[:whole], (-1, calls_per_block)), axis=1)
    if len(medians) < 6 or np.ptp(medians) == 0:
        return 0.0
    from scipy import stats  # here, because it takes a second: every start of asv would wait for it

    blocks = np.arange(len(medians))
    if stats.kendalltau(blocks, medians).pvalue >= SIGNIFICANT:
        return 0.0
    return float(stats.theilslopes(medians, blocks).slope * blocks[-1] / np.median(medians))
