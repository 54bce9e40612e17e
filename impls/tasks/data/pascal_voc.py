"""Pascal VOC 2012: photographs with objects of 20 classes, their boxes as XML, and for some of them masks as PNG.

Source: Everingham et al., "The Pascal Visual Object Classes Challenge: A Retrospective", IJCV 2015. The lists of its
development kit split it: train.txt is trained on, val.txt is held out. Standardised by ImageNet's mean and deviation.

Boxes count pixels from 1, the last one included: here they begin at x_min - 1 and y_min - 1. Objects marked as
difficult, which the challenge does not score, are skipped. Images are letterboxed. In a mask, the border around objects
and what is difficult (255) is a class of its own, the last one: no loss here can leave pixels out. Masks and their
images are resized to the short side, and the middle is taken.
"""

import hashlib
import math
from contextlib import suppress
from functools import partial
from pathlib import Path
from xml.etree import ElementTree

from impls.tasks.data import DataError, DataSet, Skipped, Split, objects
from impls.tasks.data.download import Archive, fetch
from impls.tasks.data.folder import absent, checksum, data_folder, lines
from impls.tasks.data.masks import Pair, part

ARCHIVE = Archive(
    "https://thor.robots.ox.ac.uk/pascal/VOC/voc2012/VOCtrainval_11-May-2012.tar",
    1_999_639_040,
    "6cd6e144f989b92b3379bac3b3de84fd",
)
CLASSES = (
    "aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair", "cow", "diningtable", "dog",
    "horse", "motorbike", "person", "pottedplant", "sheep", "sofa", "train", "tvmonitor",
)  # fmt: skip
MASKS = ("background", *CLASSES, "void")
CLASS_OF_VALUE = {**{label: label for label in range(21)}, 255: 21}
DIFFICULT = "it is marked as difficult"
REMEDY = "evenbench data get pascal_voc"

folder = partial(data_folder, "pascal_voc")


def root() -> Path:
    """Where the archive has all its files."""
    return folder() / "VOCdevkit" / "VOC2012"


def missing() -> str | None:
    """Why it cannot be loaded."""
    return absent(root(), ("ImageSets", "JPEGImages", "Annotations", "SegmentationClass"), REMEDY)


def load(image_size: int) -> Split:
    """The boxes, 5,717 and 5,823 images. Raises DataError if it is not there or broken."""
    if why := missing():
        raise DataError(why)
    digest, skipped = hashlib.sha256(), list[Skipped]()
    parts = []
    for name in ("train", "val"):
        described = []
        for image in lines(root() / "ImageSets" / "Main" / f"{name}.txt"):
            content = _content(root() / "Annotations" / f"{image}.xml")
            digest.update(content)
            one, left_out = _describe(image, content)
            described.append(one)
            skipped += left_out
        parts.append(described)
    objects.check_classes(root() / "ImageSets" / "Main" / "train.txt", parts[0], CLASSES)
    train, held_out = (objects.part(described, image_size) for described in parts)
    return Split(train, held_out, CLASSES, digest.hexdigest(), tuple(skipped))


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise DataError(f"{path}: {error.strerror}") from error


def _describe(image: str, content: bytes) -> tuple[objects.Described, list[Skipped]]:
    path = root() / "Annotations" / f"{image}.xml"
    try:
        tree = ElementTree.fromstring(content)
    except ElementTree.ParseError as error:
        raise DataError(f"{path}: no XML: {error}") from error
    width, height = (_number(path, tree, f"size/{side}") for side in ("width", "height"))
    found, skipped = [], []
    for number, entry in enumerate(tree.findall("object"), start=1):
        where = f"{path}, object {number}"
        name = entry.findtext("name", "")
        if name not in CLASSES:
            raise DataError(f"{where}: there is no class {name!r}")
        x_min, y_min, x_max, y_max = (
            _number(where, entry, f"bndbox/{end}") for end in ("xmin", "ymin", "xmax", "ymax")
        )
        if entry.findtext("difficult", "0").strip() == "1":
            skipped.append(Skipped(where, DIFFICULT))
        else:
            found.append(objects.Found(where, (x_min - 1, y_min - 1, x_max, y_max), CLASSES.index(name)))
    file = root() / "JPEGImages" / f"{image}.jpg"
    if not file.is_file():
        raise DataError(f"{file} is not there, but {path} describes it")
    described, outside = objects.describe(file, int(width), int(height), found)
    return described, skipped + outside


def _number(where: object, entry: ElementTree.Element, name: str) -> float:
    text = entry.findtext(name, "")
    with suppress(ValueError):
        if math.isfinite(float(text)):
            return float(text)
    raise DataError(f"{where}: {name} is {text!r}, no number")


def load_masks(image_size: int) -> Split:
    """The masks, 1,464 and 1,449 images. Raises DataError if it is not there or broken."""
    if why := missing():
        raise DataError(why)
    train, held_out = (
        [
            Pair(root() / "JPEGImages" / f"{image}.jpg", root() / "SegmentationClass" / f"{image}.png")
            for image in lines(root() / "ImageSets" / "Segmentation" / f"{name}.txt")
        ]
        for name in ("train", "val")
    )
    listed = checksum(root(), (path for pair in train + held_out for path in pair))
    return Split(part(train, CLASS_OF_VALUE, image_size), part(held_out, CLASS_OF_VALUE, image_size), MASKS, listed)


DATA_SETS = (
    DataSet(
        name="pascal_voc",
        task="detection",
        title="Pascal VOC 2012, objects of 20 classes",
        licence="images: Flickr's terms",
        source="Everingham et al., The Pascal Visual Object Classes Challenge: A Retrospective, IJCV 2015",
        origin="download",
        how=REMEDY,
        missing=missing,
        load=load,
        classes=len(CLASSES),
        images=(5_717, 5_823),
        folder=folder,
        fetch=partial(fetch, "pascal_voc", (ARCHIVE,)),
    ),
    DataSet(
        name="pascal_voc_segmentation",
        task="segmentation",
        title="Pascal VOC 2012, masks of 20 classes",
        licence="images: Flickr's terms",
        source="Everingham et al., The Pascal Visual Object Classes Challenge: A Retrospective, IJCV 2015",
        origin="download",
        how=REMEDY,
        missing=missing,
        load=load_masks,
        classes=len(MASKS),
        images=(1_464, 1_449),
        folder=folder,
        fetch=partial(fetch, "pascal_voc", (ARCHIVE,)),
    ),
)
