"""One framework's ceilings in turns with other programs: python -m hwprobe.ceilings_turns FRAMEWORK THREADS BYTES

Reads lines "memory SECONDS" or "product SECONDS" and answers each with the best rate of so long a turn: bytes/s of
passes through arrays of BYTES each, FLOP/s of float32 products, both as hwprobe/ceilings_worker.py measures them. The
arrays stay where they are from one turn to the next.
"""

import os
import sys
from collections.abc import Callable
from importlib import import_module
from typing import Any

from hwprobe.ceilings_worker import BUDGET_S, BYTES_PER_ELEMENT, largest_product, seconds_of


def main(framework: str, threads: str, array_bytes: str) -> None:
    """Answer each line of the input until it ends."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what a library prints must not stand between the answers
    twin = import_module(f"hwprobe.ceilings_{framework}")
    twin.configure(int(threads))
    work: dict[str, tuple[Callable[[], Any], int]] = {}
    for line in sys.stdin:
        what, _, seconds = line.partition(" ")
        if what not in work:
            work[what] = _product(twin) if what == "product" else _memory(twin, int(array_bytes) // 4)
        call, amount = work[what]
        print(f"{amount / min(seconds_of(call, float(seconds))):.6g}", file=answers, flush=True)


def _product(twin: Any) -> tuple[Callable[[], Any], int]:
    size, call = largest_product(twin, "float32", BUDGET_S)
    return call, 2 * size**3


def _memory(twin: Any, elements: int) -> tuple[Callable[[], Any], int]:
    return twin.triad(elements), BYTES_PER_ELEMENT * elements


if __name__ == "__main__":
    main(*sys.argv[1:])
