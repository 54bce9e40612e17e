"""The optimisers in TensorFlow, on its own operations. The definitions stand in impls/optimizer.py."""

from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from impls.optimizer import Adam, Optimizer, Standing, StochasticGradientDescent


def build(variables: Sequence[tf.Variable], facts: Optimizer) -> "AdamOptimizer | SGDOptimizer":
    """The optimiser of these facts."""
    return AdamOptimizer(variables, facts) if isinstance(facts, Adam) else SGDOptimizer(variables, facts)


def standing(model: Any) -> Standing:
    """Where a model's optimiser stands."""
    optimizer = model.optimizer
    moments = {kind: model.named(values) for kind, values in optimizer.moments.items()}
    return Standing(moments, int(optimizer.steps.numpy()), float(optimizer.learning_rate.numpy()))


def stand(model: Any, standing: Standing) -> None:
    """Make a model's optimiser go on from there."""
    for kind, variables in model.optimizer.moments.items():
        for name, variable in zip(model.learned, variables, strict=True):
            variable.assign(model.from_canonical(name, standing.moments[kind][name]))
    model.optimizer.steps.assign(standing.steps)
    model.optimizer.learning_rate.assign(standing.learning_rate)


class _Optimizer(tf.Module):
    """What both keep, in variables, so that a graph need not be built again when one changes.

    moments: "first", "second" -> a variable for each of the given ones, in their order.
    """

    def __init__(self, variables: Sequence[tf.Variable], facts: Optimizer) -> None:
        super().__init__()
        self.dtype = variables[0].dtype
        self.learning_rate = tf.Variable(facts.learning_rate, dtype=self.dtype)
        self.steps = tf.Variable(0, dtype=tf.int64)
        self.moments = {kind: [tf.Variable(tf.zeros_like(one)) for one in variables] for kind in facts.MOMENTS}


class SGDOptimizer(_Optimizer):
    """Stochastic gradient descent."""

    def __init__(self, variables: Sequence[tf.Variable], facts: StochasticGradientDescent) -> None:
        super().__init__(variables, facts)
        self.facts = facts

    def apply(self, gradients: Sequence[tf.Tensor], variables: Sequence[tf.Variable]) -> None:
        """One step."""
        facts, learning_rate = self.facts, tf.convert_to_tensor(self.learning_rate)
        for variable, moment, gradient in zip(variables, self.moments["first"], gradients, strict=True):
            if facts.weight_decay:
                gradient += facts.weight_decay * variable
            tf.raw_ops.ResourceApplyMomentum(
                var=variable.handle,
                accum=moment.handle,
                lr=learning_rate,
                grad=gradient,
                momentum=tf.constant(facts.momentum, self.dtype),
            )
        self.steps.assign_add(1)


class AdamOptimizer(_Optimizer):
    """Adam."""

    def __init__(self, variables: Sequence[tf.Variable], facts: Adam) -> None:
        super().__init__(variables, facts)
        self.facts = facts

    def apply(self, gradients: Sequence[tf.Tensor], variables: Sequence[tf.Variable]) -> None:
        """One step."""
        facts, learning_rate = self.facts, tf.convert_to_tensor(self.learning_rate)
        step = tf.cast(self.steps.assign_add(1), self.dtype)
        beta_1, beta_2 = (tf.constant(beta, self.dtype) for beta in (facts.beta_1, facts.beta_2))
        power_1, power_2 = tf.pow(beta_1, step), tf.pow(beta_2, step)
        # The operation's epsilon stands beside the uncorrected moment.
        epsilon = tf.constant(facts.epsilon, self.dtype) * tf.sqrt(1 - power_2)
        moments = zip(self.moments["first"], self.moments["second"], strict=True)
        for variable, (first, second), gradient in zip(variables, moments, gradients, strict=True):
            tf.raw_ops.ResourceApplyAdam(
                var=variable.handle,
                m=first.handle,
                v=second.handle,
                beta1_power=power_1,
                beta2_power=power_2,
                lr=learning_rate,
                beta1=beta_1,
                beta2=beta_2,
                epsilon=epsilon,
                grad=gradient,
            )
