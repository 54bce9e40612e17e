"""The optimisers of the training steps, one definition each for every framework, and where one stands in training."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from impls.layers import Tensor

Moments = dict[str, dict[str, np.ndarray]]  # "first", "second" -> canonical name of a learned weight -> values


@dataclass(frozen=True)
class StochasticGradientDescent:
    """Stochastic gradient descent with momentum (Sutskever et al. 2013), no Nesterov.

    v = momentum v + g, w = w - rate v: PyTorch's and TensorFlow's form, in which the rate of today applies to all of
    the momentum. Keras' own, v = momentum v - rate g, w = w + v, is the same at a constant learning rate only.
    The weight decay is added to the gradient, g = gradient + decay w, of every weight (PyTorch's definition; Keras'
    argument of that name shrinks the weights beside the momentum).
    """

    MOMENTS: ClassVar[tuple[str, ...]] = ("first",)

    learning_rate: float = 0.02
    momentum: float = 0.9
    weight_decay: float = 0.0


@dataclass(frozen=True)
class Adam:
    """Adam (Kingma & Ba 2015, algorithm 1): epsilon stands beside the root of the *corrected* second moment.

    TensorFlow and Keras put it beside the uncorrected one (the form at the end of the paper's section 2) and are
    brought to the algorithm by a factor of epsilon, one number a step.
    """

    MOMENTS: ClassVar[tuple[str, ...]] = ("first", "second")

    learning_rate: float = 1e-3
    beta_1: float = 0.9
    beta_2: float = 0.999
    epsilon: float = 1e-8


Optimizer = StochasticGradientDescent | Adam

SGD = StochasticGradientDescent()


@dataclass(frozen=True)
class Standing:
    """Where an optimiser stands: what its next step needs beside the weights.

    moments: the decaying means of the gradients and, Adam's, of their squares, canonical. steps: done so far.
    learning_rate: the next step's.
    """

    moments: Moments
    steps: int
    learning_rate: float


def pack(standing: Standing) -> dict[str, np.ndarray]:
    """As arrays to keep beside the weights: optimizer/first/<weight>, optimizer/steps and so on."""
    moments = {_moment(kind, name): array for kind, found in standing.moments.items() for name, array in found.items()}
    steps, learning_rate = np.array(standing.steps, np.int64), np.array(standing.learning_rate, np.float64)
    return {**moments, "optimizer/steps": steps, "optimizer/learning_rate": learning_rate}


def unpack(state: Mapping[str, np.ndarray], optimizer: Optimizer, tensors: Mapping[str, Tensor]) -> Standing:
    """What `pack` has put beside the weights of a program with these tensors.

    Raises ValueError, one line that names the entry, for a state of another model or another optimiser.
    """
    learned = [name for name, tensor in tensors.items() if tensor.trainable]
    moments = {kind: {name: _moment(kind, name) for name in learned} for kind in optimizer.MOMENTS}
    shapes = {name: tensor.shape for name, tensor in tensors.items()}
    shapes |= {entry: shapes[name] for entries in moments.values() for name, entry in entries.items()}
    shapes |= {"optimizer/steps": (), "optimizer/learning_rate": ()}
    _check(state, shapes)
    return Standing(
        {kind: {name: state[entry] for name, entry in entries.items()} for kind, entries in moments.items()},
        int(state["optimizer/steps"]),
        float(state["optimizer/learning_rate"]),
    )


def _moment(kind: str, name: str) -> str:
    return f"optimizer/{kind}/{name}"


def _check(state: Mapping[str, np.ndarray], shapes: Mapping[str, tuple[int, ...]]) -> None:
    for name, shape in shapes.items():
        if name not in state:
            raise ValueError(f"the state has no {name}: it is of another model or optimiser")
        if state[name].shape != shape:
            raise ValueError(f"the state's {name} has the shape {state[name].shape}, not {shape}")
    if surplus := sorted(set(state) - set(shapes)):
        raise ValueError(f"the state has {surplus[0]}, which this model and optimiser have not")
