"""A short name for a kind of machine, the same after a restart, that tells nothing about whose machine it is.

An allow-list, not a scrub-list: only what is named here gets in. Never: host name, user, MAC, IP, serial number, UUID,
PCI address, paths.
"""

import hashlib
import json
import math
from collections.abc import Mapping
from typing import Any

from hwprobe.facts import Fact

_GIB = 2**30


def fingerprint(facts: Mapping[str, Any]) -> dict[str, Any]:
    """`stable`: the allowed facts of `hwprobe.collect`; `id`: 12 hexadecimal digits of their SHA-256."""
    cpu, gpu = facts["cpu"], facts["gpu"]
    stable = {
        "cpu": cpu["model"]["value"],
        "physical_cores": cpu["physical"]["value"],
        "logical_cpus": cpu["logical"]["value"],
        "usable_cpus": cpu["usable"]["value"],
        "ram_gib": _gib(facts["memory"]["usable"]),
        "gpus": [{"name": device["name"]["value"], "vram_gib": _gib(device["vram"])} for device in gpu["devices"]],
        "gpu_driver": gpu["driver"]["value"],
        "os": facts["software"]["os"]["value"],
    }
    text = json.dumps(stable, sort_keys=True, separators=(",", ":"))
    return {"id": hashlib.sha256(text.encode()).hexdigest()[:12], "stable": stable}


def _gib(fact: Fact) -> int | None:
    """Whole GiB, upwards as sizes are sold: the last megabytes differ from one kernel, or one start, to the next."""
    return math.ceil(fact["value"] / _GIB) if isinstance(fact["value"], int) else None
