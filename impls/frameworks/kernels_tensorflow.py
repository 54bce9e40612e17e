"""Kernels in TensorFlow: how one operation is run forward and, apart from that, backward.

Keras on TensorFlow runs its twins here, too: the gradients are TensorFlow's.
"""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np
import tensorflow as tf

from impls.frameworks.tensorflow import WEIGHTS, compile, count_macs
from impls.kernels import BY_INPUT, PHASES, Case, learned
from impls.weights import from_channels_last, to_channels_last

Tensors = tuple[tf.Tensor, ...]


class Kernel:
    """A twin's operation in one execution mode."""

    def __init__(self, compute: Callable[..., Any], case: Case, mode: str, precision: str) -> None:
        self.case = case
        self.mode = mode
        self.dtype = WEIGHTS[precision]
        self.values: dict[str, tf.Tensor] = {}
        self._plain = partial(compute, case)
        self._compute = compile(self._plain, mode)
        self._gradients = {phase: compile(partial(self._gradient, phase), mode) for phase in PHASES[1:]}

    def prepare(self, *arrays: np.ndarray) -> Tensors:
        """NumPy arrays, channels last -> tensors on the device, channels last."""
        return tuple(tf.constant(array, self.dtype) for array in arrays)

    def load_weights(self, weights: Mapping[str, np.ndarray]) -> None:
        """Copy canonical weights."""
        for name, tensor in self.case.weights.items():
            self.values[name] = tf.constant(to_channels_last(weights[name], tensor.kind), self.dtype)

    def weights(self) -> dict[str, np.ndarray]:
        """The weights, canonical."""
        return {name: self.to_canonical(name, value) for name, value in self.values.items()}

    def to_canonical(self, name: str, value: tf.Tensor) -> np.ndarray:
        """A weight, or what has its shape, as canonical NumPy."""
        return from_channels_last(value.numpy(), self.case.weights[name].kind)

    def to_numpy(self, tensor: tf.Tensor) -> np.ndarray:
        """A result as NumPy, channels last."""
        return tensor.numpy()

    def predict(self, *inputs: tf.Tensor) -> tf.Tensor:
        """Inputs -> output."""
        return self._compute(*inputs, *self.values.values())

    def record(self, phase: str, *inputs: tf.Tensor) -> Any:
        """The forward pass, which the gradient by the inputs or by the weights is then taken of.

        A graph has none: its gradient is a function of its own, and what it does not need of the forward pass is
        pruned.
        """
        if self.mode != "eager":
            return phase, inputs
        with tf.GradientTape(persistent=True) as tape:
            wanted = self._wanted(phase, inputs, tuple(self.values.values()))
            tape.watch(wanted)
            output = self._plain(*inputs, *self.values.values())
        return tape, output, wanted

    def gradient(self, recorded: Any, cotangent: tf.Tensor) -> Tensors:
        """The gradient by each that was asked for."""
        if self.mode != "eager":
            phase, inputs = recorded
            return self._gradients[phase](inputs, tuple(self.values.values()), cotangent)
        tape, output, wanted = recorded
        return tuple(tape.gradient(output, wanted, output_gradients=cotangent))

    def macs(self, *inputs: tf.Tensor) -> list[int]:
        """Multiply-accumulates of each convolution and matrix product of predict."""
        return count_macs(lambda *tensors: self._plain(*tensors, *self.values.values()), *inputs)

    def _wanted(self, phase: str, inputs: Tensors, values: Tensors) -> list[tf.Tensor]:
        if phase == BY_INPUT:
            return list(inputs)
        named = dict(zip(self.case.weights, values, strict=True))
        return [named[name] for name in learned(self.case)]

    def _gradient(self, phase: str, inputs: Tensors, values: Tensors, cotangent: tf.Tensor) -> Tensors:
        wanted = self._wanted(phase, inputs, values)
        with tf.GradientTape() as tape:
            tape.watch(wanted)
            # The gradient of a convolution has both in one: what nobody asked for must not look as if it were needed.
            fixed = [value if any(value is one for one in wanted) else tf.stop_gradient(value) for value in values]
            given = inputs if phase == BY_INPUT else [tf.stop_gradient(x) for x in inputs]
            output = self._plain(*given, *fixed)
        return tuple(tape.gradient(output, wanted, output_gradients=cotangent))
