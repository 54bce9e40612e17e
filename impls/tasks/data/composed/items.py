"""What is pasted: real digits and garments, and which pixels of each belong to it."""

from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple

import numpy as np

from impls.tasks.data import digits, fashion_mnist

DARK = 2  # of 255: no brighter is the ground around a garment, which is black but for the traces of a JPEG
SPECK = 12  # pixels of 28 x 28: fewer of ground in one piece are a dark place in a garment, fewer of garment are dirt


class Items(NamedTuple):
    """images: (N, h, w) uint8, with a black edge. labels: (N,) int64.

    cut: an image (h, w) -> its shades, and the strength of its ink, both (h, w), 0 to 255.
    """

    images: np.ndarray
    labels: np.ndarray
    cut: Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]


def framed(images: np.ndarray, labels: np.ndarray, cut: Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]) -> Items:
    """Items with an edge of one black pixel, so that what fills its image ends as softly as everything else."""
    return Items(np.pad(images, ((0, 0), (1, 1), (1, 1))), labels.astype(np.int64), cut)


@cache
def handwritten() -> tuple[Items, Items]:
    """Digits to train with and those held out, parted as the data set `digits` is. Raises DataError."""
    train, held_out = (
        framed((scans.astype(np.int64) * 255 // 16).astype(np.uint8), labels, cut_digit)
        for scans, labels in digits.scans()
    )
    return train, held_out


def cut_digit(scan: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A scan is ink, of one shade."""
    return np.full_like(scan, 255), scan


@cache
def garments() -> tuple[Items, Items]:
    """Fashion-MNIST's garments to train with and those held out, parted as its authors did. Raises DataError."""
    split: Any = fashion_mnist.load(28)  # their own size: parts that have pixels
    train, held_out = (framed(part.pixels, part.labels, cut_garment) for part in (split.train, split.held_out))
    return train, held_out


def cut_garment(photograph: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A garment's ink is its silhouette: all that is not a large dark place, without dirt."""
    silhouette = large(~large(photograph <= DARK))
    return photograph, silhouette.astype(np.uint8) * 255


def large(places: np.ndarray) -> np.ndarray:
    """(h, w) bool without its connected pieces of fewer than SPECK pixels."""
    from scipy import ndimage

    pieces, _ = ndimage.label(places)
    sizes = np.bincount(pieces.ravel())
    sizes[0] = 0  # the rest, which is no piece
    return (sizes >= SPECK)[pieces]
