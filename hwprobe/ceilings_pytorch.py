"""The work by which hwprobe.ceilings measures PyTorch: each call ends once the device is done."""

from collections.abc import Callable

import torch


def configure(threads: int) -> None:
    """Set the thread pool; no TF32, which would call a product of 10-bit mantissas float32."""
    torch.set_num_threads(threads)
    torch.backends.cuda.matmul.allow_tf32 = False


def device() -> str:
    """Where the work runs: the first GPU if PyTorch sees one."""
    return "cuda:0" if torch.cuda.is_available() else "cpu"


def gemm(dtype: str, size: int) -> Callable[[], torch.Tensor]:
    """The product of two random (size, size) matrices, as a call."""
    left, right = (torch.randn(size, size, dtype=getattr(torch, dtype), device=device()) for _ in range(2))
    product = torch.empty_like(left)

    def call() -> torch.Tensor:
        torch.mm(left, right, out=product)
        return _done(product)

    return call


def triad(elements: int) -> Callable[[], torch.Tensor]:
    """a = b + 3 c in float32, in place and without temporaries, as a call."""
    # fill_ runs in the thread pool that adds later, so that each thread finds its part in memory of its own node.
    a, b, c = (torch.empty(elements, device=device()).fill_(value) for value in (0, 1, 2))

    def call() -> torch.Tensor:
        torch.add(b, c, alpha=3, out=a)
        return _done(a)

    return call


def copy(direction: str, elements: int) -> Callable[[], torch.Tensor]:
    """A copy of float32 between RAM and the GPU, as a call; page-locked RAM, else the driver copies twice."""
    host, there = torch.ones(elements).pin_memory(), torch.ones(elements, device=device())
    source, target = (host, there) if direction == "host to device" else (there, host)

    def call() -> torch.Tensor:
        target.copy_(source, non_blocking=True)
        torch.cuda.synchronize()
        return target

    return call


def _done(result: torch.Tensor) -> torch.Tensor:
    if result.is_cuda:
        torch.cuda.synchronize()
    return result
