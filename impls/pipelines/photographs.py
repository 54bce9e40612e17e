"""The files that pipelines read: pieces of the two photographs that scikit-learn ships.

china.jpg by danielbuechele and flower.jpg by vultilion, both from Flickr and CC BY 2.0. The pieces are made for a
measurement and not kept.
"""

import hashlib
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from impls.pipelines.spec import FILE_SIZE

SHA256 = "99310b92a8963a4b9118f3a93695bf9d2f7c20a03361f1962972901ccd5560da"
# JPEG's colours have half the resolution, as in most files that are about.
OPTIONS: dict[str, dict[str, Any]] = {"jpeg": {"quality": 90, "subsampling": "4:2:0"}, "png": {}}


@cache
def photographs() -> tuple[np.ndarray, ...]:
    """Both, (427, 640, 3) uint8. Raises ValueError if their pixels are not those that were tested."""
    from sklearn.datasets import load_sample_images  # it takes a second, and asv's discovery imports this file

    found = tuple(load_sample_images().images)
    if checksum(found) != SHA256:
        raise ValueError("scikit-learn's photographs are not those that this benchmark was made with")
    return found


def checksum(images: tuple[np.ndarray, ...]) -> str:
    """SHA-256 of all pixels."""
    return hashlib.sha256(b"".join(image.tobytes() for image in images)).hexdigest()


def pieces(count: int, seed: int = 0) -> list[np.ndarray]:
    """Seeded pieces of both in turn, (FILE_SIZE, FILE_SIZE, 3) uint8."""
    generator = np.random.default_rng(seed)
    found = []
    for number in range(count):
        photograph = photographs()[number % 2]
        top, left = (generator.integers(0, size - FILE_SIZE + 1) for size in photograph.shape[:2])
        found.append(photograph[top : top + FILE_SIZE, left : left + FILE_SIZE])
    return found


def write(folder: Path, format: str, count: int, seed: int = 0) -> list[str]:
    """Write so many pieces into a folder that exists: their paths, in order.

    PNG keeps every pixel; what is in a JPEG is what a decoder makes of it. Raises KeyError for a format that is not one
    of spec.FORMATS, OSError where the folder cannot be written.
    """
    paths = [folder / f"{number:05}.{format}" for number in range(count)]
    for path, piece in zip(paths, pieces(count, seed), strict=True):
        file = BytesIO()  # where a disk is full Pillow itself would leave half a file, and say nothing
        Image.fromarray(piece).save(file, format, **OPTIONS[format])
        path.write_bytes(file.getbuffer())
    return [str(path) for path in paths]
