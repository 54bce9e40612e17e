"""Kernels in PyTorch: how one operation is run forward and, apart from that, backward.

Keras on PyTorch runs its twins here, too: the gradients are PyTorch's.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import torch
from torch._functorch import config

from impls.frameworks.pytorch import LAYOUT, WEIGHTS, compile, count_macs, device
from impls.kernels import BY_INPUT, Case, learned
from impls.weights import from_channels_last, to_channels_last

Tensors = tuple[torch.Tensor, ...]


class Kernel:
    """A twin's operation in one execution mode.

    channels_last: whether its weights are laid out so, as in Keras. layout: of what goes in and comes out.
    """

    def __init__(
        self,
        compute: Callable[..., Any],
        case: Case,
        mode: str,
        precision: str,
        channels_last: bool = False,
        layout: str = LAYOUT,
    ) -> None:
        self.case = case
        self.dtype = WEIGHTS[precision]
        self.channels_last = channels_last
        self.channel_axis = 1 if layout == "NCHW" else -1
        self.values: dict[str, torch.Tensor] = {}
        config.donated_buffer = False  # a compiled gradient would be free to overwrite what it is to be run on again
        self._plain = partial(compute, case)
        self._compute = compile(self._plain, mode)

    def prepare(self, *arrays: np.ndarray) -> Tensors:
        """NumPy arrays, channels last -> tensors on the device, in the layout."""
        return tuple(self._tensor(np.moveaxis(array, -1, self.channel_axis)) for array in arrays)

    def load_weights(self, weights: Mapping[str, np.ndarray]) -> None:
        """Copy canonical weights."""
        for name, tensor in self.case.weights.items():
            native = to_channels_last(weights[name], tensor.kind) if self.channels_last else weights[name]
            self.values[name] = self._tensor(native)

    def weights(self) -> dict[str, np.ndarray]:
        """The weights, canonical."""
        return {name: self.to_canonical(name, value) for name, value in self.values.items()}

    def to_canonical(self, name: str, value: torch.Tensor) -> np.ndarray:
        """A weight, or what has its shape, as canonical NumPy."""
        array = value.detach().cpu().numpy()
        return from_channels_last(array, self.case.weights[name].kind) if self.channels_last else array

    def to_numpy(self, tensor: torch.Tensor) -> np.ndarray:
        """A result as NumPy, channels last."""
        return np.moveaxis(tensor.detach().cpu().numpy(), self.channel_axis, -1)

    def predict(self, *inputs: torch.Tensor) -> torch.Tensor:
        """Inputs -> output."""
        with torch.inference_mode():
            return self._compute(*inputs, *self.values.values())

    def record(self, phase: str, *inputs: torch.Tensor) -> Any:
        """The forward pass, which the gradient by the inputs or by the weights is then taken of."""
        inputs, values = _leaves(inputs), dict(self.values)
        if phase == BY_INPUT:
            inputs = wanted = _leaves(inputs, True)
        else:
            names = learned(self.case)
            wanted = _leaves([values[name] for name in names], True)
            values |= zip(names, wanted, strict=True)
        return self._compute(*inputs, *values.values()), wanted

    def gradient(self, recorded: Any, cotangent: torch.Tensor) -> Tensors:
        """The gradient by each that was asked for."""
        output, wanted = recorded
        return torch.autograd.grad(output, wanted, cotangent, retain_graph=True)

    def macs(self, *inputs: torch.Tensor) -> list[int]:
        """Multiply-accumulates of each convolution and matrix product of predict."""
        return count_macs(lambda *tensors: self._plain(*tensors, *self.values.values()), *inputs)

    def _tensor(self, array: np.ndarray) -> torch.Tensor:
        return torch.from_numpy(np.ascontiguousarray(array)).to(device(), self.dtype)


def _leaves(tensors: Sequence[torch.Tensor], with_gradient: bool = False) -> Tensors:
    return tuple(tensor.detach().requires_grad_(with_gradient) for tensor in tensors)
