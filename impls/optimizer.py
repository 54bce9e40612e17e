"""The optimisers of the training steps, one definition each for every framework."""

from dataclasses import dataclass


@dataclass(frozen=True)
class StochasticGradientDescent:
    """Stochastic gradient descent with momentum (Sutskever et al. 2013), no Nesterov.

    The weight decay is added to the gradient, g = gradient + decay w, of every weight (PyTorch's definition; Keras'
    argument of that name shrinks the weights beside the momentum). At a constant learning rate these two forms are the
    same, and the runtimes use whichever is their framework's own: v = momentum v + g, w = w - rate v (PyTorch,
    TensorFlow); v = momentum v - rate g, w = w + v (Keras).
    """

    learning_rate: float = 0.02
    momentum: float = 0.9
    weight_decay: float = 0.0


@dataclass(frozen=True)
class Adam:
    """Adam (Kingma & Ba 2015, algorithm 1): epsilon stands beside the root of the *corrected* second moment.

    TensorFlow and Keras put it beside the uncorrected one (the form at the end of the paper's section 2) and are
    brought to the algorithm by a factor of epsilon, one number a step.
    """

    learning_rate: float = 1e-3
    beta_1: float = 0.9
    beta_2: float = 0.999
    epsilon: float = 1e-8


Optimizer = StochasticGradientDescent | Adam

SGD = StochasticGradientDescent()
