"""Learning rates step by step, computed once in NumPy, so that every framework trains with the same ones."""

import numpy as np

WARM_UP = 0.3  # share of the steps in which the rate rises
START = 1 / 25  # of the highest rate, at the first step
END = 1e-4  # of the rate at the first step, at the last one


def one_cycle(highest: float, steps: int) -> np.ndarray:
    """Rise and fall along cosines (Smith & Topin 2018, in the form of PyTorch's OneCycleLR): (steps,) float64."""
    rise = round(WARM_UP * steps)
    first, last = highest * START, highest * START * END
    return np.concatenate([_cosine(first, highest, rise + 1)[:-1], _cosine(highest, last, steps - rise)])


def constant(rate: float, steps: int) -> np.ndarray:
    """(steps,) float64."""
    return np.full(steps, rate)


def _cosine(start: float, end: float, steps: int) -> np.ndarray:
    """From start to end, both included."""
    return end + (start - end) * (1 + np.cos(np.linspace(0, np.pi, steps))) / 2
