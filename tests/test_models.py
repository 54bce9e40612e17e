"""The models: their facts against published figures, and every program of every model proven equal.

What a full proof costs is paid for the models that quick times (tests/test_impls.py); here each model is a quarter as
wide, on small images. Modes that compile take minutes for a large network, so one model's are proven in each run, in
turn by the number of commits; EVENBENCH_ALL_MODES=1 proves all.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import impls
from impls import certificate, equivalence

ROOT = Path(__file__).parent.parent
ONE_OF_EACH_KIND = (
    "resnet18",
    "resnet50",
    "inception_v3_aux",
    "mobilenet_v1",
    "mobilenet_v2",
    "mobilenet_v3_small",
    "yolov3",
    "yolov3_tiny",
    "unet",
)
# Seconds a proof; keras-jax runs its eager mode operation by operation and compiles each.
QUICK_MODES = {
    "pytorch": ("eager",),
    "tensorflow": ("eager", "graph"),
    "keras-tensorflow": ("graph",),
    "keras-torch": ("eager",),
    "keras-jax": ("compiled",),
}


@pytest.mark.parametrize(
    ("name", "parameters", "gmacs"),
    # Parameters and billions of multiply-accumulates as torchvision states them; MobileNetV1's are timm's.
    [
        ("resnet18", 11_689_512, 1.81),
        ("resnet34", 21_797_672, 3.66),
        ("resnet50", 25_557_032, 4.09),
        ("resnet101", 44_549_160, 7.80),
        ("resnet152", 60_192_808, 11.51),
        ("mobilenet_v1", 4_231_976, 0.57),
        ("mobilenet_v2", 3_504_872, 0.30),
    ],
)
def test_models_have_the_published_size(name: str, parameters: int, gmacs: float) -> None:
    work = impls.WORKLOADS[name]
    assert work.parameters() == parameters == work.facts.parameters
    assert round(sum(work.macs()) / 1e9, 2) == gmacs
    assert sum(work.macs()) == work.facts.macs


@pytest.mark.parametrize(
    ("name", "width", "parameters"),
    # As keras.applications' models of that width have them.
    [("mobilenet_v1", 0.5, 1_331_592), ("mobilenet_v2", 0.35, 1_677_128), ("mobilenet_v2", 1.4, 6_108_776)],
)
def test_other_widths_have_the_published_size(name: str, width: float, parameters: int) -> None:
    assert impls.WORKLOADS[name].parameters(width=width) == parameters


def programs(model: str, compiling: bool) -> list[equivalence.ProgramName]:
    """The programs of a model, of the modes that take seconds or of the others."""
    return [
        equivalence.ProgramName(model, framework, mode)
        for framework, modes in impls.MODES.items()
        for mode in modes
        if (mode not in QUICK_MODES[framework]) == compiling
    ]


def prove(names: list[equivalence.ProgramName], monkeypatch: pytest.MonkeyPatch, cache: Path) -> None:
    """Every certificate in every precision, or the figures that failed."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(cache))
    found = equivalence.verify(names, sizes_of=certificate.small, precisions=("float64", "float32", "bfloat16"))
    failed = [
        (one["framework"], one["mode"], one["error"], [check for check in one["checks"] if not check["passed"]])
        for one in found
        if not one["passed"]
    ]
    assert failed == []
    for one in found:
        worst = {check["dtype"]: check["error"] for check in one["checks"] if check["name"].startswith("forward")}
        # A precision whose errors are another's was computed in that one.
        assert worst["float64"] < 1e-12 < 1e-9 < worst["float32"] < 1e-4 < worst["bfloat16"]


@pytest.mark.slow
@pytest.mark.parametrize("model", ONE_OF_EACH_KIND)
def test_every_framework_is_proven(model: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    prove(programs(model, compiling=False), monkeypatch, tmp_path)


def in_turn() -> list[str]:
    """The models whose compiled modes are proven in this run."""
    if os.environ.get("EVENBENCH_ALL_MODES"):
        return list(ONE_OF_EACH_KIND)
    count = subprocess.run(
        ["git", "rev-list", "--count", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    return [ONE_OF_EACH_KIND[int(count.stdout or 0) % len(ONE_OF_EACH_KIND)]]


@pytest.mark.slow
@pytest.mark.skipif(" " in sys.prefix, reason="torch.compile does not work in a path with a space")
@pytest.mark.parametrize("model", in_turn())
def test_every_other_mode_is_proven(model: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    prove(programs(model, compiling=True), monkeypatch, tmp_path)


def test_one_of_each_kind_is_proven() -> None:
    folders = {work.package for work in impls.WORKLOADS.values() if work.model}
    assert folders == {impls.WORKLOADS[name].package for name in ONE_OF_EACH_KIND}


@pytest.mark.parametrize(
    ("name", "size", "said"),
    [("resnet50", 31, "at least 32"), ("resnet50", 0, "at least 32")],
)
def test_sizes_that_a_model_cannot_take(name: str, size: int, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        impls.WORKLOADS[name].check_image_size(size)
