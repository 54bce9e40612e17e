"""Keras' runtime on any of its backends: how a network or a kernel is built, run, trained and waited for.

The backend is whatever KERAS_BACKEND named before keras was first imported; impls.runtime sets it.
"""

from collections.abc import Callable, Mapping
from contextlib import nullcontext
from importlib import import_module
from typing import Any

import keras
import numpy as np
from keras.src.backend.common import dtypes

from impls.frameworks.layers_keras import layer_name
from impls.layers import Tensor
from impls.optimizer import StochasticGradientDescent
from impls.weights import from_channels_last, to_channels_last

BACKEND = keras.backend.backend()
# Threads, device and waiting belong to the engine below, and the engine's own runtime knows them.
engine = import_module("impls.frameworks." + {"torch": "pytorch"}.get(BACKEND, BACKEND))
# Keras' default is channels last everywhere; on PyTorch that would transpose around every convolution.
keras.config.set_image_data_format("channels_first" if engine.LAYOUT == "NCHW" else "channels_last")

VARIABLES = {"weight": "kernel", "bias": "bias"}
NORM_VARIABLES = {
    "weight": "gamma",
    "bias": "beta",
    "running_mean": "moving_mean",
    "running_var": "moving_variance",
}

configure = engine.configure
device = engine.device
layout = engine.layout
synchronize = engine.synchronize
peak_memory = engine.peak_memory
compile = engine.compile


def versions() -> dict[str, str]:
    """Versions of what computes."""
    return {"keras": keras.__version__, **engine.versions()}


def build(twin: Callable[..., keras.Layer], dtype: str, *arguments: Any) -> keras.Layer:
    """What the twin builds, with weights of this type; programs of one type at a time, since floatx is global."""
    keras.config.set_floatx(dtype)
    keras.config.set_dtype_policy(dtype)  # does not follow floatx once the first layer has asked for it
    # On PyTorch, Keras promotes a float64 and a float32 to float32: means, products and batch norms of float64
    # tensors would be right to 1e-7 only. The promotion is put right where a proof in float64 asks for it.
    dtypes.BIT64_TO_BIT32_DTYPE["float64"] = dtype
    return twin(*arguments)


class Program:
    """A module in one execution mode: what the twins have in common."""

    def __init__(self, module: keras.Layer, mode: str, dtype: str, tensors: Mapping[str, Tensor]) -> None:
        self.module = module
        self.mode = mode
        self.tensors = tensors
        self.dtype = dtype
        self.variables = {name: self._variable(name) for name in tensors}

    def prepare(self, *arrays: np.ndarray) -> tuple[Any, ...]:
        """NumPy arrays (N, H, W, C) or labels (N,) -> tensors on the device, in the backend's own layout."""
        return tuple(self._prepare(array) for array in arrays)

    def load_weights(self, weights: Mapping[str, np.ndarray]) -> None:
        """Copy canonical weights into the module."""
        for name, tensor in self.tensors.items():
            self.variables[name].assign(to_channels_last(weights[name], tensor.kind).astype(self.dtype))

    def weights(self) -> dict[str, np.ndarray]:
        """The module's weights and buffers, canonical."""
        return {name: self.to_canonical(name, self.variables[name]) for name in self.tensors}

    def to_canonical(self, name: str, value: Any) -> np.ndarray:
        """A weight, or what has its shape, as canonical NumPy."""
        return from_channels_last(keras.ops.convert_to_numpy(value), self.tensors[name].kind)

    def to_numpy(self, tensor: Any) -> np.ndarray:
        """A result as NumPy, (N, H, W, C) if it has four axes."""
        array = keras.ops.convert_to_numpy(tensor)
        return np.moveaxis(array, 1, -1) if array.ndim == 4 and engine.LAYOUT == "NCHW" else array

    def macs(self, *inputs: Any) -> int:
        """Multiply-accumulates of predict, counted by the backend."""
        return _macs(self._forward_of, inputs[0])

    def _forward_of(self, x: Any) -> Any:
        return self.module(x, training=False)

    def _variable(self, name: str) -> keras.Variable:
        path, _, tensor = name.rpartition(".")
        # A kernel is a bare layer, or one named "conv" behind its padding.
        layer = (
            self.module.get_layer(layer_name(path) or "conv") if isinstance(self.module, keras.Model) else self.module
        )
        return getattr(layer, (NORM_VARIABLES if path.endswith("norm") else VARIABLES)[tensor])

    def _prepare(self, array: np.ndarray) -> Any:
        if array.ndim == 1:
            return keras.ops.convert_to_tensor(array, "int64")
        layout_array = np.moveaxis(array, -1, 1) if engine.LAYOUT == "NCHW" else array
        return keras.ops.convert_to_tensor(np.ascontiguousarray(layout_array), self.dtype)


class Model(Program):
    """A network that predicts and is trained."""

    def __init__(
        self,
        module: keras.Model,
        mode: str,
        dtype: str,
        tensors: Mapping[str, Tensor],
        optimizer: StochasticGradientDescent,
    ) -> None:
        super().__init__(module, mode, dtype, tensors)
        self.loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        self.learning_rate = optimizer.learning_rate
        self.optimizer = keras.optimizers.SGD(optimizer.learning_rate, optimizer.momentum)
        self.optimizer.build(module.trainable_variables)
        self._forward = compile(self._forward_of, mode)
        self._step = _step(self, mode)

    def predict(self, images: Any) -> Any:
        """Images -> logits, in evaluation mode."""
        with _no_gradient():
            return self._forward(images)

    def train_step(self, images: Any, labels: Any) -> Any:
        """Forward in training mode, mean cross-entropy, backward, update -> loss."""
        return self._step(images, labels)

    def gradients(self) -> dict[str, np.ndarray]:
        """Canonical gradients of the first step after the build: then the momentum is -rate times the gradient."""
        momenta = dict(zip(map(id, self.module.trainable_variables), self.optimizer.momentums, strict=True))
        return {
            name: self.to_canonical(name, momenta[id(variable)]) / -self.learning_rate
            for name, variable in self.variables.items()
            if id(variable) in momenta
        }

    def loss_of(self, images: Any, labels: Any) -> Any:
        """Mean cross-entropy in training mode."""
        return self.loss(labels, self.module(images, training=True))


class Kernel(Program):
    """One operation, forward and backward."""

    def __init__(self, module: keras.Layer, mode: str, dtype: str, tensors: Mapping[str, Tensor]) -> None:
        super().__init__(module, mode, dtype, tensors)
        self._forward = compile(self.module, mode)
        self._backward = _backward(self, mode)

    def predict(self, x: Any) -> Any:
        """Input -> output."""
        with _no_gradient():
            return self._forward(x)

    def train_step(self, x: Any, cotangent: Any) -> tuple[Any, Any]:
        """Forward and backward -> gradient by input, gradient by weight."""
        return self._backward(x, cotangent)


# Keras has no gradient of its own: what follows is each backend's, as Keras' guides to custom training loops do it.

if BACKEND == "tensorflow":
    import tensorflow as tf

    from impls.frameworks.graph_macs import count

    _no_gradient: Callable[[], Any] = nullcontext

    def _macs(forward: Callable[..., Any], x: Any) -> int:
        return count(tf.function(forward).get_concrete_function(x).graph)

    def _step(model: Model, mode: str) -> Callable[..., Any]:
        def step(images: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
            with tf.GradientTape() as tape:
                loss = model.loss_of(images, labels)
            variables = model.module.trainable_variables
            model.optimizer.apply(tape.gradient(loss, variables), variables)
            return loss

        return compile(step, mode)

    def _backward(kernel: Kernel, mode: str) -> Callable[..., Any]:
        def backward(x: tf.Tensor, cotangent: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            with tf.GradientTape() as tape:
                tape.watch(x)
                y = kernel.module(x)
            return tape.gradient(y, (x, kernel.variables["weight"].value), output_gradients=cotangent)

        return compile(backward, mode)

elif BACKEND == "torch":
    import torch

    _no_gradient = torch.no_grad

    def _macs(forward: Callable[..., Any], x: Any) -> int:
        from torch.utils.flop_counter import FlopCounterMode

        with FlopCounterMode(display=False) as counter, torch.no_grad():
            forward(x)
        return counter.get_total_flops() // 2

    def _step(model: Model, mode: str) -> Callable[..., Any]:
        forward = compile(model.loss_of, mode)

        def step(images: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
            model.module.zero_grad()
            loss = forward(images, labels)
            loss.backward()
            variables = model.module.trainable_variables
            with torch.no_grad():
                model.optimizer.apply([variable.value.grad for variable in variables], variables)
            return loss.detach()

        return step

    def _backward(kernel: Kernel, mode: str) -> Callable[..., Any]:
        forward = compile(kernel.module, mode)

        def backward(x: torch.Tensor, cotangent: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            x = x.detach().requires_grad_()
            return torch.autograd.grad(forward(x), (x, kernel.variables["weight"].value), cotangent)

        return backward

else:
    raise ImportError(f"no runtime for Keras on {BACKEND}")
