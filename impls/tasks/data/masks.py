"""Images on disk with a mask each: both are resized to the short side, and the middle is taken."""

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np

from impls.tasks.data import DataError, images
from impls.tasks.data.images import Files


class Pair(NamedTuple):
    """An image and its mask."""

    image: Path
    mask: Path


def part(pairs: Sequence[Pair], class_of_value: Mapping[int, int], image_size: int) -> Files:
    """The part of a data set that has these; class_of_value: what a mask's pixel may be, and its class."""
    return Files(pairs, partial(_read, class_of_value, image_size))


def _read(class_of_value: Mapping[int, int], image_size: int, pair: Pair) -> tuple[np.ndarray, np.ndarray]:
    image, mask = images.read(pair.image), images.read_classes(pair.mask)
    if image.size != mask.size:
        found, expected = f"{mask.width} x {mask.height}", f"{image.width} x {image.height}"
        raise DataError(f"{pair.mask}: it has {found} pixels, its image has {expected}")
    classes = np.full(256, -1)
    classes[list(class_of_value)] = list(class_of_value.values())
    labels = classes[np.asarray(mask)]  # of the whole mask: what the crop leaves out is to be right, too
    if (labels < 0).any():
        raise DataError(f"{pair.mask}: {np.asarray(mask)[labels < 0][0]} is no class")
    cropped = images.crop(mask, image_size, image_size, images.NEAREST)
    return np.asarray(images.crop(image, image_size, image_size)), classes[np.asarray(cropped)]
