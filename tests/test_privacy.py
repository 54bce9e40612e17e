"""Nothing that names people or machines gets into a file that a run or a report writes."""

import io
import json
import os
import platform
import re
import string
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout, suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

import psutil
import pytest
import typer
from hwprobe_tree import CGROUP_2, NVME, machine
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

import hwprobe
from hwprobe import conditions
from hwprobe.__main__ import probe
from hwprobe.private import scrub
from suites import profiles, store, worker_process
from suites.plugins import machine as machine_plugin
from suites.plugins import run_store


class Person(NamedTuple):
    """What must not get out; each occurs nowhere else."""

    host: str
    user: str
    mac: str
    ip: str
    ip6: str
    serial: str
    uuid: str


WORD = st.text(string.ascii_lowercase, min_size=6, max_size=10)
HEX = st.text("0123456789abcdef", min_size=2, max_size=2)
PEOPLE = st.builds(
    Person,
    host=WORD.map("zqhost{}".format),
    user=WORD.map("zquser{}".format),
    mac=st.lists(HEX, min_size=5, max_size=5).map(lambda parts: ":".join(["52", *parts])),
    ip=st.tuples(*[st.integers(100, 255)] * 3).map(lambda parts: "10.{}.{}.{}".format(*parts)),
    ip6=st.lists(HEX, min_size=7, max_size=7).map(lambda parts: ":".join(["fe80", *(f"1{part}" for part in parts)])),
    serial=WORD.map("ZQSERIAL{}".format),
    uuid=st.uuids().map(str),
)

# Places from which they could leak: path in the tree -> text. The first ones are read by hwprobe.
PLACES = {
    "proc/self/cgroup": "0::/user-{user}.slice/{host}-{uuid}.scope\n",
    "sys/fs/cgroup/user-{user}.slice/cpu.max": "200000 100000\n",
    "sys/fs/cgroup/user-{user}.slice/{host}-{uuid}.scope/memory.max": "4000000000\n",
    "sys/class/power_supply/{serial}/type": "Battery\n",
    "sys/class/power_supply/{serial}/status": "Discharging\n",
    "proc/self/stat": "7 ({user} ({host})) S " + "1 " * 40,
    "proc/1/environ": "container=docker\0HOSTNAME={host}\0HOME=/home/{user}\0",
    "proc/version": "Linux version 6.1.0 ({user}@{host}) (gcc) #1 SMP\n",
    # A Raspberry Pi has a serial number here.
    "proc/cpuinfo": "model name\t: Example CPU 8\nflags\t: avx2 hypervisor\nSerial\t: {serial}\n",
    "sys/class/dmi/id/product_name": "Standard PC (QEMU)\n",
    "sys/class/dmi/id/product_serial": "{serial}\n",
    "sys/class/dmi/id/product_uuid": "{uuid}\n",
    "sys/class/dmi/id/board_serial": "{serial}\n",
    "sys/class/dmi/id/chassis_asset_tag": "{host}\n",
    f"{NVME[1:]}/serial": "{serial}\n",
    f"{NVME[1:]}/wwid": "eui.{serial}\n",
    f"{NVME[1:]}/device/serial": "{serial}\n",
    f"{NVME[1:]}/device/address": "{mac}\n",
    "sys/bus/pci/devices/0000:3a:00.0/vendor": "0x1002\n",
    "sys/bus/pci/devices/0000:3a:00.0/class": "0x030000\n",
    "sys/bus/pci/devices/0000:3a:00.0/unique_id": "{serial}\n",
    "sys/bus/pci/devices/0000:3a:00.0/serial_number": "{serial}\n",
    "sys/class/net/{host}0/address": "{mac}\n",
    "proc/net/fib_trie": "{ip}\n",
    "proc/net/if_inet6": "{ip6}\n",
    "proc/sys/kernel/hostname": "{host}\n",
    "proc/sys/kernel/random/boot_id": "{uuid}\n",
    "proc/cmdline": "root=UUID={uuid} ip={ip}::{host}\n",
    "etc/hostname": "{host}\n",
    "etc/hosts": "{ip} {host}\n",
    "etc/machine-id": "{uuid}\n",
    "etc/passwd": "{user}:x:1000:1000:{user}:/home/{user}:/bin/sh\n",
}
MOUNTS = [
    "21 1 259:1 / / rw - ext4 /dev/disk/by-uuid/{uuid} rw",
    "21 1 0:30 / / rw - overlay overlay rw,upperdir=/home/{user}/{host}",
    "21 1 253:0 / / rw - xfs /dev/mapper/{host}-root rw",
    "21 1 9:0 / / rw - ext4 /dev/md/{host}:0 rw",
    "21 1 0:31 / / rw - btrfs /dev/md_{host} rw",
    "21 1 0:40 / / rw - nfs4 {host}:/home/{user} rw,addr={ip},clientaddr={ip6}",
    "21 1 0:41 / / rw - fuse.sshfs {user}@{host}:/ rw",
    "21 1 0:42 / / rw - zfs {host}/{user} rw",
    "21 1 0:43 / /home/{user} rw - cifs //{host}/{user} rw,username={user},addr={ip}",
]
VARIABLES = {
    **dict.fromkeys(("HOSTNAME", "COMPUTERNAME"), "{host}"),
    **dict.fromkeys(("USER", "LOGNAME", "USERNAME", "SUDO_USER"), "{user}"),
    "HOME": "{home}",
    "XDG_CACHE_HOME": "{home}/.cache",
    # Settings that are kept, since they may change a result.
    "CUDA_VISIBLE_DEVICES": "GPU-{uuid}",
    "NVIDIA_VISIBLE_DEVICES": "GPU-{uuid},1",
    "TF_CONFIG": '{{"cluster": {{"worker": ["{host}:2222", "other-{serial}:2222"]}}}}',
    "TORCHELASTIC_RUN_ID": "{user}-{host}",
    "MKL_DEBUG": "{ip} {ip6} {mac}",
    "OMP_TOOL_LIBRARIES": "{home}/tools.so",
    "XLA_FLAGS": "--xla_dump_to={home}\\dump",
    "OMP_SCHEDULE": "static",
}


@contextmanager
def machine_of(person: Person, places: set[str], mount: str) -> Iterator[tuple[str, Path]]:
    """A machine that is full of its owner's names: (the root of its tree, his home folder)."""
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        home = Path(folder, "homes", person.user)
        home.mkdir(parents=True)
        words = {**person._asdict(), "home": home}
        files = {path.format(**words): PLACES[path].format(**words) for path in places}
        files["proc/self/mountinfo"] = "\n".join([CGROUP_2, mount.format(**words)])
        files[f"sys/class/block/md_{person.host}/size"] = "1000000\n"
        files[f"homes/{person.user}/results/a"] = ""
        root = machine(Path(folder, "root"), **files)
        for name, text in VARIABLES.items():
            patch.setenv(name, text.format(**words))
        patch.setattr(platform, "node", lambda: person.host)
        facts, now = hwprobe.collect, conditions.collect
        paths = {"current folder": f"/homes/{person.user}/results", "system": "/"}
        patch.setattr(hwprobe, "collect", lambda **_: facts(root, paths))
        patch.setattr(conditions, "collect", lambda *_: now(root))
        machine_plugin.name.cache_clear()
        yield root, home
    machine_plugin.name.cache_clear()


def answer(**options: Any) -> str:
    """What `evenbench probe` prints."""
    output = io.StringIO()
    with redirect_stdout(output), redirect_stderr(output), suppress(typer.Exit):
        probe(**options)
    return output.getvalue()


def keep_a_run(person: Person, home: Path) -> None:
    """Open a run as asv's plugin does, and store what goes wrong in it, below the home folder."""
    described = {"versions": {}, "missing": {}, "software": hwprobe.collect()["software"]}
    environment = SimpleNamespace(name="env", profile=profiles.QUICK, dirty=False, interpreter=described)
    results = SimpleNamespace(params={"machine": machine_plugin.name()}, commit_hash="c")
    run = run_store.open_run(home / "evenbench" / ".asv" / "runs", environment, results)
    trouble = f"[Errno 2] {home}/.cache/w.npz on {person.host}, {person.ip}:80, [{person.ip6}], {person.mac}"
    trouble += f", GPU-{person.uuid}, /data/{person.user}/x"
    error = worker_process.WorkerError("exception", trouble, [])
    failure = {"workload": "w", "phase": "p", "kind": error.kind, "message": error.message, "stderr": error.stderr}
    stage = {"workload": "w", "phase": "p", "size": None, "part": "", "process": 0, "curves": [], "failures": [failure]}
    stage["conditions"] = {"verdict": "clean", "taints": [], "cpu_share": {}}
    run.save_group({"group": "w", "stages": [stage], "records": []})
    run.certify({"workload": "w", "framework": "f", "mode": "m", "passed": False, "error": f"OSError: {trouble}"})
    run_store.close_run(run)


def found_in(text: str, person: Person, home: Path) -> list[str]:
    """What of the person a text tells."""
    words = [*person, str(home), home.name, "3a:00.0", person.mac.replace(":", "-")]
    return [word for word in words if word.lower() in text.lower()]


@settings(max_examples=40, deadline=None, phases=(Phase.explicit, Phase.generate))  # a shorter name says no more
@given(PEOPLE, st.sets(st.sampled_from(sorted(PLACES)), min_size=15), st.sampled_from(MOUNTS))
def test_no_file_and_no_output_names_people_or_machines(person: Person, places: set[str], mount: str) -> None:
    with machine_of(person, places, mount) as (_, home):
        printed = {str(options): answer(**options) for options in ({}, {"as_json": True}, {"as_markdown": True})}
        keep_a_run(person, home)
        machine_plugin.write_facts()
        files = [path for path in home.rglob("*") if path.is_file()]
        assert {path.name for path in files} == {".asv-machine.json", "manifest.json", "w.json"}
        printed |= {path.name: path.read_text() for path in files}
    assert '"OMP_SCHEDULE": "static"' in printed["manifest.json"]
    assert '"MKL_DEBUG": "<IP> <IP> <MAC>"' in printed["manifest.json"]
    assert "~/.cache/w.npz on <host>" in printed["manifest.json"]
    for name, text in printed.items():
        assert len(text) > 300
        assert not found_in(text, person, home), name


@given(PEOPLE)
@settings(max_examples=10, deadline=None)
def test_the_planted_tree_is_read(person: Person) -> None:
    """Else the test above would search in vain: its places are those that hwprobe looks at."""
    with machine_of(person, set(PLACES), MOUNTS[0]):
        facts, now = hwprobe.collect(), conditions.collect()
    assert facts["cpu"]["quota"]["value"] == 2
    assert facts["memory"]["limit"]["value"] == 4000000000
    assert facts["software"]["container"]["value"] == "docker"
    assert facts["software"]["virtual_machine"]["value"] == "QEMU"
    assert facts["gpu"]["devices"][-1]["vendor"]["value"] == "AMD"
    assert now["on_battery"]["value"] is True


@given(st.text(max_size=200))
@settings(deadline=None)
def test_a_text_without_names_stays_as_it_is(text: str) -> None:
    plain = re.sub(r"[0-9:.~/\\-]", "", text).replace("root", "")
    assert scrub(scrub(plain)) == scrub(plain)
    if not re.search(r"<(user|host)>", scrub(plain)):
        assert scrub(plain) == plain


@pytest.mark.parametrize(
    ("text", "scrubbed"),
    [
        ('File "/home/alice/a b/x.py", line 3', 'File "~/a b/x.py", line 3'),
        ("/home/alice", "~"),
        ("file:///home/alice/x", "file://~/x"),
        ("/home/alicex/y and /mnt/home/alice.d", "/home/alicex/y and /mnt/home/<user>.d"),
        ("/tmp/pytest-of-alice/0", "/tmp/pytest-of-<user>/0"),
        ("Malice in tower-like towers", "Malice in <host>-like towers"),
        ("hostname: TOWER.example.org, tower", "hostname: <host>, <host>"),
        ("GPU-12345678-90ab-cdef-1234-567890ABCDEF", "GPU-<UUID>"),
        ("52:54:00:ab:cd:ef 52-54-00-AB-CD-EF", "<MAC> <MAC>"),
        ("10.1.2.3:8080, [::1]:80, fe80::1%eth0.", "<IP>:8080, [<IP>]:80, <IP>%eth0."),
        ("torch 2.13.0+cpu, driver 560.35.03, 12:34:56, 3.14, 999.1.1.1", None),
        ("at::native::conv2d, c10::Error, std::vector, ::", None),
        ("root cause in /rootfs, localhost", None),
    ],
)
def test_scrub(monkeypatch: pytest.MonkeyPatch, text: str, scrubbed: str | None) -> None:
    for name, value in {"HOME": "/home/alice", "USER": "alice", "LOGNAME": "alice", "HOSTNAME": ""}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(platform, "node", lambda: "tower.example.org")
    assert scrub(text) == (text if scrubbed is None else scrubbed)


def test_a_home_behind_a_link_is_found_in_both_forms(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "disk7").mkdir()
    (tmp_path / "me").symlink_to("disk7")
    monkeypatch.setenv("HOME", str(tmp_path / "me"))
    assert scrub(f"{tmp_path}/me/a {tmp_path}/disk7/b") == "~/a ~/b"


def test_a_worker_s_error_and_log_hold_no_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A real worker fails over a file below the home folder, and its traceback names it."""
    home = tmp_path / "zquser"
    monkeypatch.setenv("HOME", str(home))
    log = tmp_path / "worker.log"
    process = worker_process.WorkerProcess(sys.executable, "test", log, worker_process.environment(threads=1))
    try:
        with pytest.raises(worker_process.WorkerError) as caught:
            process.ask("import_framework", 60, framework=f"{home}/net", threads=1)
    finally:
        process.close()
    assert caught.value.message == str(caught.value) == "KeyError: '~/net'"
    assert caught.value.stderr[-1] == "KeyError: '~/net'"
    assert "Traceback" in log.read_text()
    assert "KeyError: '~/net'" in log.read_text()
    assert "zquser" not in log.read_text() + str(caught.value.stderr)


def test_a_log_that_cannot_be_written_costs_nothing(tmp_path: Path) -> None:
    missing = tmp_path / "no folder" / "log"
    process = worker_process.WorkerProcess(sys.executable, "test", missing, worker_process.environment(threads=1))
    process.close()
    assert not psutil.pid_exists(process.pid)
    assert not missing.exists()


def test_a_failed_proof_s_error_is_scrubbed_and_none_stays_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", "/home/zquser")
    settings_ = {"frameworks": {}, "benchmarks": []}
    run = store.create(tmp_path, {"machine": "m", "commit": "c", "env_name": "e", "source": "s"}, settings_)
    for mode, error in (("eager", "OSError: /home/zquser/a"), ("graph", None)):
        run.certify({"workload": "w", "framework": "f", "mode": mode, "passed": not error, "error": error})
    run.save()
    stored = json.loads((run.folder / "manifest.json").read_text())["certificates"]
    assert [row["error"] for row in stored] == ["OSError: ~/a", None]
    assert os.environ["HOME"] not in json.dumps(stored)
