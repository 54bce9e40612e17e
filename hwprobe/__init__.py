"""What this machine has, whether that is enough for deep learning, and what spoils a benchmark on it.

Only the standard library is imported here; psutil and pynvml are, where they are needed. A framework is imported in a
process of its own alone, to measure the ceilings.
"""

import os
from collections.abc import Mapping
from typing import Any

from hwprobe.cpu import usable_cpus

SCHEMA_VERSION = 1

__all__ = ["SCHEMA_VERSION", "collect", "usable_cpus"]


def collect(root: str = "/", paths: Mapping[str, str | os.PathLike[str]] | None = None) -> dict[str, Any]:
    """All facts, ready for JSON.

    `root`: the tree to read /proc and /sys in. `paths`: label -> path whose disk is wanted; the first one is judged.
    Only the labels are kept, for a path may name a user. The default is the current folder.
    """
    from hwprobe import cpu, disk, gpu, memory, software

    places = {"current folder": "."} if paths is None else paths
    return {
        "schema_version": SCHEMA_VERSION,
        "cpu": cpu.collect(root),
        "memory": memory.collect(root),
        "gpu": gpu.collect(root),
        "disk": {label: disk.collect(path, root) for label, path in places.items()},
        "software": software.collect(root),
    }
