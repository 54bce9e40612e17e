"""What an NVIDIA H200 really answered, recorded: `evenbench probe --json --frameworks`, the ceilings of
`evenbench probe --ceilings --json`, and of `evenbench run` the measurements of ResNet-50 (turns and fits left out).

The stand-in for NVML (fixtures/nvml.c) says what we believe that NVIDIA's library does; this says what it does.
"""

import io
import json
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import Any

import jsonschema
import pytest
from rich.console import Console

from hwprobe import ceilings as ceilings_of
from hwprobe import markdown, needs, readiness, summary, table
from hwprobe.fingerprint import fingerprint
from suites import classification, session
from suites.profiles import QUICK
from suites.session import Session
from suites.store import Run

HERE = Path(__file__).parent
SCHEMA = json.loads((HERE.parent / "hwprobe" / "schema.json").read_text())
FRAMEWORKS = {"pytorch": "torch", "jax": "jax"}  # those of the machine, and what its facts call them
TRACKED = ("pytorch", "keras-torch")


def recorded(name: str) -> dict[str, Any]:
    return json.loads((HERE / "fixtures" / f"nvidia_h200{name}.json").read_text())


@pytest.fixture
def report() -> dict[str, Any]:
    return recorded("")


@pytest.fixture
def ceilings() -> dict[str, Any]:
    return recorded("_ceilings")


# --- the probe ------------------------------------------------------------------------------------------------------


def test_it_is_of_the_documented_form(report: dict[str, Any], ceilings: dict[str, Any]) -> None:
    jsonschema.validate(report, SCHEMA)
    jsonschema.validate(report | {"ceilings": ceilings}, SCHEMA)
    del report["facts"]["gpu"]["vram"]["reason"]
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(report, SCHEMA)


def test_nothing_that_an_unbroken_gpu_tells_is_unknown(report: dict[str, Any]) -> None:
    (device,) = report["facts"]["gpu"]["devices"]
    assert {name for name, fact in device.items() if fact["value"] is None} == set()


def test_it_is_judged_today_as_it_was(report: dict[str, Any]) -> None:
    assert readiness.judge(report["facts"]) == report["readiness"]
    assert fingerprint(report["facts"])["id"] == report["fingerprint"]["id"]
    for fact in (report["facts"]["gpu"]["vram"], report["facts"]["gpu"]["devices"][0]["vram"]):
        fact["value"] = 7 << 30
    (vram,) = (
        row for row in readiness.judge(report["facts"], ["ideal"])["tiers"]["ideal"]["checks"] if row["check"] == "vram"
    )
    assert vram["verdict"] == "fail"


@pytest.mark.parametrize("name", FRAMEWORKS.values())
def test_a_framework_sees_the_gpu_that_nvml_sees(report: dict[str, Any], name: str) -> None:
    seen, (device,) = report["facts"]["frameworks"][name], report["facts"]["gpu"]["devices"]
    assert seen["devices"]["value"] == ["cpu", "cuda:0"]
    assert seen["gpu_name"]["value"] == device["name"]["value"]
    if (memory := seen["gpu_memory"]["value"]) is not None:
        # What the driver keeps for itself is part of NVML's total alone.
        assert device["vram_free"]["value"] == memory < device["vram"]["value"] < 1.01 * memory


def test_it_is_told_to_people(report: dict[str, Any]) -> None:
    told = dict(summary.lines(report["facts"]))
    assert told["GPU"] == "NVIDIA H200; 140.4 GiB; driver 580.159.04, CUDA 13.0"
    assert told[""] == "SM 345 of 1980 MHz; memory 3201 of 3201 MHz; 700 W; PCIe 5 x16"
    assert "NVIDIA H200; 140.4 GiB" in markdown.render(report)


@pytest.mark.parametrize("workload", needs.models())
def test_what_a_model_needs_of_it_is_known(report: dict[str, Any], workload: str) -> None:
    facts = report["facts"]
    facts["disk"] = {needs.TEMPORARY_FILES: facts["disk"]["current folder"]}
    for phase in ("inference", "training"):
        found = needs.judge(facts, workload, phase, "float32", 8)
        assert {row["check"]: row["verdict"] for row in found["checks"]}["vram"] == "pass", phase


# --- the ceilings ---------------------------------------------------------------------------------------------------


def test_its_ceilings_are_those_of_an_h200(ceilings: dict[str, Any]) -> None:
    """The data sheet's: 67 TFLOP/s in float32 and, by tensor cores, float64; 989 in bfloat16; 4.8 TB/s; PCIe 5 x16."""
    most = {"float32": 67e12, "float64": 67e12, "bfloat16": 989e12}
    for dtype, peak in most.items():
        best = ceilings_of.peak_flops(ceilings, dtype)
        assert best and 0.7 < best["flops_per_s"] / peak < 1, dtype
    bandwidth = ceilings_of.peak_bandwidth(ceilings)
    assert bandwidth and 0.8 < bandwidth["bytes_per_s"] / 4.8e12 < 1
    best_copy: dict[str, float] = {}
    for row in ceilings["copy"]:
        best_copy[row["direction"]] = max(row["bytes_per_s"], best_copy.get(row["direction"], 0))
    assert all(0.8 < rate / 64e9 < 1 for rate in best_copy.values()) and len(best_copy) == 2
    assert {row["device"] for kind in ("gemm", "bandwidth", "copy") for row in ceilings[kind]} == {"cuda:0"}
    assert {row["framework"] for row in ceilings["gemm"]} == set(FRAMEWORKS)


def test_copies_and_products_are_shown(ceilings: dict[str, Any]) -> None:
    console = Console(file=io.StringIO(), width=200)
    table.show_ceilings(ceilings, console)
    shown = console.file.getvalue()  # type: ignore[attr-defined]
    assert "host to device" in shown
    assert "776871 GFLOP/s" in shown


# --- a run ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def run(tmp_path: Path) -> Iterator[None]:
    """The session of that run, which asv's benchmarks ask."""
    frameworks = {name: {"reason": None, "device": "cuda:0"} for name in TRACKED}
    of_run = Run(tmp_path, {"frameworks": frameworks, "time": {"wall_s": 0.0}})
    made = Session(of_run, QUICK, {}, "", 1)
    made._complete["resnet50"] = recorded("_resnet50")
    session.use(made)
    yield
    session.use(None)


def tracked(framework: str, phase: type[Any], size: str) -> dict[str, float]:
    """What asv would write down."""
    metrics, case = phase(), ("resnet50", framework, "eager", size)
    metrics.setup(*case)
    return {name: getattr(metrics, f"track_{name}")(*case) for name in ("peak_memory", "peak_vram", "energy")}


@pytest.mark.usefixtures("run")
@pytest.mark.parametrize("framework", TRACKED)
def test_memory_and_energy_of_a_gpu_are_tracked(framework: str) -> None:
    inference = tracked(framework, classification.Inference, "224px-batch1")
    training = tracked(framework, classification.Training, "32px-batch32")
    weights = 4 * 25_557_032
    assert weights < inference["peak_vram"] < training["peak_vram"] < 10 * weights
    for phase, found in (("inference", inference), ("training", training)):
        (row,) = (
            one for one in recorded("_resnet50")["records"] if (one["framework"], one["phase"]) == (framework, phase)
        )
        # The process holds the driver's context and what the allocator keeps, too.
        assert found["peak_vram"] == row["peak_vram"][0] < row["process_vram"][0]
        watts = found["energy"] / median(row["latency"])
        assert 75 < watts < 700, phase  # more than at rest, no more than the card's limit
