"""Multiply-accumulates of what PyTorch runs, counted operation by operation."""

from typing import Any

from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry


class Counter(TorchDispatchMode):
    """macs: of each convolution and matrix product that ran in this context, by PyTorch's own formulas."""

    def __init__(self) -> None:
        super().__init__()
        self.macs: list[int] = []

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        output = function(*args, **(kwargs or {}))
        if formula := flop_registry.get(function._overloadpacket):
            self.macs.append(formula(*args, **(kwargs or {}), out_val=output) // 2)
        return output
