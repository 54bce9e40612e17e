"""Composited data sets: real items on pieces of real photographs, with exact boxes and masks.

README.md says how they are made and why so. Each image is made when it is read, from the number that it has.
"""

import hashlib
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from impls.tasks.data import DataSet, Split, fashion_mnist
from impls.tasks.data.composed import grounds, items
from impls.tasks.data.composed.grounds import Photographs
from impls.tasks.data.composed.items import Items
from impls.tasks.data.composed.scenes import Scene, compose

VERSION = 2  # whatever changes a pixel, a box or a label raises it
# Kind of items -> `checksum` of its images of 96 pixels.
SHA256 = {
    "digits": "d06b83f4b3dc924fae688aecba8f43236b63ac8fec10bbcdba6d5afed143a1e7",
    "fashion": "d421414ebc69d5678d826743156a1a63506b926340593d842253d08919062400",
}
TRAIN, HELD_OUT = 2000, 400  # images
CLASSES = {"digits": tuple("0123456789"), "fashion": fashion_mnist.CLASSES}
MASKS = "background", "item"
STEP = 32  # pixels: the largest stride of the models


@dataclass(frozen=True, eq=False)
class Part:
    """Training part (number 0) or held-out part (number 1). masks: whether these are the targets, or the objects."""

    items: Items
    photographs: Photographs
    number: int
    count: int
    image_size: int
    masks: bool

    def __len__(self) -> int:
        return self.count

    def scene(self, image: int) -> Scene:
        """All of one image, as it is before it is standardised. Raises IndexError."""
        seed = self.number, range(self.count)[image]
        return compose(self.items, self.photographs, self.image_size, seed)

    def read(self, chosen: np.ndarray) -> tuple[np.ndarray, Any]:
        """Images standardised with ImageNet's mean and deviation, and their targets."""
        from impls.pipelines.spec import DEVIATION, MEAN  # what is in impls.pipelines needs Pillow

        scenes = [self.scene(int(image)) for image in chosen]
        images = (np.stack([scene.image for scene in scenes]) - MEAN) / DEVIATION
        if self.masks:
            return images, np.stack([scene.mask for scene in scenes]).astype(np.int64)
        return images, [scene.objects for scene in scenes]


def load(kind: str, masks: bool, image_size: int) -> Split:
    """The images with a kind of items. Raises DataError, and ValueError for an image_size that cannot be."""
    if image_size < STEP or image_size % STEP:
        raise ValueError(f"composited images have a side of a multiple of {STEP} pixels, not of {image_size}")
    pools = items.handwritten() if kind == "digits" else items.garments()
    train, held_out = grounds.photographs()
    return Split(
        Part(pools[0], train, 0, TRAIN, image_size, masks),
        Part(pools[1], held_out, 1, HELD_OUT, image_size, masks),
        MASKS if masks else CLASSES[kind],
        SHA256[kind],
    )


def checksum(split: Split) -> str:
    """SHA-256 of all images, boxes, labels and masks, image by image, the training part first."""
    digest = hashlib.sha256()
    for part in (split.train, split.held_out):
        assert isinstance(part, Part)
        for number in range(len(part)):
            image, objects, mask = part.scene(number)
            for array in (image, objects.boxes.astype("<i2"), objects.labels.astype(np.uint8), mask):
                digest.update(array.tobytes())
    return digest.hexdigest()


def missing(kind: str) -> str | None:
    """Why images with a kind of items cannot be made here, None if they can."""
    return grounds.missing() or (fashion_mnist.missing() if kind == "fashion" else None)


def data_sets(kind: str, things: str, **facts: Any) -> tuple[DataSet, DataSet]:
    """The two sets with a kind of items: their boxes to detect, and their masks."""
    boxes = DataSet(
        name=f"composed_{kind}",
        task="detection",
        title=f"Composited, version {VERSION}: {things} on pieces of photographs, boxes",
        missing=partial(missing, kind),
        load=partial(load, kind, False),
        composited=True,
        classes=len(CLASSES[kind]),
        images=(TRAIN, HELD_OUT),
        **facts,
    )
    name, title = f"{boxes.name}_masks", boxes.title.replace("boxes", "masks")
    return boxes, replace(
        boxes, name=name, task="segmentation", title=title, load=partial(load, kind, True), classes=len(MASKS)
    )


DATA_SETS = (
    *data_sets(
        "digits",
        "handwritten digits",
        licence="digits BSD-3-Clause, photographs CC BY 2.0, CC0 and in the public domain",
        source="scikit-learn: its digits; photographs of scikit-learn and scikit-image",
        origin="embedded",
        how="scikit-learn and scikit-image bring it",
    ),
    *data_sets(
        "fashion",
        "Fashion-MNIST's garments",
        licence="garments MIT, photographs CC BY 2.0, CC0 and in the public domain",
        source="Fashion-MNIST; photographs of scikit-learn and scikit-image",
        origin="package",
        how=fashion_mnist.REMEDY,
    ),
)
