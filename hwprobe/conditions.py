"""What spoils a benchmark: read before, while and after it runs, then compared (hwprobe/taints.py). Reads only; never
changes a setting of the machine.

Counters run since the machine's start, so only differences mean something. An absent counter is unknown, not zero.
"""

import time
from collections.abc import Iterable

from hwprobe import cgroup, clocks, cpu_state
from hwprobe.facts import Fact, Room, known, known_or
from hwprobe.files import field, parse_int, read_text
from hwprobe.own_time import OwnTime, ticks_per_second
from hwprobe.taints import OTHER_LOAD, STEAL, Taint, compare

__all__ = ["OTHER_LOAD", "STEAL", "Taint", "collect", "compare", "read"]


def collect(root: str = "/") -> Room:
    """The conditions at this moment: all that can change while something is measured, and the processor's clock and
    temperature with what is set for them."""
    return read(OwnTime(root), root) | cpu_state.collect(root) | clocks.settings(root)


def read(own_time: OwnTime, root: str = "/") -> Room:
    """All that can change. Times are seconds since the machine's start, summed over CPUs; a watch reads them in a row.

    own_time: counts this process and its children on from one reading to the next.
    """
    stat, vmstat = read_text("/proc/stat", root), read_text("/proc/vmstat", root)
    busy, steal, total = _cpu_times_by_psutil() if stat is None and root == "/" else _cpu_times(stat)
    own, started = own_time.read()
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
        "own_time": known_or(own, absent, "/proc/<own processes>/stat", "seconds"),
        "process_start": known_or(started, absent, "/proc/self/stat", "seconds"),
        "pressure_cpu": _pressure("cpu", root),
        "pressure_memory": _pressure("memory", root),
        "pressure_io": _pressure("io", root),
        "swapped_pages": known_or(swapped, absent, "/proc/vmstat", "count"),
        "oom_kills": known_or(kills, absent, "/proc/vmstat", "count"),
        "throttled_periods": known_or(cgroup.throttled_periods(root), "no quota counts", "control group", "count"),
        **clocks.events(root),
    }


def _cpu_times(stat: str | None) -> tuple[float | None, float | None, float | None]:
    """Busy, stolen and all CPU time. `nice` is busy too; without it a busy machine looks idle at half its speed."""
    numbers = [parse_int(part) for part in (field(stat, "cpu", " ") or "").split()[:8]]
    ticks = [number for number in numbers if number is not None and number >= 0]
    if len(ticks) < 8:
        return None, None, None
    user, nice, system, _idle, _iowait, irq, softirq, steal = (tick / ticks_per_second() for tick in ticks)
    return user + nice + system + irq + softirq, steal, sum(ticks) / ticks_per_second()


def _cpu_times_by_psutil() -> tuple[float, None, float]:
    """The same where there is no /proc: macOS, Windows. Neither tells what its hypervisor takes."""
    import psutil  # here, because it is seldom needed and costs 30 ms

    times = psutil.cpu_times()
    busy = times.user + getattr(times, "nice", 0.0) + times.system  # Windows' interrupts are part of its system time
    return busy, None, busy + times.idle


def _pressure(what: str, root: str) -> Fact:
    """Seconds in which something waited for this resource (pressure stall information)."""
    some = field(read_text(f"/proc/pressure/{what}", root), "some", " ") or ""
    microseconds = parse_int(some.rpartition("total=")[2])
    seconds = None if microseconds is None else microseconds / 1e6
    return known_or(seconds, "the kernel does not count it", f"/proc/pressure/{what}", "seconds")


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
