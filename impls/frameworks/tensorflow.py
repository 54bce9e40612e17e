"""TensorFlow's runtime: how a network or a kernel is built, run, trained and waited for."""

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any

import numpy as np
import tensorflow as tf

from impls.frameworks import as_tuple, layers_tensorflow, losses_tensorflow, optimizers_tensorflow
from impls.frameworks.macs_tensorflow import count
from impls.layers import Tensor
from impls.optimizer import Optimizer, pack, unpack
from impls.weights import from_channels_last, to_channels_last

LAYOUT = "NHWC"
WEIGHTS = {"float32": tf.float32, "bfloat16": tf.float32, "float64": tf.float64}

_tracings = 0


def configure(threads: int | None) -> None:
    """Set what would otherwise differ between frameworks: thread pools, TF32 and who owns the GPU's memory.

    None leaves TensorFlow as it comes.
    """
    if threads is None:
        return
    tf.config.threading.set_intra_op_parallelism_threads(threads)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    tf.config.experimental.enable_tensor_float_32_execution(False)
    for gpu in tf.config.list_physical_devices("GPU"):
        tf.config.experimental.set_memory_growth(gpu, True)


@cache  # `synchronize` asks at every call, and TensorFlow takes microseconds to look
def device() -> str:
    """Where programs run: the first GPU if TensorFlow sees one."""
    return "cuda:0" if tf.config.list_physical_devices("GPU") else "cpu"


def layout() -> str:
    """Order of the activations' axes."""
    return LAYOUT


def synchronize() -> None:
    """Wait for the device."""
    if device() != "cpu":
        tf.test.experimental.sync_devices()


def peak_memory() -> int | None:
    """Peak bytes of VRAM allocated, None without a GPU."""
    return tf.config.experimental.get_memory_info("GPU:0")["peak"] if device() != "cpu" else None


def reset_peak_memory() -> None:
    """Have the peak begin anew, at what is allocated now."""
    if device() != "cpu":
        tf.config.experimental.reset_memory_stats("GPU:0")


def versions() -> dict[str, str]:
    """Versions of what computes."""
    return {"tensorflow": tf.__version__}


def set_precision(precision: str) -> None:
    """The types of what is created from here on."""
    layers_tensorflow.set_precision(precision)


def build(twin: Callable[..., tf.Module], precision: str, *arguments: Any) -> tf.Module:
    """What the twin builds. In bfloat16 the weights are float32, and the blocks compute in bfloat16."""
    set_precision(precision)
    return twin(*arguments)


def compile(function: Callable[..., Any], mode: str) -> Callable[..., Any]:
    """The function in an execution mode; compiled means XLA."""
    if mode == "eager":
        return function

    def traced(*arguments: Any) -> Any:
        global _tracings
        _tracings += 1  # Python runs while a graph is built, and not when the graph runs
        return function(*arguments)

    return tf.function(traced, jit_compile=mode == "compiled")


def compilations() -> int:
    """How many graphs were built in this process so far; each is compiled for the shapes that it was built for."""
    return _tracings


def count_macs(function: Callable[..., Any], *inputs: tf.Tensor) -> list[int]:
    """Multiply-accumulates of each convolution and matrix product, counted in the function's graph."""
    return count(tf.function(function).get_concrete_function(*inputs).graph)


class Program:
    """A module in one execution mode: what the twins have in common."""

    def __init__(self, module: tf.Module, mode: str, precision: str, tensors: Mapping[str, Tensor]) -> None:
        self.module = module
        self.mode = mode
        self.tensors = tensors
        self.dtype = WEIGHTS[precision]
        self.variables = {variable.name.removesuffix(":0"): variable for variable in module.variables}

    def prepare(self, *arrays: np.ndarray) -> tuple[tf.Tensor, ...]:
        """NumPy arrays, (N, H, W, C) or of integers -> tensors on the device, (N, H, W, C)."""
        return tuple(self._prepare(array) for array in arrays)

    def load_weights(self, weights: Mapping[str, np.ndarray]) -> None:
        """Copy canonical weights into the module."""
        for name in self.tensors:
            self.variables[name].assign(self.from_canonical(name, weights[name]))

    def weights(self) -> dict[str, np.ndarray]:
        """The module's weights and buffers, canonical."""
        return {name: self.to_canonical(name, self.variables[name]) for name in self.tensors}

    def to_canonical(self, name: str, value: tf.Tensor) -> np.ndarray:
        """A weight, or what has its shape, as canonical NumPy."""
        return from_channels_last(value.numpy(), self.tensors[name].kind)

    def from_canonical(self, name: str, array: np.ndarray) -> np.ndarray:
        """A canonical weight, or what has its shape, as its variable takes it."""
        return to_channels_last(array, self.tensors[name].kind).astype(self.dtype.as_numpy_dtype)

    def to_numpy(self, tensor: tf.Tensor) -> np.ndarray:
        """A result as NumPy, (N, H, W, C) if it has four axes; bfloat16, which NumPy has not, as float32."""
        return (tf.cast(tensor, tf.float32) if tensor.dtype == tf.bfloat16 else tensor).numpy()

    def macs(self, x: tf.Tensor) -> list[int]:
        """Multiply-accumulates of each convolution and matrix product of predict."""
        return count_macs(self._forward_of, x)

    def _forward_of(self, x: tf.Tensor) -> Any:
        return self.module(x)

    def _prepare(self, array: np.ndarray) -> tf.Tensor:
        return tf.constant(array, tf.int64 if array.dtype.kind == "i" else self.dtype)


class Model(Program):
    """A network that predicts and is trained."""

    def __init__(
        self,
        module: tf.Module,
        mode: str,
        precision: str,
        tensors: Mapping[str, Tensor],
        task: str,
        optimizer: Optimizer,
    ) -> None:
        super().__init__(module, mode, precision, tensors)
        self.loss = getattr(losses_tensorflow, task)
        self._forward = compile(self._forward_of, mode)
        self._loss = compile(self._loss_of, mode)
        self._gradient = compile(self._gradient_of, mode)
        self.learned = [variable.name.removesuffix(":0") for variable in module.trainable_variables]
        self.use(optimizer)

    def use(self, optimizer: Optimizer) -> None:
        """Train with this optimiser from here on."""
        self.optimizer_facts = optimizer
        self.optimizer = optimizers_tensorflow.build(self.module.trainable_variables, optimizer)
        self._step = compile(self._step_of, self.mode)

    def predict(self, images: tf.Tensor) -> tuple[tf.Tensor, ...]:
        """Images -> what comes out, in evaluation mode."""
        return self._forward(images)

    def train_step(self, images: tf.Tensor, *targets: tf.Tensor) -> tuple[tf.Tensor, tuple[tf.Tensor, ...]]:
        """Forward in training mode, loss, backward, update -> loss, and what came out before the update."""
        return self._step(images, *targets)

    def training_loss(self, images: tf.Tensor, *targets: tf.Tensor) -> tf.Tensor:
        """A step as far as the loss -> loss. What the backward pass needs is kept, as in a step, by the tape.

        XLA, which compiles both passes of a step as one, may keep other things there.
        """
        with tf.GradientTape():  # around a graph: its own tape would keep nothing, for no gradient follows
            return self._loss(images, *targets)[0]

    def training_gradient(self, images: tf.Tensor, *targets: tf.Tensor) -> tuple[tf.Tensor, list[tf.Tensor]]:
        """A step as far as the gradients -> loss, and the gradient by each learned weight; none is updated."""
        loss, _, gradients = self._gradient(images, *targets)
        return loss, gradients

    def set_learning_rate(self, rate: float) -> None:
        """The rate of the steps from here on, until `use`; nothing is compiled again."""
        self.optimizer.learning_rate.assign(rate)

    def first_moments(self) -> dict[str, np.ndarray]:
        """Canonical decaying means of the gradients, as the optimiser keeps them."""
        return self.named(self.optimizer.moments["first"])

    def state(self) -> dict[str, np.ndarray]:
        """All that training goes on from, canonical: weights, buffers, and where the optimiser stands."""
        return self.weights() | pack(optimizers_tensorflow.standing(self))

    def load_state(self, state: Mapping[str, np.ndarray]) -> None:
        """Go on from a state of any framework. Raises ValueError as `unpack` does, and then nothing has changed."""
        standing = unpack(state, self.optimizer_facts, self.tensors)
        self.load_weights(state)
        optimizers_tensorflow.stand(self, standing)

    def named(self, values: Sequence[tf.Tensor]) -> dict[str, np.ndarray]:
        """Gradients, or whatever there is one of for each learned weight, as canonical NumPy under their names."""
        return {name: self.to_canonical(name, value) for name, value in zip(self.learned, values, strict=True)}

    def _forward_of(self, images: tf.Tensor) -> tuple[tf.Tensor, ...]:
        return as_tuple(self.module(images, training=False))

    def _loss_of(self, images: tf.Tensor, *targets: tf.Tensor) -> tuple[tf.Tensor, tuple[tf.Tensor, ...]]:
        outputs = as_tuple(self.module(images, training=True))
        exact = [tf.cast(output, self.dtype) for output in outputs]
        return self.loss(exact, *targets), outputs

    def _gradient_of(
        self, images: tf.Tensor, *targets: tf.Tensor
    ) -> tuple[tf.Tensor, tuple[tf.Tensor, ...], list[tf.Tensor]]:
        with tf.GradientTape() as tape:
            loss, outputs = self._loss_of(images, *targets)
        return loss, outputs, tape.gradient(loss, self.module.trainable_variables)

    def _step_of(self, images: tf.Tensor, *targets: tf.Tensor) -> tuple[tf.Tensor, tuple[tf.Tensor, ...]]:
        loss, outputs, gradients = self._gradient_of(images, *targets)
        self.optimizer.apply(gradients, self.module.trainable_variables)
        return loss, outputs


class Boxes(Program):
    """From a detector's heads to detections: a function without weights."""

    def __init__(self, detect: Callable[..., Any], mode: str, precision: str) -> None:
        super().__init__(tf.Module(), mode, precision, {})
        self._detect = compile(lambda *heads: detect(heads), mode)

    def predict(self, *heads: tf.Tensor) -> tuple[tf.Tensor, ...]:
        """Heads -> detections."""
        return self._detect(*heads)
