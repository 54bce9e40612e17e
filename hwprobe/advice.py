"""Settings of the machine that make figures vary, and the commands that change them: printed, never run."""

from collections.abc import Iterator, Mapping
from typing import Any, TypedDict

from hwprobe.facts import Room, Value


class Advice(TypedDict):
    """A state of the machine (no event: those taint), and what to do, as a command where there is one."""

    condition: str
    reason: str
    remedy: str


def advise(facts: Mapping[str, Any], conditions: Room) -> list[Advice]:
    """What applies here, of what `hwprobe.collect` and `conditions.collect` returned. What is unknown has no advice."""
    nvidia = [device for device in facts["gpu"]["devices"] if device["vendor"]["value"] == "NVIDIA"]
    found = [*_of_cpu(conditions), *_of_gpus(nvidia)]
    return [Advice(condition=condition, reason=reason, remedy=remedy) for condition, reason, remedy in found]


def _of_cpu(conditions: Room) -> Iterator[tuple[str, str, str]]:
    value = {name: fact["value"] for name, fact in conditions.items()}
    governors, preferences = _texts(value.get("governor")), _texts(value.get("energy_preference"))
    if slow := [name for name in governors if name != "performance"]:
        reason = f"the CPU governor is {' and '.join(slow)}"
        yield "governor", reason, "sudo cpupower frequency-set -g performance"
    if saving := [name for name in preferences if "power" in name]:
        command = "echo performance | sudo tee /sys/devices/system/cpu/cpu*/cpufreq/energy_performance_preference"
        yield "energy preference", f"the CPU's energy preference is {' and '.join(saving)}", command
    if value.get("turbo") is True:
        reason = "turbo is on: the clock falls as the CPU warms up"
        if "intel_pstate" in conditions["turbo"]["source"]:
            yield "turbo", reason, "echo 1 | sudo tee /sys/devices/system/cpu/intel_pstate/no_turbo"
        else:
            yield "turbo", reason, "echo 0 | sudo tee /sys/devices/system/cpu/cpufreq/boost"
    if value.get("on_battery") is True:
        yield "battery", "the machine runs on its battery", "plug in the charger"


def _of_gpus(devices: list[Room]) -> Iterator[tuple[str, str, str]]:
    for index, device in enumerate(devices):
        gpu, value = f"GPU {index}", {name: fact["value"] for name, fact in device.items()}
        if value.get("persistence") is False:
            yield "GPU persistence", f"{gpu} has no persistence mode", f"sudo nvidia-smi -i {index} -pm 1"
        if value.get("display_active") is True:
            yield "GPU display", f"{gpu} also draws a display", "draw the display with another GPU"
        if value.get("mps") is True:
            yield "GPU shared", f"{gpu} is shared by MPS", "echo quit | sudo nvidia-cuda-mps-control"
        if value.get("mig") is True:
            yield "GPU slices", f"{gpu} is cut into MIG slices", f"sudo nvidia-smi -i {index} -mig 0"
        width, most = value.get("pcie_width"), value.get("pcie_width_max")
        if isinstance(width, int) and isinstance(most, int) and 0 < width < most:
            yield "GPU link", f"{gpu} has {width} of its {most} PCIe lanes", "move it to a wider slot"


def _texts(value: Value) -> list[str]:
    return value if isinstance(value, list) else []
