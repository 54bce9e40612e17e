"""`python -m suites.needs`: measures what each model needs, for hwprobe/needs.csv.

A need is the peak resident memory of a process that imports the framework, builds the model, and calls it three times.
On a GPU it is the framework's own peak there, and nothing else: the other figures are those of CPUs. A proof's need
(the phase "verification") is what the first framework's takes, with the reference results that it writes to the disk.
Each is measured in a process of its own; what is in the file already stays, so that an interrupted command goes on
where it was. Another machine's figures differ by little: the threads' own memory, and what an allocator keeps.
"""

import csv
import io
import os
import sys
import tempfile
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import psutil
import typer

import hwprobe
import impls
from hwprobe import gpu, needs
from hwprobe.needs import Need
from impls import equivalence
from suites import memory
from suites.files import write_atomically
from suites.profiles import QUICK
from suites.worker_process import WorkerError, imported

PHASES = ("inference", "training")
PRECISIONS = ("float32", "bfloat16")
BATCHES = (1, 8)
LAST = ("keras-jax",)  # whose compiling takes minutes a model
POLL_S = 0.1
Key = tuple[str, str, str, str, int]  # workload, phase, framework, precision, batch_size
# Its auxiliary head normalises one value a channel of an image, of which no framework takes a variance.
IMPOSSIBLE = {("inception_v3_aux", "training", 1)}


def wanted(models: Sequence[str]) -> list[Key]:
    """All that there is to measure, what matters most first."""

    def runs(precision: str, frameworks: Sequence[str]) -> list[Key]:
        return [
            (model, phase, framework, precision, batch_size)
            for model in models
            for phase in PHASES
            for batch_size in BATCHES
            for framework in frameworks
            if (model, phase, batch_size) not in IMPOSSIBLE
        ]

    first = [name for name in impls.FRAMEWORKS if name not in LAST]
    proofs: list[Key] = [(name, needs.VERIFICATION, equivalence.reference_framework(), "float64", 1) for name in models]
    others = [key for frameworks in (first, LAST) for precision in PRECISIONS for key in runs(precision, frameworks)]
    return list(dict.fromkeys([*runs(PRECISIONS[0], first), *proofs, *others]))


def missing(models: Sequence[str], found: Sequence[Need], on_gpu: bool) -> list[Key]:
    """What there still is to measure: the GPU's memory on a GPU, which proofs do not use, and elsewhere the RAM."""
    known = {need.key for need in found if (need.vram_bytes if on_gpu else need.ram_bytes) is not None}
    return [key for key in wanted(models) if key not in known and not (on_gpu and key[1] == needs.VERIFICATION)]


def added(found: Sequence[Need], new: Need) -> list[Need]:
    """The table with a need that was measured; a row may have one machine's RAM and another one's GPU memory."""
    old = next((need for need in found if need.key == new.key), new)
    others = [need for need in found if need.key != new.key]
    ram = old.ram_bytes if new.ram_bytes is None else new.ram_bytes
    vram = old.vram_bytes if new.vram_bytes is None else new.vram_bytes
    return [*others, new._replace(ram_bytes=ram, vram_bytes=vram)]


def measure(key: Key) -> Need:
    """Measure one need. Raises WorkerError if the framework fails."""
    return _proof(key) if key[1] == needs.VERIFICATION else _calls(key)


def _calls(key: Key) -> Need:
    workload, phase, framework, precision, batch_size = key
    mode, threads = QUICK.first_mode(framework), hwprobe.usable_cpus()
    model = impls.WORKLOADS[workload].model
    assert model
    program = {"workload": workload, "framework": framework, "mode": mode, "precision": precision}
    size = {"image_size": model.image_size, "batch_size": batch_size}
    request: dict[str, Any] = {"options": {"num_classes": model.num_classes}, "size": size, "seed": 0}
    with imported("needs", framework, threads, QUICK.timeout_s) as (worker, _):
        answer = worker.ask("load", QUICK.timeout_s, key="need", phase=phase, program=program, **request)
        worker.ask("warm_up", QUICK.timeout_s, key="need", phase=phase, calls=2)
        vram = answer["peak_vram"]
        ram = memory.peak(worker.pid) if vram is None else None
    return Need(workload, phase, framework, mode, precision, model.image_size, batch_size, ram, vram, None)


def _proof(key: Key) -> Need:
    workload, phase, framework, precision, batch_size = key
    model = impls.WORKLOADS[workload].model
    assert model
    peaks = {"ram": 0, "disk": 0}
    done = threading.Event()
    with tempfile.TemporaryDirectory(prefix="evenbench-") as folder:
        before = tempfile.gettempdir(), os.environ.get("XDG_CACHE_HOME")
        tempfile.tempdir = os.environ["XDG_CACHE_HOME"] = folder  # proves anew, and writes here
        watch = threading.Thread(target=_watch, args=(Path(folder), peaks, done))
        watch.start()
        try:
            (found,) = equivalence.verify([equivalence.ProgramName(workload, framework, "eager")])
        finally:
            done.set()
            watch.join()
            tempfile.tempdir = before[0]
            os.environ.pop("XDG_CACHE_HOME")
            os.environ.update({"XDG_CACHE_HOME": before[1]} if before[1] else {})
    if not found["passed"]:
        raise WorkerError("exception", found["error"] or "the proof failed", [])
    ram, disk = peaks["ram"], peaks["disk"]
    return Need(workload, phase, framework, "eager", precision, model.image_size, batch_size, ram, None, disk)


def _watch(folder: Path, peaks: dict[str, int], done: threading.Event) -> None:
    while not done.wait(POLL_S):
        files = [path for path in folder.rglob("*") if path.is_file()]
        peaks["disk"] = max(peaks["disk"], sum(_size(path) for path in files))
        children = psutil.Process().children()
        peaks["ram"] = max(peaks["ram"], sum(memory.peak(child.pid) or 0 for child in children))


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:  # gone meanwhile
        return 0


def save(found: list[Need]) -> None:
    """Replace the table, sorted, at once."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(Need._fields)
    writer.writerows(["" if value is None else value for value in need] for need in sorted(found, key=_order))
    write_atomically(needs.TABLE, lambda stream: stream.write(text.getvalue().encode()))


def _order(need: Need) -> tuple[Any, ...]:
    names = (list(impls.MODELS), need.workload), ((*PHASES, needs.VERIFICATION), need.phase)
    places = [known.index(name) for known, name in (*names, (impls.FRAMEWORKS, need.framework))]
    return (*places, need.precision, need.batch_size)


def main(
    models: Annotated[list[str] | None, typer.Argument(metavar="[MODEL]...", help="Default: all.")] = None,
) -> None:
    """Measure what models need, and add it to hwprobe/needs.csv. It takes hours; it goes on where it was.

    Exit codes: 0 done; 2 wrong usage; 3 something could not be measured, and is named.

    Example: python -m suites.needs resnet50
    """
    chosen = models or list(impls.MODELS)
    if strangers := [name for name in chosen if name not in impls.MODELS]:
        print(
            f"evenbench: no such model: {', '.join(strangers)} (there are {', '.join(impls.MODELS)})", file=sys.stderr
        )
        raise typer.Exit(2)
    found, failed = list(needs.load()), False
    on_gpu = any(device["vendor"]["value"] == "NVIDIA" for device in gpu.collect()["devices"])
    todo = missing(chosen, found, on_gpu)
    for number, key in enumerate(todo, start=1):
        title = " ".join(map(str, key))
        try:
            new = measure(key)
        except WorkerError as error:
            failed = True
            print(f"evenbench: {title}: {error.message}", file=sys.stderr, flush=True)
            continue
        found = added(found, new)
        save(found)
        print(f"{number}/{len(todo)} {title}: {(new.ram_bytes or new.vram_bytes or 0) / 2**30:.2f} GiB", flush=True)
    raise typer.Exit(3 if failed else 0)


if __name__ == "__main__":
    typer.run(main)
