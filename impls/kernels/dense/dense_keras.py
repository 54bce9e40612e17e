"""The dense layer in Keras, on any backend."""

from typing import Any

from keras import ops

from impls.kernels.dense.cases import Case


def compute(case: Case, x: Any, weight: Any) -> Any:
    """Input, weight (in, out) -> output."""
    return ops.matmul(x, weight)
