"""`python -m suites.largest_batch MODEL --framework FRAMEWORK`: the largest batch size that fits into memory.

Each batch size is tried in a fresh process, for an allocator keeps what an earlier batch left: it imports the
framework, builds the program and calls it three times, as for hwprobe/needs.csv. A guard ends it before the machine
swaps; on a GPU the framework's own error decides, and the guard watches the machine's memory all the same.

The search starts where the measured needs let expect the end. All that the process has in memory counts: the framework
itself, and the example's images, which NumPy holds in float64 (1.2 MB each at 224 px).
"""

import json
import math
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

import hwprobe
import impls
from hwprobe import needs
from hwprobe.readiness import GIB
from suites import command, memory_guard
from suites.bisection import CAP, FAILURE, FITS, MEMORY, TIME, Attempt, find
from suites.choices import check_installed, one_of
from suites.memory_guard import MemoryGuard
from suites.profiles import QUICK
from suites.worker_process import WorkerError, WorkerProcess, environment

OUTCOMES = {"out of memory": MEMORY, "timeout": TIME}  # kind of an error -> outcome; any other is a failure
FIRST = 8  # the first guess where no need was measured
CALLS = 3  # the first one builds what later ones need, and allocators have then taken what they keep


def largest_batch(
    python: str,
    program: dict[str, str],
    phase: str,
    image_size: int,
    num_classes: int,
    threads: int,
    folder: Path,
    cap: int,
    timeout_s: float,
    allowance: int | None = None,
    report: Callable[[Attempt], None] = lambda _: None,
) -> dict[str, Any]:
    """Search the largest batch size of a program (workload, framework, mode) in inference or training.

    folder: for the workers' logs. timeout_s: seconds of one attempt, all included. allowance: bytes of memory, as if
    the machine had no more. The answer's `is_lower_bound` says that not memory was the limit, `swapped` whether the
    machine wrote to swap meanwhile, which the guard should have prevented (None where it does not tell).
    Raises WorkerError where the machine's memory cannot be read; all other failures are in the answer.
    """
    usable, free = memory_guard.room(allowance)
    keep = memory_guard.reserve(usable)
    log = folder / f"largest-batch-{'-'.join([*program.values(), phase])}.log"
    request = {"phase": phase, "program": program, "options": {"num_classes": num_classes}, "seed": 0}

    def ask(batch_size: int) -> Attempt:
        worker = WorkerProcess(python, "largest-batch", log, environment(threads))
        try:
            guard = MemoryGuard(worker.pid, keep, allowance)
            size = {"image_size": image_size, "batch_size": batch_size}
            attempt = _attempt(worker, guard, {**request, "size": size}, threads, timeout_s)
        finally:
            worker.close()
        report(attempt)
        return attempt

    before = memory_guard.swapped_out()
    found = find(ask, guess(program, phase, image_size, free - keep), cap)
    after = memory_guard.swapped_out()
    return {
        **program,
        "phase": phase,
        "image_size": image_size,
        "num_classes": num_classes,
        "batch_size": found.batch_size,
        "limit": found.limit,
        "is_lower_bound": found.limit != MEMORY,
        "refused": found.refused and found.refused._asdict(),
        "attempts": [attempt._asdict() for attempt in found.attempts],
        "cap": cap,
        "timeout_s": timeout_s,
        "usable_bytes": usable,
        "reserve_bytes": keep,
        "swapped": None if before is None or after is None else after > before,
    }


def guess(program: dict[str, str], phase: str, image_size: int, room: int) -> int:
    """The largest batch size that the measured needs let expect in so many bytes; at another image size by its area.

    Only a start, the more so on a GPU, whose memory is not asked.
    """
    workload, framework = program["workload"], program["framework"]
    measured_size, precision = needs.image_size(workload), program.get("precision", "float32")
    one, nine = (needs.per_framework(workload, phase, precision, batch).get(framework) for batch in (1, 9))
    if not measured_size or one is None or nine is None or nine <= one:
        return FIRST
    image = (nine - one) / 8 * (image_size / measured_size) ** 2
    return max(1, 1 + int((room - one) / image))


def _attempt(
    worker: WorkerProcess, guard: MemoryGuard, request: dict[str, Any], threads: int, timeout_s: float
) -> Attempt:
    """Have a fresh worker do what a batch size takes."""
    deadline = time.monotonic() + timeout_s

    def ask(do: str, **rest: Any) -> dict[str, Any]:
        return worker.ask(do, max(0.0, deadline - time.monotonic()), **rest)

    vram, error = None, None
    try:
        with guard:
            ask("import_framework", framework=request["program"]["framework"], threads=threads)
            vram = ask("load", key="program", **request)["peak_vram"]
            ask("warm_up", key="program", phase=request["phase"], calls=CALLS - 1)
    except WorkerError as found:
        error = found
    error = guard.error or error  # whom the guard has killed, only seems to have died by a signal
    outcome = OUTCOMES.get(error.kind, FAILURE) if error else FITS
    message = f"takes more than {timeout_s:g} s" if outcome == TIME else error.message if error else None
    return Attempt(request["size"]["batch_size"], outcome, message, guard.peak or None, vram)


def line(found: dict[str, Any]) -> str:
    """The answer in words."""
    batch_size, refused, limit = found["batch_size"], found["refused"], found["limit"]
    title = f"{found['workload']}, {found['framework']} {found['mode']}, {found['phase']}, {found['image_size']} px"
    if batch_size is None:
        return f"{title}, batch_size {refused['batch_size']}: {refused['message']}"
    (best,) = (one for one in found["attempts"] if one["batch_size"] == batch_size)
    says = f"{title}: batch_size {batch_size} fits"
    if best["peak_bytes"]:
        says += f" ({best['peak_bytes'] / GIB:.2f} of {found['usable_bytes'] / GIB:.2f} GiB)"
    if limit == CAP:
        return f"{says}; larger ones were not tried"
    return f"{says}, {refused['batch_size']}{' does not' if limit == MEMORY else ': ' + refused['message']}"


def largest_batch_command(
    model: Annotated[str, typer.Argument(help="A model of `evenbench workloads`.")],
    framework: Annotated[str, typer.Option(help="pytorch, tensorflow, keras-tensorflow, keras-torch or keras-jax.")],
    train: Annotated[bool, typer.Option("--train", help="Of training. Default: of inference.")] = False,
    cap: Annotated[int, typer.Option(help="Batch size beyond which none is tried.", min=1)] = 4096,
    memory: Annotated[float | None, typer.Option(help="GiB, as if the machine had no more.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the answer as JSON, every attempt in it.")] = False,
) -> None:
    """Find the largest batch size of a model that fits into memory, without touching swap.

    Exit codes: 0 found; 2 wrong usage; 3 nothing fits, the framework failed, or the machine swapped.

    Example: python -m suites.largest_batch resnet50 --framework pytorch --train
    """
    facts = impls.WORKLOADS[one_of("model", model, impls.MODELS)].model
    assert facts
    check_installed(one_of("framework", framework, impls.FRAMEWORKS))
    least = memory_guard.LEAST_RESERVE / GIB
    if memory is not None and not least < memory < math.inf:
        raise ValueError(f"--memory must be more than {least:g} GiB, which are kept in reserve, not {memory:g}")
    program = {"workload": model, "framework": framework, "mode": QUICK.first_mode(framework)}
    phase = "training" if train else "inference"
    allowance = None if memory is None else int(memory * GIB)
    with tempfile.TemporaryDirectory(prefix="evenbench-") as folder:
        places = facts.image_size, facts.num_classes, hwprobe.usable_cpus(), Path(folder)
        try:
            found = largest_batch(sys.executable, program, phase, *places, cap, QUICK.timeout_s, allowance, _say)
        except WorkerError as error:
            print(f"evenbench: {error.message}", file=sys.stderr)
            raise typer.Exit(3) from None
    failed = not found["batch_size"] or found["limit"] == FAILURE
    if as_json:
        print(json.dumps(found, indent=2))
    elif not failed:
        print(line(found))
    if failed:
        print(f"evenbench: {line(found)}", file=sys.stderr)
    if found["swapped"]:
        print("evenbench: the machine swapped meanwhile: the guard came too late", file=sys.stderr)
    raise typer.Exit(3 if failed or found["swapped"] else 0)


def _say(attempt: Attempt) -> None:
    print(f"batch_size {attempt.batch_size}: {attempt.message or attempt.outcome}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    command.main(largest_batch_command, "largest_batch")
