"""The optimisers in TensorFlow, on its own operations. The definitions stand in impls/optimizer.py."""

from collections.abc import Sequence

import tensorflow as tf

from impls.optimizer import Adam, Optimizer, StochasticGradientDescent


def build(variables: Sequence[tf.Variable], facts: Optimizer) -> "AdamOptimizer | SGDOptimizer":
    """The optimiser of these facts."""
    return AdamOptimizer(variables, facts) if isinstance(facts, Adam) else SGDOptimizer(variables, facts)


class SGDOptimizer(tf.Module):
    """Stochastic gradient descent; first_moments: a variable for each of the given ones, in their order."""

    def __init__(self, variables: Sequence[tf.Variable], facts: StochasticGradientDescent) -> None:
        super().__init__()
        self.facts = facts
        self.first_moments = [tf.Variable(tf.zeros_like(variable)) for variable in variables]

    def apply(self, gradients: Sequence[tf.Tensor], variables: Sequence[tf.Variable]) -> None:
        """One step."""
        facts = self.facts
        for variable, moment, gradient in zip(variables, self.first_moments, gradients, strict=True):
            if facts.weight_decay:
                gradient += facts.weight_decay * variable
            tf.raw_ops.ResourceApplyMomentum(
                var=variable.handle,
                accum=moment.handle,
                lr=tf.constant(facts.learning_rate, variable.dtype),
                grad=gradient,
                momentum=tf.constant(facts.momentum, variable.dtype),
            )


class AdamOptimizer(tf.Module):
    """Adam; first_moments: a variable for each of the given ones, in their order."""

    def __init__(self, variables: Sequence[tf.Variable], facts: Adam) -> None:
        super().__init__()
        self.facts = facts
        self.first_moments = [tf.Variable(tf.zeros_like(variable)) for variable in variables]
        self.second_moments = [tf.Variable(tf.zeros_like(variable)) for variable in variables]
        self.powers = [tf.Variable(beta, dtype=variables[0].dtype) for beta in (facts.beta_1, facts.beta_2)]

    def apply(self, gradients: Sequence[tf.Tensor], variables: Sequence[tf.Variable]) -> None:
        """One step."""
        facts, dtype = self.facts, variables[0].dtype
        power_1, power_2 = (tf.convert_to_tensor(power) for power in self.powers)
        # The operation's epsilon stands beside the uncorrected moment.
        epsilon = tf.constant(facts.epsilon, dtype) * tf.sqrt(1 - power_2)
        moments = zip(self.first_moments, self.second_moments, strict=True)
        for variable, (first, second), gradient in zip(variables, moments, gradients, strict=True):
            tf.raw_ops.ResourceApplyAdam(
                var=variable.handle,
                m=first.handle,
                v=second.handle,
                beta1_power=power_1,
                beta2_power=power_2,
                lr=tf.constant(facts.learning_rate, dtype),
                beta1=tf.constant(facts.beta_1, dtype),
                beta2=tf.constant(facts.beta_2, dtype),
                epsilon=epsilon,
                grad=gradient,
            )
        for power, beta in zip(self.powers, (facts.beta_1, facts.beta_2), strict=True):
            power.assign(power * beta)
