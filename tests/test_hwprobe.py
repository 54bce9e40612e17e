"""hwprobe on small /proc and /sys trees: processor, memory, disks, and garbage in every file that is read."""

import json
import math
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import psutil
import pytest
from hwprobe_tree import CGROUP_2, NVME, cache, cpus, machine, tree
from hwprobe_tree import disk as block
from hypothesis import given, settings
from hypothesis import strategies as st

import hwprobe
from hwprobe import caches, cgroup, conditions, cpu, disk, files, memory, readiness, summary
from hwprobe.fingerprint import fingerprint

GIB = 2**30


# --- control groups -------------------------------------------------------------------------------------------------


def version_1(controllers: str, mount_root: str = "/") -> str:
    return f"31 23 0:27 {mount_root} /sys/fs/cgroup/{controllers} rw - cgroup cgroup rw,{controllers}"


def test_quota_of_version_2_in_a_container(tmp_path: Path) -> None:
    files = {
        "/proc/self/cgroup": "0::/\n",
        "/proc/self/mountinfo": CGROUP_2,
        "/sys/fs/cgroup/cpu.max": "250000 100000\n",
    }
    root = tree(tmp_path, files | cpus(8))
    assert cgroup.cpu_quota(root) == 2.5
    assert hwprobe.usable_cpus(root) == 3
    assert cpu.collect(root)["limited_by"]["value"] == "quota"


def test_the_smallest_limit_of_the_chain_counts(tmp_path: Path) -> None:
    own = "/sys/fs/cgroup/user.slice/user-1000.slice/job.scope"
    root = tree(
        tmp_path,
        {
            "/proc/self/cgroup": "0::/user.slice/user-1000.slice/job.scope\n",
            "/proc/self/mountinfo": CGROUP_2,
            f"{own}/cpu.max": "400000 100000\n",
            f"{own}/memory.max": "max\n",
            "/sys/fs/cgroup/user.slice/user-1000.slice/cpu.max": "300000 100000\n",
            "/sys/fs/cgroup/user.slice/memory.max": f"{4 * GIB}\n",
            "/sys/fs/cgroup/user.slice/memory.current": f"{3 * GIB}\n",
            "/sys/fs/cgroup/user.slice/memory.stat": f"anon 1\ninactive_file {GIB}\n",
            "/sys/fs/cgroup/other.slice/cpu.max": "1000 100000\n",
            "/proc/meminfo": f"MemTotal: {16 * GIB // 1024} kB\nMemAvailable: {9 * GIB // 1024} kB\n",
        },
    )
    assert cgroup.cpu_quota(root) == 3
    facts = memory.collect(root)
    assert facts["usable"]["value"] == facts["limit"]["value"] == 4 * GIB
    assert facts["total"]["value"] == 16 * GIB
    assert facts["available"]["value"] == 2 * GIB  # 4 allowed, 3 in use, 1 of these can be dropped


def test_half_a_core_is_one_thread(tmp_path: Path) -> None:
    files = {"/proc/self/cgroup": "0::/\n", "/proc/self/mountinfo": CGROUP_2, "/sys/fs/cgroup/cpu.max": "50000 100000"}
    root = tree(tmp_path, files | cpus(4))
    assert cpu.collect(root)["cores"]["value"] == 0.5
    assert hwprobe.usable_cpus(root) == 1


@pytest.mark.parametrize("content", ["", "\n", "max 100000\n", "max", "0 100000", "-1 100000", "5 0"])
def test_no_quota_in_version_2(tmp_path: Path, content: str) -> None:
    files = {"/proc/self/cgroup": "0::/\n", "/proc/self/mountinfo": CGROUP_2, "/sys/fs/cgroup/cpu.max": content}
    root = tree(tmp_path, files | cpus(4))
    assert cgroup.cpu_quota(root) is None
    assert hwprobe.usable_cpus(root) == 4


def test_version_1_with_a_quota_and_the_sentinel_for_unlimited(tmp_path: Path) -> None:
    group = "/docker/4f1d"
    root = tree(
        tmp_path,
        {
            "/proc/self/cgroup": f"5:memory:{group}\n4:cpu,cpuacct:{group}\n",
            "/proc/self/mountinfo": f"{version_1('cpu,cpuacct')}\n{version_1('memory')}\n",
            f"/sys/fs/cgroup/cpu,cpuacct{group}/cpu.cfs_quota_us": "150000\n",
            f"/sys/fs/cgroup/cpu,cpuacct{group}/cpu.cfs_period_us": "100000\n",
            "/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us": "-1\n",
            "/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us": "100000\n",
            f"/sys/fs/cgroup/cpu,cpuacct{group}/cpu.stat": "nr_periods 9\nnr_throttled 7\n",
            "/sys/fs/cgroup/cpu,cpuacct/cpu.stat": "nr_periods 0\nnr_throttled 0\n",
            f"/sys/fs/cgroup/memory{group}/memory.limit_in_bytes": "9223372036854771712\n",
            "/proc/meminfo": "MemTotal: 8000000 kB\n",
        },
    )
    assert cgroup.cpu_quota(root) == 1.5
    assert cgroup.throttled_periods(root) == 7
    assert cgroup.memory_limit(root) is None
    assert memory.collect(root)["usable"]["value"] == 8000000 * 1024


@pytest.mark.parametrize(("inner", "outer", "limit"), [(3, 2, 2), (1, 2, 1)])
def test_version_1_in_a_container_that_shows_the_path_of_its_host(
    tmp_path: Path, inner: int, outer: int, limit: int
) -> None:
    root = tree(
        tmp_path,
        {
            "/proc/self/cgroup": "4:memory:/docker/4f1d/inner\n",
            "/proc/self/mountinfo": version_1("memory", mount_root="/docker/4f1d"),
            "/sys/fs/cgroup/memory/inner/memory.limit_in_bytes": f"{inner * GIB}",
            "/sys/fs/cgroup/memory/memory.limit_in_bytes": f"{outer * GIB}",
        },
    )
    assert cgroup.memory_limit(root) == limit * GIB


@pytest.mark.parametrize(
    ("path", "mount_root"),
    [("/../elsewhere", "/"), ("/not/below/the/mount", "/docker/4f1d"), ("/docker/4f1d", "/docker/4f1d")],
)
def test_a_group_outside_the_mount_counts_as_the_mount_itself(tmp_path: Path, path: str, mount_root: str) -> None:
    root = tree(
        tmp_path,
        {
            "/proc/self/cgroup": f"4:memory:{path}\n",
            "/proc/self/mountinfo": version_1("memory", mount_root),
            "/sys/fs/cgroup/memory/memory.limit_in_bytes": f"{2 * GIB}",
            "/sys/fs/cgroup/elsewhere/memory.limit_in_bytes": "1",
            "/sys/fs/cgroup/memory/docker/4f1d/memory.limit_in_bytes": "1",
            "/sys/fs/cgroup/memory/not/below/the/mount/memory.limit_in_bytes": "1",
        },
    )
    assert cgroup.memory_limit(root) == 2 * GIB


def test_hybrid_takes_the_smaller_of_both_versions(tmp_path: Path) -> None:
    root = tree(
        tmp_path,
        {
            "/proc/self/cgroup": "3:cpu:/a\n0::/b\n",
            "/proc/self/mountinfo": f"{version_1('cpu')}\n{CGROUP_2.replace('cgroup rw', 'cgroup/unified rw')}\n",
            "/sys/fs/cgroup/cpu/a/cpu.cfs_quota_us": "600000",
            "/sys/fs/cgroup/cpu/a/cpu.cfs_period_us": "100000",
            "/sys/fs/cgroup/unified/b/cpu.max": "500000 100000",
        },
    )
    assert cgroup.cpu_quota(root) == 5


# --- processor and memory -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("threads", "per_core", "allowed", "usable", "limited_by"),
    [
        (8, 2, None, 4, "machine"),  # second threads of a core do not count
        (8, 1, None, 8, "machine"),
        (8, 2, "0-3", 2, "affinity"),
        (8, 2, "0,2", 2, "affinity"),
        (4, 1, "0-255", 4, "machine"),  # CPUs that are possible but absent
    ],
)
def test_usable_cpus(
    tmp_path: Path, threads: int, per_core: int, allowed: str | None, usable: int, limited_by: str
) -> None:
    root = tree(tmp_path, cpus(threads, per_core, allowed))
    facts = cpu.collect(root)
    assert hwprobe.usable_cpus(root) == facts["usable"]["value"] == usable
    assert facts["logical"]["value"] == threads
    assert facts["physical"]["value"] == threads // per_core
    assert facts["limited_by"]["value"] == limited_by


def test_caches_of_two_sockets(tmp_path: Path) -> None:
    files = cpus(4)
    for number in range(4):
        files |= cache(number, 0, 1, "Data", 48, str(number)) | cache(number, 1, 1, "Instruction", 32, str(number))
        files |= cache(number, 2, 2, "Unified", 2048, str(number))
        files |= cache(number, 3, 3, "Unified", 98304, "0-1" if number < 2 else "2-3")
    facts = cpu.collect(tree(tmp_path, files))
    found = {
        level: tuple(facts[f"{level}_{name}"]["value"] for name in ("cache", "shared_by", "copies"))
        for level in ("l1d", "l1i", "l2", "l3")
    }
    assert found == {"l1d": (48 << 10, 1, 4), "l1i": (32 << 10, 1, 4), "l2": (2 << 20, 1, 4), "l3": (96 << 20, 2, 2)}
    shown = dict(summary.lines(hwprobe.collect(str(tmp_path))))
    assert shown["Caches"] == "L1d 4 x 48 KiB, L2 4 x 2 MiB, L3 2 x 96 MiB"


def test_of_fast_and_slow_cores_the_larger_caches_are_told(tmp_path: Path) -> None:
    files = cpus(6) | cache(0, 2, 2, "Unified", 2048, "0-1") | cache(1, 2, 2, "Unified", 2048, "0-1")
    for number in range(2, 6):
        files |= cache(number, 2, 2, "Unified", 1024, "2-5")
    facts = cpu.collect(tree(tmp_path, files))
    assert [facts[f"l2_{name}"]["value"] for name in ("cache", "shared_by", "copies")] == [2 << 20, 2, 2]


@pytest.mark.parametrize(("level", "kibibytes"), [(3, 0), (3, -64), (-3, 64), (0, 64)])
def test_caches_that_cannot_be_are_unknown(tmp_path: Path, level: int, kibibytes: int) -> None:
    root = tree(tmp_path, cpus(2) | cache(0, 3, level, "Unified", kibibytes, "0-1"))
    assert caches.read(root) == set()
    facts = cpu.collect(root)
    assert [facts[f"l3_{name}"]["value"] for name in ("cache", "shared_by", "copies")] == [None] * 3
    assert facts["l3_cache"]["reason"] == "the system shows none"
    assert "Caches" not in dict(summary.lines(hwprobe.collect(root)))


@pytest.mark.parametrize(
    ("online", "count", "shown"), [("0\n", 1, False), ("0-1\n", 2, True), ("0,8\n", 2, True), (None, None, False)]
)
def test_memory_nodes(tmp_path: Path, online: str | None, count: int | None, shown: bool) -> None:
    root = tree(tmp_path, {} if online is None else {"/sys/devices/system/node/online": online})
    assert cpu.collect(root)["numa_nodes"]["value"] == count
    assert ("NUMA nodes" in dict(summary.lines(hwprobe.collect(root)))["CPU"]) == shown


def test_swap_and_what_is_free_of_it(tmp_path: Path) -> None:
    facts = memory.collect(tree(tmp_path, {"/proc/meminfo": "SwapTotal: 2048 kB\nSwapFree: 512 kB\n"}))
    assert (facts["swap"]["value"], facts["swap_free"]["value"]) == (2048 << 10, 512 << 10)


def test_numbers_that_cannot_be_are_not_believed(tmp_path: Path) -> None:
    root = tree(
        tmp_path,
        {"/sys/devices/system/cpu/online": "0-99999999999\n", "/proc/meminfo": "MemTotal: -5 kB\nSwapTotal: x kB"},
    )
    assert cpu.collect(root)["logical"]["value"] == 8192  # and the memory of this process is not full of numbers
    assert memory.collect(root)["total"]["value"] is None
    assert memory.collect(root)["swap"]["value"] is None


def test_an_empty_machine_is_unknown_and_not_an_error(tmp_path: Path) -> None:
    facts = hwprobe.collect(str(tmp_path))
    for fact in (facts["cpu"]["model"], facts["cpu"]["cores"], facts["memory"]["total"]):
        assert fact["value"] is None
        assert fact["reason"]
    assert hwprobe.usable_cpus(str(tmp_path)) == 1


def test_this_machine_agrees_with_psutil() -> None:
    facts = hwprobe.collect()
    assert facts["cpu"]["logical"]["value"] == psutil.cpu_count()
    assert facts["cpu"]["affinity"]["value"] == len(os.sched_getaffinity(0))
    assert facts["memory"]["total"]["value"] == psutil.virtual_memory().total
    assert facts["disk"]["current folder"]["free"]["value"] == pytest.approx(psutil.disk_usage(".").free, rel=0.05)
    assert 1 <= hwprobe.usable_cpus() <= len(os.sched_getaffinity(0))


def test_affinity_of_this_process_counts() -> None:
    one = min(os.sched_getaffinity(0))
    code = f"import os; os.sched_setaffinity(0, {{{one}}}); import hwprobe; print(hwprobe.usable_cpus())"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "1\n"


def test_usable_cpus_loads_nothing_heavy() -> None:
    heavy = "{'psutil', 'pynvml', 'typer', 'rich', 'importlib.metadata'}"
    code = f"import sys, hwprobe; hwprobe.usable_cpus(); print(sorted({heavy} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


# --- disks ----------------------------------------------------------------------------------------------------------

PCI = "/sys/devices/pci0000:00"
SATA = f"{PCI}/0000:00:17.0/ata1/host0/target0:0:0/0:0:0:0/block/sda"
DM = "/sys/devices/virtual/block/dm-0"


def mounted(line: str, devices: dict[str, str], links: dict[str, str], root: Path) -> dict[str, object]:
    """Values of disk.collect for /data, where `line` is its mount and links are relative to the tree."""
    (root / "data").mkdir()
    mountinfo = f"21 1 8:99 / / rw - ext4 /dev/other rw\n{line}\n"
    absolute = {link: f"{root}{target}" for link, target in links.items()}
    facts = disk.collect("/data", tree(root, {"/proc/self/mountinfo": mountinfo} | devices, absolute))
    return {name: fact["value"] for name, fact in facts.items()} | {"reason": facts["kind"]["reason"]}


@pytest.mark.parametrize(
    ("name", "device", "kind"),
    [
        ("nvme", block(NVME, 1000, 0), "NVMe"),
        ("sata", block(SATA, 1000, 0, device__model="Samsung SSD 870"), "SATA SSD"),
        ("hdd", block(SATA, 1000, 1, device__model="WDC WD10"), "HDD"),
        ("usb", block(f"{PCI}/0000:00:14.0/usb2/2-1/host4/block/sdb", 1000, 1), None),
        ("virtio", block(f"{PCI}/0000:00:02.0/virtio1/block/vda", 1000, 1), None),
        ("virtio-scsi", block(f"{PCI}/0000:00:02.0/virtio1/host0/block/sda", 1000, 1), None),
        ("emulated SATA", block(SATA, 1000, 1, device__model="QEMU HARDDISK"), None),
        ("cloud disk", block(NVME, 1000, 0, device__model="Amazon Elastic Block Store"), None),
        ("NVMe over TCP", block(NVME, 1000, 0, device__transport="tcp\n"), None),
        ("iSCSI", block("/sys/devices/platform/host9/session1/target9:0:0/block/sdc", 1000, 0), None),
        ("SD card", block("/sys/devices/platform/mmc/block/mmcblk0", 1000, 0), None),
        ("broken", block(SATA, 1000, 7), None),
    ],
)
def test_kind_of_disk(tmp_path: Path, name: str, device: dict[str, str], kind: str | None) -> None:
    place = next(iter(device)).removesuffix("/size")
    found = mounted("22 21 8:0 / /data rw - ext4 /dev/x rw", device, {"/sys/dev/block/8:0": place}, tmp_path)
    assert found["kind"] == kind, name
    assert (found["reason"] is None) == (kind is not None)
    assert found["size"] == 1000 * 10**9


def test_a_partition_is_judged_by_its_disk(tmp_path: Path) -> None:
    devices = block(SATA, 500, 0) | block(f"{SATA}/sda2", 40, None, partition="2\n")
    links = {"/sys/dev/block/8:2": f"{SATA}/sda2"}
    found = mounted("22 21 8:2 / /data rw - ext4 /dev/sda2 rw", devices, links, tmp_path)
    assert (found["size"], found["kind"], found["filesystem"]) == (500 * 10**9, "SATA SSD", "ext4")


def test_lvm_on_luks_on_a_partition(tmp_path: Path) -> None:
    luks = "/sys/devices/virtual/block/dm-1"
    part = f"{NVME}/nvme0n1p3"
    devices = block(DM, 100, 0) | block(luks, 900, 0) | block(NVME, 1024, 0) | block(part, 900, None, partition="3\n")
    links = {"/sys/dev/block/254:0": DM, f"{DM}/slaves/dm-1": luks, f"{luks}/slaves/nvme0n1p3": part}
    found = mounted("22 21 254:0 / /data rw - ext4 /dev/mapper/vg-data rw", devices, links, tmp_path)
    assert (found["size"], found["kind"]) == (1024 * 10**9, "NVMe")


def test_a_volume_over_two_disks_adds_them_and_is_as_slow_as_the_slower(tmp_path: Path) -> None:
    devices = block(DM, 300, 1) | block(NVME, 256, 0) | block(SATA, 2000, 1)
    links = {"/sys/dev/block/254:0": DM, f"{DM}/slaves/nvme0n1": NVME, f"{DM}/slaves/sda": SATA}
    found = mounted("22 21 254:0 / /data rw - xfs /dev/mapper/a rw", devices, links, tmp_path)
    assert (found["size"], found["kind"]) == (2256 * 10**9, "HDD")


@pytest.mark.parametrize(("name", "uuid"), [("md0", ""), ("dm-0", "mpath-36005")])
def test_a_mirror_and_two_paths_to_one_disk_count_once(tmp_path: Path, name: str, uuid: str) -> None:
    top, other = f"/sys/devices/virtual/block/{name}", SATA.replace("sda", "sdb")
    devices = block(top, 512, 0, dm__uuid=uuid) | block(SATA, 512, 0) | block(other, 512, 0)
    links = {"/sys/dev/block/9:0": top, f"{top}/slaves/sda": SATA, f"{top}/slaves/sdb": other}
    found = mounted("22 21 9:0 / /data rw - ext4 /dev/x rw", devices, links, tmp_path)
    assert (found["size"], found["kind"]) == (512 * 10**9, "SATA SSD")


def test_a_ring_of_devices_ends(tmp_path: Path) -> None:
    other = "/sys/devices/virtual/block/dm-1"
    links = {"/sys/dev/block/254:0": DM, f"{DM}/slaves/dm-1": other, f"{other}/slaves/dm-0": DM}
    found = mounted("22 21 254:0 / /data rw - ext4 /dev/x rw", block(DM, 1, 0) | block(other, 1, 0), links, tmp_path)
    assert found["kind"] is None


def test_btrfs_is_found_by_its_source(tmp_path: Path) -> None:
    devices = block(NVME, 1000, 0) | {"/dev/dm-7": ""} | block("/sys/devices/virtual/block/dm-7", 900, 0)
    links = {
        "/dev/mapper/home": "/dev/dm-7",
        "/sys/class/block/dm-7": "/sys/devices/virtual/block/dm-7",
        "/sys/devices/virtual/block/dm-7/slaves/nvme0n1": NVME,
    }
    found = mounted("22 21 0:45 /@home /data rw - btrfs /dev/mapper/home rw", devices, links, tmp_path)
    assert (found["size"], found["kind"], found["filesystem"]) == (1000 * 10**9, "NVMe", "btrfs")


def test_overlay_has_at_least_the_size_of_its_file_system(tmp_path: Path) -> None:
    line = "22 21 0:50 / /data rw - overlay overlay rw,lowerdir=/a,upperdir=/b"
    found = mounted(line, {}, {}, tmp_path)
    assert found["kind"] is None
    assert found["size"] == psutil.disk_usage(str(tmp_path)).total
    fact = disk.collect("/data", str(tmp_path))["size"]
    assert "overlay" in (fact["reason"] or "")  # a value with a reason is a floor


def test_a_current_folder_that_is_gone(tmp_path: Path) -> None:
    code = f"import os; os.chdir({str(tmp_path)!r}); os.rmdir({str(tmp_path)!r})"
    code += "; import hwprobe; print(hwprobe.collect()['disk']['current folder']['size']['reason'])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "the folder is not there\n"


def test_tmpfs_is_no_disk(tmp_path: Path) -> None:
    found = mounted("22 21 0:51 / /data rw - tmpfs tmpfs rw", {}, {}, tmp_path)
    assert found["size"] is None
    assert found["reason"] == "tmpfs is memory, not a disk"


def test_the_last_and_longest_mount_holds_the_path(tmp_path: Path) -> None:
    lines = (
        "22 21 8:0 / /data rw - ext4 /dev/a rw\n"
        "23 21 0:9 / /dat rw - tmpfs t rw\n"
        "24 21 8:16 / /data rw - xfs /dev/b rw\n"
        "25 21 0:9 / /data/deeper rw - tmpfs t rw"
    )
    assert mounted(lines, {}, {}, tmp_path)["filesystem"] == "xfs"


def test_a_mount_point_that_only_begins_like_the_path_does_not_hold_it(tmp_path: Path) -> None:
    assert mounted("22 21 0:9 / /dat rw - tmpfs t rw", {}, {}, tmp_path)["filesystem"] == "ext4"


def test_a_mount_point_with_a_space(tmp_path: Path) -> None:
    (tmp_path / "my data").mkdir()
    root = tree(tmp_path, {"/proc/self/mountinfo": "22 21 8:0 / /my\\040data rw - xfs /dev/a rw\n"})
    assert disk.collect("/my data/not/yet/there", root)["filesystem"]["value"] == "xfs"


@pytest.mark.parametrize(
    ("mounts", "labels"),
    [
        ("", ["current folder"]),
        ("22 21 8:0 / /cache rw - xfs /dev/a rw\n", ["current folder", "cache"]),
        ("22 21 8:0 / /.asv rw - xfs /dev/a rw\n", ["current folder", "results"]),
        (
            "22 21 8:0 / /cache rw - xfs /dev/a rw\n23 21 8:9 / /.asv rw - xfs /dev/b rw\n",
            ["current folder", "cache", "results"],
        ),
        # The same file system at both.
        (
            "22 21 8:0 /a /cache rw - xfs /dev/a rw\n23 21 8:0 /b /.asv rw - xfs /dev/a rw\n",
            ["current folder", "cache"],
        ),
    ],
)
def test_folders_on_other_file_systems_have_disks_of_their_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mounts: str, labels: list[str]
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", "/cache")
    for name in ("cache", ".asv"):
        (tmp_path / name).mkdir()
    root = tree(tmp_path, {"/proc/self/mountinfo": f"21 1 8:99 / / rw - ext4 /dev/other rw\n{mounts}"})
    facts = hwprobe.collect(root)["disk"]
    assert list(facts) == labels
    kinds = [disk["filesystem"]["value"] for disk in facts.values()]
    assert kinds == ["ext4", *["xfs"] * (len(labels) - 1)]


def test_without_a_list_of_mounts_the_number_of_the_device_tells(tmp_path: Path) -> None:
    assert list(disk.usual_places(str(tmp_path))) == ["current folder"]


# --- garbage --------------------------------------------------------------------------------------------------------

READ = [
    "/proc/cpuinfo",
    "/proc/meminfo",
    "/proc/version",
    "/proc/1/cgroup",
    "/proc/1/environ",
    "/run/systemd/container",
    "/proc/stat",
    "/proc/self/stat",
    "/proc/vmstat",
    "/proc/loadavg",
    "/proc/pressure/cpu",
    "/proc/self/status",
    "/proc/self/cgroup",
    "/proc/self/mountinfo",
    "/etc/os-release",
    "/proc/sys/kernel/osrelease",
    "/sys/fs/cgroup/cpu.max",
    "/sys/fs/cgroup/cpu.stat",
    "/sys/fs/cgroup/memory.max",
    "/sys/fs/cgroup/memory.stat",
    "/sys/devices/system/cpu/online",
    "/sys/devices/system/cpu/cpu0/topology/thread_siblings_list",
    "/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor",
    "/sys/devices/system/cpu/cpu0/thermal_throttle/core_throttle_count",
    "/sys/class/power_supply/BAT0/type",
    "/sys/devices/system/cpu/cpu0/cache/index0/level",
    "/sys/devices/system/cpu/cpu0/cache/index0/type",
    "/sys/devices/system/cpu/cpu0/cache/index0/size",
    "/sys/devices/system/cpu/cpu0/cache/index0/shared_cpu_list",
    "/sys/devices/system/node/online",
    "/sys/class/dmi/id/sys_vendor",
    "/sys/class/dmi/id/product_name",
    "/sys/bus/pci/devices/0000:01:00.0/vendor",
    "/sys/bus/pci/devices/0000:01:00.0/class",
    "/sys/bus/pci/devices/0000:01:00.0/product_name",
    "/sys/bus/pci/devices/0000:01:00.0/mem_info_vram_total",
    "/sys/bus/pci/devices/0000:01:00.0/mem_info_vram_used",
    f"{NVME}/size",
    f"{NVME}/device/model",
]
GPU = {f"/sys/bus/pci/devices/0000:01:00.0/{name}": text for name, text in (
    ("vendor", "0x1002\n"), ("class", "0x030000\n"), ("mem_info_vram_total", "8\n"), ("mem_info_vram_used", "1\n"),
)}  # fmt: skip
# Random bytes alone would seldom reach the parsers' deeper branches, so true lines are broken as well.
LINES = [
    "0::/../a\x00b",
    "4:cpu,memory:/x",
    "0::",
    ":::",
    CGROUP_2,
    CGROUP_2.replace("/sys", "\x00/sys"),
    "22 21 0:45 / / rw - btrfs /dev/\x00 rw",
    "22 21 259:1 / / rw - ext4 /dev/x rw",
    "1 2 3 4 / - a",
    "cpu 1 2 3 -4 5 6 7 8",
    "cpu  " + "9" * 30 + " 1 1 1 1 1 1 1",
    "1 (a) b) S " + "1 " * 40,
    "some avg10=nan total=inf",
    "0-99999999999,-3,,a-b,5-",
    "nan 1 2",
    "-1e999",
    "MemTotal: -5 kB",
    "MemTotal: 1e9 kB",
    "model name : \x1b[2J[/bold]",
    "9" * 5000,
    "pswpin x",
    "100 0",
    "1 99999999999999999999",
    "flags :",
    "Battery",
    "0x10de",
    "0x1002",
    "0x8086",
    "0x030000",
    "container=x\x1b[2J\0HOME=/\0=\0",
    "0::/docker-.scope/kubepods",
    "64K",
    "-64K",
]
CONTENT = st.one_of(st.binary(max_size=60), st.lists(st.sampled_from(LINES), max_size=4).map("\n".join).map(str.encode))


@settings(max_examples=100, deadline=None)
@given(st.dictionaries(st.sampled_from(READ), CONTENT, min_size=1, max_size=8))
def test_garbage_never_raises_and_always_gets_a_verdict(garbage: dict[str, bytes]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        root = tree(Path(machine(Path(folder))), GPU | cache(0, 0, 1, "Data", 32, "0"))
        for path, content in garbage.items():
            target = Path(root + path)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)
        facts = hwprobe.collect(root)
        before = conditions.collect(root)
        result = readiness.judge(facts)
        report = [facts, before, result, fingerprint(facts), conditions.compare(before, conditions.collect(root))]
        report.append(summary.lines(facts))
    text = json.dumps(report, allow_nan=False)
    assert "\x1b" not in text
    verdicts = {row["verdict"] for tier in result["tiers"].values() for row in tier["checks"]}
    assert verdicts <= {"pass", "warn", "fail", "unknown"}
    usable = facts["cpu"]["usable"]["value"]
    assert isinstance(usable, int)
    assert usable >= 1


def test_the_garbage_is_really_read(tmp_path: Path) -> None:
    """Every file of READ is opened by some reader; else breaking it would prove nothing."""
    seen = set()
    original = files.read_text

    def spy(path: str, root: str = "/") -> str | None:
        seen.add(path)
        return original(path, root)

    root = tree(Path(machine(tmp_path)), GPU)
    for path in READ:
        tree(tmp_path, {path: "8\n"} if not Path(root + path).exists() else {})
    with pytest.MonkeyPatch.context() as patch:
        for module in [module for name, module in sys.modules.items() if name.startswith("hwprobe.")]:
            if hasattr(module, "read_text"):
                patch.setattr(module, "read_text", spy)
        hwprobe.collect(root)
        conditions.collect(root)
    assert set(READ) <= seen


def test_numbers_out_of_range_are_no_numbers() -> None:
    assert files.parse_int("9" * 400) is None
    assert files.parse_int("9" * 5000) is None
    assert files.parse_int(" 12\n") == 12
    assert conditions._decimal("nan") is None
    assert math.isclose(conditions._decimal("0.5") or 0, 0.5)
