"""Batch norm in Keras, on any backend: what its layer does, without the update of the running statistics."""

from typing import Any

from keras import ops

from impls.frameworks.layers_keras import channel_axis
from impls.kernels.batch_norm.cases import Case


def compute(case: Case, x: Any, weight: Any, bias: Any, *statistics: Any) -> Any:
    """Input, scale, shift and, in evaluation mode, running mean and variance -> output."""
    axis = channel_axis()
    mean, variance = ops.moments(x, (0, 2, 3) if axis == 1 else (0, 1, 2)) if case.training else statistics
    return ops.batch_normalization(x, mean, variance, axis, bias, weight, case.epsilon)
