"""The losses of the tasks in PyTorch. What comes out of a network and its targets are (N, C, H, W) or (N, C)."""

from collections.abc import Sequence

from torch import Tensor, nn

from impls.tasks import AUXILIARY_WEIGHT
from impls.tasks.detection import ANCHORS_PER_HEAD


def classification(outputs: Sequence[Tensor], labels: Tensor) -> Tensor:
    """Mean cross-entropy of the logits, and of auxiliary logits with less weight."""
    first, *auxiliary = (nn.functional.cross_entropy(logits, labels) for logits in outputs)
    return first + AUXILIARY_WEIGHT * sum(auxiliary) if auxiliary else first


def segmentation(outputs: Sequence[Tensor], masks: Tensor) -> Tensor:
    """Mean cross-entropy of the pixels; masks (N, H, W)."""
    (logits,) = outputs
    return nn.functional.cross_entropy(logits, masks)


def detection(outputs: Sequence[Tensor], *targets: Tensor) -> Tensor:
    """YOLOv3's loss as impls/tasks/detection.py states it; a target for each head, of the head's shape."""
    heads = [_head(logits, target) for logits, target in zip(outputs, targets, strict=True)]
    return sum(heads) / outputs[0].shape[0]


def _head(logits: Tensor, target: Tensor) -> Tensor:
    depth = logits.shape[1] // ANCHORS_PER_HEAD
    shape, parts = (-1, depth, *logits.shape[2:]), (2, 2, 1, depth - 5)
    centre, size, objectness, classes = logits.reshape(shape).split(parts, dim=1)
    true_centre, true_size, marks, true_classes = target.reshape(shape).split(parts, dim=1)
    found, counted = (marks == 1).to(marks.dtype), (marks >= 0).to(marks.dtype)
    boxes = _binary_cross_entropy(centre, true_centre) + 0.5 * (size - true_size).square()
    return (
        (found * boxes).sum()
        + (counted * _binary_cross_entropy(objectness, found)).sum()
        + (found * _binary_cross_entropy(classes, true_classes)).sum()
    )


def _binary_cross_entropy(logits: Tensor, target: Tensor) -> Tensor:
    return nn.functional.binary_cross_entropy_with_logits(logits, target, reduction="none")
