"""Classification: one recipe and one evaluation for every framework.

The same initial weights and the same batches in the same order go into each; what differs is the framework.
"""

from collections.abc import Callable, Iterator
from time import perf_counter
from types import ModuleType
from typing import Any

import numpy as np
from sklearn.metrics import accuracy_score, precision_recall_fscore_support

from impls.tasks.data.digits import Split
from impls.tasks.data.digits import load as digits

__all__ = ["Split", "batches", "digits", "evaluate", "fit"]


def batches(split: Split, steps: int, batch_size: int, seed: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Seeded batches of the training part, epoch after epoch; the last incomplete batch of an epoch is left out."""
    generator = np.random.default_rng(seed)
    per_epoch = len(split.train_labels) // batch_size
    if per_epoch == 0:
        raise ValueError(f"batch_size {batch_size} is larger than the training part ({len(split.train_labels)})")
    order = np.empty(0, np.int64)
    for step in range(steps):
        if step % per_epoch == 0:
            order = generator.permutation(len(split.train_labels))
        chosen = order[step % per_epoch * batch_size :][:batch_size]
        yield split.train_images[chosen], split.train_labels[chosen]


def fit(
    program: Any,
    runtime: ModuleType,
    split: Split,
    steps: int,
    batch_size: int,
    seed: int,
    progress: Callable[[int, float], None] | None = None,
) -> dict[str, list[float]]:
    """Train a program whose weights are loaded: the loss of each step, and the seconds from the start to its end.

    The clock runs over the steps alone: batches are on the device before, and reading the loss is the wait for it.
    """
    prepared = [program.prepare(*batch) for batch in batches(split, steps, batch_size, seed)]
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
    count = len(split.test_labels)
    predicted = np.empty(0, np.int64)
    for start in range(0, count, batch_size):
        chosen = np.arange(start, start + batch_size) % count
        (images,) = program.prepare(split.test_images[chosen])
        (logits,) = program.predict(images)
        predicted = np.append(predicted, program.to_numpy(logits).argmax(axis=1))
    predicted = predicted[:count]
    precision, recall, f1, _ = precision_recall_fscore_support(
        split.test_labels, predicted, average="macro", zero_division=0
    )
    top1 = accuracy_score(split.test_labels, predicted)
    return {"top1": float(top1), "precision": float(precision), "recall": float(recall), "f1": float(f1)}
