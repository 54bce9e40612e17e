"""How results are compared: a check is one line of a certificate, a figure with its tolerance."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from impls import layers
from impls.layers import Tensor

Check = dict[str, Any]
TOLERANCES = {"float64": 1e-10, "float32": 1e-4}
# A tensor's scale is at least this share of its layer's largest value. Gradients of shifts that a later batch norm
# takes away again are zero, or nearly so, by cancellation: their own size is rounding, or close to it.
LEAST_SHARE = 0.1


def worst(name: str, dtype: str, found: Mapping[str, np.ndarray], expected: Mapping[str, np.ndarray]) -> Check:
    """The tensor whose relative error is the largest, against the precision's tolerance."""
    errors = relative_errors(found, expected)
    tensor = max(errors, key=lambda key: errors[key])
    return check(name, dtype, tensor, errors[tensor], TOLERANCES[dtype])


def together(name: str, dtype: str, found: Mapping[str, np.ndarray], expected: Mapping[str, np.ndarray]) -> Check:
    """Outputs and losses as `worst`, but gradients and what the steps leave by the distance of all tensors."""
    if name.startswith(("forward", "loss")):
        return worst(name, dtype, found, expected)
    return check(name, dtype, "all together", distances(found, expected)[0], TOLERANCES[dtype])


def check(name: str, dtype: str, tensor: str, error: float, tolerance: float) -> Check:
    """A figure and whether it is within its tolerance; one that is not finite is None and is not."""
    return {
        "name": name,
        "dtype": dtype,
        "tensor": tensor,
        "error": error if np.isfinite(error) else None,
        "tolerance": tolerance,
        "passed": error <= tolerance,
    }


def counts(
    program: Any, inputs: Sequence[np.ndarray], tensors: Mapping[str, Tensor], macs: Sequence[int]
) -> list[Check]:
    """Parameters, and MACs of each layer whatever order a framework counts them in.

    A kernel is one layer, which a framework may compute in several operations. One that multiplies by nothing learned
    has no MACs: how a framework computes it, if need be by a product, is its own affair.
    """
    trainable = {name for name, tensor in tensors.items() if tensor.trainable}
    parameters = sum(value.size for name, value in program.weights().items() if name in trainable)
    expected = layers.parameters(dict(tensors))
    checks = [_count("parameters", parameters, expected, parameters == expected)]
    if not sum(macs):
        return checks
    found = program.macs(*program.prepare(*inputs))
    found = [sum(found)] if len(macs) == 1 else found
    return [*checks, _count("MACs", sum(found), sum(macs), Counter(found) == Counter(macs))]


def _count(name: str, found: int, expected: int, passed: bool) -> Check:
    same = "" if passed or found != expected else ", in other layers"
    return {
        "name": name,
        "dtype": "count",
        "tensor": f"{found:,} of {expected:,}{same}",
        "error": 0.0 if passed else max(abs(found - expected), 1) / max(expected, 1),
        "tolerance": 0.0,
        "passed": passed,
    }


def relative_errors(found: Mapping[str, np.ndarray], expected: Mapping[str, np.ndarray]) -> dict[str, float]:
    """Tensor name -> largest absolute difference / largest absolute expected value of the tensor.

    The divisor is at least LEAST_SHARE of the largest value in the tensor's layer. NaN, infinity, a missing tensor
    or another shape is an infinite error.
    """
    scales = {name: float(np.abs(expected[name]).max()) for name in expected}
    layers: dict[str, float] = {}
    for name, scale in scales.items():
        layer = _layer(name)
        layers[layer] = max(layers.get(layer, 0.0), scale)
    return {
        name: _relative_error(found.get(name), expected[name], max(scale, LEAST_SHARE * layers[_layer(name)]))
        for name, scale in scales.items()
    }


def _relative_error(found: np.ndarray | None, expected: np.ndarray, scale: float) -> float:
    if found is None or found.shape != expected.shape or not np.isfinite(found).all():
        return float("inf")
    difference = float(np.abs(found.astype(np.float64) - expected).max())
    return difference / scale if scale > 0 else (0.0 if difference == 0 else float("inf"))


def _layer(name: str) -> str:
    """ "stage1.block1.expand.norm.bias" and "stage1.block1.expand.conv.weight" belong to one layer."""
    return ".".join(name.split(".")[:-2])


def distances(found: Mapping[str, np.ndarray], expected: Mapping[str, np.ndarray]) -> tuple[float, float]:
    """Euclidean distance / Euclidean norm: of all tensors together, and the median of the tensors' own.

    NaN, infinity, a missing tensor or another shape is an infinite distance.
    """
    squares = []
    for name, value in expected.items():
        tensor = found.get(name)
        if tensor is None or tensor.shape != value.shape or not np.isfinite(tensor).all():
            return float("inf"), float("inf")
        squares.append((np.square(tensor.astype(np.float64) - value).sum(), np.square(value).sum()))
    difference, norm = np.array(squares).T
    own = np.sqrt(difference / np.maximum(norm, np.finfo(np.float64).tiny))
    return float(np.sqrt(difference.sum() / norm.sum())), float(np.median(own))
