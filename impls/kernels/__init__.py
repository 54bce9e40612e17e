"""Kernels: each folder holds one kernel's cases, its readable NumPy reference and its twins.

cases.py: a Case, a frozen dataclass that rejects with ValueError, by name, what cannot be. reference.py:
forward(case, *inputs, *weights) -> output, and backward(case, *inputs, *weights, cotangent) -> the gradient by each of
them, in this order. A twin: compute(case, *inputs, *weights) -> output, as an expert of the framework writes it.
Arrays of NumPy are channels last and canonical (impls/weights.py), a twin's tensors are as its framework has them.
"""

from collections.abc import Mapping
from math import prod
from typing import Protocol
from zlib import crc32

import numpy as np

from impls.layers import Tensor

FORWARD, BY_INPUT, BY_WEIGHT = PHASES = ("forward", "gradient by input", "gradient by weight")

Shape = tuple[int, ...]


class Case(Protocol):
    """One operation at one size."""

    @property
    def kernel(self) -> str:
        """Which operation, by the field's name."""

    @property
    def inputs(self) -> tuple[Shape, ...]:
        """Shapes of the inputs, (N, *spatial, C) or (N, C)."""

    @property
    def weights(self) -> Mapping[str, Tensor]:
        """Name -> shape and kind of what is learned, and of statistics."""

    @property
    def output(self) -> Shape:
        """Shape of the output."""

    @property
    def macs(self) -> int:
        """Multiply-accumulates of the forward pass of the whole batch: the multiplications by learned values."""

    @property
    def operations(self) -> int:
        """Arithmetic operations of a phase, as the forward pass' definition has them: 2 for each multiply-accumulate.

        A gradient of a product has as many as the product.
        """

    @property
    def gradient_reads_input(self) -> bool:
        """Whether the gradient by the input depends on the input."""


def at_least(case: object, least: int, *names: str) -> None:
    """Refuse a case in which one of these figures is too small: ValueError, one line that names it."""
    for name in names:
        if getattr(case, name) < least:
            raise ValueError(f"{name} must be at least {least}, not {getattr(case, name)}")


def learned(case: Case) -> list[str]:
    """Names of the weights that have a gradient, in their order."""
    return [name for name, tensor in case.weights.items() if tensor.trainable]


def phases(case: Case) -> tuple[str, ...]:
    """What there is to time: without anything learned there is no gradient by it."""
    return PHASES if learned(case) else PHASES[:2]


def bytes_moved(case: Case, phase: str, itemsize: int = 4) -> int:
    """The least traffic with memory: each operand is read once and each result written once."""
    inputs, output = sum(map(prod, case.inputs)), prod(case.output)
    weights = sum(prod(tensor.shape) for tensor in case.weights.values())
    values = {
        FORWARD: inputs + weights + output,
        BY_INPUT: output + weights + inputs * (2 if case.gradient_reads_input else 1),
        BY_WEIGHT: output + inputs + weights,
    }
    return values[phase] * itemsize


def missing(case: Case, framework: str, mode: str, phase: str) -> str | None:
    """Why a framework has no such program, None if it has."""
    both = phase != FORWARD and len(phases(case)) == len(PHASES)
    if both and mode == "eager" and framework in ("tensorflow", "keras-tensorflow"):
        return "TensorFlow's eager mode computes both gradients at once"
    return None


def inputs(case: Case, seed: int) -> tuple[np.ndarray, ...]:
    """Seeded inputs, float64."""
    generator = np.random.default_rng(seed)
    return tuple(generator.standard_normal(shape) for shape in case.inputs)


def weights(case: Case, seed: int) -> dict[str, np.ndarray]:
    """Seeded values of what is learned: as large as leaves an output near 1; variances positive."""
    found = {}
    for name, tensor in case.weights.items():
        generator = np.random.default_rng([seed, crc32(name.encode())])
        if tensor.kind == "vector":
            found[name] = generator.uniform(0.5, 1.5, tensor.shape)
        else:
            terms = max(case.macs // prod(case.output), 1)
            found[name] = generator.standard_normal(tensor.shape) / np.sqrt(terms)
    return found


def cotangent(case: Case, seed: int) -> np.ndarray:
    """A seeded gradient by the output, float64."""
    return np.random.default_rng([seed, 1]).standard_normal(case.output)
