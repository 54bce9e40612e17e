"""The losses of the tasks in TensorFlow. What comes out of a network and its targets are (N, H, W, C) or (N, C)."""

from collections.abc import Sequence

import tensorflow as tf

from impls.tasks import AUXILIARY_WEIGHT
from impls.tasks.detection import ANCHORS_PER_HEAD


def classification(outputs: Sequence[tf.Tensor], labels: tf.Tensor) -> tf.Tensor:
    """Mean cross-entropy of the logits, and of auxiliary logits with less weight."""
    first, *auxiliary = (_cross_entropy(logits, labels) for logits in outputs)
    return first + AUXILIARY_WEIGHT * sum(auxiliary) if auxiliary else first


def segmentation(outputs: Sequence[tf.Tensor], masks: tf.Tensor) -> tf.Tensor:
    """Mean cross-entropy of the pixels; masks (N, H, W)."""
    (logits,) = outputs
    return _cross_entropy(logits, masks)


def _cross_entropy(logits: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
    return tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits))


def detection(outputs: Sequence[tf.Tensor], *targets: tf.Tensor) -> tf.Tensor:
    """YOLOv3's loss as impls/tasks/detection.py states it; a target for each head, of the head's shape."""
    heads = [_head(logits, target) for logits, target in zip(outputs, targets, strict=True)]
    return sum(heads) / tf.cast(tf.shape(outputs[0])[0], heads[0].dtype)


def _head(logits: tf.Tensor, target: tf.Tensor) -> tf.Tensor:
    depth = logits.shape[-1] // ANCHORS_PER_HEAD
    shape, parts = (-1, depth), (2, 2, 1, depth - 5)
    centre, size, objectness, classes = tf.split(tf.reshape(logits, shape), parts, axis=1)
    true_centre, true_size, marks, true_classes = tf.split(tf.reshape(target, shape), parts, axis=1)
    found, counted = tf.cast(marks == 1, marks.dtype), tf.cast(marks >= 0, marks.dtype)
    boxes = _binary_cross_entropy(centre, true_centre) + 0.5 * tf.math.squared_difference(size, true_size)
    return (
        tf.reduce_sum(found * boxes)
        + tf.reduce_sum(counted * _binary_cross_entropy(objectness, found))
        + tf.reduce_sum(found * _binary_cross_entropy(classes, true_classes))
    )


def _binary_cross_entropy(logits: tf.Tensor, target: tf.Tensor) -> tf.Tensor:
    return tf.nn.sigmoid_cross_entropy_with_logits(target, logits)
