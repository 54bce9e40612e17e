"""Seeded targets of the tasks, for proofs and timings: what a loss compares a network's outputs with."""

from typing import Any

import numpy as np

from impls.tasks import detection


def example(
    task: str, facts: Any, generator: np.random.Generator, batch_size: int, image_size: int, num_classes: int
) -> tuple[np.ndarray, ...]:
    """classification -> (labels (N,),); segmentation -> (masks (N, H, W),), of integers; detection -> as `encode`.

    facts: the model's variant.
    """
    if task == "classification":
        return (generator.integers(0, num_classes, batch_size),)
    if task == "segmentation":
        return (generator.integers(0, num_classes, (batch_size, image_size, image_size)),)
    if task == "detection":
        # A box of each anchor's order of size, so that every head has some to find and some to ignore; it may stick out
        # of the image.
        anchors = np.concatenate(facts.anchors)
        sizes = anchors * generator.uniform(0.5, 1.5, (batch_size, *anchors.shape))
        centres = generator.uniform(0, image_size, sizes.shape)
        boxes = np.concatenate([centres - sizes / 2, centres + sizes / 2], axis=-1)
        labels = generator.integers(0, num_classes, boxes.shape[:2])
        return detection.encode(boxes, labels, facts.anchors, facts.strides, image_size, num_classes)
    raise ValueError(f"no such task: {task}")
