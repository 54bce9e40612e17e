"""Fashion-MNIST: 70,000 photographs of clothing, 28x28 pixels, 10 classes, in MNIST's format IDX (MIT).

Source: Xiao, Rasul and Vollgraf, "Fashion-MNIST: a Novel Image Dataset for Benchmarking Machine Learning Algorithms",
arXiv 1708.07747. Standardised by mean and deviation of all pixels of the training part.
"""

import gzip
import hashlib
import zlib
from pathlib import Path

import numpy as np

from impls.tasks.data import DataError, DataSet, Split
from impls.tasks.data.arrays import small_images
from impls.tasks.data.folder import absent, data_folder

PACKAGED = Path("/usr/share/datasets/fashion-mnist")  # where Debian's package puts it
# SHA-256 of what is in the files: publishers compress the same in different ways.
FILES = {
    "train-images-idx3-ubyte": "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
    "train-labels-idx1-ubyte": "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
    "t10k-images-idx3-ubyte": "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
    "t10k-labels-idx1-ubyte": "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
}
CLASSES = (
    "T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot",
)  # fmt: skip
REMEDY = "apt-get install dataset-fashion-mnist"


def folder() -> Path:
    """The user's own, if there is one or the package is not installed."""
    own = data_folder("fashion_mnist")
    return PACKAGED if PACKAGED.is_dir() and not own.exists() else own


def missing() -> str | None:
    """Why it cannot be loaded."""
    return absent(folder(), (f"{name}.gz" for name in FILES), f"{REMEDY}, or put its four files there")


def load(image_size: int) -> Split:
    """The publisher's split, 60,000 and 10,000. Raises DataError if it is not there or not what was published."""
    if why := missing():
        raise DataError(why)
    contents = [_content(folder() / f"{name}.gz", sha256) for name, sha256 in FILES.items()]
    train_pixels, train_labels, test_pixels, test_labels = map(parse, contents)
    checksum = hashlib.sha256(b"".join(contents)).hexdigest()
    return small_images((train_pixels, train_labels), (test_pixels, test_labels), CLASSES, image_size, checksum)


def _content(path: Path, sha256: str) -> bytes:
    """What is in a compressed file. Raises DataError where that is not what was published."""
    try:
        content = gzip.decompress(path.read_bytes())
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path}: {error}") from error
    found = hashlib.sha256(content).hexdigest()
    if found != sha256:
        raise DataError(f"{path}: SHA-256 of its contents is {found}, not {sha256}")
    return content


def parse(content: bytes) -> np.ndarray:
    """An array of IDX: two zeros, the type (8: uint8), the number of axes, their lengths in 32 bits, the values."""
    axes = content[3]
    shape = np.frombuffer(content, ">u4", axes, offset=4)
    return np.frombuffer(content, np.uint8, offset=4 + 4 * axes).reshape(shape)


DATA_SETS = (
    DataSet(
        name="fashion_mnist",
        task="classification",
        title="Fashion-MNIST, photographs of clothing, 28x28 pixels",
        licence="MIT",
        source="Xiao, Rasul and Vollgraf, arXiv 1708.07747; Debian's package dataset-fashion-mnist",
        origin="package",
        how=REMEDY,
        missing=missing,
        load=load,
        classes=len(CLASSES),
        images=(60_000, 10_000),
        folder=folder,
    ),
)
