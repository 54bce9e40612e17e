"""Learning rates step by step, computed once in NumPy, so that every framework trains with the same ones."""

import numpy as np

WARM_UP = 0.3  # share of the steps in which the rate rises
START = 1 / 25  # of the highest rate, at the first step
END = 1e-4  # of the rate at the first step, at the last one


def one_cycle(highest: float, steps: int) -> np.ndarray:
    """Rise and fall along cosines (Smith & Topin 2018, as PyTorch's OneCycleLR): (steps,) float64."""
    step, last = np.arange(steps), max(steps - 1, 1)
    peak = min(max(WARM_UP * steps - 1, 1e-9), last / 2)  # it may lie between two steps
    rise = _cosine(highest * START, highest, step / peak)
    fall = _cosine(highest, highest * START * END, (step - peak) / (last - peak))
    return np.where(step <= peak, rise, fall)


def _cosine(start: float, end: float, way: np.ndarray) -> np.ndarray:
    """From start to end; way: how much of it is gone, 0 to 1."""
    return end + (start - end) * (1 + np.cos(np.pi * way)) / 2
