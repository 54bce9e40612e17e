"""PyTorch's runtime: how a network or a kernel is built, run, trained and waited for."""

import sys
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any

import numpy as np
import torch
from torch import nn

from impls.frameworks import as_tuple, losses_pytorch, optimizers_pytorch
from impls.frameworks.macs_pytorch import Counter
from impls.layers import Tensor
from impls.optimizer import Optimizer, pack, unpack

LAYOUT = "NCHW"
WEIGHTS = {"float32": torch.float32, "bfloat16": torch.float32, "float64": torch.float64}


def configure(threads: int | None) -> None:
    """Set what would otherwise differ between frameworks: thread pool and TF32. None leaves PyTorch as it comes."""
    if threads is None:
        return
    torch.set_num_threads(threads)
    torch.backends.cuda.matmul.allow_tf32 = False
    torch.backends.cudnn.allow_tf32 = False


@cache  # `synchronize` asks at every call, and PyTorch takes microseconds to look
def device() -> str:
    """Where programs run: the first GPU if PyTorch sees one."""
    return "cuda:0" if torch.cuda.is_available() else "cpu"


def layout() -> str:
    """Order of the activations' axes."""
    return LAYOUT


def synchronize() -> None:
    """Wait for the device."""
    if device() != "cpu":
        torch.cuda.synchronize()


def peak_memory() -> int | None:
    """Peak bytes of VRAM allocated, None without a GPU."""
    return torch.cuda.max_memory_allocated() if device() != "cpu" else None


def reset_peak_memory() -> None:
    """Have the peak begin anew, at what is allocated now."""
    if device() != "cpu":
        torch.cuda.reset_peak_memory_stats()


def versions() -> dict[str, str]:
    """Versions of what computes."""
    return {"torch": torch.__version__}


def set_precision(precision: str) -> None:
    """Nothing to set: what is created has its type."""


def build(twin: Callable[..., nn.Module], precision: str, *arguments: Any) -> nn.Module:
    """What the twin builds. In bfloat16 the weights are float32, and autocast chooses what computes in bfloat16."""
    return twin(*arguments).to(device(), WEIGHTS[precision])


def compile(function: Callable[..., Any], mode: str) -> Callable[..., Any]:
    """The function in an execution mode; a graph break is an error, not a silent return to eager.

    Raises RuntimeError where torch.compile cannot work: it hands its headers' path to the compiler unquoted.
    """
    if mode != "compiled":
        return function
    if " " in torch.__file__:
        raise RuntimeError("torch.compile does not work where PyTorch is installed in a path with a space")
    # PyTorch counts recompilations by code, and all kernels share theirs: the ninth in a process would be refused.
    # What was compiled before and is called again will be compiled again.
    torch.compiler.reset()
    return torch.compile(function, fullgraph=True)


def compilations() -> int:
    """How many graphs were compiled in this process so far, by PyTorch's own count, which its resets leave alone."""
    dynamo = sys.modules.get("torch._dynamo.utils")  # importing it takes seconds, and what runs eagerly never does
    return dynamo.counters["stats"]["unique_graphs"] if dynamo else 0


def count_macs(function: Callable[..., Any], *inputs: torch.Tensor) -> list[int]:
    """Multiply-accumulates of each convolution and matrix product, counted while the function runs."""
    with Counter() as counter, torch.no_grad():
        function(*inputs)
    return counter.macs


class Program:
    """A module in one execution mode: what the twins have in common."""

    def __init__(self, module: nn.Module, mode: str, precision: str, tensors: Mapping[str, Tensor]) -> None:
        self.module = module
        self.mode = mode
        self.tensors = tensors
        self.dtype = WEIGHTS[precision]
        self.autocast = torch.autocast(torch.device(device()).type, torch.bfloat16, enabled=precision == "bfloat16")

    def prepare(self, *arrays: np.ndarray) -> tuple[torch.Tensor, ...]:
        """NumPy arrays, (N, H, W, C) or of integers -> tensors on the device, (N, C, H, W)."""
        return tuple(self._prepare(array) for array in arrays)

    def load_weights(self, weights: Mapping[str, np.ndarray]) -> None:
        """Copy canonical weights into the module."""
        state = self.module.state_dict()
        with torch.no_grad():
            for name in self.tensors:
                state[name].copy_(torch.from_numpy(weights[name]))

    def weights(self) -> dict[str, np.ndarray]:
        """The module's weights and buffers, canonical."""
        state = self.module.state_dict()
        return {name: self.to_canonical(name, state[name]) for name in self.tensors}

    def to_canonical(self, name: str, value: torch.Tensor) -> np.ndarray:
        """A weight, or what has its shape, as canonical NumPy."""
        return np.array(value.detach().cpu())  # a copy: .numpy() would change with the next step

    def to_numpy(self, tensor: torch.Tensor) -> np.ndarray:
        """A result as NumPy, (N, H, W, C) if it has four axes; bfloat16, which NumPy has not, as float32."""
        tensor = tensor.float() if tensor.dtype == torch.bfloat16 else tensor
        array = tensor.detach().cpu().numpy()
        return np.moveaxis(array, 1, -1) if array.ndim == 4 else array

    def macs(self, x: torch.Tensor) -> list[int]:
        """Multiply-accumulates of each convolution and matrix product of predict."""
        self.module.eval()
        return count_macs(self.module, x)

    def _prepare(self, array: np.ndarray) -> torch.Tensor:
        if array.dtype.kind == "i":
            return torch.from_numpy(array).to(device(), torch.int64)
        return torch.from_numpy(np.ascontiguousarray(np.moveaxis(array, -1, 1))).to(device(), self.dtype)


class Model(Program):
    """A network that predicts and is trained."""

    def __init__(
        self,
        module: nn.Module,
        mode: str,
        precision: str,
        tensors: Mapping[str, Tensor],
        task: str,
        optimizer: Optimizer,
    ) -> None:
        super().__init__(module, mode, precision, tensors)
        self.loss = getattr(losses_pytorch, task)
        self._forward = compile(self._forward_of, mode)
        self._loss = compile(self._loss_of, mode)
        self.learned = dict(module.named_parameters())
        self.use(optimizer)

    def use(self, optimizer: Optimizer) -> None:
        """Train with this optimiser from here on."""
        self.optimizer_facts = optimizer
        self.steps = 0  # PyTorch's stochastic gradient descent does not count them
        self.optimizer = optimizers_pytorch.build(self.learned.values(), optimizer)

    def predict(self, images: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Images -> what comes out, in evaluation mode."""
        self.module.eval()
        with torch.inference_mode():
            return self._forward(images)

    def train_step(self, images: torch.Tensor, *targets: torch.Tensor) -> tuple[torch.Tensor, tuple[torch.Tensor, ...]]:
        """Forward in training mode, loss, backward, update -> loss, and what came out before the update."""
        loss, outputs = self._backward(images, *targets)
        self.optimizer.step()
        self.steps += 1
        return loss.detach(), outputs

    def training_loss(self, images: torch.Tensor, *targets: torch.Tensor) -> torch.Tensor:
        """A step as far as the loss -> loss. What the backward pass needs is kept, as in a step, by the loss."""
        self.module.train()
        return self._loss(images, *targets)[0]

    def training_gradient(
        self, images: torch.Tensor, *targets: torch.Tensor
    ) -> tuple[torch.Tensor, list[torch.Tensor | None]]:
        """A step as far as the gradients -> loss, and the gradient by each learned weight; none is updated."""
        loss, _ = self._backward(images, *targets)
        return loss.detach(), [weight.grad for weight in self.learned.values()]

    def set_learning_rate(self, rate: float) -> None:
        """The rate of the steps from here on, until `use`; nothing is compiled again."""
        optimizers_pytorch.set_learning_rate(self.optimizer, rate)

    def first_moments(self) -> dict[str, np.ndarray]:
        """Canonical decaying means of the gradients, as the optimiser keeps them."""
        return self.named(optimizers_pytorch.moments(self)["first"])

    def state(self) -> dict[str, np.ndarray]:
        """All that training goes on from, canonical: weights, buffers, and where the optimiser stands."""
        return self.weights() | pack(optimizers_pytorch.standing(self))

    def load_state(self, state: Mapping[str, np.ndarray]) -> None:
        """Go on from a state of any framework. Raises ValueError as `unpack` does, and then nothing has changed."""
        standing = unpack(state, self.optimizer_facts, self.tensors)
        self.load_weights(state)
        optimizers_pytorch.stand(self, standing)

    def named(self, values: Sequence[torch.Tensor]) -> dict[str, np.ndarray]:
        """Gradients, or whatever there is one of for each learned weight, as canonical NumPy under their names."""
        return {name: self.to_canonical(name, value) for name, value in zip(self.learned, values, strict=True)}

    def _backward(self, images: torch.Tensor, *targets: torch.Tensor) -> tuple[torch.Tensor, tuple[torch.Tensor, ...]]:
        self.module.train()
        self.optimizer.zero_grad(set_to_none=True)
        loss, outputs = self._loss(images, *targets)
        loss.backward()
        return loss, outputs

    def _forward_of(self, images: torch.Tensor) -> tuple[torch.Tensor, ...]:
        with self.autocast:
            return as_tuple(self.module(images))

    def _loss_of(self, images: torch.Tensor, *targets: torch.Tensor) -> tuple[torch.Tensor, tuple[torch.Tensor, ...]]:
        outputs = self._forward_of(images)
        exact = [output.float() if output.dtype == torch.bfloat16 else output for output in outputs]
        return self.loss(exact, *targets), tuple(output.detach() for output in outputs)


class Boxes(Program):
    """From a detector's heads to detections: a function without weights."""

    def __init__(self, detect: Callable[..., Any], mode: str, precision: str) -> None:
        super().__init__(nn.Module(), mode, precision, {})
        self._detect = compile(lambda *heads: detect(heads), mode)

    def predict(self, *heads: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Heads -> detections."""
        with torch.inference_mode():
            return self._detect(*heads)
