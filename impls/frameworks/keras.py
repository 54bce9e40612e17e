"""Keras' runtime on any of its backends: how a network or a kernel is built, run, trained and waited for.

The backend is whatever KERAS_BACKEND named before keras was first imported; impls.runtime sets it. Keras has no
gradient of its own: what differs between the backends stands in keras_on_<backend>.py.
"""

from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from typing import Any

import keras
import numpy as np
from keras.src.backend.common import dtypes

from impls.frameworks import as_tuple, losses_keras, optimizers_keras
from impls.frameworks.layers_keras import layer_name
from impls.layers import Tensor
from impls.optimizer import Optimizer, pack, unpack
from impls.weights import from_channels_last, to_channels_last

BACKEND = keras.backend.backend()
# Threads, device and waiting belong to the engine below, and the engine's own runtime knows them.
engine = import_module("impls.frameworks." + {"torch": "pytorch"}.get(BACKEND, BACKEND))
backend = import_module(f"impls.frameworks.keras_on_{BACKEND}")

WEIGHTS = {"float32": "float32", "bfloat16": "float32", "float64": "float64"}
VARIABLES = {"weight": "kernel", "bias": "bias"}
NORM_VARIABLES = {
    "weight": "gamma",
    "bias": "beta",
    "running_mean": "moving_mean",
    "running_var": "moving_variance",
}

device = engine.device
synchronize = engine.synchronize
peak_memory = engine.peak_memory
reset_peak_memory = engine.reset_peak_memory
compile = engine.compile
compilations = engine.compilations
count_macs = engine.count_macs


def configure(threads: int | None) -> None:
    """Set what would otherwise differ between frameworks: the engine's settings, and its own layout for Keras.

    None leaves both as they come: channels last on every backend. Layers keep the layout that they are built in.
    """
    engine.configure(threads)
    if threads is not None:
        # Channels last would transpose around every convolution of PyTorch.
        keras.config.set_image_data_format("channels_first" if engine.LAYOUT == "NCHW" else "channels_last")


def layout() -> str:
    """Order of the activations' axes."""
    return "NCHW" if keras.config.image_data_format() == "channels_first" else "NHWC"


def versions() -> dict[str, str]:
    """Versions of what computes."""
    return {"keras": keras.__version__, **engine.versions()}


def set_precision(precision: str) -> None:
    """The types of what is created from here on; programs of one precision at a time: Keras' settings are global."""
    floatx = WEIGHTS[precision]
    if BACKEND == "jax":
        engine.set_precision(precision)
    keras.config.set_floatx(floatx)
    # Does not follow floatx once the first layer has asked for it.
    keras.config.set_dtype_policy("mixed_bfloat16" if precision == "bfloat16" else floatx)
    # On PyTorch, Keras promotes a float64 and a float32 to float32: means, products and batch norms of float64
    # tensors would be right to 1e-7 only. The promotion is put right where a proof in float64 asks for it.
    dtypes.BIT64_TO_BIT32_DTYPE["float64"] = floatx


def build(twin: Callable[..., keras.Layer], precision: str, *arguments: Any) -> keras.Layer:
    """What the twin builds. In bfloat16 the weights are float32, and the layers compute in bfloat16."""
    set_precision(precision)
    return twin(*arguments)


class Program:
    """A module in one execution mode: what the twins have in common."""

    def __init__(self, module: keras.Layer, mode: str, precision: str, tensors: Mapping[str, Tensor]) -> None:
        self.module = module
        self.mode = mode
        self.tensors = tensors
        self.dtype = WEIGHTS[precision]
        self.variables = {name: self._variable(name) for name in tensors}
        self.values: Any = None  # of the variables between steps, where the backend keeps them

    def prepare(self, *arrays: np.ndarray) -> tuple[Any, ...]:
        """NumPy arrays, (N, H, W, C) or of integers -> tensors on the device, in Keras' layout."""
        return tuple(self._prepare(array) for array in arrays)

    def load_weights(self, weights: Mapping[str, np.ndarray]) -> None:
        """Copy canonical weights into the module."""
        backend.read_back(self)
        for name in self.tensors:
            self.variables[name].assign(self.from_canonical(name, weights[name]))
        backend.forget(self)

    def weights(self) -> dict[str, np.ndarray]:
        """The module's weights and buffers, canonical."""
        backend.read_back(self)
        return {name: self.to_canonical(name, self.variables[name]) for name in self.tensors}

    def to_canonical(self, name: str, value: Any) -> np.ndarray:
        """A weight, or what has its shape, as canonical NumPy."""
        return from_channels_last(np.array(keras.ops.convert_to_numpy(value)), self.tensors[name].kind)

    def from_canonical(self, name: str, array: np.ndarray) -> np.ndarray:
        """A canonical weight, or what has its shape, as its variable takes it."""
        return to_channels_last(array, self.tensors[name].kind).astype(self.dtype)

    def to_numpy(self, tensor: Any) -> np.ndarray:
        """A result as NumPy, (N, H, W, C) if it has four axes; bfloat16, which NumPy has not, as float32."""
        half = keras.backend.standardize_dtype(tensor.dtype) == "bfloat16"
        array = keras.ops.convert_to_numpy(keras.ops.cast(tensor, "float32") if half else tensor)
        return np.moveaxis(array, 1, -1) if array.ndim == 4 and layout() == "NCHW" else array

    def macs(self, x: Any) -> list[int]:
        """Multiply-accumulates of each convolution and matrix product of predict, counted by the backend."""
        return count_macs(self.forward_of, x)

    def forward_of(self, x: Any) -> Any:
        """x -> what comes out, in evaluation mode."""
        return self.module(x, training=False)

    def _variable(self, name: str) -> keras.Variable:
        path, _, tensor = name.rpartition(".")
        layer = self.module.get_layer(layer_name(path))
        return getattr(layer, (NORM_VARIABLES if path.endswith("norm") else VARIABLES)[tensor])

    def _prepare(self, array: np.ndarray) -> Any:
        if array.dtype.kind == "i":
            return keras.ops.convert_to_tensor(array, "int32" if BACKEND == "jax" else "int64")
        layout_array = np.moveaxis(array, -1, 1) if layout() == "NCHW" else array
        return keras.ops.convert_to_tensor(np.ascontiguousarray(layout_array), self.dtype)


class Model(Program):
    """A network that predicts and is trained."""

    def __init__(
        self,
        module: keras.Model,
        mode: str,
        precision: str,
        tensors: Mapping[str, Tensor],
        task: str,
        optimizer: Optimizer,
    ) -> None:
        super().__init__(module, mode, precision, tensors)
        self.loss = getattr(losses_keras, task)
        self._forward = backend.forward(self, mode)
        self._loss = backend.loss(self, mode)
        self._gradient = backend.gradient(self, mode)
        self.use(optimizer)

    def use(self, optimizer: Optimizer) -> None:
        """Train with this optimiser from here on."""
        backend.read_back(self)
        self.optimizer_facts = optimizer
        self.optimizer = optimizers_keras.build(self.module.trainable_variables, optimizer)
        self._step = backend.step(self, self.mode)
        backend.forget(self)

    def predict(self, images: Any) -> tuple[Any, ...]:
        """Images -> what comes out, in evaluation mode."""
        return as_tuple(self._forward(images))

    def train_step(self, images: Any, *targets: Any) -> tuple[Any, tuple[Any, ...]]:
        """Forward in training mode, loss, backward, update -> loss, and what came out before the update."""
        return self._step(images, *targets)

    def training_loss(self, images: Any, *targets: Any) -> Any:
        """A step as far as the loss -> loss. What the backward pass needs is kept as in a step, where a backend can."""
        return self._loss(images, *targets)

    def training_gradient(self, images: Any, *targets: Any) -> tuple[Any, Sequence[Any]]:
        """A step as far as the gradients -> loss, and the gradient by each learned weight; none is updated."""
        return self._gradient(images, *targets)

    def set_learning_rate(self, rate: float) -> None:
        """The rate of the steps from here on, until `use`; nothing is compiled again."""
        backend.assign(self, self.optimizer.learning_rate, rate)

    def first_moments(self) -> dict[str, np.ndarray]:
        """Canonical decaying means of the gradients, as the optimiser keeps them."""
        backend.read_back(self)
        return self.named(optimizers_keras.moments(self)["first"])

    def state(self) -> dict[str, np.ndarray]:
        """All that training goes on from, canonical: weights, buffers, and where the optimiser stands."""
        return self.weights() | pack(optimizers_keras.standing(self))

    def load_state(self, state: Mapping[str, np.ndarray]) -> None:
        """Go on from a state of any framework. Raises ValueError as `unpack` does, and then nothing has changed."""
        standing = unpack(state, self.optimizer_facts, self.tensors)
        self.load_weights(state)
        optimizers_keras.stand(self, standing)

    def named(self, values: Sequence[Any]) -> dict[str, np.ndarray]:
        """Gradients, or whatever there is one of for each learned weight, as canonical NumPy under their names."""
        return {name: self.to_canonical(name, value) for name, value in zip(self.learned, values, strict=True)}

    @property
    def learned(self) -> list[str]:
        """The names of the learned weights, in the order of Keras' variables."""
        names = {id(variable): name for name, variable in self.variables.items()}
        return [names[id(variable)] for variable in self.module.trainable_variables]

    def training_outputs_of(self, images: Any) -> tuple[Any, ...]:
        """Images -> what comes out, in training mode."""
        return as_tuple(self.module(images, training=True))

    def loss_of(self, outputs: Sequence[Any], targets: Sequence[Any]) -> Any:
        """The task's loss, never in bfloat16."""
        return self.loss([keras.ops.cast(output, self.dtype) for output in outputs], *targets)

    def update(self, gradients: Sequence[Any]) -> None:
        """One step of the optimiser on Keras' variables."""
        variables = self.module.trainable_variables
        values = [variable.value for variable in variables]
        gradients = optimizers_keras.prepare_step(self.optimizer, self.optimizer_facts, gradients, values)
        self.optimizer.apply(gradients, variables)

    def stateless_update(self, state: Sequence[Any], gradients: Sequence[Any], values: Sequence[Any]) -> Any:
        """One step of the optimiser on values of weights and of its own state -> their new values."""
        weights, kept = self.module.trainable_variables, self.optimizer.variables
        with keras.StatelessScope(state_mapping=list(zip([*weights, *kept], [*values, *state], strict=True))) as scope:
            self.update(gradients)
        return [[scope.get_current_value(one) for one in variables] for variables in (weights, kept)]


class Boxes(Program):
    """From a detector's heads to detections: a function without weights."""

    def __init__(self, detect: Callable[..., Any], mode: str, precision: str) -> None:
        super().__init__(build(keras.layers.Identity, precision), mode, precision, {})
        self._detect = backend.function(lambda *heads: detect(heads), mode)

    def predict(self, *heads: Any) -> tuple[Any, ...]:
        """Heads -> detections."""
        return self._detect(*heads)
