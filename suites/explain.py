"""`evenbench explain`: a model's inference time against the sum of its kernels', layer by layer.

The model and, of each distinct layer, its kernels are measured in turns in one process: the operation alone, and with
the batch norm and the activation behind it, as the model uses it. A model is one call and its kernels are many: a
kernel is done several times in a call, each time on another input, so that threads need not wake up for each; and the
cost of a call, that of a kernel with next to no work, is taken from its time. What is left of the model's
time is overhead: what lies between the layers (pooling, sums, concatenation) and the framework's own. Where the
framework has a profiler, it is asked what it makes of the same layers.
"""

import random
import sys
from dataclasses import dataclass
from typing import Any

import numpy as np

import hwprobe
import impls
from hwprobe import ceilings
from impls.kernels import FORWARD, catalogue
from impls.layers import Layer
from suites import intervals
from suites.choices import check_installed, mode_of, one_of
from suites.profiles import QUICK
from suites.worker_process import WorkerError, WorkerProcess, imported

MODEL, CALL = "model", "call"
SHORTEST = 1e-6  # seconds; no kernel takes less
BLOCKS = 9
CALLS = 2
REPEATS = 4  # of a kernel in one call
SETTLE_CALLS = 2  # discarded at the start of a turn: threads wake up, caches fill
PROFILED_CALLS = 5
CEILING_SECONDS = 0.5  # of each framework's matrix product, and of its passes through memory
Found = dict[str, Any]


@dataclass(frozen=True)
class Rows:
    """The layers of a model that are the same kernel."""

    layers: list[Layer]
    batch_size: int

    @property
    def case(self) -> Any:
        """The operation alone."""
        return catalogue.of_layer(self.layers[0], self.batch_size)

    @property
    def key(self) -> str:
        """Its name among what is loaded."""
        return self.layers[0].name


def check(model: str, framework: str, mode: str, image_size: int | None) -> tuple[str, str, str, int]:
    """What to explain, complete. Raises ValueError, one line that names what there is."""
    work = impls.WORKLOADS[one_of("model", model, impls.MODELS)]
    check_installed(one_of("framework", framework, impls.FRAMEWORKS))
    mode = mode_of(framework, mode, QUICK.first_mode(framework))
    assert work.model
    image_size = work.model.image_size if image_size is None else image_size
    work.check_image_size(image_size)
    return model, framework, mode, image_size


def explain(model: str, framework: str, mode: str, image_size: int, batch_size: int) -> Found:
    """Measure, and give what `show` shows. Raises WorkerError if the framework fails."""
    work, threads = impls.WORKLOADS[model], hwprobe.usable_cpus()
    rows = distinct(work.layers(image_size=image_size), batch_size)
    peaks = ceilings.measure(threads, budget_s=CEILING_SECONDS)
    program = {"workload": model, "framework": framework, "mode": mode}
    size = {"image_size": image_size, "batch_size": batch_size}
    with imported("explain", framework, threads, QUICK.timeout_s) as (worker, _):
        keys = _load(worker, program, size, rows)
        samples = _measure(worker, keys)
        profile = _profile(worker, framework)
    return account(program | size | {"threads": threads}, rows, samples, profile, peaks)


def distinct(layers: list[Layer], batch_size: int) -> list[Rows]:
    """The layers of evaluation mode, those together that are the same kernel and have the same behind it."""
    found: dict[Any, list[Layer]] = {}
    for layer in layers:
        if not layer.in_training_only:
            kernel = (catalogue.of_layer(layer, batch_size), catalogue.of_layer_with_norm(layer, batch_size))
            found.setdefault(kernel, []).append(layer)
    return [Rows(same, batch_size) for same in found.values()]


def _load(worker: WorkerProcess, program: Found, size: Found, rows: list[Rows]) -> dict[str, str]:
    """Load the model and every kernel: key -> phase."""
    worker.ask("load", QUICK.timeout_s, key=MODEL, phase="inference", program=program, options={}, size=size, seed=0)
    worker.ask("load_call", QUICK.timeout_s, key=CALL, program=program)
    keys = {MODEL: "inference", CALL: FORWARD}
    for number, row in enumerate(rows):
        for kind in ("alone", "with norm"):
            key = f"{kind} {number}"
            request: Found = {
                "program": program,
                "size": size,
                "layer": row.key,
                "with_norm": kind == "with norm",
                "repeats": REPEATS,
            }
            worker.ask("load_layer", QUICK.timeout_s, key=key, **request)
            keys[key] = FORWARD
    for key, phase in keys.items():
        worker.ask("warm_up", QUICK.timeout_s, key=key, phase=phase, calls=2)
    return keys


def _measure(worker: WorkerProcess, keys: dict[str, str]) -> dict[str, list[float]]:
    """Key -> the median of each block's calls; in each block all take their turn, in random order."""
    order = random.Random(0)
    samples: dict[str, list[float]] = {key: [] for key in keys}
    for _ in range(BLOCKS):
        for key in order.sample(list(keys), len(keys)):
            turn = worker.ask(
                "measure", QUICK.timeout_s, key=key, phase=keys[key], calls=CALLS, settle_calls=SETTLE_CALLS
            )
            samples[key].append(float(np.median(turn["samples"])))
    return samples


def _profile(worker: WorkerProcess, framework: str) -> Found:
    """What the framework's own profiler says of the model, or why it says nothing."""
    try:
        request: Found = {"framework": framework, "calls": PROFILED_CALLS}
        return worker.ask("profile", QUICK.timeout_s, key=MODEL, **request)
    except WorkerError as error:
        return {"reason": error.message}


def account(facts: Found, rows: list[Rows], samples: dict[str, list[float]], profile: Found, peaks: Found) -> Found:
    """Predicted against measured, with the 95 % bootstrap interval of the median where a figure stands alone."""
    model = float(np.median(samples[MODEL]))
    layers = [_layer(number, row, samples, peaks) for number, row in enumerate(rows)]
    attributed = attribute(profile.get("operations", []), rows)
    for number, layer in enumerate(layers):
        layer["profiled_s"] = attributed["layers"].get(number)
    predicted = sum(layer["total_s"] for layer in layers)
    return {
        **facts,
        "call_s": float(np.median(samples[CALL])),
        "model_s": model,
        "model_interval_s": intervals.of_median(samples[MODEL]),
        "predicted_s": predicted,
        "overhead_s": model - predicted,
        "layers": layers,
        "profiler": {
            "reason": profile.get("reason"),
            "layers_s": sum(attributed["layers"].values()) if attributed["layers"] else None,
            "between_s": attributed["between"],
        },
        "ceilings": peaks,
    }


def _layer(number: int, row: Rows, samples: dict[str, list[float]], peaks: Found) -> Found:
    call = float(np.median(samples[CALL]))
    alone, with_norm = (float(np.median(samples[f"{kind} {number}"])) for kind in ("alone", "with norm"))
    # Noise can make a kernel of next to no work look faster than a call of none.
    alone, with_norm = (max((seconds - call) / REPEATS, SHORTEST) for seconds in (alone, with_norm))
    count, rate = len(row.layers), row.case.operations / alone
    peak = ceilings.peak_flops(peaks, "float32")
    return {
        "layers": [layer.name for layer in row.layers],
        "kernel": catalogue.shape_name(row.case),
        "activation": row.layers[0].activation,
        "count": count,
        "macs": count * row.case.macs,
        "alone_s": alone,
        "with_norm_s": with_norm,
        "total_s": count * with_norm,
        "flops_per_s": rate,
        "share_of_ceiling": rate / peak["flops_per_s"] if peak else None,
    }


def attribute(operations: list[Found], rows: list[Rows]) -> Found:
    """The profiler's seconds by row of layers, and by name of what lies between them.

    An operation belongs to the rows whose input and weight have its layer's shapes; where several have (they differ in
    what follows, or in their stride), it is shared out by how many layers each has.
    """
    shapes: dict[str, list[int]] = {}
    for number, row in enumerate(rows):
        weight = list(row.case.weights["weight"].shape)
        for shape in _input_shapes(row.case):
            shapes.setdefault(str([list(shape), weight]), []).append(number)
    layers: dict[int, float] = {}
    between: dict[str, float] = {}
    for operation in operations:
        mine = shapes.get(str([operation.get("input"), operation.get("weight")]), [])
        if not mine:
            between[operation["name"]] = between.get(operation["name"], 0.0) + operation["seconds"]
        count = sum(len(rows[number].layers) for number in mine)
        for number in mine:
            share = operation["seconds"] * len(rows[number].layers) / count
            layers[number] = layers.get(number, 0.0) + share
    return {"layers": layers, "between": between}


def _input_shapes(case: Any) -> set[tuple[int, ...]]:
    """What a layer may see: its input, and that with its padding, where padding is an operation of its own."""
    ((images, *sides, channels),) = case.inputs
    padding = getattr(case, "padding", ())
    padded = (size + 2 * p for size, p in zip(sides, padding, strict=True))
    return {(images, *sides, channels), (images, *padded, channels)}


def show(found: Found) -> None:
    """The account as a table: the costliest layers first."""
    from rich import box
    from rich.console import Console
    from rich.table import Table

    console = Console(width=None if sys.stdout.isatty() else 140)
    size = f"{found['image_size']} px, batch_size {found['batch_size']}"
    title = f"{found['workload']}, {found['framework']} {found['mode']}, {size}"
    # Lean, so that 80 columns hold it.
    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)
    table.add_column("First layer,\nlayers x kernel", overflow="fold", min_width=18)
    for column in ("Kernel\nms", "with\nnorm", "all\nms", "Share", "GFLOP/s", "of\nceiling", "Profiler\nms"):
        table.add_column(column, justify="right", no_wrap=True)
    for layer in sorted(found["layers"], key=lambda layer: -layer["total_s"]):
        table.add_row(*_cells(layer, found["model_s"]))
    console.print(table)
    for line in summary(found):
        console.print(line)


def _cells(layer: Found, model_s: float) -> list[str]:
    share = layer["share_of_ceiling"]
    return [
        f"{layer['layers'][0]}\n[dim]{layer['count']} x {layer['kernel']}[/dim]",
        f"{layer['alone_s'] * 1e3:.3f}",
        f"{layer['with_norm_s'] * 1e3:.3f}",
        f"{layer['total_s'] * 1e3:.2f}",
        f"{layer['total_s'] / model_s:.1%}",
        f"{layer['flops_per_s'] / 1e9:.1f}",
        "unknown" if share is None else f"{share:.0%}",
        "n/a" if layer["profiled_s"] is None else f"{layer['profiled_s'] * 1e3:.2f}",
    ]


def summary(found: Found) -> list[str]:
    """What the table says in words."""
    model, predicted = found["model_s"], found["predicted_s"]
    low, high = found["model_interval_s"]
    lines = [
        f"model      {model * 1e3:8.2f} ms [{low * 1e3:.2f}, {high * 1e3:.2f}]",
        f"predicted  {predicted * 1e3:8.2f} ms, the sum of its kernels: {predicted / model:.0%} "
        f"(a call's {found['call_s'] * 1e3:.3f} ms are taken from each)",
        f"overhead   {found['overhead_s'] * 1e3:8.2f} ms: {found['overhead_s'] / model:.0%}",
    ]
    profiler = found["profiler"]
    if profiler["layers_s"] is None:
        return [*lines, f"profiler   n/a: {profiler['reason'] or 'it saw no layer'}"]
    layers, between = profiler["layers_s"], profiler["between_s"]
    lines.append(
        f"profiler   {layers * 1e3:8.2f} ms in layers, {layers / predicted:.2f} of the prediction; "
        f"{sum(between.values()) * 1e3:.2f} ms between them"
    )
    largest = sorted(between.items(), key=lambda item: -item[1])[:5]
    return [*lines, "           " + ", ".join(f"{name} {seconds * 1e3:.2f} ms" for name, seconds in largest)]
