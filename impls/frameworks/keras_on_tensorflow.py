"""Keras on TensorFlow: how its programs run, as Keras' guide to custom training loops does it."""

from collections.abc import Callable
from typing import Any

import tensorflow as tf

from impls.frameworks.tensorflow import compile


def forward(program: Any, mode: str) -> Callable[[Any], Any]:
    """x -> outputs, in evaluation mode."""
    return compile(program.forward_of, mode)


def step(model: Any, mode: str) -> Callable[..., Any]:
    """images, *targets -> loss, outputs; the weights are updated."""

    def step(images: tf.Tensor, *targets: tf.Tensor) -> tuple[tf.Tensor, tuple[tf.Tensor, ...]]:
        with tf.GradientTape() as tape:
            outputs = model.training_outputs_of(images)
            loss = model.loss_of(outputs, targets)
        variables = model.module.trainable_variables
        model.update(tape.gradient(loss, variables), variables)
        return loss, outputs

    return compile(step, mode)


def function(call: Callable[..., Any], mode: str) -> Callable[..., Any]:
    """A function without weights."""
    return compile(call, mode)


def scale(variable: Any, factor: Any) -> None:
    """Multiply a variable of Keras by a number, with no gradient."""
    variable.assign(variable * factor)


def read_back(program: Any) -> None:
    """Nothing to do: the steps change Keras' variables themselves."""


def forget(program: Any) -> None:
    """Nothing to do: the steps read Keras' variables themselves."""
