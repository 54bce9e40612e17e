"""What every input pipeline does: facts, never a program. README.md says why it is so.

A pass goes once through a list of images. Where each is cropped and whether it is flipped is drawn beforehand, so that
every framework delivers the same pixels in the same order.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

FORMATS = ("jpeg", "png")
WORKLOADS = {f"input_pipeline-{format}": format for format in FORMATS}  # name in a run -> format of its files
# How a framework runs its pipeline, whatever mode the model that it feeds is in: tf.data is a graph, always.
MODES = {
    "pytorch": "eager",
    "tensorflow": "graph",
    "keras-tensorflow": "eager",
    "keras-torch": "eager",
    "keras-jax": "eager",
}
FILES = 256
FILE_SIZE = 256  # pixels of a side of a file's image
IMAGE_SIZE = 224  # of what is delivered
BATCH_SIZE = 32
# ImageNet's, of each channel of pixels from 0 to 255; shape (3,).
MEAN = np.array([123.675, 116.28, 103.53], np.float32)
DEVIATION = np.array([58.395, 57.12, 57.375], np.float32)
# Largest absolute difference of a delivered value, whose size is at most 2.7: rounding in float32. The pixels that are
# decoded are equal; one that is off by one would be 0.017 away.
TOLERANCE = 1e-6


class Pass(NamedTuple):
    """The images of a pass, in order; all but the format have one entry an image.

    format: one of FORMATS. paths: of the files. tops, lefts: (images,) int32, where the crop begins. flips: (images,)
    bool, left to right.
    """

    format: str
    paths: list[str]
    tops: np.ndarray
    lefts: np.ndarray
    flips: np.ndarray

    @property
    def batches(self) -> int:
        """How many there are."""
        return len(self.paths) // BATCH_SIZE

    def row(self, image: int) -> tuple[str, int, int, bool]:
        """Path, top, left and flip of one image."""
        return self.paths[image], int(self.tops[image]), int(self.lefts[image]), bool(self.flips[image])


def plan(format: str, files: Sequence[str], batches: int, seed: int = 0) -> Pass:
    """A pass of so many batches over the files, again and again, each time with other crops and flips.

    Raises ValueError for a format that is not one of FORMATS, for no files and for no batches.
    """
    if format not in FORMATS:
        raise ValueError(f"no such format: {format} (there are {', '.join(FORMATS)})")
    if not files or batches < 1:
        raise ValueError(f"a pass needs files and batches, not {len(files)} and {batches}")
    generator = np.random.default_rng(seed)
    images = batches * BATCH_SIZE
    tops, lefts = generator.integers(0, FILE_SIZE - IMAGE_SIZE + 1, (2, images), np.int32)
    flips = generator.random(images) < 0.5
    return Pass(format, [files[image % len(files)] for image in range(images)], tops, lefts, flips)


def batches(workers: int) -> int:
    """How many a measured pass has: the same for every worker, and enough that its start counts for little."""
    return max(16, 8 * workers)
