"""Whether a data set is whole: every image and every target of it is read and counted."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from impls.tasks.data import DataError, DataSet, Part, Report, Split

IMAGE_SIZE = 64  # pixels of a side that every data set can give
AT_ONCE = 32
COUNTED = {"classification": "images", "segmentation": "pixels", "detection": "boxes"}  # what a class has


class Counts(NamedTuple):
    """Of a part: its images, and of each class its images, pixels or boxes."""

    images: int
    of_class: list[int]


def verify(data: DataSet, split: Split, report: Report) -> tuple[Counts, Counts]:
    """Read all of both parts, training and held out.

    Raises DataError for the first file that is broken, and for a class that the training part lacks.
    """
    total = len(split.train) + len(split.held_out)
    train = _count(data.task, split.train, split.classes, report, 0, total)
    for name, count in zip(split.classes, train.of_class, strict=True):
        if not count:
            raise DataError(f"{data.name}: the class {name!r} has no {COUNTED[data.task]} in the training part")
    return train, _count(data.task, split.held_out, split.classes, report, train.images, total)


def _count(task: str, part: Part, classes: Sequence[str], report: Report, before: int, total: int) -> Counts:
    found = np.zeros(len(classes), np.int64)
    for start in range(0, len(part), AT_ONCE):
        chosen = np.arange(start, min(start + AT_ONCE, len(part)))
        _, targets = part.read(chosen)
        labels = np.concatenate([one.labels for one in targets]) if task == "detection" else np.ravel(targets)
        found += np.bincount(labels, minlength=len(classes))
        report("reading all of it", before + int(chosen[-1]) + 1, total)
    return Counts(len(part), found.tolist())
