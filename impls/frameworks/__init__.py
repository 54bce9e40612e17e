"""What each framework needs to run a twin: its runtime, and the blocks, losses and optimisers that its twins share."""

from typing import Any


def as_tuple(outputs: Any) -> tuple[Any, ...]:
    """What comes out of a network, several tensors or one, as a tuple."""
    return tuple(outputs) if isinstance(outputs, tuple | list) else (outputs,)
