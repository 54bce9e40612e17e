"""Kernels of Keras on its backend torch: run as PyTorch's own are, with layouts and weights as Keras has them."""

from collections.abc import Callable
from typing import Any

from impls.frameworks import kernels_pytorch
from impls.frameworks.keras import layout
from impls.kernels import Case


def Kernel(compute: Callable[..., Any], case: Case, mode: str, precision: str) -> kernels_pytorch.Kernel:  # noqa: N802
    """A twin's operation in one execution mode."""
    return kernels_pytorch.Kernel(compute, case, mode, precision, channels_last=True, layout=layout())
