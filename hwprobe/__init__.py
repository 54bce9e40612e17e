"""What this machine has, whether that is enough for deep learning, and what spoils a benchmark on it.

Only the standard library is imported here; psutil and pynvml are, where they are needed. A framework is imported in a
process of its own alone, to measure the ceilings and to ask for its devices.
"""

import os
from collections.abc import Mapping
from typing import Any

from hwprobe.cpu import usable_cpus

SCHEMA_VERSION = 1

__all__ = ["SCHEMA_VERSION", "collect", "usable_cpus"]


def collect(
    root: str = "/", paths: Mapping[str, str | os.PathLike[str]] | None = None, with_frameworks: bool = False
) -> dict[str, Any]:
    """All facts, ready for JSON.

    `root`: the tree to read /proc and /sys in. `paths`: label -> path whose disk is wanted; the first one is judged.
    Only the labels are kept, for a path may name a user. The default is the current folder, and the user's cache and
    the results where these are on other file systems. `with_frameworks`: ask each framework for its devices, too,
    in a process of its own, which takes seconds.
    """
    from hwprobe import cpu, devices, disk, gpu, memory, software

    places = disk.usual_places(root) if paths is None else paths
    frameworks = {"frameworks": devices.collect()} if with_frameworks else {}
    return {
        "schema_version": SCHEMA_VERSION,
        "cpu": cpu.collect(root),
        "memory": memory.collect(root),
        "gpu": gpu.collect(root, frameworks.get("frameworks", {})),
        "disk": {label: disk.collect(path, root) for label, path in places.items()},
        "software": software.collect(root),
        **frameworks,
    }
