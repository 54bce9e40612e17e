"""What the worker's loop costs per call: python -m suites.overhead JSON, one process of `make agreement`.

The loop is that of suites.worker.measure, around a program that does nothing, and the wait for a device that has
nothing to do; an empty loop is taken off. Turns are short and their median counts, so that a turn in which another
program had the CPU does not. The shortest call that is timed anywhere, a kernel with next to no work, is measured
beside it.
"""

import json
import sys
import time
from statistics import median
from typing import Any

from suites import worker

KEY, SHORTEST = "nothing", "shortest call"
TURNS, CALLS, SETTLE_CALLS = 21, 500, 10


class Nothing:
    """A program that does no work."""

    def predict(self) -> None:
        """Return at once."""


def measure(framework: str, mode: str, threads: int) -> dict[str, float]:
    """Seconds per call, medians of the turns.

    loop: what the loop takes, all included. sample: how much of it lies between both readings of the clock, and so in
    every latency. call: the shortest call in this framework.
    """
    worker.import_framework(framework, threads)
    worker.programs[KEY] = (Nothing(), ())
    worker.load_call(SHORTEST, {"framework": framework, "mode": mode})
    worker.warm_up(SHORTEST, "inference", CALLS)
    loops, samples, calls = [], [], []
    for _ in range(TURNS):
        seconds, inside = turn(KEY)
        loops.append(seconds - _empty_loop())
        samples.append(inside)
        calls.append(turn(SHORTEST)[1])
    return {"loop": median(loops), "sample": median(samples), "call": median(calls)}


def turn(key: str) -> tuple[float, float]:
    """Seconds of a round of the loop, and the median sample."""
    answer = worker.measure(key, "inference", CALLS, SETTLE_CALLS)
    return (time.monotonic() - answer["started"]) / CALLS, median(answer["samples"])


def _empty_loop() -> float:
    start = time.perf_counter()
    for _ in range(CALLS):
        pass
    return (time.perf_counter() - start) / CALLS


def main() -> None:
    """Answer with one line of JSON, the last on standard output."""
    request: dict[str, Any] = json.loads(sys.argv[1])
    print(json.dumps(measure(**request)))


if __name__ == "__main__":
    main()
