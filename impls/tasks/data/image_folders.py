"""ImageNet and Imagenette: train/ and val/ with a folder of JPEG files for each class.

Sources: Russakovsky et al., "ImageNet Large Scale Visual Recognition Challenge", arXiv 1409.0575; Howard, "Imagenette",
the edition whose short sides have 320 pixels. Classes are numbered in the order of their folders' sorted names, as
ImageNet's are everywhere. An image is resized to a short side of 256 / 224 of what is delivered, and its middle is
taken; standardised by ImageNet's mean and deviation.
"""

from functools import partial
from pathlib import Path

import numpy as np

from impls.tasks.data import DataError, DataSet, Skipped, Split, images
from impls.tasks.data.download import Archive, fetch
from impls.tasks.data.folder import absent, checksum, data_folder

SUFFIXES = (".jpeg", ".jpg")
RESIZED, CROPPED = 256, 224
NOT_JPEG = f"its name does not end in {' or '.join(SUFFIXES)}"
LAYOUT = "is to hold train/ and val/, each with a folder of JPEG files for each class"
IMAGENETTE = Archive(
    "https://s3.amazonaws.com/fast-ai-imageclas/imagenette2-320.tgz", 341_663_724, "3df6f0d01a2c9592104656642f5e78a3"
)
Entries = list[tuple[Path, int]]  # file, label

imagenet = partial(data_folder, "imagenet")
imagenette = partial(data_folder, "imagenette")


def load_imagenet(image_size: int) -> Split:
    """The publisher's split into training and validation. Raises DataError if it is not there or broken."""
    return load(imagenet(), image_size)


def load_imagenette(image_size: int) -> Split:
    """The publisher's split. Raises DataError if it is not there or broken."""
    return load(imagenette() / "imagenette2-320", image_size)


def load(root: Path, image_size: int) -> Split:
    """A folder with train/ and val/. Raises DataError where they lack images or have other classes than each other."""
    train, classes, skipped = _scan(root / "train")
    held_out, others, also_skipped = _scan(root / "val")
    if different := sorted({*classes} ^ {*others}):
        raise DataError(f"{root}: train/ and val/ do not have the same classes: {different[0]} is only in one of them")
    listed = checksum(root, (path for path, _ in train + held_out))
    trained, tested = (images.Files(entries, partial(_read, image_size)) for entries in (train, held_out))
    return Split(trained, tested, classes, listed, (*skipped, *also_skipped))


def _scan(folder: Path) -> tuple[Entries, tuple[str, ...], list[Skipped]]:
    """The images of a part in order, its classes, and which files are no images."""
    names, skipped = [], []
    for name in _listed(folder):
        if (folder / name).is_dir():
            names.append(name)
        else:
            skipped.append(Skipped(str(folder / name), "it is in no folder of a class"))
    if not names:
        raise DataError(f"{folder}: no folders of classes in it")
    entries: Entries = []
    for label, name in enumerate(names):
        files = _listed(folder / name)
        found = [(folder / name / file, label) for file in files if file.lower().endswith(SUFFIXES)]
        if not found:
            raise DataError(f"{folder / name}: the class has no JPEG files")
        strangers = (file for file in files if not file.lower().endswith(SUFFIXES))
        skipped += [Skipped(str(folder / name / file), NOT_JPEG) for file in strangers]
        entries += found
    return entries, tuple(names), skipped


def _listed(folder: Path) -> list[str]:
    try:
        return sorted(path.name for path in folder.iterdir())
    except OSError as error:
        raise DataError(f"{folder}: {error.strerror}") from error


def _read(image_size: int, entry: tuple[Path, int]) -> tuple[np.ndarray, int]:
    path, label = entry
    short_side = round(image_size * RESIZED / CROPPED)
    return np.asarray(images.crop(images.read(path), short_side, image_size)), label


DATA_SETS = (
    DataSet(
        name="imagenette",
        task="classification",
        title="Imagenette, 10 of ImageNet's classes, short sides of 320 pixels",
        licence="ImageNet's terms: research, not commercial; lists: Apache-2.0",
        source="Howard, Imagenette, version 2 (70 to 30), 320 px",
        origin="download",
        how="evenbench data get imagenette",
        missing=lambda: absent(imagenette() / "imagenette2-320", ("train", "val"), "evenbench data get imagenette"),
        load=load_imagenette,
        classes=10,
        images=(9_469, 3_925),
        folder=imagenette,
        fetch=partial(fetch, "imagenette", (IMAGENETTE,)),
    ),
    DataSet(
        name="imagenet",
        task="classification",
        title="ImageNet (ILSVRC 2012)",
        licence="ImageNet's terms: research, not commercial",
        source="Russakovsky et al., ImageNet Large Scale Visual Recognition Challenge, arXiv 1409.0575",
        origin="folder",
        how="evenbench data path imagenet",
        missing=lambda: absent(imagenet(), ("train", "val"), f"{imagenet()} {LAYOUT}"),
        load=load_imagenet,
        classes=1000,
        images=(1_281_167, 50_000),
        folder=imagenet,
    ),
)
