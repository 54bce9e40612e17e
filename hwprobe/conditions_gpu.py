"""What spoils a benchmark on an NVIDIA GPU, asked of its driver before, while and after it runs: heat, other programs,
memory errors. What does not change while it runs stands in the facts (hwprobe/gpu_nvidia.py)."""

from collections.abc import Callable, Collection
from functools import cache
from typing import Any

from hwprobe.facts import Fact, Room
from hwprobe.gpu_nvidia import ask

# Of nvml.h. A software power cap (0x4) is no fault: the card runs as it is sold.
_SLOWED = {0x8: "a hardware slowdown", 0x20: "heat", 0x40: "heat", 0x80: "its power supply"}


def collect(own: Collection[int]) -> Room:
    """A few facts of each GPU, as "gpu0_slowed_by"; none where no GPU can be asked.

    own: the processes that are not others. In a container NVML numbers processes as the host does, and none is found.
    """
    nvml = _library()
    if nvml is None:
        return {}
    count = ask("nvmlDeviceGetCount", nvml.nvmlDeviceGetCount)["value"]
    facts: Room = {}
    for index in range(count if isinstance(count, int) else 0):
        facts |= {f"gpu{index}_{name}": fact for name, fact in _device(nvml, index, own).items()}
    return facts


@cache
def _library() -> Any:
    """NVML, left open: opening it takes longer than all that is asked of it."""
    try:
        import pynvml  # here, because it costs 30 ms

        pynvml.nvmlInit()
    except Exception:  # see gpu_nvidia.ask; the facts say why
        return None
    return pynvml


def _device(nvml: Any, index: int, own: Collection[int]) -> Room:
    def get(name: str, convert: Callable[[Any], Any], *more: Any, unit: str | None = None) -> Fact:
        return ask(name, lambda: convert(getattr(nvml, name)(nvml.nvmlDeviceGetHandleByIndex(index), *more)), unit)

    def pids() -> set[int]:
        device = nvml.nvmlDeviceGetHandleByIndex(index)
        return {process.pid for process in nvml.nvmlDeviceGetComputeRunningProcesses(device)}

    processes = "nvmlDeviceGetComputeRunningProcesses"
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
        "own_programs": ask(processes, lambda: len(pids() & set(own)), "count"),
        "other_programs": ask(processes, lambda: len(pids() - set(own)), "count"),
        "memory_errors": get(
            "nvmlDeviceGetTotalEccErrors",
            int,
            nvml.NVML_MEMORY_ERROR_TYPE_UNCORRECTED,
            nvml.NVML_VOLATILE_ECC,
            unit="count",
        ),
    }


def _slowed_by(bits: int) -> list[str]:
    return sorted({text for bit, text in _SLOWED.items() if bits & bit})
