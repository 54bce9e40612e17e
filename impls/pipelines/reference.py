"""The readable definition of what a pipeline delivers: NumPy, one image after another, in float64.

Only the decoding is Pillow's.
"""

from collections.abc import Iterator

import numpy as np
from PIL import Image

from impls.pipelines.spec import BATCH_SIZE, DEVIATION, IMAGE_SIZE, MEAN, Pass


def read(path: str, top: int, left: int, flip: bool) -> np.ndarray:
    """One image, (IMAGE_SIZE, IMAGE_SIZE, 3) float64: cropped, flipped left to right if so, normalised."""
    with Image.open(path) as file:
        pixels = np.asarray(file.convert("RGB"), np.float64)
    pixels = pixels[top : top + IMAGE_SIZE, left : left + IMAGE_SIZE]
    if flip:
        pixels = pixels[:, ::-1]
    return (pixels - MEAN) / DEVIATION


def batches(images: Pass) -> Iterator[np.ndarray]:
    """The batches of a pass in order, (BATCH_SIZE, IMAGE_SIZE, IMAGE_SIZE, 3)."""
    for start in range(0, len(images.paths), BATCH_SIZE):
        yield np.stack([read(*images.row(image)) for image in range(start, start + BATCH_SIZE)])
