"""Small /proc and /sys trees for the tests of hwprobe: what a container, a server or a laptop would show."""

import tempfile
from pathlib import Path
from typing import Any

import hwprobe
from hwprobe.readiness import judge

NVME = "/sys/devices/pci0000:00/0000:01:00.0/nvme/nvme0/nvme0n1"
CGROUP_2 = "30 23 0:26 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw"


def tree(root: Path, files: dict[str, str], links: dict[str, str] | None = None) -> str:
    """Write the files (absolute paths inside the tree) and symbolic links; return the root."""
    for path, text in files.items():
        target = root / path.lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)
    for path, destination in (links or {}).items():
        link = root / path.lstrip("/")
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(destination)
    return str(root)


def cpus(threads: int, per_core: int = 1, allowed: str | None = None) -> dict[str, str]:
    """Files of a machine with so many hardware threads, `per_core` neighbours on each core."""
    cpu = "/sys/devices/system/cpu"
    files = {f"{cpu}/online": f"0-{threads - 1}\n", "/proc/self/status": f"Cpus_allowed_list:\t{allowed or '0-9999'}\n"}
    for number in range(threads):
        first = number - number % per_core
        siblings = f"{first}-{first + per_core - 1}\n"
        files[f"{cpu}/cpu{number}/topology/thread_siblings_list"] = siblings
    return files


def cache(cpu: int, index: int, level: int, kind: str, kibibytes: int, shared: str) -> dict[str, str]:
    """Files of a cache as one of its CPUs shows it."""
    folder = f"/sys/devices/system/cpu/cpu{cpu}/cache/index{index}"
    texts = {"level": level, "type": kind, "size": f"{kibibytes}K", "shared_cpu_list": shared}
    return {f"{folder}/{name}": f"{text}\n" for name, text in texts.items()}


def disk(place: str, gigabytes: float, rotational: int | None = 1, **more: str) -> dict[str, str]:
    """Files of a block device; `more` are further files in its folder, "__" for "/"."""
    files = {f"{place}/size": f"{int(gigabytes * 10**9) // 512}\n"}
    if rotational is not None:
        files[f"{place}/queue/rotational"] = f"{rotational}\n"
    return files | {f"{place}/{name.replace('__', '/')}": text for name, text in more.items()}


def machine(root: Path, **changes: str) -> str:
    """A whole healthy machine: 8 cores, 16 GB RAM as it is shown, a 512 GB NVMe disk, no GPU."""
    files = {
        **cpus(8),
        "/proc/cpuinfo": "processor\t: 0\nmodel name\t: Example CPU 8\nflags\t\t: fpu avx2 fma\n",
        "/proc/meminfo": f"MemTotal: {int(15.5 * 2**20)} kB\nMemAvailable: {12 * 2**20} kB\nSwapTotal: 0 kB\n",
        "/proc/self/cgroup": "0::/\n",
        "/proc/self/mountinfo": f"{CGROUP_2}\n21 1 259:1 / / rw - ext4 /dev/nvme0n1p1 rw\n",
        "/etc/os-release": 'PRETTY_NAME="Example Linux 1"\n',
        "/proc/sys/kernel/osrelease": "6.1.0\n",
        **disk(NVME, 512, 0),
        **disk(f"{NVME}/nvme0n1p1", 500, None, partition="1"),
    }
    link = {"/sys/dev/block/259:1": str(root) + f"{NVME}/nvme0n1p1"}
    return tree(root, files | {f"/{path}": text for path, text in changes.items()}, link)


def with_gpus(gpu: dict[str, Any]) -> dict[str, Any]:
    """The facts of the healthy machine, with these GPUs."""
    with tempfile.TemporaryDirectory() as folder:
        return {**hwprobe.collect(machine(Path(folder))), "gpu": gpu}


def vram_verdicts(gpu: dict[str, Any]) -> dict[str, str]:
    """Per tier what is said of these GPUs' memory."""
    tiers = judge(with_gpus(gpu))["tiers"]
    return {tier: next(row for row in tiers[tier]["checks"] if row["check"] == "vram")["verdict"] for tier in tiers}
