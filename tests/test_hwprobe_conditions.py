"""What spoils a benchmark: on recorded trees (before, after), under real load, and on a stand-in for NVML."""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psutil
import pytest
from hwprobe_tree import CGROUP_2, tree
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hwprobe import clocks, conditions, idle, own_time, watch
from hwprobe.advice import advise
from hwprobe.facts import Room, known, unknown
from hwprobe.own_time import OwnTime

HERE = Path(__file__).parents[1]
CPU = "/sys/devices/system/cpu"
TICKS = os.sysconf("SC_CLK_TCK")
on_linux = pytest.mark.skipif(not Path("/proc/stat").exists(), reason="no /proc on this system")


def stat(pid: int, parent: int, ticks: int = 0, start: int = 55, of_children: int = 0) -> str:
    """/proc/<pid>/stat of a program whose name is as hard to read as can be."""
    return f"{pid} (a) b c d e f) S {parent} {'0 ' * 9}{ticks} 0 {of_children} 0 {'0 ' * 4}{start} 0\n"


def reading(root: Path, second: int, own: int, **changes: str) -> Room:
    """Conditions `second` seconds after the start, of two CPUs of which this process used `own` ticks."""
    files = {
        "/proc/stat": f"cpu  {own} 0 0 {2 * second * TICKS - own} 0 0 0 0 0 0\n",
        "/proc/self/stat": stat(7, 1, own),
        "/proc/vmstat": "pswpin 5\npswpout 5\noom_kill 1\n",
        "/proc/pressure/memory": "some avg10=0.00 avg60=0.00 avg300=0.00 total=1000000\n",
        "/proc/self/cgroup": "0::/\n",
        "/proc/self/mountinfo": CGROUP_2,
        "/sys/fs/cgroup/cpu.stat": "nr_throttled 3\n",
        f"{CPU}/cpu0/thermal_throttle/core_throttle_count": "4\n",
        "/sys/class/power_supply/AC/type": "Mains\n",
        "/sys/class/power_supply/AC/online": "1\n",
        "/sys/class/power_supply/BAT0/type": "Battery\n",
        "/sys/class/power_supply/BAT0/status": "Discharging\n",
    }
    return conditions.collect(tree(root, files | changes)) | {"time": known(float(second), "test", "seconds")}


# --- what taints ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "reasons"),
    [
        ({}, []),
        # Of 10 s on 2 CPUs this process used 5: user, nice, system, idle, iowait, irq, softirq, steal.
        ({"/proc/stat": f"cpu  {6 * TICKS} 0 0 {14 * TICKS} 0 0 0 0"}, []),  # 1 s of 20: 5 %, not above
        ({"/proc/stat": f"cpu  {10 * TICKS} 0 0 {10 * TICKS} 0 0 0 0"}, ["other programs took 25% of the CPUs"]),
        (
            {"/proc/stat": f"cpu  {5 * TICKS} {9 * TICKS} 0 {6 * TICKS} 0 0 0 0"},
            ["other programs took 45% of the CPUs"],
        ),
        ({"/proc/stat": f"cpu  {5 * TICKS} 0 0 {13 * TICKS} {2 * TICKS} 0 0 0"}, []),  # waiting for a disk is idle
        (
            {"/proc/stat": f"cpu  {5 * TICKS} 0 0 {14 * TICKS} 0 0 0 {TICKS}"},
            ["the hypervisor took 5.0% of the CPU time"],
        ),
        ({"/proc/stat": f"cpu  {5 * TICKS} 0 0 {15 * TICKS} 0 0 0 {TICKS // 10}"}, []),
        ({"/sys/fs/cgroup/cpu.stat": "nr_throttled 5\n"}, ["the CPU quota stopped this process 2 times"]),
        ({"/sys/fs/cgroup/cpu.stat": "nr_throttled 4\n"}, ["the CPU quota stopped this process 1 time"]),
        ({"/proc/vmstat": "pswpin 6\npswpout 5\noom_kill 1\n"}, ["1 page went to swap or came back"]),
        ({"/proc/vmstat": "pswpin 5\npswpout 5\noom_kill 2\n"}, ["the kernel ended 1 program for lack of memory"]),
        ({f"{CPU}/cpu0/thermal_throttle/core_throttle_count": "9\n"}, ["heat slowed the CPU 5 times"]),
        (
            {"/proc/pressure/memory": "some avg10=9.00 avg60=9.00 avg300=9.00 total=2200000\n"},
            ["programs waited for memory for 12% of the time"],
        ),
        ({"/proc/pressure/memory": "some avg10=9.00 avg60=9.00 avg300=9.00 total=1050000\n"}, []),
        ({"/sys/class/power_supply/AC/online": "0\n"}, ["the charger was unplugged"]),
        # What is unknown taints not.
        ({"/proc/vmstat": "", "/proc/stat": "", "/sys/fs/cgroup/cpu.stat": "", "/proc/pressure/memory": ""}, []),
        ({f"{CPU}/cpu0/thermal_throttle/core_throttle_count": ""}, []),
        (dict.fromkeys((f"/sys/class/power_supply/{name}/type" for name in ("AC", "BAT0")), ""), []),
        ({"/proc/self/stat": stat(7, 1, 0, start=99)}, []),  # another process: own work is not known
    ],
)
def test_what_taints(tmp_path: Path, changes: dict[str, str], reasons: list[str]) -> None:
    before = reading(tmp_path, second=0, own=0)
    after = reading(tmp_path, second=10, own=5 * TICKS, **changes)
    taints = conditions.compare(before, after)
    assert [taint["reason"] for taint in taints] == reasons
    assert conditions.compare(json.loads(json.dumps(before)), json.loads(json.dumps(after))) == taints


@pytest.mark.parametrize(("ticks", "tainted"), [(4, False), (7, True)])
def test_the_rounding_of_a_short_time_is_no_load(tmp_path: Path, ticks: int, tainted: bool) -> None:
    before = reading(tmp_path, second=0, own=0)
    short = {"/proc/stat": f"cpu  {5 + ticks} 0 0 {20 - ticks} 0 0 0 0"}  # 4 of 25 is 16 %, but 40 ms
    assert bool(conditions.compare(before, reading(tmp_path, second=1, own=5, **short))) == tainted


def test_counters_that_stand_still_divide_nothing_by_zero(tmp_path: Path) -> None:
    before = reading(tmp_path, second=1, own=0, **{"/proc/stat": "cpu  0 0 0 1000 0 0 0 0"})
    after = reading(tmp_path, second=1, own=0, **{"/proc/stat": "cpu  900 0 0 100 0 0 0 0"})
    assert conditions.compare(before, after) == []


def test_what_the_system_does_not_tell_has_a_reason_and_is_never_zero(tmp_path: Path) -> None:
    facts = conditions.collect(str(tmp_path))
    assert {name for name, fact in facts.items() if fact["value"] is not None} == {"time"}
    assert all(fact["reason"] for name, fact in facts.items() if name != "time")


# --- a watch: several readings, one verdict -------------------------------------------------------------------------


def test_a_watch_knows_clean_tainted_and_unknown(tmp_path: Path) -> None:
    before = reading(tmp_path, second=0, own=0)
    clean = reading(tmp_path, second=10, own=TICKS)
    loaded = reading(tmp_path, second=10, own=TICKS, **{"/proc/stat": f"cpu  0 {9 * TICKS} 0 {11 * TICKS} 0 0 0 0"})
    hidden = reading(tmp_path, second=10, own=TICKS, **{"/proc/stat": ""})
    assert watch.judge([before, clean]) == {"verdict": "clean", "taints": []}
    reason = "other programs took 40% of the CPUs"
    assert watch.judge([before, loaded])["taints"] == [{"condition": "other load", "reason": reason}]
    assert watch.judge([before, loaded])["verdict"] == "tainted"
    assert watch.judge([before, hidden]) == {"verdict": "unknown", "taints": []}


def test_a_short_load_is_not_lost_in_the_average_of_a_long_time(tmp_path: Path) -> None:
    def at(second: int, others: int) -> Room:
        busy = f"cpu  {second * TICKS} {others * TICKS} 0 {(second - others) * TICKS} 0 0 0 0"
        return reading(tmp_path, second, own=second * TICKS, **{"/proc/stat": busy})

    readings = [at(0, 0), at(60, 0), at(65, 4), at(200, 4)]
    assert watch.judge([readings[0], readings[-1]])["verdict"] == "clean"  # 1 % of the CPUs
    reason = "other programs took 40% of the CPUs, in 5 of 200 s"
    assert watch.judge(readings) == {"verdict": "tainted", "taints": [{"condition": "other load", "reason": reason}]}


@on_linux
def test_a_look_too_soon_is_no_reading_and_the_last_spell_is_no_short_one(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    judged: list[Any] = []
    monkeypatch.setattr(watch, "judge", lambda readings: judged.extend(readings))
    watched = watch.Watch()
    for second in (100.5, 101.5, 102.0, 103.0):
        now[0] = second
        watched.look()
    now[0] = 103.4
    watched.verdict()
    assert [one["time"]["value"] for one in judged] == [100.0, 101.5, 103.4]


# --- own work -------------------------------------------------------------------------------------------------------


def processes(root: Path, *lines: str) -> str:
    """A tree of these processes; the first one is this program."""
    shutil.rmtree(root / "proc", ignore_errors=True)
    files = {f"/proc/{line.split()[0]}/stat": line for line in lines}
    return tree(root, {**files, "/proc/self/stat": lines[0]})


def test_workers_that_live_on_and_their_children_are_own_work(tmp_path: Path) -> None:
    ours = (stat(7, 1, 100), stat(8, 7, 200), stat(9, 8, 300, of_children=50))
    root = processes(tmp_path, *ours, stat(20, 1, 5000), stat(21, 20, 6000))
    assert OwnTime(root).read() == (650 / TICKS, 55 / TICKS)


def test_a_worker_s_time_counts_once_when_it_has_ended(tmp_path: Path) -> None:
    own = OwnTime(processes(tmp_path, stat(7, 1, 100), stat(8, 7, 200)))
    before, _ = own.read()
    assert own.pids == {7, 8}
    processes(tmp_path, stat(7, 1, 110, of_children=230))  # it worked for 30 more, ended, and was waited for
    after, _ = own.read()
    assert (before, after) == (300 / TICKS, 340 / TICKS)


def test_time_that_nobody_waited_for_is_not_taken_away_from_own_work(tmp_path: Path) -> None:
    own = OwnTime(processes(tmp_path, stat(7, 1, 100), stat(8, 7, 200), stat(9, 8, 5000)))
    own.read()
    processes(tmp_path, stat(7, 1, 100, of_children=200))  # 8 and its child 9 were killed together
    assert own.read()[0] == 5300 / TICKS


def test_a_number_that_is_another_process_s_by_now(tmp_path: Path) -> None:
    own = OwnTime(processes(tmp_path, stat(7, 1, 0), stat(8, 7, 200), stat(9, 8, 500)))
    own.read()
    processes(tmp_path, stat(7, 1, 0, of_children=200), stat(9, 7, 30, start=77))  # 8 and 9 were killed together
    assert own.read()[0] == 730 / TICKS


@on_linux
def test_psutil_counts_the_same_where_there_is_no_proc() -> None:
    child = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    try:
        time.sleep(0.5)
        first, *others = own_time._by_psutil()
        known_here, _ = OwnTime().read()
        assert first.pid == os.getpid()
        assert child.pid in {process.pid for process in others}
        assert sum(process.seconds for process in (first, *others)) == pytest.approx(known_here, abs=0.2)
        busy, steal, total = conditions._cpu_times_by_psutil()
        facts = conditions.collect()
        assert steal is None
        assert busy == pytest.approx(facts["busy_time"]["value"], rel=0.05)
        assert 0 < busy < total
    finally:
        child.kill()
        child.wait()


@pytest.fixture
def stranger() -> Iterator[psutil.Process]:
    """A busy program at nice 19 that is no child of ours: whoever started it has ended."""
    code = "while True: pass"
    command = f"nice -n 19 {sys.executable} -c '{code}' >/dev/null 2>&1 & echo $!"
    started = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=True)
    process = psutil.Process(int(started.stdout))
    yield process
    process.kill()


@on_linux
def test_a_nice_program_s_load_is_seen(stranger: psutil.Process) -> None:
    watched, worked = watch.Watch(), sum(stranger.cpu_times()[:2])
    before = conditions.collect()
    time.sleep(1.5)
    after = conditions.collect()
    worked = sum(stranger.cpu_times()[:2]) - worked
    busy = after["busy_time"]["value"] - before["busy_time"]["value"]
    assert busy > worked - 0.1
    assert "other load" in [taint["condition"] for taint in watched.verdict()["taints"]]


@on_linux
def test_a_worker_that_lives_on_is_no_other_load() -> None:
    worker = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    try:
        own = OwnTime()
        process, (before, _) = psutil.Process(worker.pid), own.read()
        worked = -sum(process.cpu_times()[:2])
        time.sleep(1)
        (after, _), worked = own.read(), worked + sum(process.cpu_times()[:2])
        assert worked > 0.1
        assert after - before == pytest.approx(worked, abs=0.1)
    finally:
        worker.kill()
        worker.wait()
    ended, _ = own.read()
    assert ended >= after  # waited for: it is own work still, and counts once
    assert ended - after < 0.3


# --- the state of the machine ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("supplies", "on_battery"),
    [
        ({}, None),
        ({"AC": ("Mains", "online", "0"), "BAT0": ("Battery", "status", "Discharging")}, True),
        ({"AC": ("Mains", "online", "1"), "BAT0": ("Battery", "status", "Charging")}, False),
        ({"ucsi": ("USB", "online", "1"), "BAT0": ("Battery", "status", "Discharging")}, False),
    ],
)
def test_battery(tmp_path: Path, supplies: dict[str, tuple[str, str, str]], on_battery: bool | None) -> None:
    files = {}
    for name, (kind, file, text) in supplies.items():
        files |= {f"/sys/class/power_supply/{name}/type": kind, f"/sys/class/power_supply/{name}/{file}": text}
    mouse = {"type": "Battery", "scope": "Device", "status": "Discharging"}
    files |= {f"/sys/class/power_supply/mouse/{name}": text for name, text in mouse.items()}
    assert conditions.collect(tree(tmp_path, files))["on_battery"]["value"] is on_battery


@pytest.mark.parametrize(("plugged", "on_battery"), [(True, False), (False, True), (None, None)])
def test_battery_where_there_is_no_sysfs(
    monkeypatch: pytest.MonkeyPatch, plugged: bool | None, on_battery: bool | None
) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.setattr(psutil, "sensors_battery", lambda: SimpleNamespace(power_plugged=plugged), raising=False)
    assert clocks.events()["on_battery"]["value"] is on_battery
    monkeypatch.setattr(psutil, "sensors_battery", lambda: None, raising=False)  # a machine without one
    assert clocks.events()["on_battery"]["value"] is None


PERFORMANCE = "sudo cpupower frequency-set -g performance"
NO_TURBO, NO_BOOST = f"echo 1 | sudo tee {CPU}/intel_pstate/no_turbo", f"echo 0 | sudo tee {CPU}/cpufreq/boost"


@pytest.mark.parametrize(
    ("files", "remedies"),
    [
        ({}, []),
        ({"cpu0/cpufreq/scaling_governor": "performance\n", "cpu1/cpufreq/scaling_governor": "performance\n"}, []),
        (
            {"cpu0/cpufreq/scaling_governor": "performance\n", "cpu1/cpufreq/scaling_governor": "powersave\n"},
            [PERFORMANCE],
        ),
        ({"cpu0/cpufreq/energy_performance_preference": "performance\n"}, []),
        (
            {"cpu0/cpufreq/energy_performance_preference": "balance_power\n"},
            [f"echo performance | sudo tee {CPU}/cpu*/cpufreq/energy_performance_preference"],
        ),
        ({"intel_pstate/no_turbo": "0\n"}, [NO_TURBO]),
        ({"intel_pstate/no_turbo": "1\n"}, []),
        ({"cpufreq/boost": "1\n"}, [NO_BOOST]),
        ({"cpufreq/boost": "0\n"}, []),
        ({"cpufreq/boost": "maybe\n"}, []),
        ({"intel_pstate/no_turbo": "0\n", "cpufreq/boost": "1\n"}, [NO_TURBO]),
    ],
)
def test_advice_stands_only_where_it_applies(tmp_path: Path, files: dict[str, str], remedies: list[str]) -> None:
    found = conditions.collect(tree(tmp_path, {f"{CPU}/{name}": text for name, text in files.items()}))
    assert [advice["remedy"] for advice in advise({"gpu": {"devices": []}}, found)] == remedies


def test_advice_on_battery_and_on_gpus(tmp_path: Path) -> None:
    on_battery = reading(tmp_path, 1, 0, **{"/sys/class/power_supply/AC/online": "0\n"})

    def gpu(**values: Any) -> Room:
        return {name: known(value, "test") for name, value in {"vendor": "NVIDIA", **values}.items()}

    amd = {"vendor": known("AMD", "test"), "persistence": unknown("no NVIDIA", "test")}
    fine = gpu(persistence=True, display_active=False, mps=False, mig=False, pcie_width=16, pcie_width_max=16)
    bad = gpu(persistence=False, display_active=True, mps=True, mig=True, pcie_width=8, pcie_width_max=16)
    found = advise({"gpu": {"devices": [amd, fine, bad]}}, on_battery)
    assert [advice["reason"] for advice in found] == [
        "the machine runs on its battery",
        "GPU 1 has no persistence mode",
        "GPU 1 also draws a display",
        "GPU 1 is shared by MPS",
        "GPU 1 is cut into MIG slices",
        "GPU 1 has 8 of its 16 PCIe lanes",
    ]
    assert found[1]["remedy"] == "sudo nvidia-smi -i 1 -pm 1"


# --- GPUs -----------------------------------------------------------------------------------------------------------


def gpus(second: float, *devices: dict[str, Any]) -> Room:
    """The conditions of some GPUs at this second."""
    found = {
        f"gpu{n}_{name}": known(value, "NVML") for n, device in enumerate(devices) for name, value in device.items()
    }
    return {"time": known(second, "test"), **found}


QUIET = {"slowed_by": [], "thermal_time": 0.0, "own_programs": 1, "other_programs": 0, "memory_errors": 0}


@pytest.mark.parametrize(
    ("after", "reasons"),
    [
        ({}, []),
        ({"thermal_time": 1.2}, ["heat slowed GPU 0 for 12% of the time"]),
        ({"thermal_time": 0.05}, []),
        ({"slowed_by": ["heat"]}, ["heat slowed GPU 0"]),
        ({"slowed_by": ["heat"], "thermal_time": 5.0}, ["heat slowed GPU 0 for 50% of the time"]),
        ({"slowed_by": ["its power supply"], "thermal_time": None}, ["its power supply slowed GPU 0"]),
        ({"other_programs": 1}, ["1 other program ran on GPU 0"]),
        ({"other_programs": 2}, ["2 other programs ran on GPU 0"]),
        ({"memory_errors": 3}, ["GPU 0 counted 3 uncorrected memory errors"]),
        (dict.fromkeys(QUIET), []),  # unknown taints not
    ],
)
def test_what_taints_a_gpu(after: dict[str, Any], reasons: list[str]) -> None:
    taints = conditions.compare(gpus(0, QUIET), gpus(10, QUIET | after))
    assert [taint["reason"] for taint in taints] == reasons


def test_only_the_gpus_in_use_count_and_all_where_that_is_not_told() -> None:
    hot = {**QUIET, "own_programs": 0, "other_programs": 1, "thermal_time": 9.0}
    assert conditions.compare(gpus(0, QUIET, QUIET | {"own_programs": 0}), gpus(10, QUIET, hot)) == []
    unseen = QUIET | {
        "own_programs": 0
    }  # in a container: the one program there is ours, and cannot be told from others
    reasons = [taint["reason"] for taint in conditions.compare(gpus(0, unseen, unseen), gpus(10, unseen, hot))]
    assert reasons == ["heat slowed GPU 1 for 90% of the time"]


@pytest.mark.skipif(shutil.which("gcc") is None, reason="gcc is not installed: no stand-in for NVML")
@pytest.mark.parametrize("events", [True, False])
def test_a_driver_is_asked_question_by_question(tmp_path: Path, events: bool) -> None:
    """The real pynvml; an old driver lacks the symbols of some questions, which cost only their own facts."""
    source = '#include "nvml.c"\n'
    if events:
        source += """
            typedef struct { unsigned long long reference, violation; } status;
            int nvmlDeviceGetViolationStatus(void *device, unsigned policy, status *status) {
                status->reference = 0;
                status->violation = policy == 1 ? 2500000000ULL : 0; /* 1: heat; nanoseconds */
                return 0;
            }
            int nvmlDeviceGetTemperature(void *device, unsigned sensor, unsigned *value) { *value = 84; return 0; }
            int nvmlDeviceGetTotalEccErrors(void *device, unsigned kind, unsigned counter, unsigned long long *count) {
                *count = kind == 1 && counter == 0 ? 6 : 99; /* uncorrected, since the driver was loaded */
                return 0;
            }
        """
    (tmp_path / "stub.c").write_text(source)
    fixtures = Path(__file__).parent / "fixtures"
    built = ["gcc", "-shared", "-fPIC", f"-I{fixtures}", "-o", tmp_path / "libnvidia-ml.so.1", tmp_path / "stub.c"]
    subprocess.run(built, check=True)
    # In the system's own namespace, whatever these tests run in: else nothing is known of single programs.
    root = tree(tmp_path, {}, {"/proc/self/ns/pid": "pid:[4026531836]"})
    code = "import json, os; from hwprobe import conditions_gpu\n"
    code += f"print(json.dumps(conditions_gpu.collect([os.getpid()], {root!r})))"
    # 0x64: power cap, heat twice; 0x4 is no fault.
    environment = {"STUB_MIB": "8192,8192", "STUB_REASONS": str(0x64), "STUB_PROCESSES": "2"}
    environment = {**os.environ, **environment, "LD_LIBRARY_PATH": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    facts = json.loads(done.stdout)
    assert {name.partition("_")[0] for name in facts} == {"gpu0", "gpu1"}
    values = {name.removeprefix("gpu1_"): fact["value"] for name, fact in facts.items() if name.startswith("gpu1")}
    told = {"thermal_time": 2.5, "temperature": 84, "memory_errors": 6}
    asked = {"slowed_by": ["heat"], "own_programs": 1, "other_programs": 1}
    assert values == asked | (told if events else dict.fromkeys(told))
    assert all(fact["reason"] for fact in facts.values() if fact["value"] is None)


# --- waiting until the machine is idle ------------------------------------------------------------------------------


class Steps:
    """In place of sleeping: the next step's CPU times, of two CPUs, are written into the tree."""

    def __init__(self, root: Path, others: list[float]) -> None:
        self.root, self.others, self.taken = root, others, 0
        self.write()

    def __call__(self, seconds: float) -> None:
        assert seconds == idle.STEP_S
        self.taken += 1
        self.write()

    def write(self) -> None:
        busy = sum(self.others[: self.taken]) * TICKS
        total = 2 * idle.STEP_S * self.taken * TICKS
        tree(
            self.root,
            {"/proc/stat": f"cpu  0 {busy:.0f} 0 {total - busy:.0f} 0 0 0 0\n", "/proc/self/stat": stat(7, 1)},
        )


@pytest.mark.parametrize(
    ("others", "steps"), [([0] * 4, 4), ([1, 0.5, 0, 0, 0, 0], 6), ([0, 0, 0, 0.2, 0, 0, 0.04, 0], 8)]
)
def test_idle_is_two_quiet_seconds_in_a_row(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, others: list[float], steps: int
) -> None:
    slept = Steps(tmp_path, others)
    monkeypatch.setattr(time, "sleep", slept)
    assert idle.wait(60, str(tmp_path)) is None
    assert slept.taken == steps


def test_waiting_is_bounded_and_says_what_kept_the_machine_busy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    slept = Steps(tmp_path, [0.5] * 1000)
    monkeypatch.setattr(time, "sleep", slept)
    monkeypatch.setattr(time, "monotonic", lambda: slept.taken * idle.STEP_S)
    assert idle.wait(60, str(tmp_path)) == "other programs took 50% of the CPUs"
    assert slept.taken == 120


def test_an_idle_machine_cannot_be_told_where_nothing_is_counted(tmp_path: Path) -> None:
    assert idle.wait(2, str(tmp_path)) == "this system does not tell what other programs do"


def probe(*options: str) -> tuple[subprocess.CompletedProcess[str], float]:
    start = time.monotonic()
    command = [sys.executable, "-m", "hwprobe", *options]
    done = subprocess.run(command, cwd=HERE, capture_output=True, text=True, check=False)
    return done, time.monotonic() - start


@on_linux
def test_the_command_goes_on_although_the_machine_stays_busy(stranger: psutil.Process) -> None:
    assert stranger.is_running()
    plain, _ = probe("--json")
    waited, seconds = probe("--json", "--wait-idle", "2.5")
    assert waited.returncode == plain.returncode
    assert seconds > 2
    assert waited.stderr.count("\n") == 1
    assert waited.stderr.startswith("hwprobe: not idle after 2.5 s: other programs took ")
    assert "will be tainted" in waited.stderr
    assert set(json.loads(waited.stdout)) == set(json.loads(plain.stdout))


@pytest.mark.parametrize("limit", ["1", "-5", "nan", "soon", "1e9"])
def test_a_limit_that_is_none_is_one_line_and_exit_2(limit: str) -> None:
    done, _ = probe("--wait-idle", limit)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert "--wait-idle" in done.stderr


def test_advice_is_printed_under_the_table(capsys: pytest.CaptureFixture[str]) -> None:
    from hwprobe.table import show_advice

    show_advice([])
    assert capsys.readouterr().out == ""
    show_advice([{"condition": "governor", "reason": "the CPU governor is powersave", "remedy": PERFORMANCE}])
    assert f"- the CPU governor is powersave: {PERFORMANCE}\n" in capsys.readouterr().out


# --- garbage --------------------------------------------------------------------------------------------------------

FILES = (
    *("/proc/stat", "/proc/vmstat", "/proc/loadavg", "/proc/self/stat", "/proc/8/stat", "/proc/9/stat"),
    *("/proc/pressure/cpu", "/proc/pressure/memory", "/sys/fs/cgroup/cpu.stat"),
    *(f"{CPU}/cpu0/thermal_throttle/core_throttle_count", f"{CPU}/cpu0/cpufreq/scaling_governor"),
    *(f"{CPU}/cpu0/cpufreq/energy_performance_preference", f"{CPU}/intel_pstate/no_turbo", f"{CPU}/cpufreq/boost"),
    *("/sys/class/power_supply/AC/type", "/sys/class/power_supply/AC/online", "/sys/class/power_supply/BAT0/status"),
)
WORDS = st.sampled_from(
    [
        "cpu ",
        "8 (x) S 8 ",
        "pswpin ",
        "oom_kill ",
        "some total=",
        "nr_throttled ",
        "Mains",
        "9" * 25,
        "-1",
        "1e99",
        "nan",
    ]
)
GARBAGE = st.lists(WORDS | st.text(max_size=8) | st.integers().map(str), max_size=30).map(" ".join)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(first=st.dictionaries(st.sampled_from(FILES), GARBAGE), second=st.dictionaries(st.sampled_from(FILES), GARBAGE))
def test_garbage_is_a_verdict_and_never_an_error(tmp_path: Path, first: dict[str, str], second: dict[str, str]) -> None:
    shutil.rmtree(tmp_path, ignore_errors=True)
    own = OwnTime(str(tmp_path))
    readings = []
    for files in (first, second, second):
        readings.append(conditions.read(own, tree(tmp_path, files)))
    verdict = watch.judge(readings)
    assert verdict["verdict"] in ("clean", "tainted", "unknown")
    assert all(fact["value"] is not None or fact["reason"] for one in readings for fact in one.values())
    json.dumps(
        [readings, verdict, advise({"gpu": {"devices": []}}, conditions.collect(str(tmp_path)))], allow_nan=False
    )
