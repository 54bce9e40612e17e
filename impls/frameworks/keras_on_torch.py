"""Keras on PyTorch: how its programs run, as Keras' guide to custom training loops does it."""

from collections.abc import Callable
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


def step(model: Any, mode: str) -> Callable[..., Any]:
    """images, *targets -> loss, outputs; the weights are updated."""

    def loss_of(images: torch.Tensor, *targets: torch.Tensor) -> tuple[torch.Tensor, tuple[torch.Tensor, ...]]:
        outputs = model.training_outputs_of(images)
        return model.loss_of(outputs, targets), tuple(output.detach() for output in outputs)

    compiled = compile(loss_of, mode)

    def step(images: torch.Tensor, *targets: torch.Tensor) -> tuple[torch.Tensor, tuple[torch.Tensor, ...]]:
        model.module.zero_grad()
        loss, outputs = compiled(images, *targets)
        loss.backward()
        variables = model.module.trainable_variables
        with torch.no_grad():
            model.update([variable.value.grad for variable in variables], variables)
        return loss.detach(), outputs

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


def read_back(program: Any) -> None:
    """Nothing to do: the steps change Keras' variables themselves."""


def forget(program: Any) -> None:
    """Nothing to do: the steps read Keras' variables themselves."""
