"""PyTorch's own file of named tensors (.pth, .pt)."""

from pathlib import Path

import numpy as np
import torch


def load(path: Path) -> dict[str, np.ndarray]:
    """The file's tensors; what is more than tensors is refused, never run.

    Raises ValueError for what is no state dict.
    """
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # whatever a damaged file leads to
        if isinstance(error, OSError) and error.filename:  # not there, not readable
            raise
        # PyTorch's message goes on with advice on how to run what a file asks for.
        why = str(error).splitlines() or [type(error).__name__]
        raise ValueError(f"{path} is not a whole state dict of tensors: {why[0]}") from None
    if not isinstance(state, dict) or not all(isinstance(value, torch.Tensor) for value in state.values()):
        raise ValueError(f"{path} is not a state dict: it holds more than named tensors")
    return {name: _array(tensor) for name, tensor in state.items()}


def _array(tensor: torch.Tensor) -> np.ndarray:
    # NumPy has no bfloat16.
    return (tensor.float() if tensor.dtype == torch.bfloat16 else tensor).numpy()
