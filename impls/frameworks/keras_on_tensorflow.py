"""Keras on TensorFlow: how its programs run, as Keras' guide to custom training loops does it."""

from collections.abc import Callable, Sequence
from typing import Any

import tensorflow as tf

from impls.frameworks.tensorflow import compile


def forward(program: Any, mode: str) -> Callable[[Any], Any]:
    """x -> outputs, in evaluation mode."""
    return compile(program.forward_of, mode)


def loss(model: Any, mode: str) -> Callable[..., tf.Tensor]:
    """images, *targets -> loss, of a forward pass that keeps what a backward pass needs."""

    def loss_of(images: tf.Tensor, *targets: tf.Tensor) -> tf.Tensor:
        return model.loss_of(model.training_outputs_of(images), targets)

    compiled = compile(loss_of, mode)

    def loss(images: tf.Tensor, *targets: tf.Tensor) -> tf.Tensor:
        with tf.GradientTape():  # around a graph: its own tape would keep nothing, for no gradient follows
            return compiled(images, *targets)

    return loss


def gradient(model: Any, mode: str) -> Callable[..., Any]:
    """images, *targets -> loss, the gradient by each trainable variable."""

    def gradient(images: tf.Tensor, *targets: tf.Tensor) -> tuple[tf.Tensor, list[tf.Tensor]]:
        loss, _, gradients = _gradient(model, images, targets)
        return loss, gradients

    return compile(gradient, mode)


def step(model: Any, mode: str) -> Callable[..., Any]:
    """images, *targets -> loss, outputs; the weights are updated."""

    def step(images: tf.Tensor, *targets: tf.Tensor) -> tuple[tf.Tensor, tuple[tf.Tensor, ...]]:
        loss, outputs, gradients = _gradient(model, images, targets)
        model.update(gradients)
        return loss, outputs

    return compile(step, mode)


def function(call: Callable[..., Any], mode: str) -> Callable[..., Any]:
    """A function without weights."""
    return compile(call, mode)


def scale(variable: Any, factor: Any) -> None:
    """Multiply a variable of Keras by a number, with no gradient."""
    variable.assign(variable * factor)


def accumulate(moments: Sequence[Any], momentum: float, gradients: Sequence[Any]) -> list[Any]:
    """Make each moment momentum times itself plus its gradient: the new values."""
    pairs = zip(moments, gradients, strict=True)
    return [moment.assign(momentum * moment.value + gradient) for moment, gradient in pairs]


def assign(_program: Any, variable: Any, value: float) -> None:
    """Give one of the optimiser's variables a value for the next step."""
    variable.assign(value)


def read_back(program: Any) -> None:
    """Nothing to do: the steps change Keras' variables themselves."""


def forget(program: Any) -> None:
    """Nothing to do: the steps read Keras' variables themselves."""


def _gradient(
    model: Any, images: tf.Tensor, targets: tuple[tf.Tensor, ...]
) -> tuple[tf.Tensor, tuple[tf.Tensor, ...], list[tf.Tensor]]:
    with tf.GradientTape() as tape:
        outputs = model.training_outputs_of(images)
        loss = model.loss_of(outputs, targets)
    return loss, outputs, tape.gradient(loss, model.module.trainable_variables)
