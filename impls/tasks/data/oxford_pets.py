"""Oxford-IIIT Pet: photographs of cats and dogs of 37 breeds, each with a trimap: pet, background, border between them.

Source: Parkhi, Vedaldi, Zisserman and Jawahar, "Cats and Dogs", CVPR 2012. The publisher's lists split it: trainval.txt
is trained on, test.txt is held out; images that neither names belong to no part. Images and masks are resized to the
short side, and the middle is taken. Standardised by ImageNet's mean and deviation.
"""

from functools import partial

from impls.tasks.data import DataError, DataSet, Split
from impls.tasks.data.download import Archive, fetch
from impls.tasks.data.folder import absent, checksum, data_folder, lines
from impls.tasks.data.masks import Pair, part

ARCHIVES = (
    Archive(
        "https://www.robots.ox.ac.uk/~vgg/data/pets/data/images.tar.gz", 791_918_971, "5c4f3ee8e5d25df40f4fd59a7f44e54c"
    ),
    Archive(
        "https://www.robots.ox.ac.uk/~vgg/data/pets/data/annotations.tar.gz",
        19_173_078,
        "95a8c909bbe2e81eed6a22bccdf3f68f",
    ),
)
CLASSES = ("pet", "background", "border")
CLASS_OF_VALUE = {1: 0, 2: 1, 3: 2}
REMEDY = "evenbench data get oxford_pets"

folder = partial(data_folder, "oxford_pets")


def missing() -> str | None:
    """Why it cannot be loaded."""
    names = ("images", "annotations/trimaps", "annotations/trainval.txt", "annotations/test.txt")
    return absent(folder(), names, REMEDY)


def load(image_size: int) -> Split:
    """The publisher's split, 3,680 and 3,669. Raises DataError if it is not there or broken."""
    if why := missing():
        raise DataError(why)
    train, held_out = (_pairs(name) for name in ("trainval.txt", "test.txt"))
    listed = checksum(folder(), (path for pair in train + held_out for path in pair))
    return Split(part(train, CLASS_OF_VALUE, image_size), part(held_out, CLASS_OF_VALUE, image_size), CLASSES, listed)


def _pairs(name: str) -> list[Pair]:
    """What a list names: in each line an image, and numbers of its breed."""
    images = [line.split()[0] for line in lines(folder() / "annotations" / name)]
    trimaps = folder() / "annotations" / "trimaps"
    return [Pair(folder() / "images" / f"{image}.jpg", trimaps / f"{image}.png") for image in images]


DATA_SETS = (
    DataSet(
        name="oxford_pets",
        task="segmentation",
        title="Oxford-IIIT Pet, trimaps of cats and dogs",
        licence="CC BY-SA 4.0",
        source="Parkhi, Vedaldi, Zisserman and Jawahar, Cats and Dogs, CVPR 2012",
        origin="download",
        how=REMEDY,
        missing=missing,
        load=load,
        classes=len(CLASSES),
        images=(3_680, 3_669),
        folder=folder,
        fetch=partial(fetch, "oxford_pets", ARCHIVES),
    ),
)
