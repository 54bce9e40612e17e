"""One process of `make agreement`: python -m suites.agreement_pytorch JSON, with the arguments of `measure`.

One model in PyTorch is timed by the worker's own loop and by others' programs, in turns. All of them time the same call
of the same loaded program on the same images, and the call ends when the device has finished. A turn is some discarded
calls and CALLS timed ones, and its figure is their mean, for that is what the others give. How each goes about it stays
its own: torch.utils.benchmark and pyperf read the clock around many calls, we and timm around each; pyperf and timm
leave garbage collection on.
"""

import json
import random
import sys
import time
from collections.abc import Callable
from importlib import util
from pathlib import Path
from statistics import fmean
from typing import Any

from suites import worker

# asv imports every file of this folder: the frameworks, and what not every user has, are imported where they are used.

KEY = "model"
SETTLE_CALLS = 2  # discarded at the start of a turn; torch.utils.benchmark always makes two
CALLS = 10  # of a turn; timm's script needs five at least
PYPERF_VALUES = 2  # so many means of CALLS / PYPERF_VALUES calls each; as many calls are its warm-up
WARMUP_CALLS = 10
TIMM_NAMES = {"resnet50": "resnet50", "mobilenet_v2": "mobilenetv2_100"}
Call = Callable[[], None]
Turn = Callable[[], float]  # one turn of someone's: seconds of a call


def measure(
    model: str, image_size: int, batch_size: int, threads: int, blocks: int, seed: int, timm_script: str | None
) -> dict[str, list[float]]:
    """Whose figure -> seconds of a call, in each block's turn; in a block all take their turn, in random order."""
    worker.import_framework("pytorch", threads)
    program = {"workload": model, "framework": "pytorch", "mode": "eager"}
    size = {"image_size": image_size, "batch_size": batch_size}
    worker.load(KEY, "inference", program, {}, size, seed=0)
    worker.warm_up(KEY, "inference", WARMUP_CALLS)
    built, inputs = worker.programs[KEY]

    def call() -> None:
        built.predict(*inputs)
        worker.runtime.synchronize()

    turns = {
        "evenbench": ours,
        "evenbench, again": ours,
        "torch.utils.benchmark": torch_benchmark(call, threads),
        "pyperf": pyperf_worker(call),
    }
    if timm_script:
        turns["timm's benchmark.py"] = timm_benchmark(call, Path(timm_script), model, batch_size)
    else:
        turns["timm's method"] = lambda: timm_method(call)
    order = random.Random(seed)
    seconds: dict[str, list[float]] = {name: [] for name in turns}
    for _ in range(blocks):
        for name in order.sample(list(turns), len(turns)):
            seconds[name].append(turns[name]())
    return seconds


def ours() -> float:
    """A turn of the worker's loop."""
    return fmean(worker.measure(KEY, "inference", CALLS, SETTLE_CALLS)["samples"])


def torch_benchmark(call: Call, threads: int) -> Turn:
    """Turns of PyTorch's own timer, which sets one thread unless it is told."""
    from torch.utils import benchmark

    timer = benchmark.Timer("call()", globals={"call": call}, num_threads=threads)
    return lambda: timer.timeit(CALLS).mean


def pyperf_worker(call: Call) -> Turn:
    """Turns of what pyperf does in each of its processes; how many there are, and what they make, is up to us."""
    import pyperf

    runner = pyperf.Runner()  # a process may have but one
    loops = CALLS // PYPERF_VALUES
    runner.parse_args(["--worker", "--quiet", f"--loops={loops}", f"--values={PYPERF_VALUES}", "--warmups=1"])
    names = (f"turn {number}" for number in range(sys.maxsize))  # none may come twice
    return lambda: runner.bench_func(next(names), call).mean()


def timm_method(call: Call) -> float:
    """A turn of a loop like that of timm's benchmark.py, which is in its repository and in none of its packages.

    It runs without gradients, reads the clock before and after every step, and gives the mean step
    (https://github.com/huggingface/pytorch-image-models, InferenceBenchmarkRunner).
    """
    import torch

    steps = []
    with torch.no_grad():
        for _ in range(SETTLE_CALLS):
            call()
        for _ in range(CALLS):
            start = time.perf_counter()
            call()
            steps.append(time.perf_counter() - start)
    return fmean(steps)


def timm_benchmark(call: Call, path: Path, model: str, batch_size: int) -> Turn:
    """Turns of timm's own script. It builds a network of its own: ours takes its place."""
    from impls.references.references_pytorch import import_torchvision

    import_torchvision()  # which timm imports
    spec = util.spec_from_file_location("timm_benchmark", path)
    assert spec and spec.loader
    script: Any = util.module_from_spec(spec)
    spec.loader.exec_module(script)
    runner = script.InferenceBenchmarkRunner(
        TIMM_NAMES[model],
        device=worker.runtime.device(),
        batch_size=batch_size,
        num_warm_iter=SETTLE_CALLS,
        num_bench_iter=CALLS,
    )
    # Where these packages are installed it counts operations afterwards, of a module, which a call is not.
    script.has_fvcore_profiling = script.has_deepspeed_profiling = False
    runner.model = lambda _images: call()
    return lambda: runner.run()["step_time"] / 1e3


def main() -> None:
    """Answer with one line of JSON, the last on standard output: pyperf prints, too."""
    request: dict[str, Any] = json.loads(sys.argv[1])
    print(json.dumps(measure(**request)))


if __name__ == "__main__":
    main()
