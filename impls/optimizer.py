"""The optimiser of every training step, in every framework."""

from dataclasses import dataclass


@dataclass(frozen=True)
class StochasticGradientDescent:
    """Stochastic gradient descent with momentum (Sutskever et al. 2013), no Nesterov, no weight decay.

    At a constant learning rate these two forms are the same, and the twins use whichever is their framework's own:
    v = momentum v + g, w = w - rate v (PyTorch, TensorFlow); v = momentum v - rate g, w = w + v (Keras).
    """

    learning_rate: float = 0.02
    momentum: float = 0.9


SGD = StochasticGradientDescent()
