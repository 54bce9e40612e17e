"""Decoding and non-maximum suppression in Keras, on any backend. README.md and reference.py define both."""

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from impls.boxes import EMPTY, Anchors, Detections, Settings
from impls.frameworks.layers_keras import channel_axis

Tensor = Any


def decode(heads: Sequence[Tensor], anchors: Anchors, image_size: int) -> tuple[Tensor, Tensor]:
    """Heads in the backend's own layout -> boxes (N, boxes, 4) in pixels, scores (N, boxes, classes)."""
    decoded = [decode_head(head, priors, image_size) for head, priors in zip(heads, anchors, strict=True)]
    return ops.concatenate([boxes for boxes, _ in decoded], 1), ops.concatenate([scores for _, scores in decoded], 1)


def decode_head(head: Tensor, priors: Sequence[tuple[float, float]], image_size: int) -> tuple[Tensor, Tensor]:
    """One head (Redmon & Farhadi 2018, section 2.1), in the order of rows, columns, anchors."""
    if keras.backend.standardize_dtype(head.dtype) == "bfloat16":  # 8 bits are too few for a place in an image
        head = ops.cast(head, "float32")
    if channel_axis() == 1:
        _, channels, height, width = head.shape
        t = ops.reshape(head, (-1, len(priors), channels // len(priors), height, width))
        t = ops.transpose(t, (0, 3, 4, 1, 2))  # (N, h, w, anchors, 5 + classes)
    else:
        _, height, width, channels = head.shape
        t = ops.reshape(head, (-1, height, width, len(priors), channels // len(priors)))
    columns = ops.arange(width, dtype=head.dtype)[:, None]
    rows = ops.arange(height, dtype=head.dtype)[:, None, None]
    sizes = ops.convert_to_tensor(priors, head.dtype)
    centre_x = (ops.sigmoid(t[..., 0]) + columns) * (image_size / width)
    centre_y = (ops.sigmoid(t[..., 1]) + rows) * (image_size / height)
    half_width = sizes[:, 0] * ops.exp(t[..., 2]) / 2
    half_height = sizes[:, 1] * ops.exp(t[..., 3]) / 2
    corners = centre_x - half_width, centre_y - half_height, centre_x + half_width, centre_y + half_height
    scores = ops.sigmoid(t[..., 4:5]) * ops.sigmoid(t[..., 5:])
    count = height * width * len(priors)
    return ops.reshape(ops.stack(corners, -1), (-1, count, 4)), ops.reshape(scores, (-1, count, scores.shape[-1]))


def suppress(boxes: Tensor, scores: Tensor, settings: Settings) -> Detections:
    """Boxes (B, 4), scores (B, classes) -> what is kept, class by class, by greedy non-maximum suppression."""
    boxes, scores, labels = candidates(boxes, scores, settings)
    return padded(boxes, scores, labels, greedy(boxes, labels, settings), settings)


def candidates(boxes: Tensor, scores: Tensor, settings: Settings) -> tuple[Tensor, Tensor, Tensor]:
    """Boxes, scores and labels of the best, in order.

    On PyTorch as many as there are; elsewhere always as many, those that are none with the label EMPTY.
    """
    scores = ops.transpose(scores)  # by label, then by box: of equal scores the first is to come first
    valid = (scores > settings.score_threshold) & ops.all(ops.isfinite(boxes), 1)
    flat = ops.reshape(ops.where(valid, scores, -float("inf")), (-1,))
    if keras.backend.backend() == "torch":
        best = stable_top_k(flat, valid, settings.max_candidates)
        scores = ops.take(flat, best)
    else:
        scores, best = ops.top_k(flat, min(settings.max_candidates, flat.shape[0]))
    labels = ops.where(scores > settings.score_threshold, best // boxes.shape[0], EMPTY)
    return ops.take(boxes, best % boxes.shape[0], 0), scores, labels


def stable_top_k(flat: Tensor, valid: Tensor, number: int) -> Tensor:
    """Where the greatest that are valid stand; on PyTorch, whose top_k orders equal ones as it likes."""
    (found,) = ops.nonzero(ops.reshape(valid, (-1,)))
    if found.shape[0] > number:  # fewer to sort
        least = ops.top_k(flat, number)[0][-1]
        found = found[ops.take(flat, found) >= least]
    return ops.take(found, ops.argsort(-ops.take(flat, found))[:number])


def greedy(boxes: Tensor, labels: Tensor, settings: Settings) -> Tensor:
    """Which candidates are kept, (K,).

    All at once and repeated, instead of one after another: a candidate stays if none of those that stayed in the
    last round, stand before it and have its label overlaps it. After round k the first k are right, so what no
    longer changes is the greedy choice; that takes as many rounds as the longest chain of suppressions (Zheng et al.
    2020, "Enhancing Geometric Factors in Model Learning and Inference for Object Detection and Instance
    Segmentation", section 3.3).
    """
    overlaps = (labels[:, None] == labels) & (iou(boxes) > settings.iou_threshold)
    places = ops.arange(labels.shape[0])
    overlaps = overlaps & (places[:, None] < places)  # [i, j]: i stands before j
    valid = labels != EMPTY
    return ops.while_loop(
        lambda kept, before: ops.any(kept != before),
        lambda kept, _: (valid & ~ops.any(overlaps & kept[:, None], 0), kept),
        (valid, ~valid),
    )[0]


def iou(boxes: Tensor) -> Tensor:
    """Intersection over union of each of (K, 4) with each -> (K, K); 0 for what has no area."""
    left, top, right, bottom = ops.unstack(boxes, axis=1)
    intersection = area(
        ops.minimum(right[:, None], right) - ops.maximum(left[:, None], left),
        ops.minimum(bottom[:, None], bottom) - ops.maximum(top[:, None], top),
    )
    areas = area(right - left, bottom - top)
    union = areas[:, None] + areas - intersection
    return intersection / ops.where(intersection > 0, union, 1)


def area(width: Tensor, height: Tensor) -> Tensor:
    """Area of rectangles; 0 if a side is not positive.

    The choice stands between the product and the sum that it goes into: a compiler that made one fused operation of
    them would round otherwise.
    """
    return ops.where((width > 0) & (height > 0), width * height, 0)


def padded(boxes: Tensor, scores: Tensor, labels: Tensor, kept: Tensor, settings: Settings) -> Detections:
    """The first max_detections that are kept, and empty rows behind them."""
    kept = ops.cast(kept, "int32")
    # The s-th that is kept stands where the count of those kept first reaches s; if none does, one row behind all.
    reached = ops.pad(
        ops.minimum(ops.cumsum(kept), settings.max_detections), ((0, 1),), constant_values=settings.max_detections
    )
    rows = ops.searchsorted(reached, ops.arange(1, settings.max_detections + 1, dtype="int32"))
    return Detections(
        ops.take(ops.pad(boxes, ((0, 1), (0, 0))), rows, 0),
        ops.take(ops.pad(scores, ((0, 1),)), rows),
        ops.take(ops.pad(labels, ((0, 1),), constant_values=EMPTY), rows),
        ops.cast(ops.minimum(ops.sum(kept), settings.max_detections), "int32"),  # JAX may sum to int64
    )


def detect(heads: Sequence[Tensor], anchors: Anchors, image_size: int, settings: Settings) -> Detections:
    """What is found in each image of a batch."""
    return ops.map(lambda image: suppress(image[0], image[1], settings), decode(heads, anchors, image_size))
