"""One composited image from its seed: items pasted on a piece of a photograph, in integers alone."""

from collections.abc import Callable
from functools import cache, partial
from itertools import permutations
from typing import Any, NamedTuple

import numpy as np

from impls.tasks.data import Objects
from impls.tasks.data.composed.grounds import Photographs
from impls.tasks.data.composed.items import Items

# Sizes and places are drawn for images of GRID pixels a side; in others they are in proportion.
GRID = 96
FRAME = 32, 68  # smallest and largest side of an item's frame
MOST = 3  # frames of an image
HIDDEN = 4  # two frames share at most 1 / HIDDEN of the smaller one
TRIES = 30  # to find a frame a place; then the image has one fewer
PIECE = 64, 192  # smallest and largest side of a photograph's piece, in the photograph's pixels
TINT = 192  # of 255: a colour's least red, green and blue
FAINT, INK, FULL = 104, 112, 120  # of 255: ink that begins to cover, that belongs to the item, that covers wholly

CHANNELS = tuple(list(order) for order in permutations(range(3)))  # few photographs have few colours: six times as many

Draw = Callable[..., Any]  # low, high (not included), size -> integers
Frame = tuple[int, int, int]  # top, left, side


class Scene(NamedTuple):
    """image: (S, S, 3) uint8. mask: (S, S) uint8, 1 where an item is and 0 elsewhere."""

    image: np.ndarray
    objects: Objects
    mask: np.ndarray


def compose(items: Items, photographs: Photographs, image_size: int, seed: tuple[int, ...]) -> Scene:
    """The scene of a seed, with items of these on a piece of one of these photographs."""
    # NumPy has frozen the streams of RandomState for good, not those of default_rng (NEP 19).
    draw = partial(np.random.RandomState(seed).randint, dtype=np.int64)
    image = background(photographs, image_size, draw)
    mask = np.zeros((image_size, image_size), np.uint8)
    boxes, labels = [], []
    for frame in frames(draw):
        item, tint = draw(len(items.labels)), draw(TINT, 256, 3)
        top, left, side = (value * image_size // GRID for value in frame)
        shade, ink = (resize(part, side) for part in items.cut(items.images[item]))
        place = np.s_[top : top + side, left : left + side]
        image[place] = paste(image[place], shade[..., np.newaxis] * tint // 255, ink)
        mask[place] |= ink >= INK
        boxes.append(box(ink >= INK) + np.array([left, top, left, top]))
        labels.append(items.labels[item])
    return Scene(image.astype(np.uint8), Objects(np.array(boxes, np.float64), np.array(labels, np.int64)), mask)


def background(photographs: Photographs, image_size: int, draw: Draw) -> np.ndarray:
    """A piece of one of them, mirrored or not, its channels in any order: (image_size, image_size, 3)."""
    photograph = photographs[draw(len(photographs))]
    side = draw(PIECE[0], PIECE[1] + 1)
    top, left = (draw(length - side + 1) for length in photograph.shape[:2])
    piece = photograph[top : top + side, left : left + side, CHANNELS[draw(len(CHANNELS))]]
    return resize(piece[:, ::-1] if draw(2) else piece, image_size)


def frames(draw: Draw) -> list[Frame]:
    """One to MOST frames, in pixels of the grid."""
    placed: list[Frame] = []
    for _ in range(draw(1, MOST + 1)):
        for _ in range(TRIES):
            side = int(draw(FRAME[0], FRAME[1] + 1))
            top, left = draw(GRID - side + 1, size=2).tolist()
            if all(shared((top, left, side), other) * HIDDEN <= min(side, other[2]) ** 2 for other in placed):
                placed.append((top, left, side))
                break
    return placed


def shared(one: Frame, other: Frame) -> int:
    """Area that two frames have in common."""
    height, width = (min(one[i] + one[2], other[i] + other[2]) - max(one[i], other[i]) for i in (0, 1))
    return max(height, 0) * max(width, 0)


def paste(patch: np.ndarray, colours: np.ndarray, ink: np.ndarray) -> np.ndarray:
    """Colours (h, w, 3) on a patch (h, w, 3), or their negative if that is the further from it on the whole.

    ink: (h, w), which begins to cover at FAINT, covers by half at INK and wholly at FULL.
    """
    inked = ink >= INK
    ground, bright = patch[inked].sum(), colours[inked].sum()
    dark = 255 * inked.sum() * 3 - bright
    if abs(dark - ground) > abs(bright - ground):
        colours = 255 - colours
    cover = ((ink - FAINT) * 256 // (FULL - FAINT)).clip(0, 255)[..., np.newaxis]
    return (patch * (255 - cover) + colours * cover + 127) // 255


def box(inked: np.ndarray) -> np.ndarray:
    """x_min, y_min, x_max, y_max around what is True in (h, w), edges of pixels."""
    columns, rows = (np.flatnonzero(inked.any(axis=axis)) for axis in (0, 1))
    return np.array([columns[0], rows[0], columns[-1] + 1, rows[-1] + 1])


def resize(image: np.ndarray, size: int) -> np.ndarray:
    """(h, w) or (h, w, channels) -> (size, size, ...) int64, linearly interpolated between the middles of pixels."""
    for _ in range(2):  # rows, then columns
        low, high, share = taps(len(image), size)
        share = share.reshape(-1, *[1] * (image.ndim - 1))
        image = ((image[low] * (256 - share) + image[high] * share + 128) >> 8).swapaxes(0, 1)
    return image


@cache
def taps(length: int, size: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """For each of `size` pixels: the two of `length` that its middle lies between, the second one's share of 256."""
    middles = ((2 * np.arange(size) + 1) * length * 128 // size - 128).clip(0, 256 * (length - 1))
    low = middles // 256
    return low, np.minimum(low + 1, length - 1), middles % 256
