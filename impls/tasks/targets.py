"""Seeded targets of the tasks, for proofs and timings: what a loss compares a network's outputs with."""

from typing import Any

import numpy as np


def example(
    task: str, facts: Any, generator: np.random.Generator, batch_size: int, image_size: int, num_classes: int
) -> tuple[np.ndarray, ...]:
    """classification -> (labels (N,),); segmentation -> (masks (N, H, W),), of integers.

    facts: the model's variant.
    """
    if task == "classification":
        return (generator.integers(0, num_classes, batch_size),)
    if task == "segmentation":
        return (generator.integers(0, num_classes, (batch_size, image_size, image_size)),)
    raise ValueError(f"no such task: {task}")
