"""TensorFlow's runtime: how a network or a kernel is built, run, trained and waited for."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from impls.frameworks.graph_macs import count
from impls.frameworks.layers_tensorflow import set_default_dtype
from impls.layers import Tensor
from impls.optimizer import StochasticGradientDescent
from impls.weights import from_channels_last, to_channels_last

LAYOUT = "NHWC"


def configure(threads: int) -> None:
    """Set what would otherwise differ between frameworks: thread pools, TF32 and who owns the GPU's memory."""
    tf.config.threading.set_intra_op_parallelism_threads(threads)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    tf.config.experimental.enable_tensor_float_32_execution(False)
    for gpu in tf.config.list_physical_devices("GPU"):
        tf.config.experimental.set_memory_growth(gpu, True)


def device() -> str:
    """Where programs run: the first GPU if TensorFlow sees one."""
    return "cuda:0" if tf.config.list_physical_devices("GPU") else "cpu"


def layout() -> str:
    """Order of the activations' axes."""
    return LAYOUT


def synchronize() -> None:
    """Wait for the device."""
    if tf.config.list_physical_devices("GPU"):
        tf.test.experimental.sync_devices()


def peak_memory() -> int | None:
    """Peak bytes of VRAM allocated, None without a GPU."""
    return tf.config.experimental.get_memory_info("GPU:0")["peak"] if device() != "cpu" else None


def versions() -> dict[str, str]:
    """Versions of what computes."""
    return {"tensorflow": tf.__version__}


def build(twin: Callable[..., tf.Module], dtype: str, *arguments: Any) -> tf.Module:
    """What the twin builds, with weights of this type."""
    set_default_dtype(dtype)
    return twin(*arguments)


def compile(function: Callable[..., Any], mode: str) -> Callable[..., Any]:
    """The function in an execution mode; compiled means XLA."""
    return function if mode == "eager" else tf.function(function, jit_compile=mode == "compiled")


class Program:
    """A module in one execution mode: what the twins have in common."""

    def __init__(self, module: tf.Module, mode: str, dtype: str, tensors: Mapping[str, Tensor]) -> None:
        self.module = module
        self.mode = mode
        self.tensors = tensors
        self.dtype = tf.as_dtype(dtype)
        self.variables = {variable.name.removesuffix(":0"): variable for variable in module.variables}

    def prepare(self, *arrays: np.ndarray) -> tuple[tf.Tensor, ...]:
        """NumPy arrays (N, H, W, C) or labels (N,) -> tensors on the device, (N, H, W, C)."""
        return tuple(self._prepare(array) for array in arrays)

    def load_weights(self, weights: Mapping[str, np.ndarray]) -> None:
        """Copy canonical weights into the module."""
        for name, tensor in self.tensors.items():
            variable = self.variables[name]
            variable.assign(to_channels_last(weights[name], tensor.kind).astype(variable.dtype.as_numpy_dtype))

    def weights(self) -> dict[str, np.ndarray]:
        """The module's weights and buffers, canonical."""
        return {name: self.to_canonical(name, self.variables[name]) for name in self.tensors}

    def to_canonical(self, name: str, value: tf.Tensor) -> np.ndarray:
        """A weight, or what has its shape, as canonical NumPy."""
        return from_channels_last(value.numpy(), self.tensors[name].kind)

    def to_numpy(self, tensor: tf.Tensor) -> np.ndarray:
        """A result as NumPy, (N, H, W, C) if it has four axes."""
        return tensor.numpy()

    def macs(self, *inputs: tf.Tensor) -> int:
        """Multiply-accumulates of predict, counted in its graph."""
        return count(tf.function(self._forward_of).get_concrete_function(inputs[0]).graph)

    def _forward_of(self, x: tf.Tensor) -> tf.Tensor:
        return self.module(x)

    def _prepare(self, array: np.ndarray) -> tf.Tensor:
        return tf.constant(array, tf.int64 if array.ndim == 1 else self.dtype)


class Model(Program):
    """A network that predicts and is trained."""

    def __init__(
        self,
        module: tf.Module,
        mode: str,
        dtype: str,
        tensors: Mapping[str, Tensor],
        optimizer: StochasticGradientDescent,
    ) -> None:
        super().__init__(module, mode, dtype, tensors)
        self.learning_rate = tf.constant(optimizer.learning_rate, self.dtype)
        self.momentum = tf.constant(optimizer.momentum, self.dtype)
        self.momenta = [tf.Variable(tf.zeros_like(variable)) for variable in module.trainable_variables]
        self._forward = compile(self._forward_of, mode)
        self._step = compile(self._step_of, mode)

    def predict(self, images: tf.Tensor) -> tf.Tensor:
        """Images -> logits, in evaluation mode."""
        return self._forward(images)

    def train_step(self, images: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
        """Forward in training mode, mean cross-entropy, backward, update -> loss."""
        return self._step(images, labels)

    def gradients(self) -> dict[str, np.ndarray]:
        """Canonical gradients of the first step after the build: then the momentum is the gradient."""
        names = [variable.name.removesuffix(":0") for variable in self.module.trainable_variables]
        return {name: self.to_canonical(name, momentum) for name, momentum in zip(names, self.momenta, strict=True)}

    def _forward_of(self, images: tf.Tensor) -> tf.Tensor:
        return self.module(images, training=False)

    def _step_of(self, images: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
        with tf.GradientTape() as tape:
            logits = self.module(images, training=True)
            loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits))
        variables = self.module.trainable_variables
        for variable, momentum, gradient in zip(variables, self.momenta, tape.gradient(loss, variables), strict=True):
            tf.raw_ops.ResourceApplyMomentum(
                var=variable.handle,
                accum=momentum.handle,
                lr=self.learning_rate,
                grad=gradient,
                momentum=self.momentum,
            )
        return loss


class Kernel(Program):
    """One operation, forward and backward."""

    def __init__(self, module: tf.Module, mode: str, dtype: str, tensors: Mapping[str, Tensor]) -> None:
        super().__init__(module, mode, dtype, tensors)
        self._forward = compile(self._forward_of, mode)
        self._backward = compile(self._backward_of, mode)

    def predict(self, x: tf.Tensor) -> tf.Tensor:
        """Input -> output."""
        return self._forward(x)

    def train_step(self, x: tf.Tensor, cotangent: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Forward and backward -> gradient by input, gradient by weight."""
        return self._backward(x, cotangent)

    def _backward_of(self, x: tf.Tensor, cotangent: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = self.module(x)
        return tape.gradient(y, (x, self.module.weight), output_gradients=cotangent)
