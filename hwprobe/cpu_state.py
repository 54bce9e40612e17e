"""What the processor does at this moment: its clock and its temperature. Both change while one looks; what is set, and
how often heat has slowed it, stand in hwprobe/clocks.py."""

import sys
from collections.abc import Iterator

from hwprobe.facts import Fact, Room, known, known_or, unknown
from hwprobe.files import field, names_in, read_int, read_text

_CPU, _HWMON, _ZONES = "/sys/devices/system/cpu", "/sys/class/hwmon", "/sys/class/thermal"
_SENSORS = ("coretemp", "k10temp", "zenpower", "cpu_thermal", "via_cputemp")  # those of processors, by their drivers
_MOST_CPUS = 32  # kernels before 5.18 sleep 20 ms for the clock of a CPU that rests
_FASTEST = 1e5  # MHz
_COLDEST, _HOTTEST = -40, 150  # degrees Celsius; beyond, a sensor is broken or absent
_NO_SENSOR = "no sensor of the processor is shown"


def collect(root: str = "/") -> Room:
    """`cpu_clock`: the highest of the CPUs in MHz, for some rest. `cpu_temperature`: the highest of the processor's
    sensors in degrees Celsius."""
    if root == "/" and sys.platform != "linux":
        return _by_psutil()
    return {"cpu_clock": _clock(root), "cpu_temperature": _temperature(root)}


def _clock(root: str) -> Fact:
    cpus = [name for name in names_in(_CPU, root) if name.startswith("cpu") and name[3:].isdigit()][:_MOST_CPUS]
    kilohertz = [read_int(f"{_CPU}/{cpu}/cpufreq/scaling_cur_freq", root) for cpu in cpus]
    clocks = [clock / 1000 for clock in kilohertz if clock is not None and 0 < clock / 1000 < _FASTEST]
    if clocks:
        return known(max(clocks), f"{_CPU}/cpu*/cpufreq/scaling_cur_freq", "MHz")
    info = read_text("/proc/cpuinfo", root)
    if "hypervisor" in (field(info, "flags") or "").split():
        return unknown("a virtual machine shows a constant that no clock runs at", "/proc/cpuinfo", "MHz")
    clocks = [clock for line in (info or "").splitlines() if (clock := _megahertz(line)) is not None]
    return known_or(max(clocks, default=None), "no frequency driver tells", "/proc/cpuinfo", "MHz")


def _megahertz(line: str) -> float | None:
    """Of /proc/cpuinfo's lines, "cpu MHz : 2445.432"."""
    name, _, text = line.partition(":")
    try:
        clock = float(text) if name.strip() == "cpu MHz" else 0.0
    except ValueError:
        return None
    return clock if 0 < clock < _FASTEST else None


def _temperature(root: str) -> Fact:
    for source, sensors in ((f"{_HWMON}/hwmon*/temp*_input", _of_hwmon(root)), (f"{_ZONES}/*/temp", _of_zones(root))):
        degrees = [sensor / 1000 for sensor in sensors if sensor is not None]
        if plausible := [value for value in degrees if _COLDEST < value < _HOTTEST]:
            return known(max(plausible), source, "degrees Celsius")
    return unknown(_NO_SENSOR, _HWMON, "degrees Celsius")


def _of_hwmon(root: str) -> Iterator[int | None]:
    """Thousandths of a degree. AMD's Tctl may stand up to 27 degrees too high, to make the fan turn: Tdie is the true
    one, and where there is no Tdie, Tctl is."""
    for chip in names_in(_HWMON, root):
        folder = f"{_HWMON}/{chip}"
        if (read_text(f"{folder}/name", root) or "").strip() not in _SENSORS:
            continue
        inputs = [name for name in names_in(folder, root) if name.startswith("temp") and name.endswith("_input")]
        labels = {name: (read_text(f"{folder}/{name[:-5]}label", root) or "").strip() for name in inputs}
        hidden = "Tctl" if "Tdie" in labels.values() else None
        yield from (read_int(f"{folder}/{name}", root) for name in inputs if labels[name] != hidden)


def _of_zones(root: str) -> Iterator[int | None]:
    """The same where there is no such chip; most zones are the board's, the battery's or the radio's."""
    for zone in names_in(_ZONES, root):
        kind = (read_text(f"{_ZONES}/{zone}/type", root) or "").strip()
        if kind == "x86_pkg_temp" or kind.startswith("cpu"):
            yield read_int(f"{_ZONES}/{zone}/temp", root)


def _by_psutil() -> Room:
    """The clock on macOS and Windows. No library reads their sensors without an administrator's rights."""
    try:
        import psutil  # here, because it is seldom needed and costs 30 ms

        clock = float(psutil.cpu_freq().current) or None  # 0 stands for unknown
    except Exception:  # what its platforms raise: AttributeError, RuntimeError, OSError
        clock = None
    return {
        "cpu_clock": known_or(clock, "psutil does not tell", "psutil", "MHz"),
        "cpu_temperature": unknown(_NO_SENSOR, "psutil", "degrees Celsius"),
    }
