"""Handwritten digits: 1,797 real scans of 8x8 pixels in 10 classes, shipped with scikit-learn (BSD-3-Clause).

Source: Alpaydin and Kaynak, "Optical Recognition of Handwritten Digits", UCI Machine Learning Repository, test part.
"""

import hashlib
from functools import cache

import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from impls.tasks.data import DataError, DataSet, Split
from impls.tasks.data.arrays import Arrays

NUM_CLASSES = 10
PIXELS = 8
HELD_OUT = 360
SHA256 = "87ff0c9e40dc7e2c0e34e7257799c2e3f3aec1a016363bb11cad869ec428a826"


@cache
def load(image_size: int) -> Split:
    """The fixed stratified split, each pixel repeated up to image_size, three equal channels, standardised.

    Raises ValueError if image_size is no multiple of 8, DataError as `scans`.
    """
    if image_size % PIXELS or image_size < PIXELS:
        raise ValueError(f"digits have {PIXELS} x {PIXELS} pixels: image_size must be a multiple, not {image_size}")
    (train_scans, train_labels), (test_scans, test_labels) = scans()
    train_images, test_images = (_enlarged(part, image_size) for part in (train_scans, test_scans))
    mean, deviation = train_images.mean(), train_images.std()  # of the training part alone
    train, held_out = (
        Arrays(((images - mean) / deviation).astype(np.float32), labels.astype(np.int64))
        for images, labels in ((train_images, train_labels), (test_images, test_labels))
    )
    return Split(train, held_out, tuple(map(str, range(NUM_CLASSES))), SHA256)


def scans() -> tuple[tuple[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]:
    """Scans (N, 8, 8) float64, 0 to 16, and labels (N,) of the training part, and of those held out.

    Raises DataError if they are not those that were tested.
    """
    data = load_digits()
    if checksum(data.images, data.target) != SHA256:
        raise DataError("scikit-learn's digits are not those that this benchmark was made with")
    train, held_out, train_labels, held_out_labels = train_test_split(
        data.images, data.target, test_size=HELD_OUT, stratify=data.target, random_state=0
    )
    return (train, train_labels), (held_out, held_out_labels)


def _enlarged(part: np.ndarray, image_size: int) -> np.ndarray:
    """Scans -> (N, image_size, image_size, 3)."""
    images = np.kron(part, np.ones((1, image_size // PIXELS, image_size // PIXELS)))
    return np.repeat(images[..., np.newaxis], 3, axis=-1)


def checksum(images: np.ndarray, labels: np.ndarray) -> str:
    """SHA-256 of the raw scans and labels."""
    return hashlib.sha256(images.astype(np.uint8).tobytes() + labels.astype(np.uint8).tobytes()).hexdigest()


DATA_SETS = (
    DataSet(
        name="digits",
        task="classification",
        title="scikit-learn's handwritten digits, 8x8 pixels",
        licence="BSD-3-Clause",
        source="Alpaydin and Kaynak, Optical Recognition of Handwritten Digits, UCI Machine Learning Repository",
        origin="embedded",
        how="scikit-learn ships it",
        missing=lambda: None,
        load=load,
        classes=NUM_CLASSES,
        images=(1437, HELD_OUT),
    ),
)
