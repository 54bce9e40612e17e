"""Classification: one recipe and one evaluation for every framework.

The same initial weights and the same batches in the same order go into each; what differs is the framework.
"""

from collections.abc import Callable, Iterator
from time import perf_counter
from types import ModuleType
from typing import Any

import numpy as np
from sklearn.metrics import accuracy_score, precision_recall_fscore_support

from impls.tasks.data import Split
from impls.tasks.data.digits import load as digits

__all__ = ["Split", "batches", "digits", "evaluate", "fit"]

Encode = Callable[[Any], tuple[np.ndarray, ...]]  # targets as a part gives them -> as a loss takes them


def unchanged(targets: np.ndarray) -> tuple[np.ndarray, ...]:
    """Labels and masks are what their losses take."""
    return (targets,)


def batches(
    split: Split, steps: int, batch_size: int, seed: int, encode: Encode = unchanged
) -> Iterator[tuple[np.ndarray, ...]]:
    """Seeded batches of the training part, epoch after epoch; the last incomplete batch of an epoch is left out.

    A batch is images and what `encode` makes of their targets, for any task: detection's objects become arrays so.
    """
    generator = np.random.default_rng(seed)
    per_epoch = len(split.train) // batch_size
    if per_epoch == 0:
        raise ValueError(f"batch_size {batch_size} is larger than the training part ({len(split.train)})")
    order = np.empty(0, np.int64)
    for step in range(steps):
        if step % per_epoch == 0:
            order = generator.permutation(len(split.train))
        images, targets = split.train.read(order[step % per_epoch * batch_size :][:batch_size])
        yield images, *encode(targets)


def fit(
    program: Any,
    runtime: ModuleType,
    split: Split,
    steps: int,
    batch_size: int,
    seed: int,
    progress: Callable[[int, float], None] | None = None,
    encode: Encode = unchanged,
) -> dict[str, list[float]]:
    """Train a program whose weights are loaded: the loss of each step, and the seconds from the start to its end.

    The clock runs over the steps alone: batches are on the device before, and reading the loss is the wait for it.
    """
    prepared = [program.prepare(*batch) for batch in batches(split, steps, batch_size, seed, encode)]
    runtime.synchronize()
    losses, seconds = [], []
    elapsed = 0.0
    for step, batch in enumerate(prepared, start=1):
        start = perf_counter()
        loss, _ = program.train_step(*batch)
        runtime.synchronize()
        elapsed += perf_counter() - start
        losses.append(float(loss))
        seconds.append(elapsed)
        if progress:
            progress(step, losses[-1])
    return {"loss": losses, "seconds": seconds}


def evaluate(program: Any, split: Split, batch_size: int) -> dict[str, float]:
    """Top-1, and macro precision, recall and F1, over the held-out part.

    Every batch has batch_size images, the last one filled up with images that are not counted: another size would
    make a graph be traced again.
    """
    count = len(split.held_out)
    labels, predicted = np.empty(0, np.int64), np.empty(0, np.int64)
    for start in range(0, count, batch_size):
        pixels, targets = split.held_out.read(np.arange(start, start + batch_size) % count)
        (images,) = program.prepare(pixels)
        (logits,) = program.predict(images)
        labels = np.append(labels, targets)
        predicted = np.append(predicted, program.to_numpy(logits).argmax(axis=1))
    labels, predicted = labels[:count], predicted[:count]
    precision, recall, f1, _ = precision_recall_fscore_support(labels, predicted, average="macro", zero_division=0)
    top1 = accuracy_score(labels, predicted)
    return {"top1": float(top1), "precision": float(precision), "recall": float(recall), "f1": float(f1)}
