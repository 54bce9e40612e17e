"""CIFAR-10: 60,000 photographs of 32x32 pixels in 10 classes, as its publisher's archive for Python has them.

Source: Krizhevsky, "Learning Multiple Layers of Features from Tiny Images", 2009. Standardised by mean and deviation of
each channel over the training part.

The files are pickles. Each is unpickled only after its MD5 is the publisher's, and then by an unpickler that makes
arrays and nothing else: MD5 alone would not keep out a file that was made to have it.
"""

import hashlib
import pickle
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np

from impls.tasks.data import DataError, DataSet, Split
from impls.tasks.data.arrays import small_images
from impls.tasks.data.download import Archive, fetch
from impls.tasks.data.folder import absent, data_folder

ARCHIVE = Archive(
    "https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz", 170_498_071, "c58f30108f718f92721af3b95e74349a"
)
FOLDER = "cifar-10-batches-py"  # in the archive
TRAIN = {  # MD5
    "data_batch_1": "c99cafc152244af753f735de768cd75f",
    "data_batch_2": "d4bba439e000b95fd0a9bffe97cbabec",
    "data_batch_3": "54ebc095f3ab1f0389bbae665268c751",
    "data_batch_4": "634d18415352ddfa80567beed471001a",
    "data_batch_5": "482c414d41f54cd18b22e5b47cb7c3cb",
}
HELD_OUT = {"test_batch": "40351d587109b95175f43aff81a1287e"}
CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
REMEDY = "evenbench data get cifar10"
# What these pickles call; NumPy has its function under another name by now.
ALLOWED = {
    ("numpy.core.multiarray", "_reconstruct"): np.empty(0).__reduce__()[0],
    ("numpy", "ndarray"): np.ndarray,
    ("numpy", "dtype"): np.dtype,
}


class ArraysOnly(pickle.Unpickler):
    """An unpickler that can make arrays, beside numbers, strings, lists and dicts."""

    def find_class(self, module: str, name: str) -> Any:
        """What a pickle may call. Raises UnpicklingError for everything else."""
        if (module, name) not in ALLOWED:
            raise pickle.UnpicklingError(f"it asks for {module}.{name}")
        return ALLOWED[module, name]


folder = partial(data_folder, "cifar10")


def missing() -> str | None:
    """Why it cannot be loaded."""
    return absent(folder() / FOLDER, (*TRAIN, *HELD_OUT), REMEDY)


def load(image_size: int) -> Split:
    """The publisher's split, 50,000 and 10,000. Raises DataError if it is not there or not what was published."""
    if why := missing():
        raise DataError(why)
    train, held_out = (
        [_read(folder() / FOLDER / name, md5) for name, md5 in part.items()] for part in (TRAIN, HELD_OUT)
    )
    pixels, labels = (np.concatenate(arrays) for arrays in zip(*train, strict=True))
    digest = hashlib.sha256()
    for array in (pixels, labels, *held_out[0]):
        digest.update(np.ascontiguousarray(array).data)
    return small_images((pixels, labels), held_out[0], CLASSES, image_size, digest.hexdigest())


def _read(path: Path, md5: str) -> tuple[np.ndarray, np.ndarray]:
    """Images (N, 32, 32, 3) uint8 and labels (N,) int64 of a file."""
    content = path.read_bytes()
    found = hashlib.md5(content, usedforsecurity=False).hexdigest()
    if found != md5:
        raise DataError(f"{path}: MD5 is {found}, its publisher's {md5}")
    try:
        # The pickles are of Python 2: what is a string there is bytes.
        batch = ArraysOnly(BytesIO(content), encoding="latin1").load()
        pixels, labels = batch["data"].reshape(-1, 3, 32, 32), np.array(batch["labels"], np.int64)
    except Exception as error:  # a pickle can go wrong in every way there is
        raise DataError(f"{path}: {error}") from error
    if pixels.dtype != np.uint8 or labels.shape != (len(pixels),) or not set(labels) <= set(range(len(CLASSES))):
        raise DataError(f"{path}: its images and labels do not fit together")
    return pixels.transpose(0, 2, 3, 1), labels


DATA_SETS = (
    DataSet(
        name="cifar10",
        task="classification",
        title="CIFAR-10, photographs of 32x32 pixels",
        licence="none stated",
        source="Krizhevsky, Learning Multiple Layers of Features from Tiny Images, 2009",
        origin="download",
        how=REMEDY,
        missing=missing,
        load=load,
        classes=len(CLASSES),
        images=(50_000, 10_000),
        folder=folder,
        fetch=partial(fetch, "cifar10", (ARCHIVE,)),
    ),
)
