"""All GPUs: NVIDIA's by NVML, AMD's and Intel's by /sys, Apple's by the system; and what frameworks alone know."""

from collections.abc import Mapping
from typing import Any

from hwprobe import gpu_nvidia, gpu_sysfs, system
from hwprobe.facts import Fact, Room, at_least, known, known_or, unknown
from hwprobe.files import clean


def collect(root: str = "/", frameworks: Mapping[str, Room] | None = None) -> dict[str, Any]:
    """`count`, `vram` (bytes of the largest single GPU: a model runs on one), `driver` and `cuda` (NVIDIA's), and in
    `devices` a room per GPU, which says its vendor.

    `frameworks`, as hwprobe.devices collects them, know sizes that drivers do not tell. Only `vram` heeds them: rooms
    and fingerprint are the same whether frameworks are asked or not.
    """
    nvidia = gpu_nvidia.collect(bool(gpu_sysfs.on_the_bus(gpu_sysfs.NVIDIA, root)))
    others = gpu_sysfs.collect(root) + _apple(root)
    count = _count(nvidia["count"], len(others), root)
    devices = nvidia["devices"] + others
    sizes = [device["vram"] for device in devices if not _shares_memory(device)] or [d["vram"] for d in devices]
    if len(sizes) == 1:
        sizes = [_told_by(frameworks or {}, sizes[0])]
    # A count that is unknown, or may be larger, says the same of the largest size.
    open_ = [Fact(value=None, unit="bytes", source=count["source"], reason=count["reason"])] if count["reason"] else []
    return {
        "count": count,
        "driver": nvidia["driver"],
        "cuda": nvidia["cuda"],
        "vram": _largest(open_ + sizes) if open_ + sizes else {**count, "unit": "bytes"},
        "devices": devices,
    }


def _count(nvidia: Fact, others: int, root: str) -> Fact:
    """Of all vendors. On Windows, and on a Mac with an Intel processor, only NVIDIA's can be counted."""
    if nvidia["value"] is None:
        return nvidia if not others else at_least(others, nvidia["source"], str(nvidia["reason"]), "count")
    count = int(nvidia["value"]) + others  # type: ignore[arg-type]
    if count == 0 and system.is_here(root) and (name := system.ask("system")) in ("Windows", "Darwin"):
        return at_least(count, nvidia["source"], f"{name} tells nothing of other vendors' GPUs", "count")
    return {**nvidia, "value": count, "unit": "count"}


def _apple(root: str) -> list[Room]:
    """The one GPU of a Mac with Apple's own processor."""
    if not system.is_here(root) or (system.ask("system"), system.ask("architecture")) != ("Darwin", "arm64"):
        return []
    source = "platform"
    reason = "the GPU has no memory of its own, and how much RAM it may take is not told"
    return [
        {
            "vendor": known("Apple", source),
            "name": known_or(clean(system.ask("processor")), "the system does not name it", source),
            "vram": unknown(reason, source, "bytes"),
            "unified": known(True, source),
        }
    ]


def _told_by(frameworks: Mapping[str, Room], size: Fact) -> Fact:
    """A single GPU's memory from a framework where its driver is silent: of one cut into slices (MIG) the framework
    sees the slice that it may use, and of one without memory of its own the share of the RAM."""
    told = [room["gpu_memory"] for room in frameworks.values() if room["gpu_memory"]["value"] is not None]
    return told[0] if told and size["value"] is None else size


def _shares_memory(device: Room) -> bool:
    """Whether the GPU lives on RAM and tells not on how much: beside a card with memory of its own it counts not."""
    return device["unified"]["value"] is True and device["vram"]["value"] is None


def _largest(sizes: list[Fact]) -> Fact:
    """The largest known size; a floor where some GPU did not tell its own."""
    readable = [size for size in sizes if size["value"] is not None]
    if not readable:
        return sizes[0]
    best = max(readable, key=lambda size: size["value"])  # type: ignore[arg-type, return-value]
    if len(readable) == len(sizes):
        return best
    missing = len(sizes) - len(readable)
    return at_least(best["value"], best["source"], f"{missing} of {len(sizes)} GPUs did not tell its memory", "bytes")
