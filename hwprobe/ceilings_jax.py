"""The work by which hwprobe.ceilings measures JAX: each call ends once the device is done."""

import os
from collections.abc import Callable

import jax
import jax.numpy as jnp


def configure(threads: int) -> None:
    """Set the thread pool; no TF32, which would call a product of 10-bit mantissas float32."""
    os.environ["NPROC"] = str(threads)  # read when the first array is made; JAX has no function for it
    os.environ["XLA_PYTHON_CLIENT_PREALLOCATE"] = "false"
    jax.config.update("jax_default_matmul_precision", "float32")
    jax.config.update("jax_enable_x64", True)  # else what is asked for as float64 is float32, at twice the rate


def device() -> str:
    """Where the work runs: the first GPU if JAX sees one."""
    return "cuda:0" if jax.default_backend() == "gpu" else "cpu"


def gemm(dtype: str, size: int) -> Callable[[], jax.Array]:
    """The product of two random (size, size) matrices, as a call."""
    left, right = (jax.random.normal(key, (size, size), dtype) for key in jax.random.split(jax.random.key(0)))
    multiply = jax.jit(jnp.matmul)
    return lambda: jax.block_until_ready(multiply(left, right))


def triad(elements: int) -> Callable[[], jax.Array]:
    """a = b + 3 c in float32, in place and without temporaries, as a call."""
    a, b, c = (jnp.full(elements, value, jnp.float32) for value in (0, 1, 2))
    # The old a is given away, and XLA writes the new one in its place; unused, it would be dropped before.
    add = jax.jit(lambda _, b, c: b + 3 * c, donate_argnums=0, keep_unused=True)

    def call() -> jax.Array:
        nonlocal a
        a = jax.block_until_ready(add(a, b, c))
        return a

    return call


def copy(direction: str, elements: int) -> Callable[[], jax.Array]:
    """A copy of float32 between RAM and the GPU, as a call."""
    there, here = jax.devices()[0], jax.devices("cpu")[0]
    source, target = (here, there) if direction == "host to device" else (there, here)
    array = jax.device_put(jnp.ones(elements, jnp.float32), source)
    return lambda: jax.block_until_ready(jax.device_put(array, target))
