"""The losses of the tasks in TensorFlow. What comes out of a network and its targets are (N, H, W, C) or (N, C)."""

from collections.abc import Sequence

import tensorflow as tf

from impls.tasks import AUXILIARY_WEIGHT


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
