"""NVIDIA's GPUs, asked of the driver's own library (NVML). Each question is asked alone: one without an answer - an old
driver, a card without the feature, a missing symbol - leaves one fact unknown and the others standing."""

import os
from collections.abc import Callable
from functools import cache
from typing import Any

from hwprobe.facts import Fact, Room, known, unknown
from hwprobe.files import clean

# Of nvml.h; the bits mean the same in every driver. A software power cap is no fault: the card runs as it is sold.
_REASONS = {
    0x1: "idle",
    0x2: "clocks set by the user",
    0x4: "power cap",
    0x8: "hardware slowdown",
    0x10: "sync boost",
    0x20: "heat (software)",
    0x40: "heat (hardware)",
    0x80: "power brake",
    0x100: "display clock",
}


def collect(is_on_the_bus: bool) -> dict[str, Any]:
    """`count`, `driver`, `cuda` and a room per GPU in `devices`, in NVML's order, which need not be CUDA's.

    is_on_the_bus: whether such a GPU is there, so that a missing library says nothing of its absence.
    """
    nvml, count = _open(is_on_the_bus)
    if nvml is None:
        absent = unknown(count["reason"] or "no driver", count["source"])
        return {"count": count, "driver": absent, "cuda": absent, "devices": []}
    try:
        count = ask("nvmlDeviceGetCount", nvml.nvmlDeviceGetCount, "count")
        return {
            "count": count,
            "driver": ask("nvmlSystemGetDriverVersion", lambda: clean(nvml.nvmlSystemGetDriverVersion())),
            "cuda": ask("nvmlSystemGetCudaDriverVersion", lambda: _cuda(nvml.nvmlSystemGetCudaDriverVersion())),
            "devices": [_device(nvml, index) for index in range(count["value"] or 0)],  # type: ignore[arg-type]
        }
    finally:
        ask("nvmlShutdown", nvml.nvmlShutdown)


def ask(source: str, call: Callable[[], Any], unit: str | None = None) -> Fact:
    """One answer of NVML; whatever it raises is an unknown with the reason."""
    try:
        return known(call(), source, unit)
    except Exception as error:  # NVMLLibraryMismatchError is no NVMLError, and a missing symbol is neither
        return unknown(_why(error), source, unit)


@cache
def library() -> tuple[Any, str | None]:
    """NVML, left open, for those who ask often: opening it takes longer than a question. Or None, and why."""
    try:
        import pynvml  # here, because it costs 30 ms

        pynvml.nvmlInit()
    except Exception as error:  # see ask
        return None, _why(error)
    return pynvml, None


def _open(is_on_the_bus: bool) -> tuple[Any, Fact]:
    """The initialised library; or None and the number of GPUs, which is none or unknown."""
    try:
        import pynvml  # here, because it costs 30 ms

        pynvml.nvmlInit()
        return pynvml, known(None, "nvmlInit")
    except Exception as error:  # see ask
        if type(error).__name__ != "NVMLError_LibraryNotFound":
            return None, unknown(_why(error), "nvmlInit", "count")
    if is_on_the_bus:
        reason = "an NVIDIA GPU is on the PCI bus, but its driver's library is not installed"
        return None, unknown(reason, "/sys/bus/pci/devices", "count")
    return None, known(0, "NVML is not installed", "count")


def _device(nvml: Any, index: int) -> Room:
    def handle() -> Any:  # fetched at each use: where it cannot be had, every fact says so for itself
        return nvml.nvmlDeviceGetHandleByIndex(index)

    def get(name: str, convert: Callable[[Any], Any] = lambda answer: answer, unit: str | None = None) -> Fact:
        return ask(name, lambda: convert(getattr(nvml, name)(handle())), unit)

    def clock(name: str, which: str) -> Fact:
        return ask(name, lambda: int(getattr(nvml, name)(handle(), getattr(nvml, which))), "MHz")

    mig = get("nvmlDeviceGetMigMode", lambda modes: bool(modes[0]))
    return {
        "vendor": known("NVIDIA", "NVML"),
        "name": get("nvmlDeviceGetName", clean),
        **_memory(nvml, handle, bool(mig["value"])),
        "compute_capability": get("nvmlDeviceGetCudaComputeCapability", lambda pair: f"{pair[0]}.{pair[1]}"),
        "sm_clock": clock("nvmlDeviceGetClockInfo", "NVML_CLOCK_SM"),
        "sm_clock_max": clock("nvmlDeviceGetMaxClockInfo", "NVML_CLOCK_SM"),
        "memory_clock": clock("nvmlDeviceGetClockInfo", "NVML_CLOCK_MEM"),
        "memory_clock_max": clock("nvmlDeviceGetMaxClockInfo", "NVML_CLOCK_MEM"),
        # The enforced limit is the smallest of all that are set; NVML counts in milliwatts.
        "power_limit": get("nvmlDeviceGetEnforcedPowerLimit", lambda milliwatts: milliwatts / 1000, "watts"),
        "ecc": get("nvmlDeviceGetEccMode", lambda modes: bool(modes[0])),
        "persistence": get("nvmlDeviceGetPersistenceMode", bool),
        # An idle GPU lowers its link to generation 1: only the width tells of a wrong slot.
        "pcie_generation": get("nvmlDeviceGetCurrPcieLinkGeneration", int, "count"),
        "pcie_generation_max": get("nvmlDeviceGetMaxPcieLinkGeneration", int, "count"),
        "pcie_width": get("nvmlDeviceGetCurrPcieLinkWidth", int, "count"),
        "pcie_width_max": get("nvmlDeviceGetMaxPcieLinkWidth", int, "count"),
        "slowed_by": _first(
            get("nvmlDeviceGetCurrentClocksEventReasons", _reasons),
            lambda: get("nvmlDeviceGetCurrentClocksThrottleReasons", _reasons),  # its name before driver 535
        ),
        "display_active": get("nvmlDeviceGetDisplayActive", bool),
        "mps": get("nvmlDeviceGetMPSComputeRunningProcesses", bool),
        "mig": mig,
    }


def _memory(nvml: Any, handle: Callable[[], Any], is_cut: bool) -> Room:
    """Bytes in all, free, used, and used by others: what NVML does not list as this process's own.

    In a container NVML numbers processes as the host does, and own use is taken for others'. hwprobe itself uses none.
    """
    # Version 1 counts as used what the driver keeps for itself; version 2 does not, and old drivers lack it.
    info = _first(
        ask("nvmlDeviceGetMemoryInfo_v2", lambda: nvml.nvmlDeviceGetMemoryInfo(handle(), version=nvml.nvmlMemory_v2)),
        lambda: ask("nvmlDeviceGetMemoryInfo", lambda: nvml.nvmlDeviceGetMemoryInfo(handle())),
    )

    def own() -> int:
        listed = nvml.nvmlDeviceGetComputeRunningProcesses(handle())
        return sum(process.usedGpuMemory or 0 for process in listed if process.pid == os.getpid())

    def field(name: str) -> Fact:
        answer: Any = info["value"]
        return ask(info["source"], lambda: int(getattr(answer, name)), "bytes") if answer else {**info, "unit": "bytes"}

    total, free, used = field("total"), field("free"), field("used")
    processes = "nvmlDeviceGetComputeRunningProcesses"
    others = ask(processes, lambda: max(0, int(used["value"]) - own()), "bytes")  # type: ignore[arg-type]
    is_unified = info["reason"] == "NVML: Not Supported"
    if is_unified:
        total = unknown("the GPU has no memory of its own, and how much RAM it may take is not told", info["source"])
    if is_cut:
        total = unknown("the GPU is cut into MIG slices, and which one is ours is not told", "nvmlDeviceGetMigMode")
    return {
        "vram": {**total, "unit": "bytes"},
        "vram_free": free,
        "vram_used": used,
        "vram_used_by_others": others if used["value"] is not None else used,
        "unified": {**info, "value": is_unified, "reason": None} if info["value"] or is_unified else info,
    }


def _first(fact: Fact, otherwise: Callable[[], Fact]) -> Fact:
    return otherwise() if fact["value"] is None else fact


def _reasons(bits: int) -> list[str]:
    others = bits & ~sum(_REASONS)
    return [text for bit, text in _REASONS.items() if bits & bit] + ([f"reason {others:#x}"] if others else [])


def _why(error: Exception) -> str:
    """NVML's own words; of any other error the kind alone, for its text may hold a path with a user's name."""
    kind = type(error).__name__
    return f"NVML: {clean(str(error)) if kind.startswith('NVML') else kind}"


def _cuda(version: int) -> str:
    return f"{version // 1000}.{version % 1000 // 10}"
