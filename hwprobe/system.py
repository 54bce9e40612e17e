"""What macOS and Windows answer, which have no /proc and no /sys: through psutil, platform and little else.

`ask` is the one door to all of it, so that a recording of its answers serves as well as the system. Not told there,
and so unknown in the facts: caches, memory nodes and instruction sets (psutil has no words for them), the kind of a
disk, whether a container or a virtual machine is around us, and the GPUs that are not NVIDIA's or Apple's. macOS lets
no process choose its CPUs, so there is no affinity either.
"""

import os
import platform
import sys
from collections.abc import Callable
from typing import Any

_SYSCTL = ["/usr/sbin/sysctl", "-n", "machdep.cpu.brand_string"]


def is_here(root: str) -> bool:
    """Whether `root` is this machine itself and no recorded tree, so that its system may be asked."""
    return root == "/"


def source(file: str, is_read: bool, root: str) -> str:
    """Where a fact comes from: this file, or the system's answer where there is no such file."""
    return file if is_read or not is_here(root) else "psutil, platform"


def ask(question: str) -> Any:
    """The answer to one of QUESTIONS, of types that JSON has; None where this system has none."""
    try:
        return QUESTIONS[question]()
    except Exception:  # psutil raises what its platforms do: OSError, RuntimeError, AttributeError
        return None


def _processor() -> str | None:
    """The processor's name as it is sold; platform.processor says "arm" on macOS and a family's number on Windows."""
    if sys.platform == "darwin":  # there is no other way to ask without compiled code
        import subprocess

        answer = subprocess.run(_SYSCTL, capture_output=True, text=True, timeout=2, check=True)
        return answer.stdout.strip()
    if sys.platform == "win32":
        import winreg

        with winreg.OpenKey(winreg.HKEY_LOCAL_MACHINE, r"HARDWARE\DESCRIPTION\System\CentralProcessor\0") as key:
            return str(winreg.QueryValueEx(key, "ProcessorNameString")[0]).strip()
    return platform.processor()


def _physical() -> int | None:
    import psutil  # in these functions, because it is seldom needed and costs 30 ms

    return psutil.cpu_count(logical=False)


def _affinity() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    import psutil

    return len(psutil.Process().cpu_affinity())  # Windows; macOS has no such method


def _max_clock() -> float | None:
    import psutil

    return float(psutil.cpu_freq().max) or None  # 0 stands for unknown


def _memory() -> dict[str, int]:
    import psutil

    memory = psutil.virtual_memory()
    return {"total": memory.total, "available": memory.available}


def _swap() -> dict[str, int]:
    import psutil

    swap = psutil.swap_memory()
    return {"total": swap.total, "free": swap.free}


def _file_systems() -> list[tuple[str, str]]:
    """(mount point, kind) of each."""
    import psutil

    return [(partition.mountpoint, partition.fstype) for partition in psutil.disk_partitions()]


def _os() -> str:
    release = platform.mac_ver()[0] or platform.release()
    return f"{'macOS' if platform.system() == 'Darwin' else platform.system()} {release}"


QUESTIONS: dict[str, Callable[[], Any]] = {
    "system": platform.system,  # Linux, Darwin, Windows
    "os": _os,
    "kernel": platform.release,
    "architecture": platform.machine,
    "processor": _processor,
    "logical": os.cpu_count,
    "physical": _physical,
    "affinity": _affinity,
    "max_clock": _max_clock,  # MHz
    "memory": _memory,  # bytes
    "swap": _swap,  # bytes
    "file systems": _file_systems,
}
