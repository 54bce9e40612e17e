"""What sets the CPU's clock: governor, energy preference, turbo, heat, battery. Absent is unknown, not off: a machine
without a frequency driver is not one whose turbo is "disabled"."""

import sys

from hwprobe.facts import Fact, Room, known_or
from hwprobe.files import clean, names_in, parse_int, read_int, read_text

_CPU = "/sys/devices/system/cpu"
_POWER = "/sys/class/power_supply"
_NO_TURBO, _BOOST = f"{_CPU}/intel_pstate/no_turbo", f"{_CPU}/cpufreq/boost"


def settings(root: str = "/") -> Room:
    """What somebody has set."""
    return {
        "governor": _setting("scaling_governor", root),
        "energy_preference": _setting("energy_performance_preference", root),
        "turbo": _turbo(root),
    }


def events(root: str = "/") -> Room:
    """What happens: how often heat has slowed the CPU since the machine's start, and whether it runs on a battery."""
    throttles = [parse_int(text) for text in _per_cpu("thermal_throttle/core_throttle_count", root)]
    counted = [count for count in throttles if count is not None]
    heat = f"{_CPU}/cpu*/thermal_throttle"
    return {
        "thermal_throttles": known_or(sum(counted) if counted else None, "not counted on this system", heat, "count"),
        "on_battery": known_or(_on_battery(root), "no power supply is shown", _POWER),
    }


def _setting(file: str, root: str) -> Fact:
    """The distinct settings of all CPUs."""
    names = sorted({name for text in _per_cpu(f"cpufreq/{file}", root) if (name := clean(text))})
    return known_or(names or None, "no frequency driver tells", f"{_CPU}/cpu*/cpufreq/{file}")


def _turbo(root: str) -> Fact:
    """Whether the clock may rise above its nominal rate; Intel's own driver has a file for the opposite."""
    no_turbo, boost = read_int(_NO_TURBO, root), read_int(_BOOST, root)
    if no_turbo in (0, 1):
        return known_or(no_turbo == 0, "", _NO_TURBO)
    return known_or(boost == 1 if boost in (0, 1) else None, "no frequency driver tells", _BOOST)


def _per_cpu(file: str, root: str) -> list[str]:
    cpus = [name for name in names_in(_CPU, root) if name.startswith("cpu") and name[3:].isdigit()]
    return [text for cpu in cpus if (text := read_text(f"{_CPU}/{cpu}/{file}", root)) is not None]


def _on_battery(root: str) -> bool | None:
    """Whether a battery of the machine (not of its mouse) runs empty with no charger connected."""
    if root == "/" and sys.platform != "linux":
        return _battery_by_psutil()
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


def _battery_by_psutil() -> bool | None:
    import psutil

    battery = psutil.sensors_battery() if hasattr(psutil, "sensors_battery") else None
    plugged = None if battery is None else battery.power_plugged
    return None if plugged is None else not plugged
