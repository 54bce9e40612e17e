"""Scores: each by hand, and against a few lines of NumPy."""

import json
import warnings
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from impls.boxes import EMPTY, Detections
from impls.tasks import scores
from impls.tasks.data import Objects

SIZE = 100  # pixels of a side of the images in which boxes are


@pytest.fixture(autouse=True)
def silence(capfd: pytest.CaptureFixture[str]) -> Any:
    """Libraries of scores warn and print; here nothing may be said."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield
    assert capfd.readouterr() == ("", "")


def plain(found: scores.Scores) -> scores.Scores:
    """The same after a way through JSON, which knows no NaN and no NumPy."""
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    return found


# Classification


def test_classification_by_hand() -> None:
    labels, predicted = np.array([0, 0, 1, 1, 2, 2]), np.array([0, 1, 1, 1, 2, 0])
    found = plain(scores.classification(labels, np.eye(3)[predicted]))
    assert found["confusion"] == [[1, 1, 0], [0, 2, 0], [1, 0, 1]]
    assert found["top1"] == pytest.approx(4 / 6)
    assert found["top5"] is None  # of three classes
    # Two are taken for 0, one of them rightly; three for 1, two rightly; one for 2, rightly. There are two of each.
    assert found["class_precision"] == pytest.approx([1 / 2, 2 / 3, 1])
    assert found["class_recall"] == pytest.approx([1 / 2, 1, 1 / 2])
    # 2 p r / (p + r)
    assert found["class_f1"] == pytest.approx([1 / 2, 4 / 5, 2 / 3])
    assert found["precision"] == pytest.approx((1 / 2 + 2 / 3 + 1) / 3)
    assert found["recall"] == pytest.approx((1 / 2 + 1 + 1 / 2) / 3)
    assert found["f1"] == pytest.approx((1 / 2 + 4 / 5 + 2 / 3) / 3)


def test_a_class_that_occurs_nowhere_has_no_score() -> None:
    # Class 1 is never predicted, class 2 never there, class 3 neither.
    found = plain(scores.classification(np.array([0, 0, 1]), np.eye(4)[[0, 2, 2]]))
    assert found["class_precision"] == [1, 0, 0, None]
    assert found["class_recall"] == [1 / 2, 0, 0, None]
    assert found["class_f1"] == [pytest.approx(2 / 3), 0, 0, None]
    assert found["precision"] == pytest.approx((1 + 0 + 0) / 3)
    assert found["recall"] == pytest.approx((1 / 2 + 0 + 0) / 3)


def test_top5_by_hand() -> None:
    logits = np.array([[7, 6, 5, 4, 3, 2, 1]] * 4, float)
    # The greatest, the second, the fifth and the sixth.
    found = plain(scores.classification(np.array([0, 1, 4, 5]), logits))
    assert found["top1"] == 1 / 4
    assert found["top5"] == 3 / 4


def test_of_equal_logits_the_first_is_the_greatest() -> None:
    found = scores.classification(np.array([0, 4, 5, 6]), np.zeros((4, 7), np.float32))
    assert found["top1"] == 1 / 4
    assert found["top5"] == 2 / 4


@given(
    arrays.arrays(np.int64, st.integers(1, 20), elements=st.integers(0, 7)),
    st.integers(0, 2**32 - 1),
    st.integers(1, 6),
)
@settings(max_examples=60, deadline=None)
def test_top_k_against_numpy(labels: np.ndarray, seed: int, k: int) -> None:
    logits = np.random.default_rng(seed).integers(0, 4, (len(labels), 8)).astype(np.float32)  # with equal ones
    order = np.argsort(-logits, axis=1, kind="stable")
    assert scores.top(k, labels, logits) == pytest.approx((order[:, :k] == labels[:, None]).any(axis=1).mean())
    assert scores.classification(labels, logits)["top1"] == pytest.approx((order[:, 0] == labels).mean())


# Segmentation


def test_segmentation_by_hand() -> None:
    masks = np.array([[[0, 0, 0], [1, 1, 1]], [[0, 0, 0], [0, 0, 1]]])
    predicted = np.array([[[0, 0, 1], [1, 1, 0]], [[0, 0, 0], [0, 0, 0]]])
    found = plain(scores.segmentation(masks, predicted, 2))
    # Of the 8 pixels of class 0 one is taken for 1, of the 4 of class 1 two are taken for 0.
    assert found["class_iou"] == pytest.approx([7 / (8 + 9 - 7), 2 / (4 + 3 - 2)])
    assert found["class_dice"] == pytest.approx([2 * 7 / (8 + 9), 2 * 2 / (4 + 3)])
    assert found["miou"] == pytest.approx((7 / 10 + 2 / 5) / 2)
    assert found["dice"] == pytest.approx((14 / 17 + 4 / 7) / 2)
    assert found["foreground_iou"] == pytest.approx(2 / 5)
    assert found["accuracy"] == pytest.approx(9 / 12)


def test_logits_are_what_is_greatest_in_them() -> None:
    generator = np.random.default_rng(0)
    masks, logits = generator.integers(0, 3, (4, 5, 6)), generator.normal(size=(4, 5, 6, 3)).astype(np.float32)
    assert scores.segmentation(masks, logits) == scores.segmentation(masks, logits.argmax(axis=-1), 3)


def test_a_class_without_pixels_has_no_score_and_is_in_no_mean() -> None:
    masks, predicted = np.array([[[0, 0, 1, 1]]]), np.array([[[0, 0, 3, 3]]])
    found = plain(scores.segmentation(masks, predicted, 4))
    assert found["class_iou"] == found["class_dice"] == [1, 0, None, 0]
    assert found["miou"] == found["dice"] == pytest.approx(1 / 3)
    assert found["foreground_iou"] is None


def test_nothing_but_background() -> None:
    empty = np.zeros((2, 4, 4), np.int64)
    found = plain(scores.segmentation(empty, empty, 2))
    assert (found["class_iou"], found["foreground_iou"], found["miou"]) == ([1, None], None, 1)


@given(arrays.arrays(np.int64, (2, 3, 2, 5), elements=st.integers(0, 3)))
@settings(max_examples=60, deadline=None)
def test_segmentation_against_numpy(both: np.ndarray) -> None:
    masks, predicted = both
    found = plain(scores.segmentation(masks, predicted, 4))
    iou, dice = [], []
    for number in range(4):
        there, said = masks == number, predicted == number
        union = (there | said).sum()
        iou.append((there & said).sum() / union if union else None)
        dice.append(2 * (there & said).sum() / (there.sum() + said.sum()) if union else None)
    assert found["class_iou"] == pytest.approx(iou)
    assert found["class_dice"] == pytest.approx(dice)
    assert found["miou"] == pytest.approx(np.mean([value for value in iou if value is not None]))
    assert found["dice"] == pytest.approx(np.mean([value for value in dice if value is not None]))
    assert found["accuracy"] == pytest.approx((masks == predicted).mean())
    batches = sum(scores.count_pixels(masks[part], predicted[part], 4) for part in (slice(1), slice(1, 3)))
    assert scores.segmentation_of(batches) == found


# Detection


def objects(*rows: tuple[float, ...]) -> Objects:
    """Of rows of a box and its label."""
    table = np.array(rows, float).reshape(-1, 5)
    return Objects(table[:, :4], table[:, 4].astype(np.int64))


def detections(*rows: tuple[float, ...]) -> Detections:
    """Of rows of a box, its label and its score, with a row at the end that is none, as a framework gives them."""
    table = np.array([*rows, (0, 0, 0, 0, EMPTY, 0)], np.float32)
    return Detections(table[:, :4], table[:, 5], table[:, 4].astype(np.int32), np.int32(len(rows)))


def detection(truth: list[Objects], found: list[Detections], num_classes: int = 1) -> scores.Scores:
    return plain(scores.detection(truth, found, SIZE, num_classes))


def test_average_precision_by_hand() -> None:
    truth = objects((0, 0, 10, 10, 0), (50, 50, 70, 90, 0))
    found = detections((0, 0, 10, 10, 0, 0.9), (20, 0, 30, 10, 0, 0.8), (50, 50, 70, 90, 0, 0.7))
    # Right, wrong, right: the precisions 1, 1/2, 2/3 at the recalls 1/2, 1/2, 1. Of COCO's 101 recalls the 51 from 0 to
    # 0.5 have the precision 1, the other 50 have 2/3.
    expected = (51 + 50 * 2 / 3) / 101
    scored = detection([truth], [found])
    assert scored["class_ap50"] == [pytest.approx(expected)]
    assert [scored[name] for name in ("map50", "map75", "map")] == pytest.approx([expected] * 3)
    assert scored["recall"] == 1


@pytest.mark.parametrize(("percent", "map75", "share"), [(52, 0, 0.1), (72, 0, 0.5), (77, 1, 0.6)])
def test_the_ious_by_hand(percent: int, map75: float, share: float) -> None:
    # So many of 100 pixels: 52 are enough at .5 alone, 72 at five of .5, .55 to .95, 77 at six.
    scored = detection([objects((0, 0, 10, 10, 0))], [detections((0, 0, 10, percent / 10, 0, 0.9))])
    assert scored["map50"] == scored["class_ap50"][0] == pytest.approx(1)
    assert scored["map75"] == pytest.approx(map75)
    assert [scored["map"], scored["recall"]] == pytest.approx([share, share])


def test_classes_by_hand() -> None:
    box = (10, 10, 30, 30)
    truth = [objects((*box, 0), (50, 50, 60, 60, 1))]
    # Class 0 is found; for class 1 something else is; class 2 is found where there is none; class 3 is nowhere.
    found = [detections((*box, 0, 0.9), (*box, 1, 0.8), (*box, 2, 0.7))]
    scored = detection(truth, found, 4)
    assert scored["class_ap50"] == [pytest.approx(1), 0, None, None]
    assert [scored["map50"], scored["recall"]] == pytest.approx([0.5, 0.5])


def test_each_image_by_itself() -> None:
    box = (10, 10, 30, 30)
    truth = [objects((*box, 0)), objects()]
    assert detection(truth, [detections((*box, 0, 0.9)), detections()])["map50"] == pytest.approx(1)
    assert detection(truth, [detections(), detections((*box, 0, 0.9))])["map50"] == 0


def test_a_box_is_clipped_to_the_image() -> None:
    truth = [objects((0, 0, 20, 10, 0), (80, 80, SIZE, SIZE, 0))]
    found = [detections((-20, -5, 20, 10, 0, 0.9), (80, 80, SIZE + 50, SIZE + 1, 0, 0.8))]
    assert detection(truth, found)["map"] == pytest.approx(1)
    assert detection([objects((0, 0, 20, 10, 0))], [detections((-30, 0, -5, 10, 0, 0.9))])["map"] == 0


@pytest.mark.parametrize("num_classes", [1, 3])
def test_nothing_found(num_classes: int) -> None:
    scored = detection([objects((0, 0, 10, 10, 0)), objects()], [detections(), detections()], num_classes)
    assert scored == {
        "map": 0, "map50": 0, "map75": 0, "recall": 0, "class_ap50": [0, *[None] * (num_classes - 1)],
    }  # fmt: skip


@pytest.mark.parametrize("found", [detections(), detections((0, 0, 10, 10, 0, 0.9))])
def test_nothing_there(found: Detections) -> None:
    scored = detection([objects()], [found], 2)
    assert scored == {"map": None, "map50": None, "map75": None, "recall": None, "class_ap50": [None, None]}


def test_the_best_hundred_count() -> None:
    wrong = [(50, 50, 60, 60, 0, 0.9)] * 99
    right = (0, 0, 10, 10, 0, 0.1)
    truth = [objects((0, 0, 10, 10, 0))]
    last, beyond = (detection(truth, [detections(*wrong * times, right)]) for times in (1, 2))
    assert [last["map"], last["recall"]] == pytest.approx([1 / 100, 1])
    assert (beyond["map"], beyond["recall"]) == (0, 0)


def average_precision(hits: list[bool], count: int) -> float:
    """Of detections in the order of their scores, whether each is right, and how many there are to be found."""
    right = np.cumsum(hits)
    precision, recall = right / np.arange(1, len(hits) + 1), right / count
    return float(np.mean([precision[recall >= at].max(initial=0) for at in np.linspace(0, 1, 101)]))


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), max_size=30), st.integers(1, 3))
@settings(max_examples=60, deadline=None)
def test_average_precision_against_numpy(order: list[tuple[int, int]], count: int) -> None:
    # In each of 4 images there are `count` boxes. Detections, by descending score, are (image, box); what is not
    # there is found wrongly, and so is what has been found already.
    places = [(20 * place, 20 * place, 20 * place + 10, 20 * place + 15) for place in range(4)]
    truth = [objects(*((*box, 0) for box in places[:count]))] * 4
    found: list[list[tuple[float, ...]]] = [[], [], [], []]
    for rank, (image, box) in enumerate(order):
        found[image].append((*places[box], 0, 1 - rank / 32))
    hits = [box < count and (image, box) not in order[:rank] for rank, (image, box) in enumerate(order)]
    scored = detection(truth, [detections(*rows) for rows in found])
    assert scored["class_ap50"] == [pytest.approx(average_precision(hits, 4 * count))]
    assert scored["recall"] == pytest.approx(sum(hits) / (4 * count))


# What cannot be scored

NAN = np.full((1, 3), np.nan)
ZEROS = np.zeros((1, 2, 2), np.int64)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((np.array([0, 1]), np.zeros((1, 3))), "scored are labels (N,) and logits (N, classes), not (2,) and (1, 3)"),
        ((np.array([], int), np.zeros((0, 3))), "scored are labels (N,) and logits (N, classes), not (0,) and (0, 3)"),
        ((np.array([3]), np.zeros((1, 3))), "labels must be integers from 0 to 2"),
        ((np.array([0.5]), np.zeros((1, 3))), "labels must be integers from 0 to 2"),
        ((np.array([0]), NAN), "logits are not finite: 3 of 3 values"),
    ],
)
def test_classification_refuses(arguments: tuple, said: str) -> None:
    with pytest.raises(ValueError) as error:
        scores.classification(*arguments)
    assert str(error.value) == said


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((ZEROS, ZEROS), "(1, 2, 2), (1, 2, 2) and None"),
        ((ZEROS, np.zeros((1, 2, 3, 2))), "(1, 2, 2), (1, 2, 3) and 2"),
        ((ZEROS + 255, ZEROS, 2), "masks must be integers from 0 to 1"),
        ((ZEROS, ZEROS - 1, 2), "predicted classes must be integers from 0 to 1"),
        ((ZEROS, np.full((1, 2, 2, 2), np.inf)), "logits are not finite: 8 of 8 values"),
        ((ZEROS[:0], ZEROS[:0], 2), "of pixels, not [[0, 0], [0, 0]]"),
    ],
)
def test_segmentation_refuses(arguments: tuple, said: str) -> None:
    with pytest.raises(ValueError) as error:
        scores.segmentation(*arguments)
    assert str(error.value).endswith(said)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("truth", "found", "said"),
    [
        ([], [], "scored is what was found in each image, not in 0 of 0"),
        ([objects()], [], "scored is what was found in each image, not in 0 of 1"),
        ([objects((0, 0, 1, 1, 2))], [detections()], "labels of boxes must be integers from 0 to 1"),
        ([objects()], [detections((0, 0, 1, 1, EMPTY, 1))], "labels of boxes must be integers from 0 to 1"),
        ([objects()], [detections((0, 0, 1, np.nan, 0, 1))], "boxes are not finite: 1 of 4 values"),
        ([objects()], [detections((0, 0, 1, 1, 0, np.nan))], "scores of boxes are not finite: 1 of 1 values"),
    ],
)
def test_detection_refuses(truth: list, found: list, said: str) -> None:
    with pytest.raises(ValueError) as error:
        scores.detection(truth, found, SIZE, 2)
    assert str(error.value) == said
