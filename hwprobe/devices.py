"""Which devices each framework itself sees: `python -m hwprobe.devices FRAMEWORK` asks one of them.

A driver that works is not enough: a framework built for CPUs sees no GPU. Each is imported in a process of its own,
through its hwprobe/devices_<framework>.py, which have the same function; Keras sees what its backend sees.
"""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from pathlib import Path
from typing import Any, TypedDict

from hwprobe.facts import Room, known_or, unknown
from hwprobe.files import clean, one_line

TWINS = {"torch": "pytorch", "tensorflow": "tensorflow", "jax": "jax"}  # package -> the end of its file's name
PATIENCE_S = 60  # for an import that reads gigabytes from a cold disk
_FACTS = {"devices": None, "gpu_name": None, "gpu_memory": "bytes"}  # name -> unit


class Answer(TypedDict):
    """What a framework tells. None is what it does not know."""

    devices: list[str]  # in its own order: "cpu", "cuda:0"
    gpu_name: str | None  # of the first GPU
    gpu_memory: int | None  # bytes that it may use of the largest one


def collect(timeout_s: float = PATIENCE_S) -> dict[str, Room]:
    """Per framework that is installed its devices and the GPU that it sees, all asked at once.

    What dies, hangs for `timeout_s` or answers nonsense is unknown, with the reason.
    """
    from hwprobe import software

    versions = software.collect()
    names = [name for name in TWINS if versions[name]["value"] is not None]
    with ThreadPoolExecutor(max_workers=len(TWINS)) as pool:
        return dict(zip(names, pool.map(lambda name: _ask(name, timeout_s), names), strict=True))


def blind(facts: Mapping[str, Any]) -> dict[str, str]:
    """Framework -> why it does not see the GPU that the machine has; of `hwprobe.collect`'s facts with frameworks."""
    vendors = {gpu["vendor"]["value"] for gpu in facts["gpu"]["devices"]} - {"Intel"}  # theirs are mostly a screen's
    found = {}
    for framework, room in facts.get("frameworks", {}).items():
        devices, build = room["devices"]["value"], facts["software"][f"{framework}_build"]["value"]
        if vendors and devices is not None and set(devices) <= {"cpu"}:
            found[framework] = _why(build, vendors)
    return found


def _why(build: str | None, vendors: set[str]) -> str:
    if build == "CPU":
        return "its build is for CPUs"
    if build is not None and vendors.isdisjoint(_VENDORS.get(build.split()[0], vendors)):
        return f"its build is for {build}"
    if os.environ.get("CUDA_VISIBLE_DEVICES") in ("", "-1"):
        return "CUDA_VISIBLE_DEVICES hides it"
    return f"its build is for {build}; see that the driver is new enough"


_VENDORS = {"CUDA": {"NVIDIA"}, "ROCm": {"AMD"}, "Metal": {"Apple"}, "XPU": {"Intel"}}


def _ask(framework: str, timeout_s: float) -> Room:
    source = f"import {framework}"
    answer, reason = _in_a_process(framework, timeout_s)
    if answer is None:
        return {name: unknown(reason, source, unit) for name, unit in _FACTS.items()}
    return {name: known_or(answer.get(name), "it does not tell", source, unit) for name, unit in _FACTS.items()}


def _in_a_process(framework: str, timeout_s: float) -> tuple[dict[str, Any] | None, str]:
    """What the framework's process told, or None and why."""
    command, here = [sys.executable, "-m", "hwprobe.devices", framework], Path(__file__).parents[1]
    try:
        done = subprocess.run(command, cwd=here, capture_output=True, text=True, errors="replace", timeout=timeout_s)
    except subprocess.TimeoutExpired:
        return None, f"no answer after {timeout_s:.0f} s"
    except OSError as error:
        return None, f"no process could be started: {error.strerror}"
    if done.returncode < 0:
        return None, f"its process was ended by {signal.Signals(-done.returncode).name}"
    if done.returncode:
        return None, one_line(done.stderr.strip().rpartition("\n")[2]) or f"exit code {done.returncode}"
    try:
        return dict(json.loads(done.stdout)), ""
    except (TypeError, ValueError):
        return None, "its answer is no JSON"


def main(framework: str) -> None:
    """Import one framework and print its Answer as JSON."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what a library prints must not stand between
    answer: Answer = import_module(f"hwprobe.devices_{TWINS[framework]}").answer()
    name = clean(answer["gpu_name"])
    print(json.dumps({**answer, "gpu_name": name}), file=answers, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
