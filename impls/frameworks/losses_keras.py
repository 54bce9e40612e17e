"""The losses of the tasks in Keras, on any backend. Networks' outputs and targets are in the backend's own layout."""

from collections.abc import Sequence
from typing import Any

from keras import ops

from impls.frameworks.layers_keras import channel_axis
from impls.tasks import AUXILIARY_WEIGHT
from impls.tasks.detection import ANCHORS_PER_HEAD


def classification(outputs: Sequence[Any], labels: Any) -> Any:
    """Mean cross-entropy of the logits, and of auxiliary logits with less weight."""
    first, *auxiliary = (_cross_entropy(logits, labels, -1) for logits in outputs)
    return first + AUXILIARY_WEIGHT * sum(auxiliary) if auxiliary else first


def segmentation(outputs: Sequence[Any], masks: Any) -> Any:
    """Mean cross-entropy of the pixels; masks (N, H, W)."""
    (logits,) = outputs
    return _cross_entropy(logits, masks, channel_axis())


def _cross_entropy(logits: Any, labels: Any, axis: int) -> Any:
    return ops.mean(ops.sparse_categorical_crossentropy(labels, logits, from_logits=True, axis=axis))


def detection(outputs: Sequence[Any], *targets: Any) -> Any:
    """YOLOv3's loss as impls/tasks/detection.py states it; a target for each head, of the head's shape."""
    heads = [_head(logits, target) for logits, target in zip(outputs, targets, strict=True)]
    return sum(heads) / ops.cast(ops.shape(outputs[0])[0], heads[0].dtype)


def _head(logits: Any, target: Any) -> Any:
    depth = logits.shape[channel_axis()] // ANCHORS_PER_HEAD
    shape = (-1, depth, *logits.shape[2:]) if channel_axis() == 1 else (-1, depth)
    ends = (2, 4, 5)
    centre, size, objectness, classes = ops.split(ops.reshape(logits, shape), ends, axis=1)
    true_centre, true_size, marks, true_classes = ops.split(ops.reshape(target, shape), ends, axis=1)
    found, counted = ops.cast(marks == 1, marks.dtype), ops.cast(marks >= 0, marks.dtype)
    boxes = _binary_cross_entropy(centre, true_centre) + 0.5 * ops.square(size - true_size)
    return (
        ops.sum(found * boxes)
        + ops.sum(counted * _binary_cross_entropy(objectness, found))
        + ops.sum(found * _binary_cross_entropy(classes, true_classes))
    )


def _binary_cross_entropy(logits: Any, target: Any) -> Any:
    return ops.binary_crossentropy(target, logits, from_logits=True)
