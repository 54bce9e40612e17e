"""The optimisers in Keras, on any backend. The definitions stand in impls/optimizer.py.

Keras' own classes, not subclasses: on PyTorch it has faster ones for just these, and would not take them for a
subclass. What its definitions lack is done to their inputs, a step at a time.
"""

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from impls.optimizer import Adam, Optimizer


def build(variables: Sequence[keras.Variable], facts: Optimizer) -> keras.optimizers.Optimizer:
    """Keras' optimiser of these facts."""
    if isinstance(facts, Adam):
        optimizer = keras.optimizers.Adam(facts.learning_rate, facts.beta_1, facts.beta_2, facts.epsilon)
    else:
        optimizer = keras.optimizers.SGD(facts.learning_rate, facts.momentum)
    optimizer.build(variables)
    return optimizer


def prepare_step(
    optimizer: keras.optimizers.Optimizer, facts: Optimizer, gradients: Sequence[Any], values: Sequence[Any]
) -> Sequence[Any]:
    """Called before each step: the gradients as Keras' optimiser is to be given them.

    values: the weights. Adam's epsilon stands beside the uncorrected moment in Keras, and is set to what that takes.
    """
    if isinstance(facts, Adam):
        step = ops.cast(optimizer.iterations + 1, values[0].dtype)
        optimizer.epsilon = facts.epsilon * ops.sqrt(1 - ops.power(ops.cast(facts.beta_2, values[0].dtype), step))
        return gradients
    if not facts.weight_decay:
        return gradients
    return [gradient + facts.weight_decay * value for gradient, value in zip(gradients, values, strict=True)]


def first_moments(optimizer: keras.optimizers.Optimizer, facts: Optimizer) -> list[Any]:
    """The decaying mean of each weight's gradients; for stochastic gradient descent Keras keeps -rate times it."""
    if isinstance(facts, Adam):
        return list(optimizer._momentums)
    return [momentum / -facts.learning_rate for momentum in optimizer.momentums]
