"""What a manifest says of the kernels' work and of the machine's ceilings. Unknown: NaN, or an empty text.

A manifest is read from disk: an entry of a wrong type, or a number that cannot be, is as good as none.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from reports.manifest import Manifest
from reports.metrics import Work
from reports.names import framework_title
from reports.tables import Row, batch_size

DTYPE = "float32"  # of everything that is timed
CPU = "cpu"
# The kinds of shapes in the order in which a page lists them; any other follows by its name.
GROUPS = (
    *("1x1", "3x3", "5x5 and larger", "1xn and nx1", "depthwise", "strided", "dilated", "grouped", "transposed"),
    *("1-D", "3-D", "dense", "pooling", "normalisation", "activation", "memory movement", "fused"),
)
OTHER = "other"


@dataclass(frozen=True)
class Kernel:
    """One case. `phases`: phase -> (operations, least bytes moved); `models`: model -> how many of its layers it is."""

    title: str
    group: str = OTHER
    phases: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    models: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Ceiling:
    """The highest rates that any framework reached on one device, each with what reached it."""

    peak: float = math.nan  # FLOP/s of a matrix product
    peak_of: str = ""
    bandwidth: float = math.nan  # bytes/s
    bandwidth_of: str = ""

    @property
    def ridge(self) -> float:
        """The arithmetic intensity, FLOP/byte, from which on arithmetic and no longer memory is the limit."""
        return self.peak / self.bandwidth


@dataclass(frozen=True)
class Facts:
    """What is known of a run's kernels and devices; by default nothing."""

    kernels: Mapping[str, Kernel] = field(default_factory=dict)
    ceilings: Mapping[str, Ceiling] = field(default_factory=dict)
    devices: Mapping[str, str] = field(default_factory=dict)  # framework -> device

    def kernel(self, workload: str) -> Kernel:
        """Of a workload that the manifest does not know: its name."""
        return self.kernels.get(workload) or Kernel(workload)

    def device(self, framework: str) -> str:
        return self.devices.get(framework, CPU)

    def ceiling(self, framework: str) -> Ceiling:
        """Of the device that the framework computes on."""
        return self.ceilings.get(self.device(framework), Ceiling())

    def work_of(self, workload: str, phase: str, framework: str, images: float = math.nan) -> Work:
        """What a call does, and what its device can do at most."""
        operations, bytes_moved = self.kernel(workload).phases.get(phase, (math.nan, math.nan))
        ceiling = self.ceiling(framework)
        return Work(images, operations, bytes_moved, ceiling.peak, ceiling.bandwidth)

    def work(self, row: Row) -> Work:
        """What a call of a row's program does in its phase."""
        images = batch_size(row["size"]) or math.nan
        return self.work_of(row["workload"], row["phase"], row["framework"], images)


def facts_of(manifest: Manifest) -> Facts:
    """Everything that a manifest tells of its kernels and ceilings."""
    kernels = {
        workload: _kernel(workload, raw) for workload, raw in manifest["kernels"].items() if isinstance(raw, dict)
    }
    devices = {
        name: entry["device"] for name, entry in manifest["frameworks"].items() if isinstance(entry.get("device"), str)
    }
    return Facts(kernels, _ceilings(manifest["ceilings"]), devices)


def group_order(group: str) -> tuple[int, str]:
    """Sort key: known groups in their fixed order, then others by name, what has none last."""
    if group == OTHER:
        return len(GROUPS) + 1, ""
    return (GROUPS.index(group) if group in GROUPS else len(GROUPS), group)


def _kernel(workload: str, raw: dict[str, Any]) -> Kernel:
    title, group = raw.get("title"), raw.get("group")
    phases, models = _dict(raw.get("phases")), _dict(raw.get("models"))
    return Kernel(
        title=title if isinstance(title, str) and title else workload,
        group=group if isinstance(group, str) and group else OTHER,
        phases={phase: _amounts(entry) for phase, entry in phases.items() if isinstance(entry, dict)},
        models={name: count for name, count in models.items() if isinstance(count, int)},
    )


def _amounts(entry: dict[str, Any]) -> tuple[float, float]:
    """Operations may be 0, the bytes moved not."""
    operations = entry.get("operations")
    none = operations == 0 and not isinstance(operations, bool)
    return 0.0 if none else _positive(operations), _positive(entry.get("bytes"))


def _ceilings(raw: dict[str, Any]) -> dict[str, Ceiling]:
    gemm = [entry for entry in _entries(raw.get("gemm")) if entry.get("dtype") == DTYPE]
    bandwidth = _entries(raw.get("bandwidth"))
    found = {}
    for device in sorted({_device(entry) for entry in gemm + bandwidth}):
        peak, peak_entry = _highest(gemm, device, "flops_per_s")
        rate, rate_entry = _highest(bandwidth, device, "bytes_per_s")
        found[device] = Ceiling(peak, _source(peak_entry, "size"), rate, _source(rate_entry, "operation"))
    return found


def _highest(entries: list[dict[str, Any]], device: str, key: str) -> tuple[float, dict[str, Any]]:
    """The highest of a device's rates and its entry; NaN if there is none."""
    rates = [(_positive(entry.get(key)), entry) for entry in entries if _device(entry) == device]
    known = [pair for pair in rates if math.isfinite(pair[0])]
    return max(known, key=lambda pair: pair[0], default=(math.nan, {}))


def _source(entry: dict[str, Any], key: str) -> str:
    """As in "PyTorch, 2048 x 2048" or "PyTorch, a = b + 3 c"."""
    if not entry:
        return ""
    size = entry.get(key)
    return f"{framework_title(str(entry.get('framework')))}, {f'{size} x {size}' if key == 'size' else size}"


def _device(entry: dict[str, Any]) -> str:
    """An entry that names no device was measured on the CPU."""
    device = entry.get("device")
    return device if isinstance(device, str) and device else CPU


def _entries(raw: Any) -> list[dict[str, Any]]:
    return [entry for entry in raw if isinstance(entry, dict)] if isinstance(raw, list) else []


def _dict(raw: Any) -> dict[str, Any]:
    return raw if isinstance(raw, dict) else {}


def _positive(value: Any) -> float:
    number = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value) and value > 0
    return float(value) if number else math.nan
