"""A short name for a kind of machine, the same after a restart, that tells nothing about whose machine it is.

An allow-list, not a scrub-list: only what is named here gets in. Never: host name, user, MAC, IP, serial number, UUID,
PCI address, paths.
"""

import hashlib
import json
import math
from collections.abc import Mapping
from typing import Any

from hwprobe.facts import Fact, Room, Value

SCHEMA_VERSION = 1  # of what is hashed: a change there raises it, for every machine then gets another name
_GIB = 2**30
# What differs from one moment to the next: a key with its unit -> the fact's name.
_OF_A_GPU = {
    "sm_clock_mhz": "sm_clock",
    "memory_clock_mhz": "memory_clock",
    "power_limit_watts": "power_limit",
    "free_vram_bytes": "vram_free",
}


def fingerprint(facts: Mapping[str, Any], conditions: Room | None = None) -> dict[str, Any]:
    """`stable`: the allowed facts of `hwprobe.collect`; `id`: 12 hexadecimal digits of their SHA-256; `volatile`: the
    state at this moment, which is not hashed. Null is unknown; the facts and `conditions` say why."""
    stable = _stable(facts)
    text = json.dumps(stable, sort_keys=True, separators=(",", ":"))
    return {
        "schema_version": SCHEMA_VERSION,
        "id": hashlib.sha256(text.encode()).hexdigest()[:12],
        "stable": stable,
        "volatile": _volatile(facts, conditions or {}),
    }


def _stable(facts: Mapping[str, Any]) -> dict[str, Any]:
    cpu, gpu = facts["cpu"], facts["gpu"]
    return {
        "cpu": cpu["model"]["value"],
        "physical_cores": cpu["physical"]["value"],
        "logical_cpus": cpu["logical"]["value"],
        "usable_cpus": cpu["usable"]["value"],
        "ram_gib": _gib(facts["memory"]["usable"]),
        "gpus": [{"name": device["name"]["value"], "vram_gib": _gib(device["vram"])} for device in gpu["devices"]],
        "gpu_driver": gpu["driver"]["value"],
        "os": facts["software"]["os"]["value"],
    }


def _volatile(facts: Mapping[str, Any], conditions: Room) -> dict[str, Any]:
    disk: Mapping[str, Fact] = next(iter(facts["disk"].values()), {})
    return {
        "load_1min_cpus": _value(conditions, "load_1min"),
        "available_ram_bytes": _value(facts["memory"], "available"),
        "free_disk_bytes": _value(disk, "free"),
        "on_battery": _value(conditions, "on_battery"),
        "cpu_clock_mhz": _value(conditions, "cpu_clock"),
        "cpu_temperature_celsius": _value(conditions, "cpu_temperature"),
        "gpus": [
            {
                **{key: _value(device, name) for key, name in _OF_A_GPU.items()},
                "temperature_celsius": _value(conditions, f"gpu{index}_temperature"),
            }
            for index, device in enumerate(facts["gpu"]["devices"])
        ],
    }


def _value(room: Mapping[str, Fact], name: str) -> Value:
    return room[name]["value"] if name in room else None


def _gib(fact: Fact) -> int | None:
    """Whole GiB, upwards as sizes are sold: the last megabytes differ from one kernel, or one start, to the next."""
    return math.ceil(fact["value"] / _GIB) if isinstance(fact["value"], int) else None
