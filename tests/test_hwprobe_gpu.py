"""hwprobe.gpu with the real pynvml on a stand-in for the driver's library, compiled here: what patching cannot show."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hwprobe_tree import machine, tree

from hwprobe import gpu
from hwprobe.readiness import judge

pytestmark = pytest.mark.skipif(shutil.which("gcc") is None, reason="gcc is not installed: no stand-in for NVML")

GIB = 2**30
LIBRARY = r"""
#include <stdlib.h>
#include <string.h>
typedef struct { unsigned version; unsigned long long total, reserved, free, used; } memory_v2;
typedef struct { unsigned long long total, free, used; } memory_v1;
static int number(const char *name, int otherwise) { char *text = getenv(name); return text ? atoi(text) : otherwise; }
/* STUB_MIB holds one size per GPU: "2048,81920"; 0 stands for a GPU whose memory answers "not supported". */
static unsigned long long mib(void *device) {
    char *text = getenv("STUB_MIB");
    for (long skip = (long)device - 1; skip > 0; skip--) text = strchr(text, ',') + 1;
    return strtoull(text, NULL, 10) << 20;
}
int nvmlInitWithFlags(unsigned flags) { return number("STUB_INIT", 0); }
int nvmlShutdown(void) { return 0; }
const char *nvmlErrorString(int code) { return code == 18 ? "Driver/library version mismatch" : "some error"; }
int nvmlDeviceGetCount_v2(unsigned *count) {
    unsigned commas = 0;
    for (char *text = getenv("STUB_MIB"); text && *text; text++) commas += *text == ',';
    *count = getenv("STUB_MIB") ? commas + 1 : 0;
    return number("STUB_COUNT_ERROR", 0);
}
int nvmlDeviceGetHandleByIndex_v2(unsigned index, void **device) {
    *device = (void *)(long)(index + 1);
    return number("STUB_LOST", -1) == (int)index ? 15 : 0;
}
int nvmlDeviceGetName(void *device, char *name, unsigned length) {
    strncpy(name, getenv("STUB_NAME") ? getenv("STUB_NAME") : "NVIDIA Example", length);
    return 0;
}
int nvmlSystemGetDriverVersion(char *version, unsigned length) { strncpy(version, "560.35.03", length); return 0; }
int nvmlSystemGetCudaDriverVersion(int *version) { *version = 12060; return 0; }
int nvmlSystemGetCudaDriverVersion_v2(int *version) { *version = 12060; return 0; }
int nvmlDeviceGetUUID(void *device, char *uuid, unsigned length) { strncpy(uuid, "GPU-SECRET", length); return 0; }
int nvmlDeviceGetMigMode(void *device, unsigned *now, unsigned *pending) {
    *now = *pending = number("STUB_MIG", 0);
    return getenv("STUB_MIG") ? 0 : 3;
}
#ifndef OLD_DRIVER
int nvmlDeviceGetCudaComputeCapability(void *device, int *major, int *minor) { *major = 9; *minor = 0; return 0; }
int nvmlDeviceGetMemoryInfo_v2(void *device, memory_v2 *memory) {
    if (!mib(device)) return 3;
    memory->total = mib(device);
    memory->reserved = 300 << 20;
    memory->used = 100 << 20;
    memory->free = memory->total - memory->reserved - memory->used;
    return 0;
}
#endif
#ifndef NO_MEMORY
int nvmlDeviceGetMemoryInfo(void *device, memory_v1 *memory) {
    if (!mib(device)) return 3;
    memory->total = mib(device);
    memory->used = 400 << 20;
    memory->free = memory->total - memory->used;
    return 0;
}
#endif
"""


def library(folder: Path, *flags: str) -> Path:
    (folder / "stub.c").write_text(LIBRARY)
    built = ["gcc", "-shared", "-fPIC", *flags, "-o", str(folder / "libnvidia-ml.so.1"), str(folder / "stub.c")]
    subprocess.run(built, check=True)
    return folder


@pytest.fixture(scope="module")
def current(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return library(tmp_path_factory.mktemp("current"))


def probe(folder: Path, root: str = "/nowhere", **settings: str) -> dict[str, Any]:
    """gpu.collect in a process that finds the library in `folder`, and no other GPU."""
    code = f"import json; from hwprobe import gpu; print(json.dumps(gpu.collect({root!r})))"
    environment = {**os.environ, "LD_LIBRARY_PATH": str(folder), **settings}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    facts: dict[str, Any] = json.loads(done.stdout)
    return facts


def verdicts(tmp_path: Path, facts: dict[str, Any]) -> dict[str, str]:
    import hwprobe

    whole = {**hwprobe.collect(machine(tmp_path / "machine")), "gpu": facts}
    tiers = judge(whole)["tiers"]
    return {tier: next(row for row in tiers[tier]["checks"] if row["check"] == "vram")["verdict"] for tier in tiers}


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
    ],
)
def test_sizes(current: Path, tmp_path: Path, mib: str, minimum: str, ideal: str) -> None:
    facts = probe(current, STUB_MIB=mib)
    assert facts["count"]["value"] == len(facts["devices"]) == mib.count(",") + 1
    assert facts["vram"]["value"] == max(int(size) for size in mib.split(",")) * 2**20
    assert verdicts(tmp_path, facts) == {"minimum": minimum, "ideal": ideal}


def test_what_is_told_of_a_gpu(current: Path) -> None:
    facts = probe(current, STUB_MIB="8192")
    device = {name: fact["value"] for name, fact in facts["devices"][0].items()}
    assert device == {
        "name": "NVIDIA Example",
        "vram": 8 * GIB,
        "vram_used": 100 * 2**20,  # version 2: without the driver's reserve
        "compute_capability": "9.0",
        "mig": None,
    }
    assert (facts["driver"]["value"], facts["cuda"]["value"]) == ("560.35.03", "12.6")
    assert "SECRET" not in json.dumps(facts)


def test_no_gpu_but_a_driver(current: Path, tmp_path: Path) -> None:
    facts = probe(current)
    assert (facts["count"]["value"], facts["vram"]["value"], facts["devices"]) == (0, 0, [])
    assert verdicts(tmp_path, facts) == {"minimum": "fail", "ideal": "fail"}


@pytest.mark.parametrize(("code", "says"), [("9", "Driver Not Loaded"), ("18", "mismatch"), ("999", "Unknown Error")])
def test_a_library_that_answers_an_error_leaves_the_gpu_unknown(
    current: Path, tmp_path: Path, code: str, says: str
) -> None:
    facts = probe(current, STUB_INIT=code, STUB_MIB="8192")
    assert facts["count"]["value"] is facts["vram"]["value"] is None
    assert says in facts["vram"]["reason"]
    assert verdicts(tmp_path, facts) == {"minimum": "unknown", "ideal": "unknown"}


def test_an_error_in_counting_is_unknown_too(current: Path, tmp_path: Path) -> None:
    facts = probe(current, STUB_COUNT_ERROR="999", STUB_MIB="8192")
    assert facts["driver"]["value"] == "560.35.03"
    assert verdicts(tmp_path, facts)["minimum"] == "unknown"


def test_missing_symbols_cost_only_their_own_facts(tmp_path: Path) -> None:
    facts = probe(library(tmp_path, "-DOLD_DRIVER"), STUB_MIB="8192")
    device = facts["devices"][0]
    assert device["compute_capability"]["value"] is None
    assert device["compute_capability"]["reason"] == "NVML: Function Not Found"
    assert device["name"]["value"] == "NVIDIA Example"
    assert device["vram"]["value"] == 8 * GIB  # by version 1
    assert device["vram_used"]["value"] == 400 * 2**20


def test_no_symbol_for_memory_at_all(tmp_path: Path) -> None:
    facts = probe(library(tmp_path, "-DOLD_DRIVER", "-DNO_MEMORY"), STUB_MIB="8192")
    assert facts["vram"]["value"] is None
    assert verdicts(tmp_path, facts)["minimum"] == "unknown"


def test_unified_memory_answers_not_supported(current: Path, tmp_path: Path) -> None:
    facts = probe(current, STUB_MIB="0")
    assert facts["vram"]["reason"] == "NVML: Not Supported"
    assert facts["devices"][0]["name"]["value"] == "NVIDIA Example"
    assert verdicts(tmp_path, facts)["minimum"] == "unknown"


def test_one_lost_gpu_of_two_leaves_a_floor(current: Path, tmp_path: Path) -> None:
    facts = probe(current, STUB_MIB="4096,8192", STUB_LOST="1")
    assert facts["devices"][1]["name"]["reason"] == "NVML: GPU is lost"
    assert facts["vram"]["value"] == 4 * GIB
    # 4 GiB meet the minimum; whether the lost one would meet the ideal, nobody knows.
    assert verdicts(tmp_path, facts) == {"minimum": "pass", "ideal": "unknown"}


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
    bare = gpu.collect(tree(tmp_path / "bare", {f"{device}/vendor": "0x8086\n", f"{device}/class": "0x030000\n"}))
    card = gpu.collect(tree(tmp_path / "card", {f"{device}/vendor": "0x10de\n", f"{device}/class": "0x030200\n"}))
    assert (bare["count"]["value"], bare["count"]["reason"]) == (0, None)
    assert card["count"]["value"] is None
    assert "PCI bus" in card["vram"]["reason"]
