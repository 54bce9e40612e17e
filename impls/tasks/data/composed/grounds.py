"""Grounds: the photographs of scikit-learn and scikit-image that items are pasted on."""

from functools import cache
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from impls.tasks.data import DataError

# Of scikit-image, beside one of scikit-learn's each: to train with, and held out.
TRAIN = ("coffee.png", "astronaut.png", "rocket.jpg")
HELD_OUT = ("chelsea.png",)
SHA256 = "d7eac079eb61ece01ef2d562ce489aee2fe0302e74daa3938be89d15b944508c"  # of their pixels

Photographs = tuple[np.ndarray, ...]  # (H, W, 3) uint8


def missing() -> str | None:
    """Why they cannot be read, None if they can."""
    for module, package in (("PIL", "pillow"), ("skimage", "scikit-image")):
        if find_spec(module) is None:
            return f"{package} is not installed: pip install {package}"
    return None


@cache
def photographs() -> tuple[Photographs, Photographs]:
    """Those of the training part and those of the held-out part.

    Raises DataError if a package is missing, or their pixels are not those that were tested.
    """
    if why := missing():
        raise DataError(why)
    from impls.pipelines.photographs import checksum, photographs  # what is in impls.pipelines needs Pillow

    try:
        china, flower = photographs()
    except ValueError as error:
        raise DataError(str(error)) from error
    train, held_out = ([_read(name) for name in names] for names in (TRAIN, HELD_OUT))
    if checksum((*train, *held_out)) != SHA256:
        raise DataError("scikit-image's photographs are not those that this benchmark was made with")
    return (china, *train), (flower, *held_out)


def _read(name: str) -> np.ndarray:
    """A file of scikit-image, which is found without importing it: that takes a second."""
    from PIL import Image

    spec = find_spec("skimage")
    assert spec and spec.submodule_search_locations
    path = Path(spec.submodule_search_locations[0], "data", name)
    try:
        return np.asarray(Image.open(path).convert("RGB"))
    except OSError as error:
        raise DataError(f"{path}: {error.strerror or error}") from error
