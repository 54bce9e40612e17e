"""Scores of the three tasks by the libraries of the field: arrays in, a plain dict out, the same for every framework.

A score that is not defined is None, never 0 or 1. Arrays that cannot be scored raise ValueError, in one line.
"""

import io
from collections.abc import Sequence
from contextlib import redirect_stdout
from typing import Any

import numpy as np
from sklearn import metrics

from impls.boxes import Detections
from impls.tasks.data import Objects

Scores = dict[str, Any]  # floats, None and lists of them

TOP = 5


def classification(labels: np.ndarray, logits: np.ndarray) -> Scores:
    """Scores of labels (N,) and logits (N, classes) by scikit-learn.

    top1, top5; precision, recall and f1, the unweighted means over the classes that occur in the labels or in what is
    predicted; class_precision, class_recall and class_f1, of each class, None for one that occurs in neither;
    confusion, counts, a row for each class of the labels, a column for each that is predicted.

    Of a class that is never predicted the precision is 0, of one that is only predicted the recall. Of equal logits
    the first is the greatest. top5 is None where there are no more than 5 classes: it would be 1 whatever is predicted.
    """
    if labels.ndim != 1 or logits.ndim != 2 or len(labels) != len(logits) or not len(labels):
        raise ValueError(f"scored are labels (N,) and logits (N, classes), not {labels.shape} and {logits.shape}")
    count = logits.shape[1]
    check_classes(labels, count, "labels")
    check_finite(logits, "logits")
    predicted = logits.argmax(axis=1)
    counts = metrics.confusion_matrix(labels, predicted, labels=range(count))
    mean = metrics.precision_recall_fscore_support(labels, predicted, average="macro", zero_division=0)[:3]
    each = metrics.precision_recall_fscore_support(labels, predicted, labels=range(count), zero_division=0)[:3]
    names = ("precision", "recall", "f1")
    return {
        "top1": float(metrics.accuracy_score(labels, predicted)),
        "top5": top(TOP, labels, logits) if count > TOP else None,
        **{name: float(value) for name, value in zip(names, mean, strict=True)},
        **{f"class_{name}": of_classes(values, counts) for name, values in zip(names, each, strict=True)},
        "confusion": counts.tolist(),
    }


def top(k: int, labels: np.ndarray, logits: np.ndarray) -> float:
    """Share of labels (N,) among the k greatest of logits (N, classes), of which there are more."""
    last = logits.shape[1] - 1
    # Of equal logits scikit-learn takes the last, argmax the first: seen from the right both take the same.
    return float(metrics.top_k_accuracy_score(last - labels, logits[:, ::-1], k=k, labels=range(last + 1)))


def segmentation(masks: np.ndarray, found: np.ndarray, num_classes: int | None = None) -> Scores:
    """Scores of masks (N, H, W), each pixel's class, and logits (N, H, W, classes) or predicted classes (N, H, W).

    num_classes: needed with predicted classes. The scores are those of segmentation_of; for batches see count_pixels.
    """
    return segmentation_of(count_pixels(masks, found, num_classes))


def count_pixels(masks: np.ndarray, found: np.ndarray, num_classes: int | None = None) -> np.ndarray:
    """Confusion matrix (classes, classes) of pixels, int64: a row for each class of the masks, a column for predicted.

    Takes what segmentation takes. The sum over batches is what segmentation_of needs of all: its size stays the same.
    """
    if found.ndim == 4:
        check_finite(found, "logits")
        num_classes, found = found.shape[3], found.argmax(axis=3)
    if masks.ndim != 3 or masks.shape != found.shape or num_classes is None:
        raise ValueError(
            "scored are masks (N, H, W) and logits (N, H, W, classes), or predicted classes (N, H, W) and num_classes, "
            f"not {masks.shape}, {found.shape} and {num_classes}"
        )
    check_classes(masks, num_classes, "masks")
    check_classes(found, num_classes, "predicted classes")
    counts = np.zeros((num_classes, num_classes), np.int64)
    for mask, image in zip(masks, found, strict=True):  # scikit-learn needs many times the memory of its arguments
        counts += metrics.confusion_matrix(mask.ravel(), image.ravel(), labels=range(num_classes))
    return counts


def segmentation_of(counts: np.ndarray) -> Scores:
    """Scores of a confusion matrix (classes, classes) of pixels by scikit-learn.

    accuracy, of the pixels; class_iou and class_dice, of each class, None for one that is neither in the masks nor
    predicted; miou and dice, their means without it; foreground_iou, class 1's where there are two classes, else None.
    """
    if counts.ndim != 2 or counts.shape[0] != counts.shape[1] or not counts.any():
        raise ValueError(f"scored is a confusion matrix (classes, classes) of pixels, not {counts.tolist()}")
    # A pixel for each pair of classes, with the weight of as many as there are.
    masks, predicted = (axis.ravel() for axis in np.indices(counts.shape))
    weights = counts.ravel()
    options: dict[str, Any] = {"labels": range(len(counts)), "average": None, "zero_division": 0}
    iou = of_classes(metrics.jaccard_score(masks, predicted, sample_weight=weights, **options), counts)
    dice = of_classes(metrics.f1_score(masks, predicted, sample_weight=weights, **options), counts)
    return {
        "accuracy": float(metrics.accuracy_score(masks, predicted, sample_weight=weights)),
        "miou": mean_of(iou),
        "dice": mean_of(dice),
        "foreground_iou": iou[1] if len(iou) == 2 else None,
        "class_iou": iou,
        "class_dice": dice,
    }


def detection(truth: Sequence[Objects], found: Sequence[Detections], image_size: int, num_classes: int) -> Scores:
    """COCO's scores by pycocotools of what is in each image and what was found there, of Detections in NumPy.

    image_size: pixels of a side of every image; boxes that were found are clipped to it first, as YOLO's authors do.
    map50 and map75, the mean average precision at an IoU of .5 and .75; map, its mean over .5, .55 to .95; recall, the
    mean over the same IoUs, of at most 100 boxes an image; class_ap50, the average precision at .5 of each class.
    A class that is in no image has None and is in no mean; if nothing is in any image, all scores are None.

    Boxes below Settings.score_threshold are not found at all: with a threshold made for looking at images (0.25) the
    curve of precision and recall ends early, and all scores are too low.
    """
    if len(truth) != len(found) or not truth:
        raise ValueError(f"scored is what was found in each image, not in {len(found)} of {len(truth)}")
    from pycocotools.cocoeval import COCOeval

    annotations, results = [], []
    for number, (objects, detections) in enumerate(zip(truth, found, strict=True)):
        boxes, scores, labels = (part[: int(detections.count)] for part in detections[:3])
        check_finite(boxes, "boxes")
        check_finite(scores, "scores of boxes")
        annotations += annotate(number, objects.boxes, objects.labels, np.ones(len(objects.labels)), num_classes)
        results += annotate(number, boxes.clip(0, image_size), labels, scores, num_classes)
    with redirect_stdout(io.StringIO()):  # it prints what it does
        sides = [index(entries, len(truth), num_classes) for entries in (annotations, results)]
        evaluation = COCOeval(*sides, iouType="bbox")
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    precision = evaluation.eval["precision"][0, :, :, 0, -1]  # (recalls, classes): at .5, of all areas, of 100 boxes
    names = {"map": 0, "map50": 1, "map75": 2, "recall": 8}
    return {
        **{name: known(evaluation.stats[place]) for name, place in names.items()},
        "class_ap50": [known(value) for value in precision.mean(axis=0)],
    }


def annotate(
    image: int, boxes: np.ndarray, labels: np.ndarray, scores: np.ndarray, num_classes: int
) -> list[dict[str, Any]]:
    """COCO's entries of an image's boxes (n, 4), which have their corner and size."""
    check_classes(labels, num_classes, "labels of boxes")
    corners, ends = np.hsplit(boxes.astype(float), 2)
    rows = zip(np.hstack([corners, ends - corners]).tolist(), labels.tolist(), scores.tolist(), strict=True)
    return [
        {"image_id": image, "bbox": box, "area": box[2] * box[3], "category_id": label, "score": score, "iscrowd": 0}
        for box, label, score in rows
    ]


def index(entries: list[dict[str, Any]], images: int, num_classes: int) -> Any:
    """COCO's index of entries. Not its loadRes, which fails if there are none."""
    from pycocotools.coco import COCO

    coco = COCO()
    coco.dataset = {
        "images": [{"id": number} for number in range(images)],
        "categories": [{"id": number} for number in range(num_classes)],
        "annotations": [{"id": number, **entry} for number, entry in enumerate(entries, start=1)],  # id 0: not matched
    }
    coco.createIndex()
    return coco


def known(value: float) -> float | None:
    """COCO's -1 is None."""
    return float(value) if value > -1 else None


def of_classes(values: np.ndarray, counts: np.ndarray) -> list[float | None]:
    """A score of each class, None for one that has neither a row nor a column in the confusion matrix."""
    occurs = (counts + counts.T).sum(axis=0) > 0
    return [float(value) if there else None for value, there in zip(values, occurs, strict=True)]


def mean_of(values: list[float | None]) -> float:
    """Mean of the scores that are not None; at least one is not."""
    return float(np.mean([value for value in values if value is not None]))


def check_classes(values: np.ndarray, num_classes: int, what: str) -> None:
    """Raise ValueError if a value is not the number of a class."""
    if not np.issubdtype(values.dtype, np.integer) or ((values < 0) | (values >= num_classes)).any():
        raise ValueError(f"{what} must be integers from 0 to {num_classes - 1}")


def check_finite(values: np.ndarray, what: str) -> None:
    """Raise ValueError if a value is not finite: a training that diverged has no scores."""
    if wrong := int((~np.isfinite(values)).sum()):
        raise ValueError(f"{what} are not finite: {wrong} of {values.size} values")
