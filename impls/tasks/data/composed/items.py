"""What is pasted: real digits and garments, and which pixels of each belong to it."""

import gzip
import hashlib
import zlib
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np

from impls.tasks.data import DataError, digits

DIGITS = tuple("0123456789")
GARMENTS = (
    "T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot",
)  # fmt: skip
FOLDER = Path("/usr/share/datasets/fashion-mnist")
HELP = "install Debian's package dataset-fashion-mnist"
# File -> SHA-256 of what is compressed in it: training part, then the part held out, each images and labels.
FILES = {
    "train-images-idx3-ubyte.gz": "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
    "train-labels-idx1-ubyte.gz": "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
    "t10k-images-idx3-ubyte.gz": "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
    "t10k-labels-idx1-ubyte.gz": "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
}
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
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    data = load_digits()
    if digits.checksum(data.images, data.target) != digits.SHA256:
        raise DataError("scikit-learn's digits are not those that this benchmark was made with")
    scans = (data.images.astype(np.int64) * 255 // 16).astype(np.uint8)
    train, held_out, train_labels, held_out_labels = train_test_split(
        scans, data.target, test_size=digits.HELD_OUT, stratify=data.target, random_state=0
    )
    return framed(train, train_labels, cut_digit), framed(held_out, held_out_labels, cut_digit)


def cut_digit(scan: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A scan is ink, of one shade."""
    return np.full_like(scan, 255), scan


@cache
def garments() -> tuple[Items, Items]:
    """Fashion-MNIST's garments to train with and those held out, parted as its authors did. Raises DataError."""
    if reason := missing_garments():
        raise DataError(reason)
    contents = [unpack(FOLDER / name, expected) for name, expected in FILES.items()]
    images = [np.frombuffer(content, np.uint8, offset=16).reshape(-1, 28, 28) for content in contents[::2]]
    labels = [np.frombuffer(content, np.uint8, offset=8) for content in contents[1::2]]
    return framed(images[0], labels[0], cut_garment), framed(images[1], labels[1], cut_garment)


def missing_garments() -> str | None:
    """Why there are no garments here, None if there are."""
    absent = [FOLDER / name for name in FILES if not (FOLDER / name).is_file()]
    return f"{absent[0]} is not there: {HELP}" if absent else None


def unpack(path: Path, expected: str) -> bytes:
    """What is compressed in a file. Raises DataError if it is not what was expected, by its SHA-256."""
    try:
        content = gzip.decompress(path.read_bytes())
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path} cannot be read: {error}; {HELP}") from error
    if hashlib.sha256(content).hexdigest() != expected:
        raise DataError(f"{path} is not the file that this benchmark was made with: {HELP}")
    return content


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
