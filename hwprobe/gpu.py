"""NVIDIA's GPUs, asked of the driver's own library (NVML). Each question is asked alone: one without an answer - an old
driver, a card without the feature, a missing symbol - leaves one fact unknown and the others standing."""

from collections.abc import Callable
from typing import Any

from hwprobe.facts import Fact, Room, at_least, known, unknown
from hwprobe.files import clean, names_in, read_text

_PCI = "/sys/bus/pci/devices"


def collect(root: str = "/") -> dict[str, Any]:
    """`count`, `driver`, `cuda`, `vram` (bytes of the largest single GPU: a model runs on one) and a room per GPU
    in `devices`, in NVML's order, which need not be CUDA's."""
    nvml, count = _open(root)
    if nvml is None:
        absent = unknown(count["reason"] or "no driver", count["source"])
        return {"count": count, "driver": absent, "cuda": absent, "vram": {**count, "unit": "bytes"}, "devices": []}
    try:
        count = _ask("nvmlDeviceGetCount", nvml.nvmlDeviceGetCount)
        devices = [_device(nvml, index) for index in range(count["value"] or 0)]  # type: ignore[arg-type]
        return {
            "count": count,
            "driver": _ask("nvmlSystemGetDriverVersion", lambda: clean(nvml.nvmlSystemGetDriverVersion())),
            "cuda": _ask("nvmlSystemGetCudaDriverVersion", lambda: _cuda(nvml.nvmlSystemGetCudaDriverVersion())),
            "vram": _largest([device["vram"] for device in devices]) if devices else {**count, "unit": "bytes"},
            "devices": devices,
        }
    finally:
        _ask("nvmlShutdown", nvml.nvmlShutdown)


def _open(root: str) -> tuple[Any, Fact]:
    """The initialised library; or None and the number of GPUs, which is none or unknown."""
    source = "nvmlInit"
    try:
        import pynvml  # here, because it costs 30 ms

        pynvml.nvmlInit()
        return pynvml, known(None, source)
    except Exception as error:  # NVMLLibraryMismatchError is no NVMLError, and a missing symbol is neither
        if type(error).__name__ != "NVMLError_LibraryNotFound":
            return None, unknown(_why(error), source)
    if _on_the_bus(root):
        return None, unknown("an NVIDIA GPU is on the PCI bus, but its driver's library is not installed", _PCI)
    return None, known(0, "NVML is not installed")


def _device(nvml: Any, index: int) -> Room:
    handle = _handle(nvml, index)

    def ask(name: str, convert: Callable[[Any], Any] = lambda answer: answer, unit: str | None = None) -> Fact:
        return _ask(name, lambda: convert(getattr(nvml, name)(handle())), unit)

    mig = ask("nvmlDeviceGetMigMode", lambda modes: bool(modes[0]))
    vram = _memory(nvml, handle, "total")
    if mig["value"]:
        vram = unknown("the GPU is cut into MIG slices", "nvmlDeviceGetMigMode", "bytes")
    return {
        "name": ask("nvmlDeviceGetName", clean),
        "vram": vram,
        "vram_used": _memory(nvml, handle, "used"),
        "compute_capability": ask("nvmlDeviceGetCudaComputeCapability", lambda pair: f"{pair[0]}.{pair[1]}"),
        "mig": mig,
    }


def _handle(nvml: Any, index: int) -> Callable[[], Any]:
    """The GPU's handle, fetched at each use: where it cannot be had, every fact says so for itself."""
    return lambda: nvml.nvmlDeviceGetHandleByIndex(index)


def _memory(nvml: Any, handle: Callable[[], Any], what: str) -> Fact:
    # Version 1 counts as used what the driver keeps for itself; version 2 does not, and old drivers lack it.
    def version_2() -> int:
        return int(getattr(nvml.nvmlDeviceGetMemoryInfo(handle(), version=nvml.nvmlMemory_v2), what))

    def version_1() -> int:
        return int(getattr(nvml.nvmlDeviceGetMemoryInfo(handle()), what))

    fact = _ask("nvmlDeviceGetMemoryInfo_v2", version_2, "bytes")
    return _ask("nvmlDeviceGetMemoryInfo", version_1, "bytes") if fact["value"] is None else fact


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


def _ask(source: str, call: Callable[[], Any], unit: str | None = None) -> Fact:
    try:
        return known(call(), source, unit)
    except Exception as error:  # see _open
        return unknown(_why(error), source, unit)


def _why(error: Exception) -> str:
    """NVML's own words; of any other error the kind alone, for its text may hold a path with a user's name."""
    kind = type(error).__name__
    return f"NVML: {clean(str(error)) if kind.startswith('NVML') else kind}"


def _cuda(version: int) -> str:
    return f"{version // 1000}.{version % 1000 // 10}"


def _on_the_bus(root: str) -> bool:
    """Whether a display controller (PCI class 03) of NVIDIA's (vendor 10de) is there, driver or not."""

    def has(device: str, name: str, start: str) -> bool:
        return (read_text(f"{_PCI}/{device}/{name}", root) or "").startswith(start)

    return any(has(name, "vendor", "0x10de") and has(name, "class", "0x03") for name in names_in(_PCI, root))
