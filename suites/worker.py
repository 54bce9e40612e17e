"""A process of its own that builds and runs one framework's programs: python -m suites.worker.

It reads requests (one JSON object a line) from standard input and answers each on standard output; whatever a library
prints goes to standard error. It ends, with all its children, as soon as its input closes: that is how it learns that
the process that started it is gone. suites.worker_process starts it, as the leader of a process group.
"""

import gc
import json
import os
import shutil
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import numpy as np

import impls
from hwprobe import gpu_process
from hwprobe.energy import Meter
from impls import kernels
from suites import memory
from suites.files import write_npz

Answer = dict[str, Any]
# Phase -> whose example it runs on; a kernel's phases run on what predict does.
PURPOSES = {"inference": "predict", "training": "train", "boxes": "boxes"}
GRADIENTS = kernels.PHASES[1:]
CHECKPOINT_S = 30.0  # between two states of a training that are kept
STEPS = {"training": "train_step", "training loss": "training_loss", "training gradient": "training_gradient"}
Report = Callable[[int, int], None]  # how many steps are done, of how many

runtime: Any = None  # the framework's, once it is imported
programs: dict[str, tuple[Any, tuple[Any, ...]]] = {}  # key -> program, its inputs on the device


def import_framework(framework: str, threads: int | None) -> Answer:
    """Import the framework: the first part of the cold start. NumPy is imported already.

    threads: None leaves every setting as it is installed.
    """
    global runtime
    start = time.perf_counter()
    runtime = impls.runtime(framework)
    seconds = time.perf_counter() - start
    runtime.configure(threads)
    gc.collect()
    gc.freeze()  # what was imported stays: no collection need look at it again
    return {
        "import": seconds,
        "device": runtime.device(),
        "layout": runtime.layout(),
        "versions": runtime.versions(),
        "measured_s": seconds,
    }


def load(key: str, phase: str, program: Answer, options: Answer, size: Answer, seed: int) -> Answer:
    """Build a program and call it for the first time, with the peak memory that this takes.

    Weights and inputs are there before the baseline is read and until the peak is read, so that they are no part of
    the increment; the framework's own copies are.
    """
    workload = program["workload"]
    arrays = impls.example(workload, PURPOSES.get(phase, "predict"), **size, **options, seed=seed)
    # Seeded in float64, of which a large batch would fill the memory that is measured.
    arrays = tuple(array.astype(np.float32) if array.dtype.kind == "f" else array for array in arrays)
    weights = impls.initial_weights(workload, **options, seed=seed) if phase != "boxes" else {}
    runtime.reset_peak_memory()
    before = memory.start()

    start = time.perf_counter()
    if phase == "boxes":
        built = impls.load_boxes(**program, image_size=size["image_size"])
    else:
        built = impls.load(**program, **options)
        built.load_weights(weights)
    runtime.synchronize()
    build = time.perf_counter() - start

    inputs = built.prepare(*arrays)
    if phase in GRADIENTS:
        (cotangent,) = built.prepare(*impls.example(workload, "cotangent", seed=seed))
        inputs = (built.record(phase, *inputs), cotangent)
        runtime.synchronize()
    call = _call(built, phase)
    start = time.perf_counter()
    call(*inputs)
    runtime.synchronize()
    first_call = time.perf_counter() - start

    peak_memory = memory.increment(before)
    peak_vram = runtime.peak_memory()
    process_vram = gpu_process.used_vram(os.getpid())["value"]
    programs[key] = (built, inputs)
    return {
        "build": build,
        "first_call": first_call,
        "peak_memory": peak_memory,
        "peak_vram": peak_vram,
        "process_vram": process_vram,
        "measured_s": build + first_call,
    }


def load_layer(key: str, program: Answer, size: Answer, layer: str, with_norm: bool, repeats: int) -> Answer:
    """Build the kernel that a layer of a model is, alone or with its batch norm and activation, and call it once."""
    from impls.kernels import catalogue

    work = impls.WORKLOADS[program["workload"]]
    facts = next(one for one in work.layers(image_size=size["image_size"]) if one.name == layer)
    case = (catalogue.of_layer_with_norm if with_norm else catalogue.of_layer)(facts, size["batch_size"])
    built = impls.load_kernel(case, program["framework"], program["mode"], repeats=repeats)
    built.load_weights(kernels.weights(case, 0))
    inputs = built.prepare(*(array for seed in range(repeats) for array in kernels.inputs(case, seed)))
    built.predict(*inputs)
    runtime.synchronize()
    programs[key] = (built, inputs)
    return {}


def load_pipeline(key: str, framework: str, images: Answer, workers: int) -> Answer:
    """Build a framework's input pipeline and prove it, in its first pass. images: the arguments of spec.plan."""
    from impls.pipelines import Pipeline, spec

    built = Pipeline(framework, spec.plan(**images), workers)
    programs[key] = (built, ())
    return built.prove()


def measure_pass(key: str) -> Answer:
    """One pass of an input pipeline."""
    pipeline, _ = programs[key]
    return pipeline.measure()


def load_call(key: str, program: Answer) -> Answer:
    """Build a kernel with next to no work, whose time is a call's own."""
    from impls.kernels.activation.cases import Case

    built = impls.load_kernel(Case("relu", 1, 1), program["framework"], program["mode"])
    programs[key] = (built, built.prepare(*kernels.inputs(built.case, 0)))
    return {}


def profile(key: str, framework: str, calls: int) -> Answer:
    """What the framework's own profiler says of a program's predict, operation by operation."""
    return {"operations": impls.profiler(framework).profile(*programs[key], calls)}


def load_reference(
    key: str, phase: str, program: Answer, num_classes: int, image_size: int, batch_size: int, seed: int
) -> Answer:
    """Build the public implementation of a model and call it for the first time: its multiply-accumulates."""
    from impls import references

    arrays = impls.example(program["workload"], PURPOSES[phase], image_size, batch_size, num_classes, seed)
    built = references.load(**program, num_classes=num_classes, image_size=image_size)
    inputs = built.prepare(*arrays)
    _call(built, phase)(*inputs)
    runtime.synchronize()
    programs[key] = (built, inputs)
    return {"macs": sum(built.macs(inputs[0][:1]))}


def warm_up(key: str, phase: str, calls: int) -> Answer:
    """Discarded calls, at least one: seconds of the last."""
    program, inputs = programs[key]
    call = _call(program, phase)
    for _ in range(max(calls, 1)):
        start = time.perf_counter()
        call(*inputs)
        runtime.synchronize()
    return {"seconds": time.perf_counter() - start}


def measure(key: str, phase: str, calls: int, settle_calls: int) -> Answer:
    """One turn: seconds of each call, from the call until the device has finished.

    Also the CPUs that were busy, and what was compiled meanwhile: nothing, if this is a steady state.
    """
    program, inputs = programs[key]
    call = _call(program, phase)
    for _ in range(settle_calls):
        call(*inputs)
    runtime.synchronize()
    gc.collect()
    gc.disable()
    compilations = runtime.compilations()
    started, cpu_s = time.monotonic(), time.process_time()
    samples = []
    try:
        for _ in range(calls):
            start = time.perf_counter()
            output = call(*inputs)
            runtime.synchronize()
            samples.append(time.perf_counter() - start)
            del output
    finally:
        gc.enable()
    cpus = (time.process_time() - cpu_s) / (time.monotonic() - started)
    compilations = runtime.compilations() - compilations
    figures = {"samples": samples, "started": started, "cpus": cpus, "compilations": compilations}
    return {**figures, "measured_s": sum(samples)}


def energy(key: str, phase: str, seconds: float) -> Answer:
    """A pass of its own: joules of each call, over as many calls as take so many seconds; None where nothing counts."""
    program, inputs = programs[key]
    call = _call(program, phase)
    meter, calls, end = Meter(), 0, time.monotonic() + seconds
    while calls == 0 or time.monotonic() < end:
        call(*inputs)
        runtime.synchronize()
        calls += 1
    joules = meter.joules(runtime.device())
    return {"energy": None if joules is None else joules / calls, "measured_s": seconds}


def slow_down(key: str, share: float) -> Answer:
    """Make every later call of a program longer by a share of its time: what a comparison should find."""
    program, inputs = programs[key]
    programs[key] = (Slowed(program, share), inputs)
    return {}


class Slowed:
    """A program whose calls are followed by so much waiting; the processor is busy meanwhile."""

    def __init__(self, program: Any, share: float) -> None:
        self._program = program
        self._share = share

    def predict(self, *inputs: Any) -> Any:
        """As the program's, but longer."""
        start = time.perf_counter()
        output = self._program.predict(*inputs)
        runtime.synchronize()
        end = time.perf_counter()
        while time.perf_counter() < end + self._share * (end - start):
            pass
        return output


def fit(program: Answer, recipe: Answer, seed: int, checkpoint: str, save: str, report: Report) -> Answer:
    """Train a fresh program by a recipe, or go on where its checkpoint was left; save its weights if `save` is a path.

    checkpoint: file that keeps the state every CHECKPOINT_S; it goes when the training is complete.
    """
    from impls.tasks import training

    chosen, split, built = _learner(program, recipe)
    unfinished = Path(checkpoint)
    kept = training.read_state(unfinished)
    if not kept:
        built.load_weights(impls.initial_weights(program["workload"], len(split.classes), seed, chosen.width))
    last = start = time.monotonic()

    def keep(step: int, state: Callable[[], training.State]) -> None:
        nonlocal last
        report(step, chosen.steps)
        if step < chosen.steps and time.monotonic() - last >= CHECKPOINT_S:
            write_npz(unfinished, state())
            last = time.monotonic()

    curve = training.train(program["workload"], built, runtime, split, chosen, seed, kept, keep)
    if save:
        write_npz(Path(save), built.weights())
    unfinished.unlink(missing_ok=True)
    return {
        **curve,
        "quality": training.quality(program["workload"], curve["scored"][-1]["scores"]),
        "to_target": training.seconds_to_target(program["workload"], curve, chosen.target),
        "epoch": curve["seconds"][-1] / chosen.steps * training.steps_per_epoch(split.train, chosen.batch_size),
        "measured_s": time.monotonic() - start,
    }


def evaluate(program: Answer, recipe: Answer, weights: str, outputs: str) -> Answer:
    """Scores of given weights on the held-out part, and how far all outputs are from those in a file.

    outputs: that file; the first program that is asked writes it. distance: the largest difference, relative to the
    largest output.
    """
    from impls.tasks import training

    chosen, split, built = _learner(program, recipe)
    with np.load(weights) as stored:
        built.load_weights(dict(stored))
    start = time.perf_counter()
    scores, found = training.evaluate(program["workload"], built, split, chosen)
    seconds = time.perf_counter() - start
    if not Path(outputs).exists():
        write_npz(Path(outputs), {str(number): array for number, array in enumerate(found)})
    with np.load(outputs) as stored:
        pairs = [(array, stored[str(number)]) for number, array in enumerate(found)]
    distance = max(float(np.abs(mine - first).max() / np.abs(first).max()) for mine, first in pairs)
    return {"scores": scores, "distance": distance, "measured_s": seconds}


def _learner(program: Answer, recipe: Answer) -> tuple[Any, Any, Any]:
    """The recipe, its data and a program that fits them, without weights."""
    from impls.tasks.data.registry import DATA_SETS
    from impls.tasks.recipes import Recipe

    chosen = Recipe(**recipe)
    split = DATA_SETS[chosen.data].load(chosen.image_size)
    return chosen, split, impls.load(**program, num_classes=len(split.classes), width=chosen.width)


def drop(key: str) -> Answer:
    """Forget a program and give its memory back."""
    programs.pop(key, None)
    gc.collect()
    return {}


REQUESTS = {
    request.__name__: request
    for request in (
        import_framework,
        load,
        load_layer,
        load_call,
        load_pipeline,
        measure_pass,
        load_reference,
        warm_up,
        measure,
        energy,
        slow_down,
        profile,
        fit,
        evaluate,
        drop,
    )
}
OUT_OF_MEMORY = ("out of memory", "can't allocate memory", "cannot allocate memory", "resource_exhausted", "oom when")


def failure(error: BaseException) -> Answer:
    """What went wrong, as it stands in the manifest: kind, and a message of one line."""
    text = str(error).strip().splitlines()
    message = f"{type(error).__name__}: {text[0]}" if text else type(error).__name__
    short = isinstance(error, MemoryError) or type(error).__name__ in ("OutOfMemoryError", "ResourceExhaustedError")
    short = short or any(words in str(error).lower() for words in OUT_OF_MEMORY)
    return {"kind": "out of memory" if short else "exception", "message": message}


def main() -> None:
    """Answer requests until the input closes. Arguments: a name, and a folder for temporary files, deleted then."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # nothing that a library prints may get between the answers
    requests: SimpleQueue[str] = SimpleQueue()
    threading.Thread(target=_read, args=(requests,), daemon=True).start()

    def say(answer: Answer) -> None:
        answers.write(json.dumps(answer) + "\n")
        answers.flush()

    while True:
        request = json.loads(requests.get())
        do = request.pop("do")
        if do == "fit":
            request["report"] = lambda done, total: say({"done": done, "total": total})
        try:
            say({"ok": REQUESTS[do](**request)})
        except Exception as error:
            traceback.print_exc()
            say({"error": failure(error)})


def _call(program: Any, phase: str) -> Callable[..., Any]:
    if phase in GRADIENTS:
        return program.gradient
    return getattr(program, STEPS.get(phase, "predict"))


def _read(requests: SimpleQueue[str]) -> None:
    # Blocked in a read while programs are timed, so it takes nothing from them.
    # Not through sys.stdin: what is forked while a thread reads that can never close it, as multiprocessing does first.
    for line in os.fdopen(os.dup(0)):
        requests.put(line)
    shutil.rmtree(sys.argv[2], ignore_errors=True)
    os.killpg(0, signal.SIGKILL)


if __name__ == "__main__":
    main()
