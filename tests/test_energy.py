"""Energy counters: RAPL's on small /sys trees that turn, fail and hide; a GPU's on the stand-in for NVML."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hwprobe_tree import tree
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from test_hwprobe_gpu import library

from hwprobe import energy

POWERCAP = "/sys/class/powercap"
STILL = "the counter stands still: too short a time, or none that counts here"
NOT_READ, NOT_SHOWN = "its counter cannot be read", "the system shows no counter of it"


def zone(name: str, kind: str, microjoules: int | str, turns_at: int | None = 262_143_328_850) -> dict[str, str]:
    """Files of one of RAPL's domains."""
    files = {"name": f"{kind}\n", "energy_uj": f"{microjoules}\n"}
    if turns_at is not None:
        files["max_energy_range_uj"] = f"{turns_at}\n"
    return {f"{POWERCAP}/{name}/{file}": text for file, text in files.items()}


def told(room: dict[str, Any]) -> dict[str, Any]:
    """By domain its joules, or why they are unknown."""
    assert all((fact["unit"], bool(fact["source"])) == ("joules", True) for fact in room.values())
    return {name: fact["reason"] if fact["value"] is None else fact["value"] for name, fact in room.items()}


# --- processors -----------------------------------------------------------------------------------------------------


def test_packages_and_their_memory_count_and_nothing_counts_twice(tmp_path: Path) -> None:
    files = {f"{POWERCAP}/intel-rapl/enabled": "1\n"}
    for number in (0, 1):
        package = f"intel-rapl:{number}"
        files |= zone(package, f"package-{number}", 5_000_000 + number)
        files |= zone(f"{package}:0", "core", 3_000_000) | zone(f"{package}:1", "dram", 2_000_000)
        files |= zone(f"{package}:2", "uncore", 1_000_000)
    files |= zone("intel-rapl:2", "psys", 90_000_000)  # the whole board, packages included
    for name in ("dtpm:0", "intel-rapl-mmio:0", "other-rapl:0"):  # the same by another way, or something else
        files |= zone(name, "package-0", 1)
    root = tree(tmp_path, files)
    package = {"package0": 5.0, "package1": 5.000001}
    assert told(energy.read(root)) == {**package, "package0_dram": 2.0, "package1_dram": 2.0}
    assert energy.available(root=root)
    assert not energy.available("cuda", root)


def test_dies_of_one_package_have_counters_of_their_own(tmp_path: Path) -> None:
    dies = zone("intel-rapl:0", "package-0-die-0", 1_000_000) | zone("intel-rapl:1", "package-0-die-1", 2_000_000)
    assert told(energy.read(tree(tmp_path, dies))) == {"package0_die0": 1.0, "package0_die1": 2.0}


def test_a_meter_counts_from_its_start_on(tmp_path: Path) -> None:
    files = zone("intel-rapl:0", "package-0", 5_000_000) | zone("intel-rapl:0:0", "dram", 1_000_000)
    meter = energy.Meter(tree(tmp_path, files))
    assert meter.joules() is None  # nothing was counted yet: that is not 0 joules
    assert told(meter.read()) == {"package0": STILL, "package0_dram": STILL}
    for package, dram in ((6_500_000, 1_250_000), (9_000_000, 2_000_000)):
        tree(tmp_path, zone("intel-rapl:0", "package-0", package) | zone("intel-rapl:0:0", "dram", dram))
        assert meter.joules() == (package - 5_000_000 + dram - 1_000_000) / 1e6
    assert told(meter.read()) == {"package0": 4.0, "package0_dram": 1.0}


def test_a_counter_that_turns_is_counted_through_each_time(tmp_path: Path) -> None:
    """65.5 kJ last four minutes at 270 W: a counter may turn several times in one measurement."""
    turn, meter = 65_532_610_987, None
    for so_far in range(0, 5 * turn, turn // 3):
        root = tree(tmp_path, zone("intel-rapl:0", "package-0", (so_far + 1_000_000) % turn, turn))
        meter = meter or energy.Meter(root)
        assert (meter.joules() or 0.0) == pytest.approx(so_far / 1e6)


@pytest.mark.parametrize(
    ("files", "reason"),
    [
        (zone("intel-rapl:0", "package-0", 100, turns_at=None), "the counter was set back"),
        (zone("intel-rapl:0", "package-0", 100, turns_at=4_000_000), "the counter was set back"),  # less than it showed
        (zone("intel-rapl:0", "package-0", "garbage"), NOT_READ),
        (zone("intel-rapl:0", "package-0", -5), NOT_READ),
        (zone("intel-rapl:0", "package-0", "9" * 30), NOT_READ),
        ({f"{POWERCAP}/intel-rapl:0/name": "package-1\n"}, "its counter is gone"),
        (zone("intel-rapl:0", "package-0", 5_000_000), STILL),
    ],
)
def test_what_cannot_be_told_is_unknown_and_stays_so(tmp_path: Path, files: dict[str, str], reason: str) -> None:
    meter = energy.Meter(tree(tmp_path, zone("intel-rapl:0", "package-0", 5_000_000)))
    (tmp_path / POWERCAP[1:] / "intel-rapl:0" / "max_energy_range_uj").unlink()
    tree(tmp_path, files)
    assert told(meter.read()) == {"package0": reason}
    assert meter.joules() is None
    tree(tmp_path, zone("intel-rapl:0", "package-0", 7_000_000))
    assert told(meter.read()) == {"package0": 2.0 if reason == STILL else reason}


def test_no_counter_is_unknown_and_one_that_is_missing_makes_no_smaller_sum(tmp_path: Path) -> None:
    empty = str(tmp_path / "empty")
    assert told(energy.read(empty)) == told(energy.Meter(empty).read()) == {"package0": NOT_SHOWN}
    assert energy.Meter(empty).joules() is energy.Meter(empty).joules("cuda:0") is None
    assert not energy.available(root=empty)
    half = {f"{POWERCAP}/intel-rapl:1/name": "package-1\n"} | zone("intel-rapl:0", "package-0", 1_000_000)
    meter = energy.Meter(tree(tmp_path, half))
    tree(tmp_path, zone("intel-rapl:0", "package-0", 3_000_000))
    assert told(meter.read()) == {"package0": 2.0, "package1": NOT_READ}
    assert meter.joules() is None
    assert not energy.available(root=str(tmp_path))


@pytest.mark.skipif(sys.platform == "win32", reason="no rights of other users to take on")
def test_a_counter_for_root_alone_says_so() -> None:
    """Root reads everything, so that it gives up its rights for a moment."""
    user = os.geteuid()
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o777)
        try:
            os.seteuid(user or 65534)
            root = tree(Path(folder), zone("intel-rapl:0", "package-0", 1_000_000))
            Path(folder, POWERCAP[1:], "intel-rapl:0", "energy_uj").chmod(0)
            found = told(energy.read(root)), told(energy.Meter(root).read())
        finally:
            os.seteuid(user)
    assert found == ({"package0": "only root may read it"},) * 2


FILES = [
    f"{POWERCAP}/intel-rapl:{n}/{file}" for n in ("0", "0:1") for file in ("name", "energy_uj", "max_energy_range_uj")
]
WORDS = st.sampled_from(["package-0", "dram", "package-0-die-1", "9" * 25, "-1", "nan", "1e5", "\x00"])
TEXTS = st.dictionaries(st.sampled_from(FILES), WORDS | st.text(max_size=8) | st.integers(0, 2**40).map(str))


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(first=TEXTS, second=TEXTS, third=TEXTS)
def test_garbage_is_never_negative_nor_an_error(
    tmp_path: Path, first: dict[str, str], second: dict[str, str], third: dict[str, str]
) -> None:
    shutil.rmtree(tmp_path, ignore_errors=True)
    meter = energy.Meter(tree(tmp_path, first))
    for files in (second, third):
        facts = [*energy.read(tree(tmp_path, files)).values(), *(since := meter.read()).values()]
        json.dumps(facts, allow_nan=False)
        assert all(fact["reason"] if fact["value"] is None else fact["value"] >= 0 for fact in facts)
        assert all(fact["value"] != 0 for fact in since.values())


# --- GPUs -----------------------------------------------------------------------------------------------------------

needs_gcc = pytest.mark.skipif(shutil.which("gcc") is None, reason="gcc is not installed: no stand-in for NVML")
METER = """
import json
from hwprobe import energy
meter = energy.Meter()
gpus = {name: fact for name, fact in meter.read().items() if name.startswith("gpu")}
print(json.dumps([gpus, meter.joules("cuda:0"), energy.available("cuda")]))
"""


def of_gpus(folder: Path, **settings: str) -> tuple[dict[str, Any], float | None, bool]:
    environment = {**os.environ, "LD_LIBRARY_PATH": str(folder), "STUB_MIB": "8192", **settings}
    command = [sys.executable, "-c", METER]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    gpus, joules, available = json.loads(done.stdout)
    return told(gpus), joules, available


@pytest.fixture(scope="module")
def current(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return library(tmp_path_factory.mktemp("current"))


@needs_gcc
def test_a_gpu_s_counter(current: Path) -> None:
    """The stand-in counts 1.5 J on from one question to the next."""
    assert of_gpus(current) == ({"gpu0": 1.5}, 3.0, True)
    assert of_gpus(current, STUB_MIB="8192,8192") == ({"gpu0": 1.5, "gpu1": 1.5}, None, False)  # which of them works?


@needs_gcc
@pytest.mark.parametrize(
    ("settings", "reason", "available"),
    [
        ({"STUB_POOR": "3"}, "NVML: Not Supported", False),
        ({"STUB_LOST": "0"}, "NVML: GPU is lost", False),
        ({"STUB_MILLIJOULES_MORE": "0"}, STILL, True),
        ({"STUB_MILLIJOULES_MORE": "-1500"}, "the counter was set back", True),  # its driver was loaded anew
    ],
)
def test_a_gpu_that_does_not_count(current: Path, settings: dict[str, str], reason: str, available: bool) -> None:
    assert of_gpus(current, **settings) == ({"gpu0": reason}, None, available)


@needs_gcc
def test_an_old_driver_and_none(current: Path, tmp_path: Path) -> None:
    old = library(tmp_path, "-DOLD_DRIVER")
    assert of_gpus(old) == ({"gpu0": "NVML: Function Not Found"}, None, False)
    assert of_gpus(current, STUB_INIT="9") == of_gpus(current, STUB_COUNT_ERROR="999") == ({}, None, False)
