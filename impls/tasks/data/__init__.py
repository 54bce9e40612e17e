"""Data sets: each loader gives the same interface, so that a recipe need not know which one it trains on.

A loader is a module with DATA_SETS, the facts of one or more, each with its functions; registry.py has them all by
their names. Nothing is left out in silence: what is broken raises DataError, which names the file; what a format allows
and no training can use is skipped and named. README.md says what is what, how images are brought to one size, and by
which mean and deviation they are standardised.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np


class DataError(ValueError):
    """A data set cannot be used; the message is one line that names the file and says what is wrong with it."""


Report = Callable[[str, int, int | None], None]  # what is being done, how far it is, of how much where that is known


class Objects(NamedTuple):
    """What is in an image.

    boxes: (objects, 4) float64, x_min, y_min, x_max, y_max in its pixels. labels: (objects,) int64.
    """

    boxes: np.ndarray
    labels: np.ndarray


class Part(Protocol):
    """The training part of a data set, or the held-out one, which is never trained on."""

    def __len__(self) -> int:
        """Number of images."""

    def read(self, chosen: np.ndarray) -> tuple[np.ndarray, Any]:
        """Images by their numbers, (N, H, W, 3) float32, standardised, and their targets.

        Targets: classification: labels (N,) int64; segmentation: masks (N, H, W) int64, each pixel's class;
        detection: a list of N Objects. Raises DataError for a file that cannot be read.
        """


class Skipped(NamedTuple):
    """What is in the files and not in the data set. where: file, and the entry in it."""

    where: str
    reason: str


@dataclass(frozen=True)
class Split:
    """A loaded data set. checksum: SHA-256 of what images and targets are made from, or of the list of its files."""

    train: Part
    held_out: Part
    classes: tuple[str, ...]
    checksum: str
    skipped: tuple[Skipped, ...] = ()


@dataclass(frozen=True)
class DataSet:
    """Facts of a data set.

    task: classification, segmentation or detection. origin: "embedded" (always there), "package" (a package brings it,
    named in `how`), "download" (`evenbench data get` fetches it) or "folder" (the user puts it where
    `evenbench data path` says). composited: whether images were put together from real pieces.
    missing: why it cannot be loaded here, one line that says what helps, None if it can. load: image_size, pixels of a
    side of what is delivered -> the whole of it; raises DataError, and ValueError for a size that it cannot give.
    classes, images: how many there are, the images as those of the training part and those held out; None where only
    loading tells. folder: where its files are or belong, None where it has none. fetch: download it into its folder,
    None where that cannot be done; raises DataError, and leaves nothing behind unless it is whole.
    """

    name: str
    task: str
    title: str
    licence: str
    source: str
    origin: str
    how: str
    missing: Callable[[], str | None]
    load: Callable[[int], Split]
    composited: bool = False
    classes: int | None = None
    images: tuple[int, int] | None = None
    folder: Callable[[], Path] | None = None
    fetch: Callable[[Report], None] | None = None
