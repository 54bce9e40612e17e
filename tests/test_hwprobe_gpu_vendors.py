"""hwprobe.gpu beyond NVIDIA: AMD's and Intel's GPUs on recorded /sys trees, and how the vendors are judged together."""

import json
from pathlib import Path
from typing import Any

import pytest
from hwprobe_tree import tree, vram_verdicts, with_gpus

from hwprobe import gpu, gpu_nvidia, summary
from hwprobe.facts import known, unknown

GIB = 2**30
PCI = "/sys/bus/pci/devices"


def card(slot: str, vendor: str, kind: str = "0x030000", driver: bool = True, **files: str) -> dict[str, str]:
    """Files of a display controller; `driver`: whether one is loaded."""
    folder = f"{PCI}/{slot}"
    found = {f"{folder}/vendor": f"{vendor}\n", f"{folder}/class": f"{kind}\n"}
    found |= {f"{folder}/driver/uevent": ""} if driver else {}
    return found | {f"{folder}/{name}": f"{text}\n" for name, text in files.items()}


def amd(slot: str, gib: float, **files: str) -> dict[str, str]:
    size = {"mem_info_vram_total": str(int(gib * GIB)), "mem_info_vram_used": str(GIB // 2)}
    return card(slot, "0x1002", **(size | files))


INTEL_ON_THE_CHIP = card("0000:00:02.0", "0x8086")


@pytest.fixture(autouse=True)
def nvidia(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What NVML would answer: no GPU, until a test changes it. This machine may have one."""
    answer: dict[str, Any] = {"count": known(0, "NVML", "count"), "devices": []}
    answer |= {"driver": unknown("no driver", "NVML"), "cuda": unknown("no driver", "NVML")}
    monkeypatch.setattr(gpu_nvidia, "collect", lambda _is_on_the_bus: answer)
    return answer


def nvidia_of(gib: int) -> dict[str, Any]:
    device = {"vendor": known("NVIDIA", "NVML"), "name": known("Example", "NVML"), "unified": known(False, "NVML")}
    return {"count": known(1, "NVML", "count"), "devices": [device | {"vram": known(gib * GIB, "NVML", "bytes")}]}


def verdicts(facts: dict[str, Any]) -> list[str]:
    return list(vram_verdicts(facts).values())


def test_an_amd_gpu_tells_its_memory_and_name(tmp_path: Path) -> None:
    files = amd("0000:03:00.0", 16, product_name="AMD Instinct Example", serial_number="SECRET", unique_id="SECRET")
    facts = gpu.collect(tree(tmp_path, files))
    assert {name: fact["value"] for name, fact in facts["devices"][0].items()} == {
        "vendor": "AMD",
        "name": "AMD Instinct Example",
        "vram": 16 * GIB,
        "vram_free": 15.5 * GIB,
        "vram_used": GIB // 2,
        "unified": None,
    }
    assert (facts["count"]["value"], facts["vram"]["value"]) == (1, 16 * GIB)
    assert verdicts(facts) == ["pass", "pass"]
    for secret in ("SECRET", "0000:03"):
        assert secret not in json.dumps(facts)


def test_amd_s_largest_cards_are_accelerators_and_intel_s_accelerators_no_gpus(tmp_path: Path) -> None:
    npu = card("0000:00:0b.0", "0x8086", "0x120000")
    root = tree(tmp_path, npu | amd("0000:41:00.0", 192) | {f"{PCI}/0000:41:00.0/class": "0x120000\n"})
    assert gpu.collect(root)["count"]["value"] == 1
    assert gpu.collect(root)["vram"]["value"] == 192 * GIB


def test_other_devices_of_these_vendors_are_no_gpus(tmp_path: Path) -> None:
    bridge, sound = card("0000:00:00.0", "0x8086", "0x060000"), card("0000:03:00.1", "0x1002", "0x040300")
    facts = gpu.collect(tree(tmp_path, bridge | sound))
    assert (facts["count"]["value"], facts["vram"]["value"], facts["devices"]) == (0, 0, [])
    assert verdicts(facts) == ["fail", "fail"]


@pytest.mark.parametrize("vendor", ["0x1002", "0x8086"])
def test_a_gpu_without_its_driver_is_found_on_the_bus(tmp_path: Path, vendor: str) -> None:
    facts = gpu.collect(tree(tmp_path, card("0000:03:00.0", vendor, driver=False)))
    assert facts["count"]["value"] == 1
    assert facts["vram"]["value"] is None
    assert facts["vram"]["reason"] == "its driver is not loaded"
    assert verdicts(facts) == ["unknown", "unknown"]


def test_intel_s_memory_is_known_to_frameworks_alone(tmp_path: Path) -> None:
    root = tree(tmp_path, card("0000:03:00.0", "0x8086"))
    assert gpu.collect(root)["vram"]["reason"] == "the driver does not tell its memory"
    told = {"torch": {"gpu_memory": known(12 * GIB, "import torch", "bytes")}}
    assert gpu.collect(root, told)["vram"] == told["torch"]["gpu_memory"]
    silent = {"tensorflow": {"gpu_memory": unknown("it does not tell", "import tensorflow", "bytes")}}
    assert gpu.collect(root, silent | told)["vram"]["value"] == 12 * GIB


def test_the_largest_of_any_vendor_is_judged(tmp_path: Path, nvidia: dict[str, Any]) -> None:
    nvidia |= nvidia_of(4)
    facts = gpu.collect(tree(tmp_path, amd("0000:03:00.0", 16) | amd("0000:04:00.0", 8)))
    assert [device["vendor"]["value"] for device in facts["devices"]] == ["NVIDIA", "AMD", "AMD"]
    assert (facts["count"]["value"], facts["vram"]["value"]) == (3, 16 * GIB)


def test_a_processor_s_own_gpu_makes_no_doubt_of_a_card_s_memory(tmp_path: Path, nvidia: dict[str, Any]) -> None:
    alone = gpu.collect(tree(tmp_path / "alone", INTEL_ON_THE_CHIP))
    assert alone["devices"][0]["unified"]["value"] is True
    assert verdicts(alone) == ["unknown", "unknown"]
    nvidia |= nvidia_of(4)
    both = gpu.collect(tree(tmp_path / "both", INTEL_ON_THE_CHIP))
    assert (both["count"]["value"], both["vram"]["value"], both["vram"]["reason"]) == (2, 4 * GIB, None)
    assert verdicts(both) == ["pass", "fail"]  # and not "unknown": an Intel GPU beside it is no second chance


def test_a_card_that_is_silent_leaves_a_floor(tmp_path: Path, nvidia: dict[str, Any]) -> None:
    nvidia |= nvidia_of(4)
    facts = gpu.collect(tree(tmp_path, card("0000:03:00.0", "0x8086")))
    assert facts["vram"]["reason"] == "1 of 2 GPUs did not tell its memory"
    assert verdicts(facts) == ["pass", "unknown"]


def test_a_broken_driver_of_nvidia_s_does_not_hide_a_gpu_of_amd_s(tmp_path: Path, nvidia: dict[str, Any]) -> None:
    nvidia["count"] = unknown("NVML: Driver Not Loaded", "nvmlInit", "count")
    facts = gpu.collect(tree(tmp_path, amd("0000:03:00.0", 4)))
    assert (facts["count"]["value"], facts["count"]["reason"]) == (1, "NVML: Driver Not Loaded")
    assert verdicts(facts) == ["pass", "unknown"]
    assert ("GPU", "unknown (NVML: Driver Not Loaded)") in summary.lines(with_gpus(facts))


@pytest.mark.parametrize("text", ["", "x", "-5", "9" * 40, "1e9", "\x00"])
def test_sizes_that_are_none(tmp_path: Path, text: str) -> None:
    facts = gpu.collect(tree(tmp_path, amd("0000:03:00.0", 1, mem_info_vram_total=text, product_name="\x1b[2Jx")))
    assert facts["vram"]["value"] is None
    assert facts["vram"]["reason"] == "the driver does not tell"
    assert facts["devices"][0]["vram_free"]["value"] is None
    assert facts["devices"][0]["name"]["value"] == "[2Jx"


def test_the_table_names_the_vendor_where_the_driver_does_not_name_the_gpu(tmp_path: Path) -> None:
    facts = gpu.collect(tree(tmp_path, amd("0000:03:00.0", 16)))
    assert ("GPU", "AMD (the driver does not name it); 16.0 GiB") in summary.lines(with_gpus(facts))
    none = gpu.collect(tree(tmp_path / "none", {}))
    assert ("GPU", "no GPU found") in summary.lines(with_gpus(none))
