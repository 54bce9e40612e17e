"""The optimisers in PyTorch. The definitions stand in impls/optimizer.py, and PyTorch's are these."""

from collections.abc import Iterable

import torch
from torch import nn

from impls.optimizer import Adam, Optimizer


def build(parameters: Iterable[nn.Parameter], facts: Optimizer) -> torch.optim.Optimizer:
    """PyTorch's optimiser of these facts."""
    if isinstance(facts, Adam):
        return torch.optim.Adam(parameters, facts.learning_rate, (facts.beta_1, facts.beta_2), facts.epsilon)
    return torch.optim.SGD(parameters, facts.learning_rate, facts.momentum, weight_decay=facts.weight_decay)


def first_moment(optimizer: torch.optim.Optimizer, parameter: nn.Parameter) -> torch.Tensor:
    """The decaying mean of a parameter's gradients that the optimiser keeps."""
    state = optimizer.state[parameter]
    return state["exp_avg"] if "exp_avg" in state else state["momentum_buffer"]
