"""COCO 2017: photographs with boxes of 80 classes, annotations as JSON.

Source: Lin et al., "Microsoft COCO: Common Objects in Context", arXiv 1405.0312. The folder holds the annotations
instances_train2017.json and instances_val2017.json, and the images in train2017/ and val2017/. Categories have numbers
with gaps: in the order of these they are the classes from 0 on. Annotations of crowds, whose box is around many, are
skipped. Images are letterboxed, standardised by ImageNet's mean and deviation.
"""

import hashlib
import json
from collections import defaultdict
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from impls.tasks.data import DataError, DataSet, Skipped, Split, objects
from impls.tasks.data.folder import absent, data_folder

TRAIN, HELD_OUT = "train2017", "val2017"
CROWD = "its box is around a crowd"


class Instances(NamedTuple):
    """A file of annotations: classes in the order of their numbers, its images in order, what is left out, SHA-256."""

    classes: tuple[str, ...]
    described: list[objects.Described]
    skipped: list[Skipped]
    checksum: str


folder = partial(data_folder, "coco")


def annotations(part: str) -> str:
    """The file of a part, in the folder."""
    return f"annotations/instances_{part}.json"


def missing() -> str | None:
    """Why it cannot be loaded."""
    wanted = (annotations(TRAIN), annotations(HELD_OUT), TRAIN, HELD_OUT)
    return absent(folder(), wanted, f"{folder()} is to hold {', '.join(wanted)}")


def load(image_size: int) -> Split:
    """The publisher's split, 118,287 and 5,000. Raises DataError if it is not there or broken."""
    if why := missing():
        raise DataError(why)
    train, held_out = (read(folder() / annotations(part), folder() / part) for part in (TRAIN, HELD_OUT))
    if train.classes != held_out.classes:
        raise DataError(f"{folder() / annotations(HELD_OUT)}: its categories are not those of {annotations(TRAIN)}")
    objects.check_classes(folder() / annotations(TRAIN), train.described, train.classes)
    checksum = hashlib.sha256((train.checksum + held_out.checksum).encode()).hexdigest()
    return Split(
        objects.part(train.described, image_size),
        objects.part(held_out.described, image_size),
        train.classes,
        checksum,
        (*train.skipped, *held_out.skipped),
    )


def read(path: Path, images: Path) -> Instances:
    """A file of annotations and the folder of its images.

    Raises DataError for what is no such file, and for an image or an annotation that the other does not know.
    """
    content = path.read_bytes()
    try:
        data = json.loads(content, object_hook=_without_outline)
        names = {one["id"]: one["name"] for one in data["categories"]}
        labels = {number: label for label, number in enumerate(sorted(names))}
        found, crowds = _found(path, data["annotations"], labels)
        described, outside = _described(path, images, data["images"], found)
    except DataError:
        raise
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError) as error:
        raise DataError(f"{path}: not in COCO's form: {type(error).__name__}: {error}") from error
    _check_files(path, images, described)
    checksum = hashlib.sha256(content).hexdigest()
    return Instances(tuple(names[number] for number in labels), described, crowds + outside, checksum)


def _without_outline(entry: dict[str, Any]) -> dict[str, Any]:
    """Without an object's outline: outlines are most of the file, and would be gigabytes in memory."""
    entry.pop("segmentation", None)
    return entry


def _found(
    path: Path, entries: list[dict[str, Any]], labels: Mapping[Any, int]
) -> tuple[dict[Any, list[objects.Found]], list[Skipped]]:
    """The objects of each image, by its number, and the crowds."""
    found: dict[Any, list[objects.Found]] = defaultdict(list)
    crowds = []
    for one in entries:
        where = f"{path}, annotation {one.get('id')}"
        if lacking := [key for key in ("id", "image_id", "category_id", "bbox") if key not in one]:
            raise DataError(f"{where}: it has no {lacking[0]}")
        if one["category_id"] not in labels:
            raise DataError(f"{where}: there is no category {one['category_id']}")
        if one.get("iscrowd"):
            crowds.append(Skipped(where, CROWD))
        else:
            box = _corners(where, one["bbox"])
            found[one["image_id"]].append(objects.Found(where, box, labels[one["category_id"]]))
    return found, crowds


def _corners(where: str, box: Any) -> tuple[float, float, float, float]:
    """x, y, width, height -> x_min, y_min, x_max, y_max."""
    if not isinstance(box, list) or len(box) != 4 or not all(isinstance(number, int | float) for number in box):
        raise DataError(f"{where}: its box is {box!r}, not four numbers")
    x, y, width, height = box
    return x, y, x + width, y + height


def _described(
    path: Path, images: Path, entries: list[dict[str, Any]], found: dict[Any, list[objects.Found]]
) -> tuple[list[objects.Described], list[Skipped]]:
    """The images in order, and the boxes outside of them; what was found is used up."""
    if not entries:
        raise DataError(f"{path}: no images in it")
    if len({one["id"] for one in entries}) < len(entries):
        raise DataError(f"{path}: two images have the same number")
    described, outside = [], []
    for one in entries:
        file = images / one["file_name"]
        image, left_out = objects.describe(file, one["width"], one["height"], found.pop(one["id"], []))
        described.append(image)
        outside += left_out
    for number, strangers in found.items():
        raise DataError(f"{strangers[0].where}: there is no image {number}")
    return described, outside


def _check_files(path: Path, images: Path, described: list[objects.Described]) -> None:
    """Every image has its file, and every file its entry."""
    there, named = set(images.iterdir()), {one.path for one in described}
    for file in sorted(named - there):
        raise DataError(f"{file} is not there, but {path} describes it")
    for file in sorted(there - named):
        raise DataError(f"{file} is not described in {path}")
    if len(named) < len(described):
        raise DataError(f"{path}: two images have the same file")


DATA_SETS = (
    DataSet(
        name="coco",
        task="detection",
        title="COCO 2017, objects of 80 classes",
        licence="annotations: CC BY 4.0; images: Flickr's terms",
        source="Lin et al., Microsoft COCO: Common Objects in Context, arXiv 1405.0312",
        origin="folder",
        how="evenbench data path coco",
        missing=missing,
        load=load,
        classes=80,
        images=(118_287, 5_000),
        folder=folder,
    ),
)
