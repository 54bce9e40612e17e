"""hwprobe.gpu with the real pynvml on a stand-in for the driver's library, compiled here: what patching cannot show."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hwprobe_tree import tree, vram_verdicts, with_gpus

from hwprobe import gpu, summary
from hwprobe.facts import known

pytestmark = pytest.mark.skipif(shutil.which("gcc") is None, reason="gcc is not installed: no stand-in for NVML")

GIB, MIB = 2**30, 2**20
LIBRARY = Path(__file__).parent / "fixtures" / "nvml.c"


def library(folder: Path, *flags: str) -> Path:
    built = ["gcc", "-shared", "-fPIC", *flags, "-o", str(folder / "libnvidia-ml.so.1"), str(LIBRARY)]
    subprocess.run(built, check=True)
    return folder


@pytest.fixture(scope="module")
def current(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return library(tmp_path_factory.mktemp("current"))


def probe(folder: Path, root: str = "/nowhere", frameworks: Any = None, **settings: str) -> dict[str, Any]:
    """gpu.collect in a process that finds the library in `folder`, and no other GPU."""
    code = f"import json; from hwprobe import gpu; print(json.dumps(gpu.collect({root!r}, {frameworks!r})))"
    environment = {**os.environ, "LD_LIBRARY_PATH": str(folder), **settings}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    facts: dict[str, Any] = json.loads(done.stdout)
    return facts


@pytest.mark.parametrize(
    ("mib", "minimum", "ideal"),
    [
        ("2048", "pass", "fail"),
        ("1800", "fail", "fail"),
        ("7680", "pass", "pass"),  # 7.5 GiB of a nominal 8
        ("8192", "pass", "pass"),
        ("81920", "pass", "pass"),
        ("2048,81920", "pass", "pass"),  # the largest counts, not the first and not the sum
        ("1024,1024", "fail", "fail"),
        (",".join(["81920"] * 8), "pass", "pass"),
    ],
)
def test_sizes(current: Path, mib: str, minimum: str, ideal: str) -> None:
    facts = probe(current, STUB_MIB=mib)
    assert facts["count"]["value"] == len(facts["devices"]) == mib.count(",") + 1
    assert facts["vram"]["value"] == max(int(size) for size in mib.split(",")) * 2**20
    assert vram_verdicts(facts) == {"minimum": minimum, "ideal": ideal}


def test_what_is_told_of_a_gpu(current: Path) -> None:
    facts = probe(current, STUB_MIB="8192")
    device = {name: fact["value"] for name, fact in facts["devices"][0].items()}
    assert device == {
        "vendor": "NVIDIA",
        "name": "NVIDIA Example",
        "vram": 8 * GIB,
        "vram_free": 8 * GIB - 400 * MIB,  # without the driver's reserve
        "vram_used": 100 * MIB,  # version 2: without the driver's reserve
        "vram_used_by_others": 100 * MIB,
        "unified": False,
        "compute_capability": "9.0",
        "sm_clock": 345,
        "sm_clock_max": 1980,
        "memory_clock": 2619,
        "memory_clock_max": 2619,
        "power_limit": 350,
        "ecc": True,
        "persistence": True,
        "pcie_generation": 1,
        "pcie_generation_max": 5,
        "pcie_width": 16,
        "pcie_width_max": 16,
        "slowed_by": ["idle"],
        "display_active": False,
        "mps": False,
        "mig": None,
    }
    assert {name: fact["unit"] for name, fact in facts["devices"][0].items() if fact["unit"]} == {
        **dict.fromkeys(("vram", "vram_free", "vram_used", "vram_used_by_others"), "bytes"),
        **dict.fromkeys(("sm_clock", "sm_clock_max", "memory_clock", "memory_clock_max"), "MHz"),
        **dict.fromkeys(("pcie_generation", "pcie_generation_max", "pcie_width", "pcie_width_max"), "count"),
        "power_limit": "watts",
    }
    assert (facts["driver"]["value"], facts["cuda"]["value"]) == ("560.35.03", "12.6")
    assert "SECRET" not in json.dumps(facts)


def test_no_gpu_but_a_driver(current: Path) -> None:
    facts = probe(current)
    assert (facts["count"]["value"], facts["vram"]["value"], facts["devices"]) == (0, 0, [])
    assert vram_verdicts(facts) == {"minimum": "fail", "ideal": "fail"}


@pytest.mark.parametrize(("code", "says"), [("9", "Driver Not Loaded"), ("18", "mismatch"), ("999", "Unknown Error")])
def test_a_library_that_answers_an_error_leaves_the_gpu_unknown(current: Path, code: str, says: str) -> None:
    facts = probe(current, STUB_INIT=code, STUB_MIB="8192")
    assert facts["count"]["value"] is facts["vram"]["value"] is None
    assert says in facts["vram"]["reason"]
    assert vram_verdicts(facts) == {"minimum": "unknown", "ideal": "unknown"}


def test_an_error_in_counting_is_unknown_too(current: Path) -> None:
    facts = probe(current, STUB_COUNT_ERROR="999", STUB_MIB="8192")
    assert facts["driver"]["value"] == "560.35.03"
    assert vram_verdicts(facts)["minimum"] == "unknown"


def test_missing_symbols_cost_only_their_own_facts(tmp_path: Path) -> None:
    facts = probe(library(tmp_path, "-DOLD_DRIVER"), STUB_MIB="8192", STUB_PROCESSES="1")
    device = facts["devices"][0]
    assert device["compute_capability"]["value"] is None
    assert device["compute_capability"]["reason"] == "NVML: Function Not Found"
    assert device["name"]["value"] == "NVIDIA Example"
    assert device["vram"]["value"] == 8 * GIB  # by version 1
    assert device["vram_used"]["value"] == 400 * MIB
    assert device["slowed_by"]["value"] == ["idle"]  # by the question's older name
    for name in ("mps", "vram_used_by_others"):  # raised as an error that is no NVMLError: pynvml's is newer than NVML
        assert device[name]["value"] is None
        assert "does not match the NVML lib version" in device[name]["reason"]


def test_no_symbol_for_memory_at_all(tmp_path: Path) -> None:
    facts = probe(library(tmp_path, "-DOLD_DRIVER", "-DNO_MEMORY"), STUB_MIB="8192")
    assert facts["vram"]["value"] is None
    assert vram_verdicts(facts)["minimum"] == "unknown"


def test_unified_memory_answers_not_supported(current: Path) -> None:
    facts = probe(current, STUB_MIB="0")
    assert "no memory of its own" in facts["vram"]["reason"]
    assert facts["devices"][0]["unified"]["value"] is True
    assert facts["devices"][0]["vram_free"]["reason"] == "NVML: Not Supported"
    assert facts["devices"][0]["name"]["value"] == "NVIDIA Example"
    assert vram_verdicts(facts)["minimum"] == "unknown"


def test_a_framework_knows_the_size_of_a_single_gpu_that_does_not_tell(current: Path) -> None:
    told = {"torch": {"gpu_memory": known(20 * GIB, "import torch", "bytes")}}
    for settings in ({"STUB_MIB": "0"}, {"STUB_MIB": "81920", "STUB_MIG": "1"}):  # unified; a slice of 80 GiB
        facts = probe(current, frameworks=told, **settings)
        assert facts["vram"] == told["torch"]["gpu_memory"]
        assert facts["devices"][0]["vram"]["value"] is None  # the fingerprint must not depend on who was asked
    assert vram_verdicts(facts)["ideal"] == "pass"
    assert probe(current, frameworks=told, STUB_MIB="8192")["vram"]["value"] == 8 * GIB  # the driver knows better
    assert probe(current, frameworks=told, STUB_MIB="0,0")["vram"]["value"] is None  # which of the two, nobody knows


def test_what_others_hold_is_apart_from_this_process_s_own(current: Path) -> None:
    device = probe(current, STUB_MIB="8192", STUB_PROCESSES="2")["devices"][0]
    assert device["vram_used"]["value"] == 100 * MIB
    assert device["vram_used_by_others"]["value"] == 70 * MIB  # 30 are our own
    assert "999999" not in json.dumps(device)


@pytest.mark.parametrize(
    ("bits", "words"),
    [
        (0, []),
        (0x4 | 0x40, ["power cap", "heat (hardware)"]),
        (0x20, ["heat (software)"]),
        (0x80 | 0x1000, ["power brake", "reason 0x1000"]),
    ],
)
def test_what_slows_a_gpu_is_told_in_words(current: Path, bits: int, words: list[str]) -> None:
    assert probe(current, STUB_MIB="8192", STUB_REASONS=str(bits))["devices"][0]["slowed_by"]["value"] == words


def test_settings_of_a_gpu(current: Path) -> None:
    settings = {"STUB_ECC": "0", "STUB_PERSISTENCE": "0", "STUB_DISPLAY": "1", "STUB_MPS": "1", "STUB_WIDTH": "4"}
    device = probe(current, STUB_MIB="8192", **settings)["devices"][0]
    found = [device[name]["value"] for name in ("ecc", "persistence", "display_active", "mps", "pcie_width")]
    assert found == [False, False, True, True, 4]


def test_a_poor_card_leaves_only_its_extras_unknown(current: Path) -> None:
    device = probe(current, STUB_MIB="2048", STUB_POOR="3")["devices"][0]
    assert device["vram"]["value"] == 2 * GIB
    for name in ("sm_clock", "power_limit", "ecc", "persistence", "pcie_width", "slowed_by", "display_active"):
        assert device[name]["value"] is None, name
        assert device[name]["reason"] == "NVML: Not Supported", name


def test_the_table_shows_a_gpu_s_state_in_one_line(current: Path) -> None:
    shown = [text for _, text in summary.lines(with_gpus(probe(current, STUB_MIB="8192", STUB_WIDTH="8")))]
    assert "NVIDIA Example; 8.0 GiB; driver 560.35.03, CUDA 12.6" in shown
    state = "SM 345 of 1980 MHz; memory 2619 of 2619 MHz; 350 W; PCIe 5 x8 of 16; 0.1 GiB in use by others"
    assert state in shown


def test_one_lost_gpu_of_two_leaves_a_floor(current: Path) -> None:
    facts = probe(current, STUB_MIB="4096,8192", STUB_LOST="1")
    assert facts["devices"][1]["name"]["reason"] == "NVML: GPU is lost"
    assert facts["vram"]["value"] == 4 * GIB
    # 4 GiB meet the minimum; whether the lost one would meet the ideal, nobody knows.
    assert vram_verdicts(facts) == {"minimum": "pass", "ideal": "unknown"}


def test_a_gpu_cut_into_slices_is_not_judged_as_a_whole(current: Path) -> None:
    facts = probe(current, STUB_MIB="81920", STUB_MIG="1")
    assert facts["vram"]["value"] is None
    assert "MIG" in facts["vram"]["reason"]


def test_a_name_that_is_no_text(current: Path) -> None:
    facts = probe(current, STUB_MIB="8192", STUB_NAME="a\x1b[2Jb")
    assert facts["devices"][0]["name"]["value"] == "a [2Jb"


def test_an_error_that_is_not_nvml_s_is_told_by_its_kind_alone(current: Path, tmp_path: Path) -> None:
    (tmp_path / "pynvml.py").write_text("from os import no_such_name\n")  # its message names the file and so its owner
    facts = probe(current, PYTHONPATH=f"{tmp_path}{os.pathsep}{Path(gpu.__file__).parents[1]}")
    assert facts["count"]["value"] is None
    assert facts["count"]["reason"] == "NVML: ImportError"


def test_a_gpu_on_the_bus_without_a_driver_is_unknown_and_not_absent(tmp_path: Path, monkeypatch: Any) -> None:
    import pynvml

    def missing() -> None:
        raise pynvml.NVMLError_LibraryNotFound

    monkeypatch.setattr(pynvml, "nvmlInit", missing)  # this machine may have a driver
    device = "/sys/bus/pci/devices/0000:01:00.0"
    bare = gpu.collect(tree(tmp_path / "bare", {f"{device}/vendor": "0x102b\n", f"{device}/class": "0x030000\n"}))
    card = gpu.collect(tree(tmp_path / "card", {f"{device}/vendor": "0x10de\n", f"{device}/class": "0x030200\n"}))
    assert (bare["count"]["value"], bare["count"]["reason"]) == (0, None)
    assert card["count"]["value"] is None
    assert "PCI bus" in card["vram"]["reason"]
