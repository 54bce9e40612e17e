"""The optimisers in PyTorch. The definitions stand in impls/optimizer.py, and PyTorch's are these."""

from collections.abc import Iterable
from typing import Any

import numpy as np
import torch
from torch import nn

from impls.optimizer import Adam, Optimizer, Standing


def build(parameters: Iterable[nn.Parameter], facts: Optimizer) -> torch.optim.Optimizer:
    """PyTorch's optimiser of these facts."""
    if isinstance(facts, Adam):
        return torch.optim.Adam(parameters, facts.learning_rate, (facts.beta_1, facts.beta_2), facts.epsilon)
    return torch.optim.SGD(parameters, facts.learning_rate, facts.momentum, weight_decay=facts.weight_decay)


def set_learning_rate(optimizer: torch.optim.Optimizer, rate: float) -> None:
    """The rate of the next steps."""
    for group in optimizer.param_groups:
        group["lr"] = rate


def moments(model: Any) -> dict[str, list[torch.Tensor]]:
    """The decaying means that a model's optimiser keeps: "first", "second" -> one for each learned weight.

    PyTorch has none before the first step, where they are zero.
    """
    kept = model.optimizer.state

    def moment(parameter: nn.Parameter, key: str) -> torch.Tensor:
        return kept[parameter][key] if parameter in kept else torch.zeros_like(parameter)

    keys = _keys(model.optimizer_facts)
    return {kind: [moment(parameter, key) for parameter in model.learned.values()] for kind, key in keys.items()}


def standing(model: Any) -> Standing:
    """Where a model's optimiser stands."""
    found = {kind: model.named(values) for kind, values in moments(model).items()}
    return Standing(found, model.steps, model.optimizer.param_groups[0]["lr"])


def stand(model: Any, standing: Standing) -> None:
    """Make a model's optimiser go on from there."""
    set_learning_rate(model.optimizer, standing.learning_rate)
    model.steps = standing.steps
    for name, parameter in model.learned.items():
        keys = _keys(model.optimizer_facts).items()
        state = {key: _like(parameter, standing.moments[kind][name]) for kind, key in keys}
        if isinstance(model.optimizer_facts, Adam):
            state["step"] = torch.tensor(float(standing.steps))
        model.optimizer.state[parameter] = state


def _keys(facts: Optimizer) -> dict[str, str]:
    """What PyTorch calls the moments."""
    keys = ("exp_avg", "exp_avg_sq") if isinstance(facts, Adam) else ("momentum_buffer",)
    return dict(zip(facts.MOMENTS, keys, strict=True))


def _like(parameter: nn.Parameter, array: np.ndarray) -> torch.Tensor:
    return torch.empty_like(parameter, requires_grad=False).copy_(torch.from_numpy(array))
