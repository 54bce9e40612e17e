"""The processor's clock and temperature at this moment: on small /sys trees, without one, and in garbage."""

import json
import shutil
import sys
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest
from hwprobe_tree import machine, tree
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import hwprobe
from hwprobe import conditions, cpu_state
from hwprobe.fingerprint import fingerprint

CPU, HWMON, ZONES = "/sys/devices/system/cpu", "/sys/class/hwmon", "/sys/class/thermal"
CURRENT = [f"{CPU}/cpu{n}/cpufreq/scaling_cur_freq" for n in (0, 1)]
UNTOLD, CONSTANT = "no frequency driver tells", "a virtual machine shows a constant that no clock runs at"
SERVER = "processor : 0\nflags : fpu avx2\ncpu MHz : 2445.432\n\nprocessor : 1\nflags : fpu avx2\ncpu MHz : 3100.5\n"


def clock(root: Path, files: dict[str, str]) -> tuple[object, str | None]:
    fact = cpu_state.collect(tree(root, files))["cpu_clock"]
    assert fact["unit"] == "MHz"
    return fact["value"], fact["reason"]


@pytest.mark.parametrize(
    ("files", "value", "reason"),
    [
        (dict(zip(CURRENT, ("800000", "3400123"), strict=True)), 3400.123, None),
        ({CURRENT[0]: "<unknown>\n", "/proc/cpuinfo": SERVER}, 3100.5, None),
        ({f"{CPU}/cpufreq/policy0/scaling_cur_freq": "5000000"}, None, UNTOLD),
        ({"/proc/cpuinfo": SERVER}, 3100.5, None),
        ({"/proc/cpuinfo": SERVER.replace("avx2", "hypervisor")}, None, CONSTANT),
        ({"/proc/cpuinfo": "Processor : Arm\nBogoMIPS : 50.00\n"}, None, UNTOLD),
        ({"/proc/cpuinfo": "cpu MHz : nan\ncpu MHz : inf\ncpu MHz : -1\n"}, None, UNTOLD),
    ],
)  # fmt: skip
def test_the_clock_is_the_fastest_cpu_s(
    tmp_path: Path, files: dict[str, str], value: float | None, reason: str | None
) -> None:
    assert clock(tmp_path, files) == (value, reason)


def chip(number: int, name: str, *sensors: tuple[str, str]) -> dict[str, str]:
    """Files of a sensor chip: (label, thousandths of a degree) of each sensor; no label where it is empty."""
    folder = f"{HWMON}/hwmon{number}"
    files = {f"{folder}/name": f"{name}\n"}
    for n, (label, text) in enumerate(sensors, 1):
        files |= {f"{folder}/temp{n}_input": f"{text}\n"} | ({f"{folder}/temp{n}_label": f"{label}\n"} if label else {})
    return files


def zone(number: int, kind: str, text: str) -> dict[str, str]:
    """Files of a thermal zone."""
    return {f"{ZONES}/thermal_zone{number}/{name}": f"{line}\n" for name, line in (("type", kind), ("temp", text))}


@pytest.mark.parametrize(
    ("files", "value"),
    [
        (chip(0, "nvme", ("", "70000")) | chip(1, "coretemp", ("Package id 0", "51000"), ("Core 0", "49000")), 51),
        (chip(0, "coretemp", ("", "51000")) | chip(1, "coretemp", ("", "63500")), 63.5),  # two sockets
        (chip(0, "k10temp", ("Tctl", "92000"), ("Tdie", "65000"), ("Tccd1", "66250")), 66.25),
        (chip(0, "k10temp", ("Tctl", "92000"), ("Tccd1", "66250")), 92),  # without Tdie, Tctl has no offset
        (chip(0, "coretemp", ("", "-273150"), ("", "200000"), ("", "hot")), None),
        (zone(0, "acpitz", "80000") | zone(1, "x86_pkg_temp", "47000"), 47),
        (zone(0, "cpu-thermal", "47000") | zone(1, "gpu-thermal", "80000"), 47),
        (chip(0, "coretemp", ("", "40000")) | zone(0, "x86_pkg_temp", "47000"), 40),
        (chip(0, "acpitz", ("", "80000")) | zone(0, "iwlwifi_1", "60000"), None),
    ],
)  # fmt: skip
def test_the_temperature_is_that_of_the_processor_s_own_sensors(
    tmp_path: Path, files: dict[str, str], value: float | None
) -> None:
    fact = cpu_state.collect(tree(tmp_path, files))["cpu_temperature"]
    assert (fact["value"], fact["unit"]) == (value, "degrees Celsius")
    assert fact["reason"] == (None if value else "no sensor of the processor is shown")


def test_they_are_part_of_the_fingerprint_s_state_and_not_of_its_id(tmp_path: Path) -> None:
    root = machine(tmp_path)
    facts, before = hwprobe.collect(root), fingerprint(hwprobe.collect(root), conditions.collect(root))
    assert before["volatile"]["cpu_clock_mhz"] is before["volatile"]["cpu_temperature_celsius"] is None
    tree(tmp_path, chip(0, "coretemp", ("", "51000")) | {CURRENT[0]: "800000"})
    after = fingerprint(facts, conditions.collect(root))
    assert (after["volatile"]["cpu_clock_mhz"], after["volatile"]["cpu_temperature_celsius"]) == (800, 51)
    assert after["id"] == before["id"]


def test_where_there_is_no_sysfs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.setattr(psutil, "cpu_freq", lambda: SimpleNamespace(current=3204))
    assert cpu_state.collect()["cpu_clock"]["value"] == 3204
    assert cpu_state.collect()["cpu_temperature"]["reason"] == "no sensor of the processor is shown"
    for answer in (lambda: SimpleNamespace(current=0), lambda: None, lambda: 1 / 0):
        monkeypatch.setattr(psutil, "cpu_freq", answer)
        assert (cpu_state.collect()["cpu_clock"]["value"], cpu_state.collect()["cpu_clock"]["source"]) == (
            None,
            "psutil",
        )


FILES = (
    *(f"{CPU}/cpu0/cpufreq/scaling_cur_freq", "/proc/cpuinfo"),
    *(f"{HWMON}/hwmon0/{name}" for name in ("name", "temp1_input", "temp1_label", "temp2_input", "temp_input")),
    *(f"{ZONES}/thermal_zone0/{name}" for name in ("type", "temp")),
)
WORDS = st.sampled_from(
    ["cpu MHz : ", "flags : hypervisor", "coretemp", "k10temp", "Tdie", "cpu", "9" * 25, "-1", "nan"]
)
GARBAGE = WORDS | st.text(max_size=8) | st.integers().map(str)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.dictionaries(st.sampled_from(FILES), st.lists(GARBAGE, max_size=3).map("\n".join)))
def test_garbage_is_a_plausible_value_or_a_reason(tmp_path: Path, texts: dict[str, str]) -> None:
    shutil.rmtree(tmp_path, ignore_errors=True)
    found = cpu_state.collect(tree(tmp_path, texts))
    json.dumps(found, allow_nan=False)
    for fact, low, high in ((found["cpu_clock"], 0, 1e5), (found["cpu_temperature"], -40, 150)):
        assert fact["reason"] if fact["value"] is None else low < fact["value"] < high
