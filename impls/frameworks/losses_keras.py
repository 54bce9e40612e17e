"""The losses of the tasks in Keras, on any backend. Networks' outputs and targets are in the backend's own layout."""

from collections.abc import Sequence
from typing import Any

from keras import ops

from impls.frameworks.layers_keras import channel_axis
from impls.tasks import AUXILIARY_WEIGHT


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
