"""Decoding and non-maximum suppression in readable NumPy: what every twin is compared with."""

from collections.abc import Sequence

import numpy as np

from impls.boxes import EMPTY, Anchors, Detections, Settings


def decode(heads: Sequence[np.ndarray], anchors: Anchors, image_size: int) -> tuple[np.ndarray, np.ndarray]:
    """Heads (N, h, w, anchors * (5 + classes)) -> boxes (N, boxes, 4) in pixels, scores (N, boxes, classes)."""
    decoded = [decode_head(head, priors, image_size) for head, priors in zip(heads, anchors, strict=True)]
    return np.concatenate([boxes for boxes, _ in decoded], 1), np.concatenate([scores for _, scores in decoded], 1)


def decode_head(
    head: np.ndarray, priors: Sequence[tuple[float, float]], image_size: int
) -> tuple[np.ndarray, np.ndarray]:
    """One head (Redmon & Farhadi 2018, section 2.1), in the order of rows, columns, anchors."""
    batch_size, height, width, channels = head.shape
    classes = channels // len(priors) - 5
    boxes = np.empty((batch_size, height, width, len(priors), 4), head.dtype)
    scores = np.empty((batch_size, height, width, len(priors), classes), head.dtype)
    for row, column, anchor in np.ndindex(height, width, len(priors)):
        t = head[:, row, column, anchor * (5 + classes) : (anchor + 1) * (5 + classes)]
        centre_x = (sigmoid(t[:, 0]) + column) * (image_size / width)
        centre_y = (sigmoid(t[:, 1]) + row) * (image_size / height)
        half_width = priors[anchor][0] * np.exp(t[:, 2]) / 2
        half_height = priors[anchor][1] * np.exp(t[:, 3]) / 2
        corners = centre_x - half_width, centre_y - half_height, centre_x + half_width, centre_y + half_height
        boxes[:, row, column, anchor] = np.stack(corners, axis=-1)
        scores[:, row, column, anchor] = sigmoid(t[:, 4:5]) * sigmoid(t[:, 5:])
    return boxes.reshape(batch_size, -1, 4), scores.reshape(batch_size, height * width * len(priors), classes)


def suppress(boxes: np.ndarray, scores: np.ndarray, settings: Settings) -> Detections:
    """Boxes (B, 4), scores (B, classes) -> what is kept, class by class, by greedy non-maximum suppression."""
    kept_boxes = np.zeros((settings.max_detections, 4), boxes.dtype)
    kept_scores = np.zeros(settings.max_detections, scores.dtype)
    labels = np.full(settings.max_detections, EMPTY, np.int32)
    count = 0
    for box, label in candidates(boxes, scores, settings):
        rivals = kept_boxes[:count][labels[:count] == label]
        if (iou(boxes[box], rivals) > settings.iou_threshold).any():
            continue
        kept_boxes[count], kept_scores[count], labels[count] = boxes[box], scores[box, label], label
        count += 1
        if count == settings.max_detections:
            break
    return Detections(kept_boxes, kept_scores, labels, np.int32(count))


def candidates(boxes: np.ndarray, scores: np.ndarray, settings: Settings) -> list[tuple[int, int]]:
    """(box, label) of the best, by score descending; among equal scores by label, then by box, ascending.

    A score that is NaN is not greater than the threshold; a box that is not finite is nowhere.
    """
    box, label = np.nonzero((scores > settings.score_threshold) & np.isfinite(boxes).all(axis=1)[:, None])
    order = np.lexsort((box, label, -scores[box, label]))[: settings.max_candidates]
    return list(zip(box[order].tolist(), label[order].tolist(), strict=True))


def iou(box: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Intersection over union of (4,) with each of (K, 4) -> (K,); 0 for what has no area."""
    left, top, right, bottom = others.T
    intersection = area(
        np.minimum(box[2], right) - np.maximum(box[0], left), np.minimum(box[3], bottom) - np.maximum(box[1], top)
    )
    union = area(box[2] - box[0], box[3] - box[1]) + area(right - left, bottom - top) - intersection
    return intersection / np.where(intersection > 0, union, 1)


def area(width: np.ndarray, height: np.ndarray) -> np.ndarray:
    """Area of rectangles; 0 if a side is not positive."""
    return np.where((width > 0) & (height > 0), width * height, 0)


def detect(heads: Sequence[np.ndarray], anchors: Anchors, image_size: int, settings: Settings) -> Detections:
    """What is found in each image of a batch."""
    decoded = zip(*decode(heads, anchors, image_size), strict=True)
    images = [suppress(boxes, scores, settings) for boxes, scores in decoded]
    return Detections(*(np.stack(part) for part in zip(*images, strict=True)))


def sigmoid(x: np.ndarray) -> np.ndarray:
    """1 / (1 + exp(-x)), whose exp would overflow."""
    return np.exp(-np.logaddexp(0, -x))
