"""Decoding and non-maximum suppression in TensorFlow. README.md and reference.py define both."""

from collections.abc import Sequence

import tensorflow as tf

from impls.boxes import EMPTY, Anchors, Detections, Settings


def decode(heads: Sequence[tf.Tensor], anchors: Anchors, image_size: int) -> tuple[tf.Tensor, tf.Tensor]:
    """Heads (N, h, w, anchors * (5 + classes)) -> boxes (N, boxes, 4) in pixels, scores (N, boxes, classes)."""
    decoded = [decode_head(head, priors, image_size) for head, priors in zip(heads, anchors, strict=True)]
    return tf.concat([boxes for boxes, _ in decoded], 1), tf.concat([scores for _, scores in decoded], 1)


def decode_head(head: tf.Tensor, priors: Sequence[tuple[float, float]], image_size: int) -> tuple[tf.Tensor, tf.Tensor]:
    """One head (Redmon & Farhadi 2018, section 2.1), in the order of rows, columns, anchors."""
    if head.dtype == tf.bfloat16:  # 8 bits are too few for a place in an image
        head = tf.cast(head, tf.float32)
    _, height, width, channels = head.shape
    t = tf.reshape(head, (-1, height, width, len(priors), channels // len(priors)))
    columns = tf.range(width, dtype=head.dtype)[:, None]
    rows = tf.range(height, dtype=head.dtype)[:, None, None]
    sizes = tf.constant(priors, head.dtype)
    centre_x = (tf.sigmoid(t[..., 0]) + columns) * (image_size / width)
    centre_y = (tf.sigmoid(t[..., 1]) + rows) * (image_size / height)
    half_width = sizes[:, 0] * tf.exp(t[..., 2]) / 2
    half_height = sizes[:, 1] * tf.exp(t[..., 3]) / 2
    corners = centre_x - half_width, centre_y - half_height, centre_x + half_width, centre_y + half_height
    scores = tf.sigmoid(t[..., 4:5]) * tf.sigmoid(t[..., 5:])
    count = height * width * len(priors)
    return tf.reshape(tf.stack(corners, -1), (-1, count, 4)), tf.reshape(scores, (-1, count, scores.shape[-1]))


def suppress(boxes: tf.Tensor, scores: tf.Tensor, settings: Settings) -> Detections:
    """Boxes (B, 4), scores (B, classes) -> what is kept, class by class, by greedy non-maximum suppression."""
    boxes, scores, labels = candidates(boxes, scores, settings)
    return padded(boxes, scores, labels, greedy(boxes, labels, settings), settings)


def candidates(boxes: tf.Tensor, scores: tf.Tensor, settings: Settings) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Boxes, scores and labels of the best, in order: always as many, those that are none with the label EMPTY."""
    scores = tf.transpose(scores)  # by label, then by box: top_k takes the first of equal scores first
    valid = (scores > settings.score_threshold) & tf.reduce_all(tf.math.is_finite(boxes), 1)
    flat = tf.reshape(tf.where(valid, scores, -float("inf")), (-1,))
    scores, best = tf.math.top_k(flat, min(settings.max_candidates, flat.shape[0]))
    labels = tf.where(scores > settings.score_threshold, best // boxes.shape[0], EMPTY)
    return tf.gather(boxes, best % boxes.shape[0]), scores, labels


def greedy(boxes: tf.Tensor, labels: tf.Tensor, settings: Settings) -> tf.Tensor:
    """Which candidates are kept, (K,).

    All at once and repeated, instead of one after another: a candidate stays if none of those that stayed in the
    last round, stand before it and have its label overlaps it. After round k the first k are right, so what no
    longer changes is the greedy choice; that takes as many rounds as the longest chain of suppressions (Zheng et al.
    2020, "Enhancing Geometric Factors in Model Learning and Inference for Object Detection and Instance
    Segmentation", section 3.3).
    """
    overlaps = (labels[:, None] == labels) & (iou(boxes) > settings.iou_threshold)
    places = tf.range(labels.shape[0])
    overlaps &= places[:, None] < places  # [i, j]: i stands before j
    valid = labels != EMPTY
    return tf.while_loop(
        lambda kept, before: tf.reduce_any(kept != before),
        lambda kept, _: (valid & ~tf.reduce_any(overlaps & kept[:, None], 0), kept),
        (valid, ~valid),
    )[0]


def iou(boxes: tf.Tensor) -> tf.Tensor:
    """Intersection over union of each of (K, 4) with each -> (K, K); 0 for what has no area."""
    left, top, right, bottom = tf.unstack(boxes, axis=1)
    intersection = area(
        tf.minimum(right[:, None], right) - tf.maximum(left[:, None], left),
        tf.minimum(bottom[:, None], bottom) - tf.maximum(top[:, None], top),
    )
    areas = area(right - left, bottom - top)
    union = areas[:, None] + areas - intersection
    return intersection / tf.where(intersection > 0, union, 1)


def area(width: tf.Tensor, height: tf.Tensor) -> tf.Tensor:
    """Area of rectangles; 0 if a side is not positive.

    The choice stands between the product and the sum that it goes into: a compiler that made one fused operation of
    them would round otherwise.
    """
    return tf.where((width > 0) & (height > 0), width * height, 0)


def padded(boxes: tf.Tensor, scores: tf.Tensor, labels: tf.Tensor, kept: tf.Tensor, settings: Settings) -> Detections:
    """The first max_detections that are kept, and empty rows behind them."""
    kept = tf.cast(kept, tf.int32)
    # The s-th that is kept stands where the count of those kept first reaches s; if none does, one row behind all.
    reached = tf.concat((tf.minimum(tf.cumsum(kept), settings.max_detections), [settings.max_detections]), 0)
    rows = tf.searchsorted(reached, tf.range(1, settings.max_detections + 1))
    return Detections(
        tf.gather(tf.pad(boxes, ((0, 1), (0, 0))), rows),
        tf.gather(tf.pad(scores, ((0, 1),)), rows),
        tf.gather(tf.pad(labels, ((0, 1),), constant_values=EMPTY), rows),
        tf.minimum(tf.reduce_sum(kept), settings.max_detections),
    )


def detect(heads: Sequence[tf.Tensor], anchors: Anchors, image_size: int, settings: Settings) -> Detections:
    """What is found in each image of a batch."""
    boxes, scores = decode(heads, anchors, image_size)
    return tf.map_fn(
        lambda image: suppress(image[0], image[1], settings),
        (boxes, scores),
        fn_output_signature=Detections(boxes.dtype, scores.dtype, tf.int32, tf.int32),
    )
