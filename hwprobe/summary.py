"""What was found, in lines for people: a label and a text each."""

from collections.abc import Mapping
from typing import Any

from hwprobe import devices
from hwprobe.container import UNNAMED
from hwprobe.facts import Fact
from hwprobe.readiness import GB, GIB

_PACKAGES = ("torch", "tensorflow", "keras", "jax", "numpy")
_IN_USE = 64 << 20  # bytes of a GPU that others hold, below which it is the driver's own


def lines(facts: Mapping[str, Any]) -> list[tuple[str, str]]:
    """(label, text) of what `hwprobe.collect` returned; what is unknown is left out where nobody would miss it."""
    rows = [("CPU", _cpu(facts["cpu"]))]
    rows += [("Caches", caches)] if (caches := _caches(facts["cpu"])) else []
    rows += [("RAM", _ram(facts["memory"])), *_gpus(facts["gpu"])]
    rows += [("Disk", f"{_disk(disk)} ({label})") for label, disk in facts["disk"].items()]
    rows += [("System", _system(facts["software"]))]
    rows += [("Packages", ", ".join(f"{name} {text(facts['software'][name])}" for name in _PACKAGES))]
    return rows + _frameworks(facts)


def size(fact: Fact, unit: int) -> str:
    """Bytes as GiB or GB; "unknown" where they are."""
    if not isinstance(fact["value"], int | float):
        return "unknown"
    return f"{fact['value'] / unit:.1f} {'GB' if unit == GB else 'GiB'}"


def text(fact: Fact) -> str:
    """The value, or why it is unknown."""
    return str(fact["value"]) if fact["value"] is not None else str(fact["reason"])


def _cpu(cpu: Mapping[str, Fact]) -> str:
    quota = "" if cpu["quota"]["value"] is None else f", quota {cpu['quota']['value']:g} CPUs"
    counts = f"{text(cpu['physical'])} cores, {text(cpu['logical'])} threads{quota}; usable: {text(cpu['usable'])}"
    nodes = cpu["numa_nodes"]["value"]
    memory = f"; {nodes} NUMA nodes" if isinstance(nodes, int) and nodes > 1 else ""
    return f"{text(cpu['model'])}; {counts}{memory}"


def _caches(cpu: Mapping[str, Fact]) -> str:
    """As in: L1d 2 x 32 KiB, L2 2 x 1 MiB, L3 32 MiB."""
    parts = []
    for level in ("l1d", "l2", "l3"):
        amount, copies = cpu[f"{level}_cache"]["value"], cpu[f"{level}_copies"]["value"]
        if isinstance(amount, int):
            one = f"{amount / 2**20:g} MiB" if amount >= 2**20 else f"{amount / 2**10:g} KiB"
            parts.append(f"L{level[1:]} {f'{copies} x ' if copies != 1 else ''}{one}")
    return ", ".join(parts)


def _ram(memory: Mapping[str, Fact]) -> str:
    limit = "" if memory["limit"]["value"] is None else f", limited to {size(memory['limit'], GIB)}"
    return f"{size(memory['total'], GIB)}{limit}; {size(memory['available'], GIB)} available"


def _gpus(gpu: Mapping[str, Any]) -> list[tuple[str, str]]:
    rows = []
    for device in gpu["devices"]:
        memory = gpu["vram"] if len(gpu["devices"]) == 1 else device["vram"]  # frameworks may know a single one's
        rows.append(("GPU", f"{_gpu_name(device)}; {size(memory, GIB)}{_driver(gpu, device)}"))
        rows += [("", state)] if (state := _gpu_state(device)) else []
    if gpu["count"]["reason"]:
        rows.append(("GPU", f"unknown ({gpu['count']['reason']})"))
    return rows or [("GPU", "no GPU found")]


def _gpu_name(device: Mapping[str, Fact]) -> str:
    name = device["name"]
    return str(name["value"]) if name["value"] is not None else f"{text(device['vendor'])} ({name['reason']})"


def _driver(gpu: Mapping[str, Any], device: Mapping[str, Fact]) -> str:
    nvidia = device["vendor"]["value"] == "NVIDIA"
    return f"; driver {text(gpu['driver'])}, CUDA {text(gpu['cuda'])}" if nvidia else ""


def _gpu_state(device: Mapping[str, Fact]) -> str:
    """Clocks, power and PCIe, as far as they are known, and who else is there."""
    known: dict[str, Any] = {name: fact["value"] for name, fact in device.items() if fact["value"] is not None}
    parts = []
    for clock, label in (("sm_clock", "SM"), ("memory_clock", "memory")):
        if clock in known and f"{clock}_max" in known:
            parts.append(f"{label} {known[clock]} of {known[f'{clock}_max']} MHz")
    if "power_limit" in known:
        parts.append(f"{known['power_limit']:.0f} W")
    if "pcie_generation_max" in known and "pcie_width" in known:
        narrow = f" of {known['pcie_width_max']}" if known.get("pcie_width_max", 0) > known["pcie_width"] else ""
        parts.append(f"PCIe {known['pcie_generation_max']} x{known['pcie_width']}{narrow}")
    if known.get("vram_used_by_others", 0) > _IN_USE:
        parts.append(f"{size(device['vram_used_by_others'], GIB)} in use by others")
    if known.get("mig"):
        parts.append("cut into MIG slices")
    return "; ".join(parts)


def _disk(disk: Mapping[str, Fact]) -> str:
    kind = disk["kind"]["value"] or "kind unknown"
    return f"{size(disk['size'], GB)}, {kind}, {text(disk['filesystem'])}; {size(disk['free'], GB)} free"


def _system(software: Mapping[str, Fact]) -> str:
    names = ", ".join(text(software[name]) for name in ("os", "kernel", "python"))
    container, machine = software["container"]["value"], software["virtual_machine"]["value"]
    inside = [f"in {container}"] if container not in (None, "none") else []
    if machine not in (None, "none"):
        inside.append(f"in a virtual machine{f' ({machine})' if machine != UNNAMED else ''}")
    return ", ".join([names, *inside])


def _frameworks(facts: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What each framework sees, and in words where it does not see the GPU."""
    blind, rows = devices.blind(facts), []
    for framework, room in facts.get("frameworks", {}).items():
        seen = room["devices"]["value"]
        name = f" ({room['gpu_name']['value']})" if room["gpu_name"]["value"] else ""
        says = f"unknown ({room['devices']['reason']})" if seen is None else f"sees {', '.join(seen)}{name}"
        warning = f"; warn: {framework} does not see the GPU: {blind[framework]}" if framework in blind else ""
        rows.append((framework, f"{says}{warning}"))
    return rows
