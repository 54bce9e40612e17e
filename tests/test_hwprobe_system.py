"""hwprobe where there is no /proc and no /sys: what macOS and Windows answered, kept as files; and what Linux answers.

The files hold psutil's and platform's answers, one a question, put together from what users of such machines published:
no such machine was at hand. The volume at /data is ours, so that the longest mount point is not the first one.
"""

import json
import os
import platform
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest
from hwprobe_tree import tree

import hwprobe
from hwprobe import cpu, disk, gpu_nvidia, summary, system
from hwprobe.facts import known, unknown
from hwprobe.fingerprint import fingerprint
from hwprobe.readiness import judge

FIXTURES = Path(__file__).parent / "fixtures"
RECORDED = ("macos_m1", "windows_11")


@pytest.fixture
def on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., dict[str, Any]]:
    """Facts of a machine whose system gives these answers, in an empty tree that passes for its root."""

    def collect(answers: str | dict[str, Any]) -> dict[str, Any]:
        given = json.loads((FIXTURES / f"{answers}.json").read_text()) if isinstance(answers, str) else answers
        (tmp_path / "data").mkdir(exist_ok=True)
        monkeypatch.setattr(system, "is_here", lambda _root: True)
        monkeypatch.setattr(system, "ask", given.get)
        absent = unknown("no driver", "NVML is not installed")
        none = {"count": known(0, "NVML is not installed", "count"), "driver": absent, "cuda": absent, "devices": []}
        monkeypatch.setattr(gpu_nvidia, "collect", lambda _is_on_the_bus: none)
        return hwprobe.collect(str(tmp_path), paths={"data": "/data"})

    return collect


def values(room: dict[str, Any], *names: str) -> tuple[Any, ...]:
    return tuple(room[name]["value"] for name in names)


@pytest.mark.parametrize("name", RECORDED)
def test_the_recordings_answer_every_question(name: str) -> None:
    assert json.loads((FIXTURES / f"{name}.json").read_text()).keys() == system.QUESTIONS.keys()


def test_macos(on: Callable[..., dict[str, Any]]) -> None:
    facts = on("macos_m1")
    assert values(facts["cpu"], "model", "physical", "logical", "usable", "limited_by") == (
        "Apple M1", 8, 8, 8, "machine",
    )  # fmt: skip
    assert values(facts["memory"], "total", "usable", "available", "swap", "swap_free") == (
        17179869184, 17179869184, 5688819712, 5368709120, 1052246016,
    )  # fmt: skip
    assert values(facts["software"], "os", "kernel") == ("macOS 14.5", "23.5.0")
    assert values(facts["disk"]["data"], "filesystem", "kind") == ("exfat", None)  # the longest mount point's
    assert facts["disk"]["data"]["kind"]["reason"] == "Darwin does not tell"
    assert facts["disk"]["data"]["size"]["value"] > 0
    for name in ("max_clock", "numa_nodes", "l2_cache", "instruction_sets"):
        assert facts["cpu"][name]["value"] is None
        assert facts["cpu"][name]["reason"]
    for name in ("container", "virtual_machine"):
        assert (facts["software"][name]["value"], facts["software"][name]["reason"]) == (None, "nothing tells")


def test_apple_s_gpu_shares_the_memory(on: Callable[..., dict[str, Any]], tmp_path: Path) -> None:
    facts = on("macos_m1")
    assert values(facts["gpu"]["devices"][0], "vendor", "name", "unified", "vram") == ("Apple", "Apple M1", True, None)
    assert facts["gpu"]["count"]["value"] == 1
    vram = {row["check"]: row for row in judge(facts)["tiers"]["minimum"]["checks"]}["vram"]
    assert (vram["verdict"], "--frameworks" in (vram["remedy"] or "")) == ("unknown", True)
    told = {"torch": {"gpu_memory": known(11453251584, "import torch", "bytes")}}
    assert hwprobe.gpu.collect(str(tmp_path), told)["vram"]["value"] == 11453251584  # type: ignore[attr-defined]


def test_windows(on: Callable[..., dict[str, Any]]) -> None:
    facts = on("windows_11")
    assert values(facts["cpu"], "model", "physical", "logical", "affinity", "usable", "max_clock") == (
        "AMD Ryzen 9 5950X 16-Core Processor", 16, 32, 32, 16, 3401,
    )  # fmt: skip
    assert facts["cpu"]["model"]["source"] == facts["memory"]["total"]["source"] == "psutil, platform"
    assert values(facts["memory"], "total", "swap_free") == (17101266944, 5097750528)
    assert values(facts["software"], "os", "container") == ("Windows 11", None)
    assert facts["disk"]["data"]["kind"]["reason"] == "Windows does not tell"


def test_a_gpu_that_windows_does_not_show_is_unknown_and_not_absent(on: Callable[..., dict[str, Any]]) -> None:
    facts = on("windows_11")
    assert facts["gpu"]["count"] == {
        "value": 0,
        "unit": "count",
        "source": "NVML is not installed",
        "reason": "Windows tells nothing of other vendors' GPUs",
    }
    vram = {row["check"]: row for row in judge(facts)["tiers"]["minimum"]["checks"]}["vram"]
    assert vram["verdict"] == "unknown"
    assert ("GPU", "unknown (Windows tells nothing of other vendors' GPUs)") in summary.lines(facts)


def test_affinity_counts_on_windows(on: Callable[..., dict[str, Any]]) -> None:
    answers = json.loads((FIXTURES / "windows_11.json").read_text()) | {"affinity": 3}
    assert on(answers)["cpu"]["usable"]["value"] == 3


@pytest.mark.parametrize("name", RECORDED)
def test_a_system_without_answers_gets_facts_and_verdicts_all_the_same(
    on: Callable[..., dict[str, Any]], name: str
) -> None:
    whole = json.loads((FIXTURES / f"{name}.json").read_text())
    for missing in (*whole, None):
        facts = on({key: None if missing in (key, None) else value for key, value in whole.items()})
        json.dumps([facts, judge(facts), fingerprint(facts), summary.lines(facts)], allow_nan=False)
        assert facts["cpu"]["usable"]["value"] >= 1


@pytest.mark.parametrize("question", list(system.QUESTIONS))
def test_every_question_has_an_answer_of_json_s_types_here(question: str) -> None:
    answer = system.ask(question)
    assert answer is not None or question in ("processor", "max_clock"), question
    json.dumps(answer, allow_nan=False)


def test_the_answers_here_are_those_of_the_system() -> None:
    assert system.ask("system") == platform.system()
    assert system.ask("logical") == os.cpu_count()
    assert system.ask("memory")["total"] == psutil.virtual_memory().total
    assert system.ask("swap")["total"] == psutil.swap_memory().total
    if hasattr(os, "sched_getaffinity"):
        assert system.ask("affinity") == len(os.sched_getaffinity(0))


def test_what_psutil_raises_is_no_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> None:
        raise RuntimeError("'pmgr' entry was not found in AppleARMIODevice service")

    monkeypatch.setattr(psutil, "cpu_freq", broken)
    monkeypatch.setattr(psutil, "virtual_memory", broken)
    assert system.ask("max_clock") is None
    assert system.ask("memory") is None


def test_on_a_mac_the_processor_s_name_comes_from_sysctl(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sysctl = tmp_path / "sysctl"
    sysctl.write_text('#!/bin/sh\n[ "$1 $2" = "-n machdep.cpu.brand_string" ] && echo "Apple M1"\n')
    sysctl.chmod(0o755)
    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.setattr(system, "_SYSCTL", [str(sysctl), *system._SYSCTL[1:]])
    assert system.ask("processor") == "Apple M1"
    sysctl.write_text("#!/bin/sh\nexit 1\n")
    assert system.ask("processor") is None


def test_a_recorded_tree_is_never_filled_up_from_this_machine(tmp_path: Path) -> None:
    root = tree(tmp_path, {})
    assert values(cpu.collect(root), "physical", "model", "max_clock") == (None, None, None)
    assert disk.collect("/", root)["filesystem"]["value"] is None
    assert cpu.collect(root)["physical"]["source"].startswith("/sys")
