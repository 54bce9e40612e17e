"""Images from files: opened by Pillow, brought to one size, standardised by ImageNet's mean and deviation."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image, UnidentifiedImageError

from impls.pipelines.spec import DEVIATION, MEAN
from impls.tasks.data import DataError

BORDER = (128, 128, 128)  # beside an image that is no square
SMOOTH, NEAREST = Image.Resampling.BILINEAR, Image.Resampling.NEAREST


@dataclass(frozen=True)
class Files:
    """A part that is read when it is asked for.

    read_one: an entry -> its image (image_size, image_size, 3) uint8, and its target. collect: targets of some
    entries, in a list, -> what a part gives.
    """

    entries: Sequence[Any]
    read_one: Callable[[Any], tuple[np.ndarray, Any]]
    collect: Callable[[list[Any]], Any] = lambda targets: np.array(targets, np.int64)

    def __len__(self) -> int:
        return len(self.entries)

    def read(self, chosen: np.ndarray) -> tuple[np.ndarray, Any]:
        """Images and targets by their numbers."""
        found = [self.read_one(self.entries[number]) for number in chosen]
        images = np.stack([image for image, _ in found])
        return (images - MEAN) / DEVIATION, self.collect([target for _, target in found])


def read(path: Path) -> Image.Image:
    """An image with three channels, as it lies in the file: orientations that EXIF states are not applied.

    Raises DataError for a file that is missing, no image or not whole.
    """
    return _open(path).convert("RGB")


def read_classes(path: Path) -> Image.Image:
    """A mask: an image with one number a pixel, a palette's index or a grey value. Raises DataError as `read`."""
    image = _open(path)
    if image.mode not in ("P", "L"):
        raise DataError(f"{path}: its pixels are no numbers of classes (mode {image.mode})")
    return image


def _open(path: Path) -> Image.Image:
    try:
        with Image.open(path) as file:
            file.load()
            return file
    except UnidentifiedImageError:
        raise DataError(f"{path}: no image") from None
    except Exception as error:  # decoders stumble in every way there is: struct.error, SyntaxError, IndexError…
        raise DataError(f"{path}: {getattr(error, 'strerror', None) or error}") from error


def crop(image: Image.Image, short_side: int, image_size: int, resampling: Image.Resampling = SMOOTH) -> Image.Image:
    """The middle, image_size x image_size, of the image resized to a short side; the long one is rounded down."""
    width, height = image.size
    shortest = min(width, height)
    image = image.resize((short_side * width // shortest, short_side * height // shortest), resampling)
    left, top = (round((side - image_size) / 2) for side in image.size)
    return image.crop((left, top, left + image_size, top + image_size))


class Letterbox(NamedTuple):
    """Where an image lies in a square. scale: its columns' and rows'. offset: of its upper left corner, in pixels."""

    scale: tuple[float, float]
    offset: tuple[int, int]

    def place(self, boxes: np.ndarray) -> np.ndarray:
        """Boxes in the image -> in the square; (N, 4), x_min, y_min, x_max, y_max."""
        return boxes * (self.scale * 2) + self.offset * 2

    def undo(self, boxes: np.ndarray) -> np.ndarray:
        """Boxes in the square -> in the image."""
        return (boxes - self.offset * 2) / (self.scale * 2)


def letterbox(width: int, height: int, image_size: int) -> Letterbox:
    """The place of an image in the middle of a square, as large as its aspect lets it be, a pixel at least."""
    longest = max(width, height)
    columns, rows = (max(1, round(image_size * side / longest)) for side in (width, height))
    return Letterbox((columns / width, rows / height), ((image_size - columns) // 2, (image_size - rows) // 2))


def fill(image: Image.Image, place: Letterbox, image_size: int) -> np.ndarray:
    """The square with the image at its place, (image_size, image_size, 3) uint8."""
    size = (round(image.width * place.scale[0]), round(image.height * place.scale[1]))
    square = Image.new("RGB", (image_size, image_size), BORDER)
    square.paste(image.resize(size, SMOOTH), place.offset)
    return np.asarray(square)
