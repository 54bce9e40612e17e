"""Files of data sets, a few of each, in the formats of their publishers."""

import pickle
import struct
from io import BytesIO
from pathlib import Path
from zipfile import ZipFile

import numpy as np
from PIL import Image

from impls.tasks.data import cifar10, nuclei

RED, BLUE = (200, 30, 40), (20, 60, 220)


def picture(
    path: Path, array: np.ndarray | tuple[int, int], colour: tuple[int, int, int] = RED, **options: str
) -> None:
    """Write an image of pixels, or one of (width, height) in one colour; the format is the name's unless stated."""
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.fromarray(array) if isinstance(array, np.ndarray) else Image.new("RGB", array, colour)
    image.save(path, **options)


def ramp(width: int, height: int) -> np.ndarray:
    """An image whose pixel in column x and row y is (x, y, 7)."""
    rows, columns = np.mgrid[:height, :width].astype(np.uint8)
    return np.stack([columns, rows, np.full_like(rows, 7)], -1)


def idx(array: np.ndarray) -> bytes:
    """An array of uint8 in the format IDX."""
    return struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape) + array.tobytes()


class Python2Pickler(pickle._Pickler):
    """Writes as Python 2 did, in which CIFAR-10 was pickled: strings are bytes of no stated encoding."""

    dispatch = pickle._Pickler.dispatch.copy()

    def save_string(self, text: bytes) -> None:
        """Length and bytes."""
        self.write(pickle.BINSTRING + struct.pack("<i", len(text)) + text)
        self.memoize(text)

    dispatch[bytes] = save_string


def batch(pixels: np.ndarray, labels: list[int]) -> bytes:
    """A file of CIFAR-10: rows of 1,024 red, 1,024 green and 1,024 blue values."""
    stream = BytesIO()
    Python2Pickler(stream, 2).dump({b"batch_label": b"a batch", b"labels": labels, b"data": pixels, b"filenames": []})
    return stream.getvalue().replace(b"numpy._core.multiarray", b"numpy.core.multiarray")


def cifar_files() -> dict[str, bytes]:
    """The six files with 10 images each: the red of image i is 10 i + the file's number, green 1, blue 2."""
    found = {}
    for number, name in enumerate((*cifar10.TRAIN, *cifar10.HELD_OUT)):
        rows = np.repeat(np.array([[0, 1, 2]], np.uint8), 1024, axis=1).repeat(10, axis=0)
        rows[:, :1024] = 10 * np.arange(10)[:, None] + number
        rows[:, [31, 1024, 2048]] = 255  # red in the first row's last column, green and blue in its first
        found[name] = batch(rows, list(range(10)))
    return found


def instances(first: int) -> dict:
    """Annotations of two images of 40 x 20 and 10 x 20 pixels, the second without an object; categories 1, 3, 90."""
    boxes = [(1, [4, 2, 10, 6]), (3, [-4, 10, 8, 20]), (90, [0, 0, 40, 20]), (1, [40, 0, 5, 5])]
    found = [
        {"id": number, "image_id": first, "category_id": category, "bbox": box, "iscrowd": 0, "segmentation": [[1, 2]]}
        for number, (category, box) in enumerate(boxes)
    ]
    crowd = {"id": 9, "image_id": first, "category_id": 3, "bbox": [0, 0, 9, 9], "iscrowd": 1}
    sizes = {first: (40, 20), first + 1: (10, 20)}
    return {
        "categories": [{"id": 90, "name": "brush"}, {"id": 1, "name": "person"}, {"id": 3, "name": "car"}],
        "images": [
            {"id": number, "file_name": f"{number:012}.jpg", "width": width, "height": height}
            for number, (width, height) in sizes.items()
        ],
        "annotations": [*found, crowd],
    }


def xml(image: str, found: list[tuple[str, list[object], int]], width: int = 60, height: int = 40) -> str:
    """An annotation as the challenge writes it; found: name, box, whether it is difficult."""
    entries = "".join(
        f"<object><name>{name}</name><pose>Left</pose><difficult>{difficult}</difficult>"
        "<bndbox><xmax>{2}</xmax><xmin>{0}</xmin><ymax>{3}</ymax><ymin>{1}</ymin></bndbox>".format(*box)
        + "<part><name>head</name><bndbox><xmin>1</xmin><ymin>1</ymin><xmax>2</xmax><ymax>2</ymax></bndbox></part>"
        "</object>"
        for name, box, difficult in found
    )
    size = f"<size><width>{width}</width><height>{height}</height><depth>3</depth></size>"
    return f"<annotation><filename>{image}.jpg</filename>{size}{entries}</annotation>"


def tiff(array: np.ndarray) -> bytes:
    """A TIFF file of 16-bit values."""
    stream = BytesIO()
    Image.fromarray(array.astype(np.uint16)).save(stream, "TIFF")
    return stream.getvalue()


def wheel(folder: Path) -> dict[str, bytes]:
    """A wheel of stardist, as pip takes it, with an image whose pixels are their row, and a mask: what is in it."""
    rows = np.mgrid[:512, :512][0]
    files = dict(zip(nuclei.FILES, (tiff(rows), tiff(7 * (rows % 4 == 0))), strict=True))
    files["stardist-0.9.1.dist-info/METADATA"] = b"Metadata-Version: 2.1\nName: stardist\nVersion: 0.9.1\n"
    files["stardist-0.9.1.dist-info/WHEEL"] = b"Wheel-Version: 1.0\nTag: cp311-cp311-manylinux2014_x86_64\n"
    folder.mkdir(parents=True, exist_ok=True)
    with ZipFile(folder / "stardist-0.9.1-cp311-cp311-manylinux2014_x86_64.whl", "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return files
