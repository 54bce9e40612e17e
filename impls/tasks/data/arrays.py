"""Parts of data sets that are kept in memory."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from impls.tasks.data import Split


@dataclass(frozen=True)
class Arrays:
    """Images as they are delivered, (N, H, W, 3) float32, and the targets of each, an array of N."""

    images: np.ndarray
    targets: np.ndarray

    def __len__(self) -> int:
        return len(self.images)

    def read(self, chosen: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Images and targets by their numbers."""
        return self.images[chosen], self.targets[chosen]


@dataclass(frozen=True)
class Pixels:
    """Small images as they were published, enlarged when they are read: 70,000 at 96 px would fill 8 GB.

    pixels: (N, h, w) or (N, h, w, 3) uint8. labels: (N,) int64. mean, deviation: a number, or one of each channel.
    """

    pixels: np.ndarray
    labels: np.ndarray
    image_size: int
    mean: np.ndarray
    deviation: np.ndarray

    def __len__(self) -> int:
        return len(self.pixels)

    def read(self, chosen: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Images and labels by their numbers; images are enlarged as 8-bit pixels, bilinearly."""
        images = np.stack([_enlarged(pixels, self.image_size) for pixels in self.pixels[chosen]])
        images = ((images - self.mean) / self.deviation).astype(np.float32)
        if images.ndim == 3:
            images = np.repeat(images[..., np.newaxis], 3, axis=-1)
        return images, self.labels[chosen]


def _enlarged(pixels: np.ndarray, image_size: int) -> np.ndarray:
    from PIL import Image  # a worker that has no Pillow can still learn the digits

    side = (image_size, image_size)
    return np.asarray(Image.fromarray(pixels).resize(side, Image.Resampling.BILINEAR))


def small_images(
    train: tuple[np.ndarray, np.ndarray],
    held_out: tuple[np.ndarray, np.ndarray],
    classes: Sequence[str],
    image_size: int,
    checksum: str,
) -> Split:
    """A data set of small images, each part (pixels uint8, labels), standardised by the training part's pixels.

    Raises ValueError for an image_size below that of the pixels, which would throw some away.
    """
    height, width = train[0].shape[1:3]
    if image_size < max(height, width):
        raise ValueError(f"the images have {width} x {height} pixels: image_size must not be less, as {image_size} is")
    statistics = mean_and_deviation(train[0])
    trained, tested = (
        Pixels(pixels, labels.astype(np.int64), image_size, *statistics) for pixels, labels in (train, held_out)
    )
    return Split(trained, tested, tuple(classes), checksum)


def mean_and_deviation(pixels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Of all uint8 pixels, or of those of each channel: (N, h, w) -> two numbers, (N, h, w, c) -> (c,) twice.

    Computed from how often each of the 256 values occurs, which is exact and needs no copy in float64.
    """
    channels: Any = [pixels] if pixels.ndim == 3 else np.moveaxis(pixels, -1, 0)
    found = [_moments(channel) for channel in channels]
    mean, deviation = np.array(found).T
    return (mean[0], deviation[0]) if pixels.ndim == 3 else (mean, deviation)


def _moments(pixels: np.ndarray) -> tuple[float, float]:
    counts, values = np.zeros(256, np.int64), np.arange(256)
    for start in range(0, len(pixels), 1000):
        counts += np.bincount(pixels[start : start + 1000].ravel(), minlength=256)
    mean = counts @ values / counts.sum()
    return mean, np.sqrt(counts @ (values - mean) ** 2 / counts.sum())
