"""What NVIDIA's driver books for single processes: whose programs are on a GPU, and how much of its memory one holds.

NVML numbers processes as the system does in which the driver runs. In a container with numbers of its own a process is
not found there, or what is found is a namesake: then nothing is said of any process.
"""

import sys
from pathlib import Path
from typing import Any

from hwprobe.facts import Fact, at_least, known, unknown
from hwprobe.files import under
from hwprobe.gpu_nvidia import ask, library

_NAMESPACE = "/proc/self/ns/pid"
_OF_THE_SYSTEM = "pid:[4026531836]"  # PROC_PID_INIT_INO of the kernel's proc_ns.h, the same on every Linux
_QUESTIONS = ("nvmlDeviceGetComputeRunningProcesses", "nvmlDeviceGetGraphicsRunningProcesses")


def hidden(root: str = "/") -> str | None:
    """Why NVML's processes cannot be told apart from here; None where its numbers are this system's."""
    if root == "/" and sys.platform != "linux":
        return None
    try:
        namespace = str(Path(under(root, _NAMESPACE)).readlink())
    except OSError:
        return "whether processes have numbers of their own here is not told"
    return None if namespace == _OF_THE_SYSTEM else "in a container, NVML numbers processes as the host does"


def used_vram(pid: int, root: str = "/") -> Fact:
    """Bytes that the driver books for a process on all GPUs: its context and code too, not only an allocator's arrays.

    At this moment: who wants the peak asks often. Unknown where NVML is missing or does not list the process, in a
    container, and on Windows, whose own memory manager keeps the figure from the driver. A floor where a GPU does not
    answer.
    """
    source = "NVML's lists of processes"
    nvml, why = library()
    if why := hidden(root) or why:
        return unknown(why, source, "bytes")
    count = ask("nvmlDeviceGetCount", nvml.nvmlDeviceGetCount)
    found = [_on(nvml, index, pid) for index in range(count["value"] or 0)]  # type: ignore[arg-type]
    amounts = [fact["value"] for fact in found if isinstance(fact["value"], int)]
    reason = next((fact["reason"] for fact in (count, *found) if fact["reason"]), None)
    if not amounts:
        return unknown(reason or "NVML lists no such process", source, "bytes")
    return at_least(sum(amounts), source, reason, "bytes") if reason else known(sum(amounts), source, "bytes")


def _on(nvml: Any, index: int, pid: int) -> Fact:
    """Bytes on one GPU; None without a reason where it does not list the process."""
    lists = [ask(name, lambda name=name: _listed(nvml, name, index, pid)) for name in _QUESTIONS]  # type: ignore[misc]
    answered: list[Any] = [fact["value"] for fact in lists if fact["value"] is not None]
    if not answered:
        return lists[0]
    amounts = [amount for amounts in answered for amount in amounts]
    if None in amounts:
        return unknown("the driver does not tell a process's memory (N/A)", _QUESTIONS[0], "bytes")
    # Who computes and draws stands in both lists, each time with all that it holds.
    return known(max(amounts, default=None), _QUESTIONS[0], "bytes")


def _listed(nvml: Any, question: str, index: int, pid: int) -> list[int | None]:
    device = nvml.nvmlDeviceGetHandleByIndex(index)
    return [process.usedGpuMemory for process in getattr(nvml, question)(device) if process.pid == pid]
