"""PyTorch's runtime: how a network or a kernel is built, run, trained and waited for."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from torch import nn

from impls.layers import Tensor
from impls.optimizer import StochasticGradientDescent

LAYOUT = "NCHW"


def configure(threads: int) -> None:
    """Set what would otherwise differ between frameworks: thread pool and TF32."""
    torch.set_num_threads(threads)
    torch.backends.cuda.matmul.allow_tf32 = False
    torch.backends.cudnn.allow_tf32 = False


def device() -> str:
    """Where programs run: the first GPU if PyTorch sees one."""
    return "cuda:0" if torch.cuda.is_available() else "cpu"


def layout() -> str:
    """Order of the activations' axes."""
    return LAYOUT


def synchronize() -> None:
    """Wait for the device."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def peak_memory() -> int | None:
    """Peak bytes of VRAM allocated, None without a GPU."""
    return torch.cuda.max_memory_allocated() if torch.cuda.is_available() else None


def versions() -> dict[str, str]:
    """Versions of what computes."""
    return {"torch": torch.__version__}


def build(twin: Callable[..., nn.Module], dtype: str, *arguments: Any) -> nn.Module:
    """What the twin builds, with weights of this type."""
    return twin(*arguments).to(device(), getattr(torch, dtype))


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


class Program:
    """A module in one execution mode: what the twins have in common."""

    def __init__(self, module: nn.Module, mode: str, dtype: str, tensors: Mapping[str, Tensor]) -> None:
        self.module = module
        self.mode = mode
        self.tensors = tensors
        self.dtype = getattr(torch, dtype)

    def prepare(self, *arrays: np.ndarray) -> tuple[torch.Tensor, ...]:
        """NumPy arrays (N, H, W, C) or labels (N,) -> tensors on the device, (N, C, H, W)."""
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
        """A result as NumPy, (N, H, W, C) if it has four axes."""
        array = tensor.detach().cpu().numpy()
        return np.moveaxis(array, 1, -1) if array.ndim == 4 else array

    def macs(self, *inputs: torch.Tensor) -> int:
        """Multiply-accumulates of predict, counted while it runs."""
        from torch.utils.flop_counter import FlopCounterMode

        self.module.eval()
        with FlopCounterMode(display=False) as counter, torch.no_grad():
            self.module(inputs[0])
        return counter.get_total_flops() // 2

    def _prepare(self, array: np.ndarray) -> torch.Tensor:
        if array.ndim == 1:
            return torch.from_numpy(array).to(device(), torch.int64)
        return torch.from_numpy(np.ascontiguousarray(np.moveaxis(array, -1, 1))).to(device(), self.dtype)


class Model(Program):
    """A network that predicts and is trained."""

    def __init__(
        self,
        module: nn.Module,
        mode: str,
        dtype: str,
        tensors: Mapping[str, Tensor],
        optimizer: StochasticGradientDescent,
    ) -> None:
        super().__init__(module, mode, dtype, tensors)
        self.optimizer = torch.optim.SGD(self.module.parameters(), optimizer.learning_rate, optimizer.momentum)
        self._forward = compile(self.module, mode)
        self._loss = compile(self._loss_of, mode)

    def predict(self, images: torch.Tensor) -> torch.Tensor:
        """Images -> logits, in evaluation mode."""
        self.module.eval()
        with torch.inference_mode():
            return self._forward(images)

    def train_step(self, images: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """Forward in training mode, mean cross-entropy, backward, update -> loss."""
        self.module.train()
        self.optimizer.zero_grad(set_to_none=True)
        loss = self._loss(images, labels)
        loss.backward()
        self.optimizer.step()
        return loss.detach()

    def gradients(self) -> dict[str, np.ndarray]:
        """Canonical gradients of the first step after the build: then the momentum is the gradient."""
        momenta = {name: self.optimizer.state[p]["momentum_buffer"] for name, p in self.module.named_parameters()}
        return {name: self.to_canonical(name, momentum) for name, momentum in momenta.items()}

    def _loss_of(self, images: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        return nn.functional.cross_entropy(self.module(images), labels)


class Kernel(Program):
    """One operation, forward and backward."""

    def __init__(self, module: nn.Module, mode: str, dtype: str, tensors: Mapping[str, Tensor]) -> None:
        super().__init__(module, mode, dtype, tensors)
        self._forward = compile(self.module, mode)

    def predict(self, x: torch.Tensor) -> torch.Tensor:
        """Input -> output."""
        with torch.inference_mode():
            return self._forward(x)

    def train_step(self, x: torch.Tensor, cotangent: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Forward and backward -> gradient by input, gradient by weight."""
        x = x.detach().requires_grad_()
        return torch.autograd.grad(self._forward(x), (x, self.module.weight), cotangent)
