"""The optimisers in Keras, on any backend. The definitions stand in impls/optimizer.py.

Keras' own classes, not subclasses: on PyTorch it has faster ones for just these, and would not take them for a
subclass. What its definitions lack is done to their inputs, a step at a time.
"""

from collections.abc import Sequence
from importlib import import_module
from typing import Any

import keras
from keras import ops

from impls.optimizer import Adam, Optimizer, Standing

backend = import_module(f"impls.frameworks.keras_on_{keras.backend.backend()}")


def build(variables: Sequence[keras.Variable], facts: Optimizer) -> keras.optimizers.Optimizer:
    """Keras' optimiser of these facts, which `prepare_step` makes whole.

    Keras' momentum has the learning rate of each gradient's own step in it: at a rate that changes, that is another
    optimiser. So Keras descends without, and what it is given as gradients is the momentum: as many operations.
    """
    if isinstance(facts, Adam):
        optimizer = keras.optimizers.Adam(facts.learning_rate, facts.beta_1, facts.beta_2, facts.epsilon)
    else:
        optimizer = keras.optimizers.SGD(facts.learning_rate)
    optimizer.build(variables)
    if not isinstance(facts, Adam):
        optimizer.momentums = optimizer.add_optimizer_variables(variables, "momentum")
    return optimizer


def prepare_step(
    optimizer: keras.optimizers.Optimizer, facts: Optimizer, gradients: Sequence[Any], values: Sequence[Any]
) -> Sequence[Any]:
    """Called before each step: what Keras' optimiser is to be given as gradients.

    values: the weights. Adam's epsilon stands beside the uncorrected moment in Keras, and is set to what that takes.
    """
    if isinstance(facts, Adam):
        step = ops.cast(optimizer.iterations + 1, values[0].dtype)
        optimizer.epsilon = facts.epsilon * ops.sqrt(1 - ops.power(ops.cast(facts.beta_2, values[0].dtype), step))
        return gradients
    if facts.weight_decay:
        gradients = [gradient + facts.weight_decay * value for gradient, value in zip(gradients, values, strict=True)]
    return backend.accumulate(optimizer.momentums, facts.momentum, gradients)


def moments(model: Any) -> dict[str, list[keras.Variable]]:
    """The decaying means that a model's optimiser keeps: "first", "second" -> one for each learned weight."""
    facts, optimizer = model.optimizer_facts, model.optimizer
    kept = (optimizer._momentums, optimizer._velocities) if isinstance(facts, Adam) else (optimizer.momentums,)
    return dict(zip(facts.MOMENTS, kept, strict=True))


def standing(model: Any) -> Standing:
    """Where a model's optimiser stands."""
    steps, rate = map(ops.convert_to_numpy, (model.optimizer.iterations, model.optimizer.learning_rate))
    return Standing({kind: model.named(values) for kind, values in moments(model).items()}, int(steps), float(rate))


def stand(model: Any, standing: Standing) -> None:
    """Make a model's optimiser go on from there."""
    for kind, variables in moments(model).items():
        for name, variable in zip(model.learned, variables, strict=True):
            variable.assign(model.from_canonical(name, standing.moments[kind][name]))
    model.optimizer.iterations.assign(standing.steps)
    model.optimizer.learning_rate.assign(standing.learning_rate)
