"""Objects in images on disk: boxes are clipped to the image, and those of which nothing remains are named."""

import math
from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np

from impls.tasks.data import DataError, Objects, Skipped, images
from impls.tasks.data.images import Files

OUTSIDE = "nothing of its box is in the image"


class Described(NamedTuple):
    """An image on disk: its pixels as the annotation has them, and its objects in these."""

    path: Path
    width: int
    height: int
    objects: Objects


class Found(NamedTuple):
    """An object as a file has it. where: file, and the entry in it. box: x_min, y_min, x_max, y_max in pixels."""

    where: str
    box: tuple[float, float, float, float]
    label: int


def describe(path: Path, width: int, height: int, found: Iterable[Found]) -> tuple[Described, list[Skipped]]:
    """An image with what is in it, and which objects are not. Raises DataError for a box that that is not finite."""
    boxes, labels, skipped = [], [], []
    for where, box, label in found:
        clipped = _clip(where, box, width, height)
        if clipped is None:
            skipped.append(Skipped(where, OUTSIDE))
        else:
            boxes.append(clipped)
            labels.append(label)
    objects = Objects(np.array(boxes, np.float64).reshape(-1, 4), np.array(labels, np.int64))
    return Described(path, width, height, objects), skipped


def _clip(where: str, box: tuple[float, float, float, float], width: int, height: int) -> list[float] | None:
    """What of a box is in the image, None where nothing is."""
    if not all(map(math.isfinite, box)):
        raise DataError(f"{where}: its box is {box}, not four finite numbers")
    x_min, y_min, x_max, y_max = box
    clipped = [max(x_min, 0.0), max(y_min, 0.0), min(x_max, float(width)), min(y_max, float(height))]
    return clipped if clipped[0] < clipped[2] and clipped[1] < clipped[3] else None


def part(described: Sequence[Described], image_size: int) -> Files:
    """The part of a data set that has these images, letterboxed."""
    return Files(described, partial(_read, image_size), list)


def _read(image_size: int, one: Described) -> tuple[np.ndarray, Objects]:
    image = images.read(one.path)
    if image.size != (one.width, one.height):
        found, said = f"{image.width} x {image.height}", f"{one.width} x {one.height}"
        raise DataError(f"{one.path}: it has {found} pixels, its annotation says {said}")
    place = images.letterbox(one.width, one.height, image_size)
    objects = Objects(place.place(one.objects.boxes), one.objects.labels)
    return images.fill(image, place, image_size), objects


def check_classes(path: Path, described: Iterable[Described], classes: Sequence[str]) -> None:
    """Refuse a training part that lacks a class. Raises DataError; path: what is to have it."""
    present = {int(label) for one in described for label in one.objects.labels}
    for label, name in enumerate(classes):
        if label not in present:
            raise DataError(f"{path}: the class {name!r} has no box")
