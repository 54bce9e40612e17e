"""One framework's ceilings: python -m hwprobe.ceilings_worker FRAMEWORK THREADS BUDGET_S DTYPE...

Its process alone imports the framework, through hwprobe/ceilings_<framework>.py, all of which have the same functions;
hwprobe/ceilings.py starts it.
"""

import json
import os
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from importlib import import_module
from typing import Any

from hwprobe import memory
from hwprobe.caches import cache_bytes
from hwprobe.files import one_line

SMALLEST, LARGEST = 256, 8192  # n of the n x n matrices; 8192 keeps a large GPU busy and fits a small one
RUNS = 3  # at least
BUDGET_S = 1.5  # of one dtype or operation, where nobody asks for another
# Of each of the three arrays: four times the largest cache of a GPU, and of a CPU whose virtual machine hides it.
ARRAY_BYTES = 512 << 20
BYTES_PER_ELEMENT = 12  # three of float32; that a CPU may also read what it is about to write is not counted
CONVENTION = f"two arrays read, one written: {BYTES_PER_ELEMENT} bytes an element"
DIRECTIONS = ("host to device", "device to host")
COPY_BYTES = 256 << 20  # long enough that a call's own time does not count


def main(framework: str, threads: str, budget_s: str, *dtypes: str) -> None:
    """Measure one framework; print a JSON line [kind, row] as soon as each is known."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what a library prints must not stand between the answers
    twin = import_module(f"hwprobe.ceilings_{framework}")
    twin.configure(int(threads))
    for kind, row in measure(twin, dtypes, float(budget_s)):
        print(json.dumps([kind, row]), file=answers, flush=True)


def measure(twin: Any, dtypes: Sequence[str], budget_s: float) -> Iterator[tuple[str, dict[str, Any]]]:
    """(kind, row): products of each dtype, passes through memory, and copies where there is a GPU."""
    work: dict[str, tuple[str, Callable[[], dict[str, Any]]]] = {
        name: ("gemm", partial(_gemm, twin, name, budget_s)) for name in dtypes
    }
    work["memory"] = "bandwidth", partial(_bandwidth, twin, budget_s)
    if twin.device() != "cpu":
        work |= {direction: ("copy", partial(_copy, twin, direction, budget_s)) for direction in DIRECTIONS}
    for name, (kind, ask) in work.items():
        try:
            yield kind, ask()
        except Exception as error:  # whatever a framework raises for what it cannot do; the rest goes on
            yield "failures", {"message": one_line(f"{name}: {type(error).__name__}: {error}")}


def largest_product(twin: Any, dtype: str, budget_s: float) -> tuple[int, Callable[[], Any]]:
    """(n, a call) of the largest product whose runs fit the budget, in seconds.

    n doubles while the next size still fits: without hardware for it, a small type can be 800 times slower.
    """
    size = SMALLEST
    call = twin.gemm(dtype, size)
    while size < LARGEST and 8 * RUNS * min(seconds_of(call, 0)) <= budget_s:
        size *= 2
        call = twin.gemm(dtype, size)
    return size, call


def _gemm(twin: Any, dtype: str, budget_s: float) -> dict[str, Any]:
    size, call = largest_product(twin, dtype, budget_s)
    rates = _rates("flops_per_s", 2 * size**3, seconds_of(call, budget_s))
    return {"device": twin.device(), "dtype": dtype, "size": size, **rates}


def _bandwidth(twin: Any, budget_s: float) -> dict[str, Any]:
    elements = array_bytes() // 4
    rates = _rates("bytes_per_s", BYTES_PER_ELEMENT * elements, seconds_of(twin.triad(elements), budget_s))
    facts = {"device": twin.device(), "operation": "a = b + 3 c", "dtype": "float32"}
    return {**facts, "array_bytes": 4 * elements, "convention": CONVENTION, **rates}


def _copy(twin: Any, direction: str, budget_s: float) -> dict[str, Any]:
    rates = _rates("bytes_per_s", COPY_BYTES, seconds_of(twin.copy(direction, COPY_BYTES // 4), budget_s))
    return {"device": twin.device(), "direction": direction, "array_bytes": COPY_BYTES, **rates}


def seconds_of(call: Callable[[], Any], budget_s: float) -> list[float]:
    """Of each run until the budget is spent, after one to warm up."""
    call()
    seconds: list[float] = []
    end = time.perf_counter() + budget_s
    while len(seconds) < RUNS or time.perf_counter() < end:
        start = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - start)
    return seconds


def _rates(name: str, amount: int, seconds: Sequence[float]) -> dict[str, Any]:
    rates = [amount / second for second in seconds]
    low, median, high = statistics.quantiles(rates, n=4, method="inclusive")
    return {name: max(rates), "median": median, "low": low, "high": high, "runs": len(rates)}


def array_bytes(root: str = "/") -> int:
    """Of one array: 4 times the last-level cache and at least ARRAY_BYTES, but never above a tenth of the free RAM."""
    wanted = max(ARRAY_BYTES, 4 * cache_bytes(root))
    available = memory.collect(root)["available"]["value"]
    return min(wanted, available // 10) if isinstance(available, int) else wanted


if __name__ == "__main__":
    main(*sys.argv[1:])
