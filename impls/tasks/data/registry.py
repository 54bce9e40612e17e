"""The data sets by their names."""

from itertools import chain

from impls.tasks.data import (
    DataSet,
    cifar10,
    coco,
    composed,
    digits,
    fashion_mnist,
    image_folders,
    mnist_5k,
    nuclei,
    oxford_pets,
    pascal_voc,
)

LOADERS = (
    digits, mnist_5k, fashion_mnist, cifar10, image_folders, composed, coco, pascal_voc, nuclei, oxford_pets,
)  # fmt: skip
DATA_SETS: dict[str, DataSet] = {one.name: one for one in chain.from_iterable(loader.DATA_SETS for loader in LOADERS)}


def named(name: str) -> DataSet:
    """A data set. Raises ValueError, which lists them all, where there is none of that name."""
    if name not in DATA_SETS:
        raise ValueError(f"no such data set: {name} (there are {', '.join(DATA_SETS)})")
    return DATA_SETS[name]
