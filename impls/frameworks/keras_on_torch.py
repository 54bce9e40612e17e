"""Keras on PyTorch: how its programs run, as Keras' guide to custom training loops does it."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import torch

from impls.frameworks.pytorch import compile


def forward(program: Any, mode: str) -> Callable[[Any], Any]:
    """x -> outputs, in evaluation mode."""
    compiled = compile(program.forward_of, mode)

    def forward(x: torch.Tensor) -> Any:
        with torch.no_grad():
            return compiled(x)

    return forward


def loss(model: Any, mode: str) -> Callable[..., torch.Tensor]:
    """images, *targets -> loss, which keeps what a backward pass needs."""
    compiled = compile(partial(_loss_of, model), mode)
    return lambda images, *targets: compiled(images, *targets)[0]


def gradient(model: Any, mode: str) -> Callable[..., Any]:
    """images, *targets -> loss, the gradient by each trainable variable."""
    compiled = compile(partial(_loss_of, model), mode)

    def gradient(images: torch.Tensor, *targets: torch.Tensor) -> tuple[torch.Tensor, list[torch.Tensor]]:
        loss, _, gradients = _gradient(model, compiled, images, targets)
        return loss, gradients

    return gradient


def step(model: Any, mode: str) -> Callable[..., Any]:
    """images, *targets -> loss, outputs; the weights are updated."""
    compiled = compile(partial(_loss_of, model), mode)

    def step(images: torch.Tensor, *targets: torch.Tensor) -> tuple[torch.Tensor, tuple[torch.Tensor, ...]]:
        loss, outputs, gradients = _gradient(model, compiled, images, targets)
        with torch.no_grad():
            model.update(gradients)
        return loss, outputs

    return step


def function(call: Callable[..., Any], mode: str) -> Callable[..., Any]:
    """A function without weights."""
    compiled = compile(call, mode)

    def function(*arguments: torch.Tensor) -> Any:
        with torch.no_grad():
            return compiled(*arguments)

    return function


def scale(variable: Any, factor: Any) -> None:
    """Multiply a variable of Keras by a number, with no gradient."""
    variable.value.data.mul_(factor)  # Keras' own product and assignment take ten times as long on a vector


def accumulate(moments: Sequence[Any], momentum: float, gradients: Sequence[torch.Tensor]) -> list[torch.Tensor]:
    """Make each moment momentum times itself plus its gradient: the new values."""
    values = [moment.value for moment in moments]
    torch._foreach_mul_(values, momentum)  # all in one call, as in Keras' own optimisers on PyTorch
    torch._foreach_add_(values, gradients)
    return values


def assign(_program: Any, variable: Any, value: float) -> None:
    """Give one of the optimiser's variables a value for the next step."""
    variable.assign(value)


def read_back(program: Any) -> None:
    """Nothing to do: the steps change Keras' variables themselves."""


def forget(program: Any) -> None:
    """Nothing to do: the steps read Keras' variables themselves."""


def _loss_of(model: Any, images: torch.Tensor, *targets: torch.Tensor) -> tuple[torch.Tensor, tuple[torch.Tensor, ...]]:
    outputs = model.training_outputs_of(images)
    return model.loss_of(outputs, targets), tuple(output.detach() for output in outputs)


def _gradient(
    model: Any, loss_of: Callable[..., Any], images: torch.Tensor, targets: tuple[torch.Tensor, ...]
) -> tuple[torch.Tensor, tuple[torch.Tensor, ...], list[torch.Tensor]]:
    model.module.zero_grad()
    loss, outputs = loss_of(images, *targets)
    loss.backward()
    return loss.detach(), outputs, [variable.value.grad for variable in model.module.trainable_variables]
