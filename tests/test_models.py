"""The models: their facts against published figures, and every program of every model proven equal.

The models that quick times are proven at full size in every run (tests/test_impls.py). Here each model is a quarter as
wide, on small images: eager modes take seconds and are proven in every run; graphs take a minute for a large network,
programs that compile some minutes, and so do the other models at full size. By the number of commits one model's
graphs, one compiled program and one model at full size have their turn in a run; EVENBENCH_ALL_MODES=1 proves
everything, in some hours.
"""

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

import impls
from impls import certificate, equivalence
from suites.profiles import QUICK

ROOT = Path(__file__).parent.parent
ONE_OF_EACH_KIND = (
    "resnet18",
    "resnet50",
    "inception_v3",
    "mobilenet_v1",
    "mobilenet_v2",
    "mobilenet_v3_small",
    "yolov3",
    "yolov3_tiny",
    "unet",
)
# In every run; in the runs whose turn the model is; in the runs whose turn the very program is.
EAGER = {"pytorch": ("eager",), "tensorflow": ("eager",), "keras-torch": ("eager",)}
GRAPHS = {"tensorflow": ("graph",), "keras-tensorflow": ("graph",)}
OTHERS = {
    "pytorch": ("compiled",),
    "tensorflow": ("compiled",),
    "keras-tensorflow": ("eager", "compiled"),
    "keras-jax": ("eager", "compiled"),
}
AT_FULL_SIZE = {"pytorch": ("eager",), "tensorflow": ("graph",)}
ALL_MODES = bool(os.environ.get("EVENBENCH_ALL_MODES"))
PRECISIONS = ("float64", "float32", "bfloat16")


@pytest.mark.parametrize(
    ("name", "parameters", "gmacs"),
    # Parameters and billions of multiply-accumulates as torchvision states them; MobileNetV1's are timm's, YOLOv3's
    # follow from darknet's files and half its count of operations (65.86 and 5.56 billion), U-Net's are those of
    # milesial's implementation, counted by hand.
    [
        ("resnet18", 11_689_512, 1.81),
        ("resnet34", 21_797_672, 3.66),
        ("resnet50", 25_557_032, 4.09),
        ("resnet101", 44_549_160, 7.80),
        ("resnet152", 60_192_808, 11.51),
        ("mobilenet_v1", 4_231_976, 0.57),
        ("mobilenet_v2", 3_504_872, 0.30),
        ("mobilenet_v3_small", 2_542_856, 0.06),
        ("mobilenet_v3_large", 5_483_032, 0.22),
        ("inception_v3", 23_834_568, 5.71),
        ("inception_v3_aux", 27_161_264, 5.71),
        ("yolov3", 61_949_149, 32.93),
        ("yolov3_tiny", 8_852_366, 2.78),
        ("unet", 31_037_698, 48.17),
    ],
)
def test_models_have_the_published_size(name: str, parameters: int, gmacs: float) -> None:
    work = impls.WORKLOADS[name]
    assert work.parameters() == parameters == work.facts.parameters
    assert round(sum(work.macs()) / 1e9, 2) == gmacs
    assert sum(work.macs()) == work.facts.macs


@pytest.mark.parametrize(
    ("name", "width", "parameters"),
    # As keras.applications' models of that width have them; U-Net's is that of a base of 16 channels.
    [
        ("mobilenet_v1", 0.5, 1_331_592),
        ("mobilenet_v2", 0.35, 1_677_128),
        ("mobilenet_v2", 1.4, 6_108_776),
        ("unet", 0.25, 1_942_594),
    ],
)
def test_other_widths_have_the_published_size(name: str, width: float, parameters: int) -> None:
    assert impls.WORKLOADS[name].parameters(width=width) == parameters


def prove(
    model: str,
    modes: Mapping[str, tuple[str, ...]],
    monkeypatch: pytest.MonkeyPatch,
    cache: Path,
    precisions: tuple[str, ...] = PRECISIONS,
    sizes_of: equivalence.SizesOf = certificate.small,
) -> None:
    """Every certificate in these precisions, or the figures that failed."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(cache))
    names = [equivalence.ProgramName(model, framework, mode) for framework in modes for mode in modes[framework]]
    found = equivalence.verify(names, sizes_of=sizes_of, precisions=precisions)
    failed = [
        (one["framework"], one["mode"], one["error"], [check for check in one["checks"] if not check["passed"]])
        for one in found
        if not one["passed"]
    ]
    assert failed == []
    for one in found:
        worst = {check["dtype"]: check["error"] for check in one["checks"] if check["name"].startswith("forward")}
        assert set(worst) == set(precisions)
        # A precision whose errors are another's was computed in that one.
        assert worst["float64"] < 1e-12 < 1e-9 < worst["float32"] < 1e-4 < worst.get("bfloat16", 1)


def in_turn(turns: list) -> list:
    """What it is this run's turn to prove, or all."""
    if ALL_MODES:
        return turns
    git = ["git", "rev-list", "--count", "HEAD"]
    commits = int(subprocess.run(git, cwd=ROOT, capture_output=True, text=True, check=False).stdout or 0)
    return [turns[commits % len(turns)]]


def others() -> list[tuple[str, str, str]]:
    """(framework, mode, model) of every program that has its own turn."""
    programs = [(framework, mode) for framework, modes in OTHERS.items() for mode in modes]
    return [(framework, mode, model) for framework, mode in programs for model in ONE_OF_EACH_KIND]


@pytest.mark.slow
@pytest.mark.parametrize("model", (*ONE_OF_EACH_KIND, "inception_v3_aux"))
def test_eager_modes_are_proven(model: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    prove(model, EAGER, monkeypatch, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("model", in_turn(list(ONE_OF_EACH_KIND)))
def test_graphs_are_proven(model: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    prove(model, GRAPHS, monkeypatch, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("model", in_turn([name for name in ONE_OF_EACH_KIND if name not in QUICK.models]))
def test_full_size_is_proven(model: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    prove(model, AT_FULL_SIZE, monkeypatch, tmp_path, sizes_of=certificate.full)


@pytest.mark.slow
@pytest.mark.parametrize(("framework", "mode", "model"), in_turn(others()))
def test_other_modes_are_proven(
    framework: str, mode: str, model: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    if framework == "pytorch" and " " in sys.prefix:
        pytest.skip("torch.compile does not work in a path with a space")
    prove(model, {framework: (mode,)}, monkeypatch, tmp_path, PRECISIONS if ALL_MODES else PRECISIONS[:2])


def test_every_mode_has_its_turn() -> None:
    for framework, modes in impls.MODES.items():
        turns = [mode for part in (EAGER, GRAPHS, OTHERS) for mode in part.get(framework, ())]
        assert sorted(turns) == sorted(modes)
        assert {model for name, _, model in others() if name == framework} in (set(), set(ONE_OF_EACH_KIND))


def test_one_of_each_kind_is_proven() -> None:
    folders = {work.package for work in impls.WORKLOADS.values() if work.model}
    assert folders == {impls.WORKLOADS[name].package for name in ONE_OF_EACH_KIND}


@pytest.mark.parametrize(
    ("name", "size", "said"),
    [
        ("resnet50", 31, "at least 32"),
        ("resnet50", 0, "at least 32"),
        ("inception_v3", 74, "at least 75"),
        ("inception_v3_aux", 298, "at least 299"),
        ("unet", 40, "a multiple of 16"),
        ("yolov3", 400, "a multiple of 32"),
    ],
)
def test_sizes_that_a_model_cannot_take(name: str, size: int, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        impls.WORKLOADS[name].check_image_size(size)
