"""Keras on JAX: how its programs run, as Keras' guide to custom training loops does it.

JAX's functions have no state: the values of Keras' variables go in and come out, and stay with the program between
steps. Writing them back to Keras after every step would be work that no one's training loop does.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import jax

from impls.frameworks import as_tuple
from impls.frameworks.jax import compile, note

Values = list[Any]


def forward(program: Any, mode: str) -> Callable[[Any], Any]:
    """x -> outputs, in evaluation mode."""

    def call(trainable: Values, others: Values, x: jax.Array) -> Any:
        return program.module.stateless_call(trainable, others, x, training=False)[0]

    compiled = compile(call, mode)

    def forward(x: jax.Array) -> Any:
        trainable, others, _ = _values(program)
        return note(compiled(trainable, others, x))

    return forward


def loss(model: Any, mode: str) -> Callable[..., jax.Array]:
    """images, *targets -> loss.

    In eager mode the forward pass keeps what a backward pass needs. XLA compiles both of a step as one, and chooses
    itself what to keep and what to compute again. Compiled alone, the forward pass keeps nothing, so that it may take
    less than its share of a step: all that JAX would hand over is twice what XLA keeps.
    """

    def forward(trainable: Values, others: Values, images: jax.Array, targets: Any) -> Any:
        def loss_of(values: Values) -> Any:
            return _loss_of(model, values, others, images, targets)

        loss, _backward, (_outputs, moved) = jax.vjp(loss_of, trainable, has_aux=True)
        return loss, moved

    compiled = compile(forward, mode)

    def loss(images: jax.Array, *targets: jax.Array) -> jax.Array:
        trainable, others, state = _values(model)
        loss, others = note(compiled(trainable, others, images, targets))
        model.values = (trainable, others, state)
        return loss

    return loss


def gradient(model: Any, mode: str) -> Callable[..., Any]:
    """images, *targets -> loss, the gradient by each trainable variable."""
    compiled = compile(jax.value_and_grad(partial(_loss_of, model), has_aux=True), mode)

    def gradient(images: jax.Array, *targets: jax.Array) -> tuple[jax.Array, Values]:
        trainable, others, state = _values(model)
        (loss, (_outputs, others)), gradients = note(compiled(trainable, others, images, targets))
        model.values = (trainable, others, state)
        return loss, gradients

    return gradient


def step(model: Any, mode: str) -> Callable[..., Any]:
    """images, *targets -> loss, outputs; the weights are updated."""
    gradient = jax.value_and_grad(partial(_loss_of, model), has_aux=True)

    def update(trainable: Values, others: Values, state: Values, images: jax.Array, targets: Any) -> Any:
        (loss, (outputs, others)), gradients = gradient(trainable, others, images, targets)
        trainable, state = model.stateless_update(state, gradients, trainable)
        return loss, outputs, (trainable, others, state)

    # The old values' memory becomes the new ones'.
    compiled = jax.jit(update, donate_argnums=(0, 1, 2)) if mode == "compiled" else update

    def step(images: jax.Array, *targets: jax.Array) -> tuple[jax.Array, tuple[jax.Array, ...]]:
        loss, outputs, model.values = compiled(*_values(model), images, targets)
        note((loss, outputs, model.values))
        return loss, outputs

    return step


def function(call: Callable[..., Any], mode: str) -> Callable[..., Any]:
    """A function without weights."""
    compiled = compile(call, mode)
    return lambda *arguments: note(compiled(*arguments))


def scale(variable: Any, factor: Any) -> None:
    """Multiply a variable of Keras by a number, with no gradient."""
    variable.assign(variable * factor)


def accumulate(moments: Sequence[Any], momentum: float, gradients: Sequence[Any]) -> list[Any]:
    """Make each moment momentum times itself plus its gradient: the new values."""
    pairs = zip(moments, gradients, strict=True)
    return [moment.assign(momentum * moment.value + gradient) for moment, gradient in pairs]


def assign(program: Any, variable: Any, value: float) -> None:
    """Give one of the optimiser's variables a value for the next step; the others stay as the steps have left them."""
    variable.assign(value)
    if program.values is not None:
        place = [one is variable for one in program.optimizer.variables].index(True)
        program.values[-1][place] = variable.value


def read_back(program: Any) -> None:
    """Give Keras' variables the values that the steps have left."""
    if program.values is None:
        return
    for variables, values in zip(_variables(program), program.values, strict=True):
        for variable, value in zip(variables, values, strict=True):
            variable.assign(value)


def forget(program: Any) -> None:
    """Read Keras' variables again before the next step: they were given other values."""
    program.values = None


def _loss_of(model: Any, trainable: Values, others: Values, images: jax.Array, targets: tuple[jax.Array, ...]) -> Any:
    outputs, others = model.module.stateless_call(trainable, others, images, training=True)
    outputs = as_tuple(outputs)
    return model.loss_of(outputs, targets), (outputs, others)


def _values(program: Any) -> tuple[Values, Values, Values]:
    if program.values is None:
        trainable, others, state = ([variable.value for variable in variables] for variables in _variables(program))
        program.values = (trainable, others, state)
    return program.values


def _variables(program: Any) -> tuple[Values, Values, Values]:
    optimizer = getattr(program, "optimizer", None)
    module = program.module
    return module.trainable_variables, module.non_trainable_variables, optimizer.variables if optimizer else []
