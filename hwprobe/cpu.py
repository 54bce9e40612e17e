"""The processor, and how much of it this process may use. Importing this takes milliseconds: thread pools ask it."""

import math
from typing import NamedTuple

from hwprobe import caches, cgroup, system
from hwprobe.facts import Room, known, known_or, unknown
from hwprobe.files import clean, field, parse_ranges, read_int, read_text

_CPU = "/sys/devices/system/cpu"
_NODES = "/sys/devices/system/node"
# Those that decide which kernels a framework picks, on x86 and on Arm.
_X86 = "sse4_2 avx avx2 fma f16c avx_vnni avx512f avx512_vnni avx512_bf16 avx512_fp16 amx_tile amx_bf16 amx_int8"
_ARM = "asimd asimdhp asimddp i8mm bf16 sve sve2"
_INSTRUCTION_SETS = (*_X86.split(), *_ARM.split())


class _Cpus(NamedTuple):
    logical: int | None  # online in the machine
    physical: int | None  # cores, without their second threads
    affinity: int | None  # logical CPUs that this process may run on
    reachable: int | None  # the cores of these
    quota: float | None  # CPUs' worth of time

    @property
    def cores(self) -> float | None:
        """min(physical cores, affinity, quota): not rounded."""
        limits = [limit for limit in (self.reachable or self.affinity or self.logical, self.quota) if limit is not None]
        return min(limits, default=None)

    @property
    def limited_by(self) -> str:
        if self.quota is not None and self.cores == self.quota and self.quota != self.reachable:
            return "quota"
        if self.reachable is not None and self.physical is not None and self.reachable < self.physical:
            return "affinity"
        return "machine"


def usable_cpus(root: str = "/") -> int:
    """Threads that run on cores of their own: min(physical cores, affinity, quota rounded up), at least 1."""
    return max(1, math.ceil(_count(root).cores or 1))


def collect(root: str = "/") -> Room:
    """Model, cores, clock, caches and memory nodes.

    `cores` is what the process may use, not rounded; `usable` is the same as threads.
    """
    cpus = _count(root)
    topology = f"{_CPU}/cpu*/topology"
    info = read_text("/proc/cpuinfo", root)
    flags = field(info, "flags") or field(info, "Features")
    nodes = parse_ranges(read_text(f"{_NODES}/online", root))

    def source(file: str) -> str:
        return system.source(file, info is not None, root)

    return {
        "model": known_or(_model(info, root), "the system does not name it", source("/proc/cpuinfo")),
        "logical": known_or(cpus.logical, "cannot be counted", source(f"{_CPU}/online"), "CPUs"),
        "physical": known_or(cpus.physical, "no topology is shown", source(topology), "CPUs"),
        "affinity": known_or(cpus.affinity, "cannot be read", source("/proc/self/status"), "CPUs"),
        "quota": known_or(cpus.quota, "no quota is set", "control group", "CPUs"),
        "cores": known_or(cpus.cores, "cannot be counted", "min(physical cores, affinity, quota)", "CPUs"),
        "usable": known(max(1, math.ceil(cpus.cores or 1)), "cores, rounded up", "CPUs"),
        "limited_by": known(cpus.limited_by, "the smallest of machine, affinity, quota"),
        "instruction_sets": known([name for name in _INSTRUCTION_SETS if name in flags.split()], "/proc/cpuinfo")
        if flags
        else unknown("the system does not list them", "/proc/cpuinfo"),
        # Not /proc/cpuinfo's "cpu MHz": inside a virtual machine it is a constant that no clock ever runs at.
        "max_clock": known_or(_max_clock(root), "no frequency driver", source(f"{_CPU}/cpu0/cpufreq"), "MHz"),
        "numa_nodes": known_or(len(nodes) or None, "the system shows none", f"{_NODES}/online", "count"),
        **caches.collect(root),
    }


def _count(root: str) -> _Cpus:
    online = parse_ranges(read_text(f"{_CPU}/online", root))
    allowed = parse_ranges(field(read_text("/proc/self/status", root), "Cpus_allowed_list"))
    if online:
        allowed &= online  # the list may name CPUs that are possible but absent
    counts = _Cpus(
        logical=len(online) or None,
        physical=_cores(online, root),
        affinity=len(allowed) or None,
        reachable=_cores(allowed, root),
        quota=cgroup.cpu_quota(root),
    )
    return _ask_the_system(counts) if system.is_here(root) else counts


def _ask_the_system(counts: _Cpus) -> _Cpus:
    """What /proc and /sys left open: everything on macOS and Windows, the topology in some sandboxes."""
    physical = counts.physical or system.ask("physical")
    logical = counts.logical or system.ask("logical")
    affinity = counts.affinity or system.ask("affinity") or logical
    reachable = counts.reachable or min((n for n in (physical, affinity) if n), default=None)
    return counts._replace(logical=logical, physical=physical, affinity=affinity, reachable=reachable)


def _cores(cpus: set[int], root: str) -> int | None:
    """Distinct groups of sibling threads; core_id would not do, it repeats from one die to the next."""
    siblings = set()
    for cpu in cpus:
        threads = read_text(f"{_CPU}/cpu{cpu}/topology/thread_siblings_list", root)
        if threads is None:
            return None
        siblings.add(threads)
    return len(siblings) or None


def _model(info: str | None, root: str) -> str | None:
    name = field(info, "model name") or field(info, "Hardware") or field(info, "Model")
    return clean(system.ask("processor") if name is None and system.is_here(root) else name)


def _max_clock(root: str) -> float | None:
    kilohertz = read_int(f"{_CPU}/cpu0/cpufreq/cpuinfo_max_freq", root)
    if kilohertz is not None:
        return kilohertz / 1000
    # Not on Linux, where psutil would read /proc/cpuinfo.
    return system.ask("max_clock") if system.is_here(root) and system.ask("system") != "Linux" else None
