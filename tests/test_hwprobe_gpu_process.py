"""What is told of single processes on a GPU, with the real pynvml on the stand-in for NVML; and in containers."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hwprobe_tree import tree
from test_hwprobe_gpu import library

from hwprobe import conditions, gpu_process
from hwprobe.facts import Fact

MIB = 2**20
OF_THE_SYSTEM, OF_A_CONTAINER = "pid:[4026531836]", "pid:[4026532567]"
CONTAINER = "in a container, NVML numbers processes as the host does"
needs_gcc = pytest.mark.skipif(shutil.which("gcc") is None, reason="gcc is not installed: no stand-in for NVML")


@pytest.fixture(scope="module")
def current(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return library(tmp_path_factory.mktemp("current"))


def inside(folder: Path, namespace: str) -> str:
    """A tree whose processes are numbered in this namespace."""
    return tree(folder, {}, {"/proc/self/ns/pid": namespace})


def asked(library: Path, code: str, **settings: str) -> Any:
    """What an expression is in a process that finds the stand-in, which lists that process as its first."""
    code = f"import json, os; from hwprobe import conditions_gpu, gpu_process; print(json.dumps({code}))"
    environment = {**os.environ, "LD_LIBRARY_PATH": str(library), "STUB_MIB": "8192", **settings}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def used(library: Path, root: str, pid: str = "os.getpid()", **settings: str) -> tuple[Any, str | None]:
    fact: Fact = asked(library, f"gpu_process.used_vram({pid}, {root!r})", **settings)
    assert (fact["unit"], bool(fact["source"])) == ("bytes", True)
    return fact["value"], fact["reason"]


@needs_gcc
@pytest.mark.parametrize(
    ("settings", "value", "reason"),
    [
        ({"STUB_PROCESSES": "2"}, 30 * MIB, None),
        ({"STUB_GRAPHICS": "1"}, 30 * MIB, None),
        ({"STUB_PROCESSES": "2", "STUB_GRAPHICS": "2"}, 30 * MIB, None),  # in both lists it is the same memory
        ({"STUB_PROCESSES": "1", "STUB_MIB": "8192,8192"}, 60 * MIB, None),  # 30 on each of two GPUs
        ({}, None, "NVML lists no such process"),
        ({"STUB_MIB": "8192,8192", "STUB_PROCESSES": "1", "STUB_LOST": "1"}, 30 * MIB, "NVML: GPU is lost"),  # a floor
        ({"STUB_LOST": "0", "STUB_PROCESSES": "1"}, None, "NVML: GPU is lost"),
        ({"STUB_COUNT_ERROR": "999"}, None, "NVML: Unknown Error"),
        ({"STUB_PROCESSES": "1", "STUB_BOOKED": "-1"}, None, "the driver does not tell a process's memory (N/A)"),
        ({"STUB_INIT": "9", "STUB_PROCESSES": "1"}, None, "NVML: Driver Not Loaded"),
    ],
)  # fmt: skip
def test_what_a_process_holds(
    current: Path, tmp_path: Path, settings: dict[str, str], value: int | None, reason: str | None
) -> None:
    assert used(current, inside(tmp_path, OF_THE_SYSTEM), **settings) == (value, reason)


@needs_gcc
def test_another_process_holds_its_own(current: Path, tmp_path: Path) -> None:
    root = inside(tmp_path, OF_THE_SYSTEM)
    assert used(current, root, pid="999999", STUB_PROCESSES="2") == (60 * MIB, None)


@needs_gcc
def test_in_a_container_nothing_is_said_of_single_processes(current: Path, tmp_path: Path) -> None:
    """The stand-in lists this process's number as a namesake's would be listed there."""
    root = inside(tmp_path / "container", OF_A_CONTAINER)
    assert used(current, root, STUB_PROCESSES="2") == (None, CONTAINER)
    code = "conditions_gpu.collect([os.getpid()], {!r})"
    found = asked(current, code.format(root), STUB_PROCESSES="2")
    for name in ("gpu0_own_programs", "gpu0_other_programs"):
        assert (found[name]["value"], found[name]["reason"]) == (None, CONTAINER)
    assert found["gpu0_slowed_by"]["value"] == []  # of the card itself all is told
    outside = asked(current, code.format(inside(tmp_path / "system", OF_THE_SYSTEM)), STUB_PROCESSES="2")
    assert [taint["reason"] for taint in conditions.compare(outside, outside)] == ["1 other program ran on GPU 0"]
    assert conditions.compare(found, found) == []


def test_numbers_are_the_system_s_where_the_namespace_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert gpu_process.hidden(inside(tmp_path / "system", OF_THE_SYSTEM)) is None
    assert gpu_process.hidden(inside(tmp_path / "container", OF_A_CONTAINER)) == CONTAINER
    assert gpu_process.hidden(str(tmp_path)) == "whether processes have numbers of their own here is not told"
    monkeypatch.setattr(gpu_process, "_NAMESPACE", "/nowhere")
    for platform, is_told in (("linux", False), ("win32", True)):
        monkeypatch.setattr(sys, "platform", platform)
        assert (gpu_process.hidden() is None) == is_told


def test_without_the_library_it_is_unknown(tmp_path: Path) -> None:
    (tmp_path / "pynvml.py").write_text("raise ImportError('not here')\n")
    path = f"{tmp_path}{os.pathsep}{Path(gpu_process.__file__).parents[1]}"
    root = inside(tmp_path / "root", OF_THE_SYSTEM)
    assert used(tmp_path, root, PYTHONPATH=path) == (None, "NVML: ImportError")
