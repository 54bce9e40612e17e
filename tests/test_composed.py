"""Composited images: what is known of them holds in their pixels, and they are the same everywhere."""

import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from PIL import Image

from impls.pipelines import photographs
from impls.pipelines.spec import DEVIATION, MEAN
from impls.tasks.data import DataError, composed, digits, fashion_mnist
from impls.tasks.data.composed import grounds, items, scenes

ROOT = Path(__file__).parent.parent
SOME = 150  # scenes of a part
NEEDS_GARMENTS = pytest.mark.skipif(fashion_mnist.missing() is not None, reason=str(fashion_mnist.missing()))


@pytest.fixture(params=["digits", pytest.param("fashion", marks=NEEDS_GARMENTS)])
def kind(request: pytest.FixtureRequest) -> str:
    return request.param


def some(kind: str, image_size: int = 96) -> Iterator[tuple[composed.Part, int, scenes.Scene]]:
    """Scenes of both parts, each with its part and number."""
    split = composed.load(kind, False, image_size)
    for part in (split.train, split.held_out):
        for number in range(SOME):
            yield part, number, part.scene(number)


def draw(*seed: int) -> scenes.Draw:
    return partial(np.random.RandomState(seed).randint, dtype=np.int64)


# The images


@pytest.mark.slow
def test_every_pixel_is_the_same_everywhere(kind: str) -> None:
    assert composed.checksum(composed.load(kind, False, 96)) == composed.SHA256[kind]


def test_boxes_and_masks_are_those_of_the_ink(kind: str) -> None:
    counts = set()
    for _, number, (_, objects, mask) in some(kind):
        counts.add(len(objects.boxes))
        outside = np.ones_like(mask, bool)
        for x_min, y_min, x_max, y_max in objects.boxes.astype(int):
            assert 0 <= x_min < x_max <= 96
            assert 0 <= y_min < y_max <= 96
            inside = mask[y_min:y_max, x_min:x_max]
            assert all(side.any() for side in (inside[0], inside[-1], inside[:, 0], inside[:, -1])), number
            outside[y_min:y_max, x_min:x_max] = False
        assert not mask[outside].any()
        if len(objects.boxes) == 1:  # nothing else is in the mask
            rows, columns = np.nonzero(mask)
            assert objects.boxes[0].tolist() == [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
    assert counts == {1, 2, 3}


def test_items_stand_out_from_the_ground_and_leave_it_as_it_is_elsewhere(kind: str) -> None:
    for part, number, (image, objects, mask) in some(kind):
        ground = scenes.background(part.photographs, 96, draw(part.number, number))  # the first thing that is drawn
        change = np.abs(ground - image.astype(int)).max(axis=-1)
        assert change[mask == 1].mean() > 40, number
        apart = np.ones_like(mask, bool)
        for x_min, y_min, x_max, y_max in objects.boxes.astype(int):
            apart[max(y_min - 8, 0) : y_max + 8, max(x_min - 8, 0) : x_max + 8] = False
        assert not change[apart].any(), number


def test_a_label_is_its_item_s() -> None:
    pool = np.zeros((3, 10, 10), np.uint8)
    pool[0, 1:9, 1:9] = pool[1, 1:9, 1:5] = pool[2, 1:5, 1:9] = 255  # a square, an upright half, a lying half of it
    shapes = items.Items(pool, np.array([4, 7, 9]), items.cut_digit)
    labels = set()
    for number in range(50):
        scene = scenes.compose(shapes, grounds.photographs()[0], 96, (0, number))
        for (x_min, y_min, x_max, y_max), label in zip(*scene.objects, strict=True):
            labels.add(int(label))
            upright = np.log2((y_max - y_min) / (x_max - x_min))
            assert upright == pytest.approx({4: 0, 7: 1, 9: -1}[int(label)], abs=0.25)
    assert labels == {4, 7, 9}


def test_sizes_are_in_proportion(kind: str) -> None:
    small = [objects.boxes for *_, (_, objects, _) in some(kind, 96)]
    large = [objects.boxes for *_, (_, objects, _) in some(kind, 192)]
    for one, other in zip(small, large, strict=True):
        assert np.abs(2 * one - other).max() <= 6
    sides = np.concatenate([(boxes[:, 2:] - boxes[:, :2]).max(axis=1) for boxes in small])
    assert 18 <= sides.min() < 32
    assert 48 < sides.max() <= 64


@pytest.mark.parametrize("image_size", [32, 416, 608])
def test_other_sizes(kind: str, image_size: int) -> None:
    split = composed.load(kind, False, image_size)
    for part in (split.train, split.held_out):
        for number in range(10):
            image, objects, mask = part.scene(number)
            assert image.shape == (image_size, image_size, 3)
            assert mask.shape == image.shape[:2]
            assert objects.boxes.max() <= image_size
            assert len(objects.labels) == len(part.scene(number).objects.labels)


def test_frames_hide_little_of_each_other() -> None:
    counts = []
    for seed in range(500):
        found = scenes.frames(draw(seed))
        counts.append(len(found))
        for number, (top, left, side) in enumerate(found):
            assert scenes.FRAME[0] <= side <= scenes.FRAME[1]
            assert 0 <= top <= 96 - side
            assert 0 <= left <= 96 - side
            for other in found[:number]:
                pixels = np.zeros((2, 96, 96), bool)
                for plane, (y, x, length) in zip(pixels, ((top, left, side), other), strict=True):
                    plane[y : y + length, x : x + length] = True
                assert pixels.all(axis=0).sum() <= min(side, other[2]) ** 2 / 4
    assert [counts.count(number) > 50 for number in (0, 1, 2, 3, 4)] == [False, True, True, True, False]


def test_an_image_is_the_same_in_whatever_order_it_is_read(kind: str) -> None:
    part = composed.load(kind, True, 64).train
    images, masks = part.read(np.array([5, 1999, 0]))
    again, same = part.read(np.array([0, 5]))
    assert (images[[2, 0]] == again).all()
    assert (masks[[2, 0]] == same).all()
    assert (images[0] != images[1]).any()


def test_what_is_read_is_what_is_composed(kind: str) -> None:
    boxes, masks = (composed.load(kind, targets, 96).held_out for targets in (False, True))
    images, objects = boxes.read(np.array([3, 7]))
    same, targets = masks.read(np.array([3, 7]))
    assert images.shape == (2, 96, 96, 3)
    assert images.dtype == np.float32
    assert (images == same).all()
    assert targets.shape == (2, 96, 96)
    assert targets.dtype == np.int64
    for number, image, one, mask in zip((3, 7), images, objects, targets, strict=True):
        scene = boxes.scene(number)
        assert image * DEVIATION + MEAN == pytest.approx(scene.image, abs=1e-3)
        assert (one.boxes.dtype, one.labels.dtype) == (np.float64, np.int64)
        assert (one.boxes == scene.objects.boxes).all()
        assert (one.labels == scene.objects.labels).all()
        assert (mask == scene.mask).all()
    with pytest.raises(IndexError):
        boxes.read(np.array([400]))


# Where they come from


def test_the_parts_share_neither_items_nor_photographs(kind: str) -> None:
    split = composed.load(kind, False, 96)
    assert (len(split.train), len(split.held_out)) == (2000, 400)
    assert (split.train.photographs, split.held_out.photographs) == grounds.photographs()
    lain_on, not_seen = ({photograph.tobytes() for photograph in part} for part in grounds.photographs())
    assert (len(lain_on), len(not_seen)) == (4, 2)
    assert not lain_on & not_seen
    train, held_out = ({image.tobytes() for image in part.items.images} for part in (split.train, split.held_out))
    assert (len(train), len(held_out)) == {"digits": (1437, 360), "fashion": (60000, 10000)}[kind]
    assert not train & held_out


def test_the_sets_say_what_they_are() -> None:
    found = {one.name: one for one in composed.DATA_SETS}
    assert {name: one.task for name, one in found.items()} == {
        "composed_digits": "detection",
        "composed_digits_masks": "segmentation",
        "composed_fashion": "detection",
        "composed_fashion_masks": "segmentation",
    }
    for one in found.values():
        assert one.composited
        assert one.title.startswith(f"Composited, version {composed.VERSION}: ")
        assert ("masks" in one.title) == (one.task == "segmentation")
        assert "CC BY 2.0" in one.licence


@pytest.mark.parametrize("one", composed.DATA_SETS, ids=lambda one: one.name)
def test_each_set_gives_what_its_task_needs(one: composed.DataSet) -> None:
    if reason := one.missing():
        pytest.skip(reason)
    split = one.load(64)
    _, targets = split.train.read(np.arange(8))
    if one.task == "segmentation":
        assert split.classes == ("background", "item")
        assert set(np.unique(targets)) == {0, 1}
    else:
        assert len(split.classes) == 10
        assert all(0 <= label < 10 for objects in targets for label in objects.labels)
    assert split.checksum == composed.SHA256[one.name.split("_")[1]]


def test_a_silhouette_by_hand() -> None:
    image = np.zeros((30, 30), np.uint8)
    image[2:22, 2:22] = items.DARK + 1  # as dark as a garment can be
    image[4:6, 4:9] = image[6, 4] = 0  # 11 pixels: a dark place in it
    image[10:13, 10:14] = items.DARK  # 12 pixels: the ground is seen through it
    image[25, 2:13] = 255  # 11 pixels: dirt
    expected = np.zeros((30, 30), np.uint8)
    expected[2:22, 2:22] = 255
    expected[10:13, 10:14] = 0
    shades, ink = items.cut_garment(image)
    assert (shades == image).all()
    assert (ink == expected).all()


def test_resizing_by_hand() -> None:
    # The middles of four pixels lie at -0.25, 0.25, 0.75 and 1.25 of two.
    assert scenes.resize(np.array([[0, 100]] * 2), 4).tolist() == [[0, 25, 75, 100]] * 4
    assert scenes.resize(np.array([[0], [100]]), 4).tolist() == [[value] * 4 for value in (0, 25, 75, 100)]


@given(arrays.arrays(np.uint8, (7, 11, 3)), st.integers(11, 40))
@settings(max_examples=40, deadline=None)
def test_enlarging_against_pillow(image: np.ndarray, size: int) -> None:
    expected = np.asarray(Image.fromarray(image).resize((size, size), Image.Resampling.BILINEAR)).astype(int)
    assert np.abs(scenes.resize(image, size) - expected).max() <= 3  # shares of 256, rounded after each direction


def test_colours_go_away_from_the_ground() -> None:
    ink = np.full((2, 2), 255)
    colours = np.full((2, 2, 3), 200)
    assert (scenes.paste(np.full((2, 2, 3), 90), colours, ink) == 200).all()
    assert (scenes.paste(np.full((2, 2, 3), 150), colours, ink) == 55).all()


def test_ink_covers_by_its_strength() -> None:
    ink = np.array([[0, scenes.FAINT, scenes.INK, scenes.FULL, 255]])
    pasted = scenes.paste(np.zeros((1, 5, 3), int), np.full((1, 5, 3), 255), ink)
    assert pasted[..., 0].tolist() == [[0, 0, 128, 255, 255]]


# What cannot be used


@pytest.mark.parametrize("image_size", [0, -32, 31, 100])
def test_sizes_that_cannot_be(image_size: int) -> None:
    with pytest.raises(ValueError, match=f"a multiple of 32 pixels, not of {image_size}"):
        composed.load("digits", False, image_size)


def test_without_garments_it_says_what_helps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fashion_mnist, "PACKAGED", tmp_path / "none")
    monkeypatch.setenv("EVENBENCH_DATA", str(tmp_path))
    items.garments.cache_clear()
    said = f"{tmp_path}/fashion_mnist/train-images-idx3-ubyte.gz is not there: {fashion_mnist.REMEDY}"
    with pytest.raises(DataError) as error:
        composed.load("fashion", False, 96)
    assert str(error.value).startswith(said)
    assert {one.missing() for one in composed.DATA_SETS} == {None, str(error.value)}


@pytest.mark.parametrize(
    ("module", "cached", "said"),
    [
        (digits, items.handwritten, "scikit-learn's digits are not those"),
        (photographs, photographs.photographs, "scikit-learn's photographs are not those"),
        (grounds, grounds.photographs, "scikit-image's photographs are not those"),
    ],
)
def test_other_items_or_photographs_are_refused(module, cached, said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    cached.cache_clear()
    grounds.photographs.cache_clear()
    monkeypatch.setattr(module, "SHA256", "0" * 64)
    with pytest.raises(DataError, match=said):
        composed.load("digits", False, 96)


@pytest.mark.parametrize(("module", "package"), [("PIL", "pillow"), ("skimage", "scikit-image")])
def test_without_a_package_the_sets_are_listed_and_say_what_is_missing(module: str, package: str) -> None:
    code = f"""
import sys
sys.modules[{module!r}] = None
from impls.tasks.data import composed
print({{one.missing() for one in composed.DATA_SETS}})
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.stdout == f"{{'{package} is not installed: pip install {package}'}}\n", done.stderr
