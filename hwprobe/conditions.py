"""What spoils a benchmark: read before and after it, then compared. Reads only; never changes a setting of the machine.

Counters run since the machine's start, so only differences mean something. An absent counter is unknown, not zero: a
machine without frequency driver is not one with its turbo "disabled".
"""

import os
import time
from collections.abc import Iterable, Mapping
from typing import TypedDict

from hwprobe import cgroup
from hwprobe.facts import Fact, Room, known, known_or
from hwprobe.files import clean, field, names_in, parse_int, read_int, read_text

OTHER_LOAD = 0.05  # of all CPUs, above which other programs' work taints
STEAL = 0.01  # of all CPU time, above which the hypervisor's taking does
_TICKS = 5  # /proc/stat counts whole ticks, of 10 ms: fewer than these are rounding, whatever their share
_CPU = "/sys/devices/system/cpu"
_POWER = "/sys/class/power_supply"


class Taint(TypedDict):
    """A condition that spoiled the time between two readings, and how that shows."""

    condition: str
    reason: str


def collect(root: str = "/") -> Room:
    """The conditions at this moment. Times are seconds since the machine's start, summed over CPUs."""
    stat, vmstat = read_text("/proc/stat", root), read_text("/proc/vmstat", root)
    busy, steal, total = _cpu_times(stat)
    own, started = _own_times(root)
    swapped = _sum(parse_int(field(vmstat, key, " ") or "") for key in ("pswpin", "pswpout"))
    kills = parse_int(field(vmstat, "oom_kill", " ") or "")
    load = (read_text("/proc/loadavg", root) or "").split(" ")[0]
    absent = "not counted on this system"
    return {
        "time": known(time.monotonic(), "monotonic clock", "seconds"),
        "load_1min": known_or(_decimal(load), absent, "/proc/loadavg", "CPUs"),
        "busy_time": known_or(busy, absent, "/proc/stat", "seconds"),
        "steal_time": known_or(steal, absent, "/proc/stat", "seconds"),
        "cpu_time": known_or(total, absent, "/proc/stat", "seconds"),
        "own_time": known_or(own, absent, "/proc/self/stat", "seconds"),
        "process_start": known_or(started, absent, "/proc/self/stat", "seconds"),
        "pressure_cpu": _pressure("cpu", root),
        "pressure_memory": _pressure("memory", root),
        "pressure_io": _pressure("io", root),
        "swapped_pages": known_or(swapped, absent, "/proc/vmstat", "count"),
        "oom_kills": known_or(kills, absent, "/proc/vmstat", "count"),
        "throttled_periods": known_or(cgroup.throttled_periods(root), "no quota counts", "control group", "count"),
        "thermal_throttles": _thermal_throttles(root),
        "governor": _governor(root),
        "on_battery": known_or(_on_battery(root), "no power supply is shown", _POWER),
    }


def compare(before: Mapping[str, Fact], after: Mapping[str, Fact]) -> list[Taint]:
    """What tainted the time between two readings of one process; empty for a clean one.

    Children count as own work once they have ended and been waited for. What either reading does not know, taints not.
    """

    def grown(name: str) -> float:
        return _number(after, name) - _number(before, name)  # not a number where unknown: no comparison holds

    taints = []
    tick = _TICKS / _ticks_per_second()
    other, steal, total = grown("busy_time") - grown("own_time"), grown("steal_time"), grown("cpu_time")
    same_process = _number(before, "process_start") == _number(after, "process_start")
    if same_process and total > 0 and other > max(OTHER_LOAD * total, tick):
        taints.append(Taint(condition="other load", reason=f"other programs took {other / total:.0%} of the CPUs"))
    if total > 0 and steal > max(STEAL * total, tick):
        taints.append(Taint(condition="steal", reason=f"the hypervisor took {steal / total:.1%} of the CPU time"))
    for name, condition, says in _COUNTERS:
        if (times := grown(name)) > 0:
            taints.append(Taint(condition=condition, reason=says.format(round(times))))
    return taints


_COUNTERS = (
    ("throttled_periods", "quota throttling", "the CPU quota stopped this process {} times"),
    ("swapped_pages", "swap", "{} pages went to swap or came back"),
    ("oom_kills", "out of memory", "the kernel ended {} processes for lack of memory"),
    ("thermal_throttles", "thermal throttling", "heat or a power limit slowed the CPU {} times"),
)


def _number(conditions: Mapping[str, Fact], name: str) -> float:
    value = conditions[name]["value"] if name in conditions else None
    return float(value) if isinstance(value, int | float) else float("nan")


def _cpu_times(stat: str | None) -> tuple[float | None, float | None, float | None]:
    """Busy, stolen and all CPU time. `nice` is busy too; without it a busy machine looks idle at half its speed."""
    numbers = [parse_int(part) for part in (field(stat, "cpu", " ") or "").split()[:8]]
    ticks = [number for number in numbers if number is not None and number >= 0]
    if len(ticks) < 8:
        return None, None, None
    user, nice, system, _idle, _iowait, irq, softirq, steal = (tick / _ticks_per_second() for tick in ticks)
    return user + nice + system + irq + softirq, steal, sum(ticks) / _ticks_per_second()


def _own_times(root: str) -> tuple[float | None, float | None]:
    """CPU time of this process and of its children that ended, and when it started."""
    # The program's name, in brackets, may hold spaces and brackets itself: fields count from the last one.
    fields = (read_text("/proc/self/stat", root) or "").rpartition(")")[2].split()
    numbers = [parse_int(part) for part in fields[11:15] + fields[19:20]]
    ticks = [number for number in numbers if number is not None]
    if len(ticks) < 5:
        return None, None
    return sum(ticks[:4]) / _ticks_per_second(), ticks[4] / _ticks_per_second()


def _ticks_per_second() -> int:
    return os.sysconf("SC_CLK_TCK") if hasattr(os, "sysconf") else 100


def _pressure(what: str, root: str) -> Fact:
    """Seconds in which something waited for this resource (pressure stall information)."""
    some = field(read_text(f"/proc/pressure/{what}", root), "some", " ") or ""
    microseconds = parse_int(some.rpartition("total=")[2])
    seconds = None if microseconds is None else microseconds / 1e6
    return known_or(seconds, "the kernel does not count it", f"/proc/pressure/{what}", "seconds")


def _thermal_throttles(root: str) -> Fact:
    counts = [parse_int(text) for text in _per_cpu("thermal_throttle/core_throttle_count", root)]
    return known_or(_sum(counts), "not counted on this system", f"{_CPU}/cpu*/thermal_throttle", "count")


def _governor(root: str) -> Fact:
    governors = sorted({name for text in _per_cpu("cpufreq/scaling_governor", root) if (name := clean(text))})
    return known_or(governors or None, "no frequency driver", f"{_CPU}/cpu*/cpufreq/scaling_governor")


def _per_cpu(file: str, root: str) -> list[str]:
    cpus = [name for name in names_in(_CPU, root) if name.startswith("cpu") and name[3:].isdigit()]
    return [text for cpu in cpus if (text := read_text(f"{_CPU}/{cpu}/{file}", root)) is not None]


def _on_battery(root: str) -> bool | None:
    """Whether a battery of the machine (not of its mouse) runs empty with no charger connected."""
    connected, discharging = [], []
    for name in names_in(_POWER, root):
        kind, scope, status = (
            (read_text(f"{_POWER}/{name}/{file}", root) or "").strip() for file in ("type", "scope", "status")
        )
        if kind in ("Mains", "USB"):
            connected.append(read_int(f"{_POWER}/{name}/online", root) == 1)
        elif kind == "Battery" and scope != "Device":
            discharging.append(status == "Discharging")
    if any(connected):
        return False
    return any(discharging) if discharging else None


def _sum(counts: Iterable[int | None]) -> int | None:
    """The sum of what is known; None where nothing is."""
    numbers = [count for count in counts if count is not None]
    return sum(numbers) if numbers else None


def _decimal(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if 0 <= number < 1e9 else None
