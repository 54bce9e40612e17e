"""What spoils a benchmark on an NVIDIA GPU, asked of its driver before, while and after it runs: heat, other programs,
memory errors. What does not change while it runs stands in the facts (hwprobe/gpu_nvidia.py)."""

from collections.abc import Callable, Collection
from typing import Any

from hwprobe.facts import Fact, Room, unknown
from hwprobe.gpu_nvidia import ask, library
from hwprobe.gpu_process import hidden

# Of nvml.h. A software power cap (0x4) is no fault: the card runs as it is sold.
_SLOWED = {0x8: "a hardware slowdown", 0x20: "heat", 0x40: "heat", 0x80: "its power supply"}


def collect(own: Collection[int], root: str = "/") -> Room:
    """A few facts of each GPU, as "gpu0_slowed_by"; none where no GPU can be asked.

    own: the processes that are not others. Where these have other numbers than NVML's, in a container, it is unknown
    whose programs are on a GPU.
    """
    nvml, _ = library()
    if nvml is None:
        return {}
    count = ask("nvmlDeviceGetCount", nvml.nvmlDeviceGetCount)["value"]
    facts: Room = {}
    for index in range(count if isinstance(count, int) else 0):
        room = _device(nvml, index) | _programs(nvml, index, set(own), hidden(root))
        facts |= {f"gpu{index}_{name}": fact for name, fact in room.items()}
    return facts


def _device(nvml: Any, index: int) -> Room:
    def get(name: str, convert: Callable[[Any], Any], *more: Any, unit: str | None = None) -> Fact:
        return ask(name, lambda: convert(getattr(nvml, name)(nvml.nvmlDeviceGetHandleByIndex(index), *more)), unit)

    slowed = get("nvmlDeviceGetCurrentClocksEventReasons", _slowed_by)
    if slowed["value"] is None:  # its name before driver 535
        slowed = get("nvmlDeviceGetCurrentClocksThrottleReasons", _slowed_by)
    return {
        "slowed_by": slowed,
        "thermal_time": get(
            "nvmlDeviceGetViolationStatus",
            lambda status: status.violationTime / 1e9,
            nvml.NVML_PERF_POLICY_THERMAL,
            unit="seconds",
        ),
        "temperature": get("nvmlDeviceGetTemperature", int, nvml.NVML_TEMPERATURE_GPU, unit="degrees Celsius"),
        "memory_errors": get(
            "nvmlDeviceGetTotalEccErrors",
            int,
            nvml.NVML_MEMORY_ERROR_TYPE_UNCORRECTED,
            nvml.NVML_VOLATILE_ECC,
            unit="count",
        ),
    }


def _programs(nvml: Any, index: int, own: set[int], why_hidden: str | None) -> Room:
    """How many programs on the GPU are own ones, and how many are others'."""
    source = "nvmlDeviceGetComputeRunningProcesses"

    def pids() -> set[int]:
        device = nvml.nvmlDeviceGetHandleByIndex(index)
        return {process.pid for process in nvml.nvmlDeviceGetComputeRunningProcesses(device)}

    if why_hidden:
        return dict.fromkeys(("own_programs", "other_programs"), unknown(why_hidden, source, "count"))
    return {
        "own_programs": ask(source, lambda: len(pids() & own), "count"),
        "other_programs": ask(source, lambda: len(pids() - own), "count"),
    }


def _slowed_by(bits: int) -> list[str]:
    return sorted({text for bit, text in _SLOWED.items() if bits & bit})
