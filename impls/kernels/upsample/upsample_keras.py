"""Upsampling in Keras, on any backend: what its layer does."""

from typing import Any

from keras import ops

from impls.frameworks.layers_keras import channel_axis
from impls.kernels.upsample.cases import Case


def compute(case: Case, x: Any) -> Any:
    """Input -> output."""
    if case.kind == "nearest":
        rows, columns = (2, 3) if channel_axis() == 1 else (1, 2)
        return ops.repeat(ops.repeat(x, case.factor, axis=rows), case.factor, axis=columns)
    return ops.image.resize(x, (case.output_size, case.output_size), "bilinear")
