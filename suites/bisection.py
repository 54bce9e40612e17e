"""The search for the largest batch size that fits, whatever decides whether one does."""

from collections.abc import Callable
from typing import NamedTuple

FITS, MEMORY, TIME, FAILURE, CAP = "fits", "memory", "time", "failure", "cap"
RESOLUTION = 16  # the answer is exact to this part of itself
FIRST_STEP = 8  # the part of the first guess by which the second one differs


class Attempt(NamedTuple):
    """One batch size that was tried. Bytes, None where unknown: of one that does not fit, until it was ended."""

    batch_size: int
    outcome: str  # fits, memory, time, failure
    message: str | None
    peak_bytes: int | None
    peak_vram: int | None


class Found(NamedTuple):
    """batch_size: the largest that fits, None if none does. refused: the smallest that does not, None at the cap."""

    batch_size: int | None
    refused: Attempt | None
    attempts: list[Attempt]

    @property
    def limit(self) -> str:
        """What bounds it: cap, memory, time or failure. Only memory bounds what fits into memory."""
        return self.refused.outcome if self.refused else CAP


def find(ask: Callable[[int], Attempt], first: int, cap: int) -> Found:
    """Find the largest batch size from 1 to cap that fits, to a sixteenth of it.

    From the first guess on in steps that double, until one size fits and another does not; then what lies between is
    halved. No size is asked for twice. A failure where nothing has fitted yet ends the search: any size would fail.
    """
    low, high, attempts = 0, cap + 1, []
    size: int | None = min(first, cap)
    step = max(1, min(first, cap) // FIRST_STEP)
    while size:
        attempt = ask(size)
        attempts.append(attempt)
        low, high = (size, high) if attempt.outcome == FITS else (low, size)
        size = None if attempt.outcome == FAILURE and not low else _next(low, high, step, cap)
        step *= 2
    return Found(low or None, next((one for one in attempts if one.batch_size == high), None), attempts)


def _next(low: int, high: int, step: int, cap: int) -> int | None:
    """The size to ask for next: low fits or is 0, high does not fit or lies beyond the cap."""
    if high > cap:
        return min(low + step, cap) if low < cap else None
    if low == 0:
        return max(high - step, 1) if high > 1 else None
    return (low + high) // 2 if high - low > max(1, low // RESOLUTION) else None
