"""JAX as Keras' engine: threads, device, waiting and compiling. It is no column of its own, for it has no layers."""

import os
from collections.abc import Callable
from functools import cache
from typing import Any

import jax

LAYOUT = "NHWC"

_pending: Any = None
_compilations = 0


def configure(threads: int | None) -> None:
    """Set what would otherwise differ between frameworks: thread pool, TF32 and who owns the GPU's memory.

    None leaves JAX as it comes.
    """
    if threads is None:
        return
    os.environ["NPROC"] = str(threads)  # read when the first array is made; JAX has no function for it
    os.environ["XLA_PYTHON_CLIENT_PREALLOCATE"] = "false"
    jax.config.update("jax_default_matmul_precision", "float32")


@cache
def device() -> str:
    """Where programs run: the first GPU if JAX sees one."""
    return "cuda:0" if jax.default_backend() == "gpu" else "cpu"


def layout() -> str:
    """Order of the activations' axes."""
    return LAYOUT


def note(values: Any) -> Any:
    """Remember values that were asked for, so that `synchronize` waits for them: JAX waits for values, not devices."""
    global _pending
    _pending = values
    return values


def synchronize() -> None:
    """Wait for what was asked for last."""
    global _pending
    if _pending is not None:
        jax.block_until_ready(_pending)
        _pending = None


def peak_memory() -> int | None:
    """Peak bytes of VRAM allocated, None without a GPU."""
    return jax.devices()[0].memory_stats()["peak_bytes_in_use"] if device() != "cpu" else None


def reset_peak_memory() -> None:
    """JAX's peak is the process's and cannot begin anew: of kernels, which share one, it is the largest so far."""


def versions() -> dict[str, str]:
    """Versions of what computes."""
    return {"jax": jax.__version__}


def set_precision(precision: str) -> None:
    """float64 is off in JAX unless it is asked for, and then every default is."""
    jax.config.update("jax_enable_x64", precision == "float64")


def compile(function: Callable[..., Any], mode: str) -> Callable[..., Any]:
    """The function in an execution mode; compiled means XLA."""
    return jax.jit(function) if mode == "compiled" else function


def compilations() -> int:
    """How many programs XLA has compiled in this process so far. In eager mode each operation is one, once a shape."""
    return _compilations


def _count_compilation(event: str, *_: Any, **__: Any) -> None:
    global _compilations
    _compilations += event == "/jax/core/compile/backend_compile_duration"


jax.monitoring.register_event_duration_secs_listener(_count_compilation)


def count_macs(function: Callable[..., Any], *inputs: Any) -> list[int]:
    """Multiply-accumulates of each convolution and matrix product, counted in the traced function."""
    return _count(jax.make_jaxpr(function)(*inputs).jaxpr)


def _count(program: Any) -> list[int]:
    return [macs for equation in program.eqns for macs in _macs(equation)]


def _macs(equation: Any) -> list[int]:
    name, parameters = equation.primitive.name, equation.params
    if name == "conv_general_dilated":
        return [_convolution(equation)]
    if name == "dot_general":
        (contracted, _), _ = parameters["dimension_numbers"]
        taps = 1
        for axis in contracted:
            taps *= equation.invars[0].aval.shape[axis]
        return [equation.outvars[0].aval.size * taps]
    inner = [value for value in parameters.values() if hasattr(value, "eqns") or hasattr(value, "jaxpr")]
    return [macs for value in inner for macs in _count(getattr(value, "jaxpr", value))]


def _convolution(equation: Any) -> int:
    """A transposed one spreads its input: the zeros in between are no work, so its input's pixels count."""
    parameters, (x, kernel) = equation.params, (variable.aval for variable in equation.invars)
    numbers = parameters["dimension_numbers"]
    out_axis, in_axis, *spatial = numbers.rhs_spec
    taps = kernel.shape[in_axis]
    for axis in spatial:
        taps *= kernel.shape[axis]
    if any(factor > 1 for factor in parameters["lhs_dilation"]):
        return x.size // x.shape[numbers.lhs_spec[1]] * kernel.shape[out_axis] * taps
    return equation.outvars[0].aval.size * taps
