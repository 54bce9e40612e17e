"""Kernels in JAX, for Keras' twins: how one operation is run forward and, apart from that, backward."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import jax
import numpy as np

from impls.frameworks.jax import compile, count_macs, note
from impls.kernels import BY_INPUT, PHASES, Case, learned
from impls.weights import from_channels_last, to_channels_last

Tensors = tuple[jax.Array, ...]


class Kernel:
    """A twin's operation in one execution mode."""

    def __init__(self, compute: Callable[..., Any], case: Case, mode: str, precision: str) -> None:
        self.case = case
        self.dtype = precision
        self.values: dict[str, jax.Array] = {}
        self._plain = partial(compute, case)
        self._compute = compile(self._plain, mode)
        self._records = {phase: compile(partial(self._pull_of, phase), mode) for phase in PHASES[1:]}
        self._pull = compile(lambda pull, cotangent: pull(cotangent), mode)

    def prepare(self, *arrays: np.ndarray) -> Tensors:
        """NumPy arrays, channels last -> arrays on the device, channels last."""
        return tuple(jax.numpy.asarray(array, self.dtype) for array in arrays)

    def load_weights(self, weights: Mapping[str, np.ndarray]) -> None:
        """Copy canonical weights."""
        for name, tensor in self.case.weights.items():
            self.values[name] = jax.numpy.asarray(to_channels_last(weights[name], tensor.kind), self.dtype)

    def weights(self) -> dict[str, np.ndarray]:
        """The weights, canonical."""
        return {name: self.to_canonical(name, value) for name, value in self.values.items()}

    def to_canonical(self, name: str, value: jax.Array) -> np.ndarray:
        """A weight, or what has its shape, as canonical NumPy."""
        return from_channels_last(np.asarray(value), self.case.weights[name].kind)

    def to_numpy(self, tensor: jax.Array) -> np.ndarray:
        """A result as NumPy, channels last."""
        return np.asarray(tensor)

    def predict(self, *inputs: jax.Array) -> jax.Array:
        """Inputs -> output."""
        return note(self._compute(*inputs, *self.values.values()))

    def record(self, phase: str, *inputs: jax.Array) -> Any:
        """The forward pass, which the gradient by the inputs or by the weights is then taken of."""
        return note(self._records[phase](inputs, tuple(self.values.values())))

    def gradient(self, recorded: Any, cotangent: jax.Array) -> Tensors:
        """The gradient by each that was asked for."""
        return note(self._pull(recorded, cotangent))

    def macs(self, *inputs: jax.Array) -> list[int]:
        """Multiply-accumulates of each convolution and matrix product of predict."""
        return count_macs(lambda *arrays: self._plain(*arrays, *self.values.values()), *inputs)

    def _pull_of(self, phase: str, inputs: Tensors, values: Tensors) -> Any:
        if phase == BY_INPUT:
            return jax.vjp(lambda *inputs: self._plain(*inputs, *values), *inputs)[1]
        named = dict(zip(self.case.weights, values, strict=True))
        names = learned(self.case)

        def output(*learned_values: jax.Array) -> jax.Array:
            return self._plain(*inputs, *(named | dict(zip(names, learned_values, strict=True))).values())

        return jax.vjp(output, *(named[name] for name in names))[1]
