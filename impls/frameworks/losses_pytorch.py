"""The losses of the tasks in PyTorch. What comes out of a network and its targets are (N, C, H, W) or (N, C)."""

from collections.abc import Sequence

from torch import Tensor, nn

from impls.tasks import AUXILIARY_WEIGHT


def classification(outputs: Sequence[Tensor], labels: Tensor) -> Tensor:
    """Mean cross-entropy of the logits, and of auxiliary logits with less weight."""
    first, *auxiliary = (nn.functional.cross_entropy(logits, labels) for logits in outputs)
    return first + AUXILIARY_WEIGHT * sum(auxiliary) if auxiliary else first


def segmentation(outputs: Sequence[Tensor], masks: Tensor) -> Tensor:
    """Mean cross-entropy of the pixels; masks (N, H, W)."""
    (logits,) = outputs
    return nn.functional.cross_entropy(logits, masks)
