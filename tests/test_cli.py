"""The front door: exit codes and one clear line for what the user can mend."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import impls

ROOT = Path(__file__).parent.parent


def evenbench(*arguments: str, cwd: Path = ROOT, code: str = "", **variables: str) -> subprocess.CompletedProcess[str]:
    """The command in a process of its own; `code` runs in it first."""
    command = [sys.executable, "-c", f"{code}\nfrom suites.cli import main; main()", *arguments]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), **variables}
    return subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, check=False)


def one_line(answer: subprocess.CompletedProcess[str]) -> str:
    """The only line on stderr."""
    (line,) = answer.stderr.splitlines()
    assert line.startswith("evenbench: ")
    return line


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["verify", "nosuch"], "no such workload: nosuch (there are resnet18, resnet34"),
        (["run", "--profile", "nosuch"], "unknown profile 'nosuch': choose one of quick, standard, full"),
        (["nosuch"], "No such command 'nosuch'"),
        (["probe", "--nosuch"], "No such option: --nosuch"),
        (["probe", "--ignore", "nosuch"], "no such check: nosuch"),
        (["report", "--results", "/nosuch"], "/nosuch"),
        (["compare", "pytorch"], "Missing argument"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(arguments: list[str], said: str) -> None:
    answer = evenbench(*arguments)
    assert (answer.returncode, answer.stdout) == (2, "")
    assert said in one_line(answer)


IMAGES = {
    "good": np.zeros((1, 64, 64, 3), np.float32),
    "wide": np.zeros((1, 64, 64, 3)),
    "none": np.zeros((0, 64, 64, 3), np.float32),
    "first": np.zeros((1, 3, 64, 64), np.float32),
    "small": np.zeros((1, 16, 64, 3), np.float32),
    "odd": np.zeros((1, 100, 100, 3), np.float32),
}


@pytest.mark.parametrize(
    ("workload", "images", "options", "said"),
    [
        ("nosuch", "good", [], "no such model: nosuch (there are resnet18"),
        ("conv2d-1x1", "good", [], "no such model: conv2d-1x1"),
        ("resnet50", "nosuch", [], "nosuch.npy: No such file"),
        ("resnet50", "wide", [], "wide.npy: images are float32, not float64"),
        ("resnet50", "none", [], "none.npy: there must be at least 1 image, not 0"),
        ("resnet50", "first", [], "first.npy: images have the shape (batch, height, width, 3), not (1, 3, 64, 64)"),
        ("resnet50", "small", [], "resnet50 takes images whose side is at least 32 pixels, not 16"),
        ("yolov3", "odd", [], "yolov3 takes images whose side is a multiple of 32 and at least 64 pixels, not 100"),
        ("resnet50", "good", ["--mode", "graph"], "pytorch has no mode graph (it has eager, compiled)"),
        ("resnet50", "good", ["--precision", "half"], "no such precision: half (there are float32"),
        ("resnet50", "good", ["--classes", "0"], "--classes must be at least 1, not 0"),
        ("resnet50", "good", ["--width", "0"], "--width must be greater than 0, not 0"),
        ("resnet50", "good", ["--weights", "{folder}/good.npy"], "good.npy is not an .npz of arrays"),
        ("resnet50", "good", ["--gradients", "--targets", "{folder}/good.npy"], "targets are integers of shape (1,)"),
    ],
)
def test_run_model_says_what_does_not_fit(
    workload: str, images: str, options: list[str], said: str, tmp_path: Path
) -> None:
    for name, array in IMAGES.items():
        np.save(tmp_path / f"{name}.npy", array)
    given = ["--framework", "pytorch", "--input", str(tmp_path / f"{images}.npy"), "--out", str(tmp_path / "y.npz")]
    answer = evenbench("run-model", workload, *given, *(option.format(folder=tmp_path) for option in options))
    assert (answer.returncode, answer.stdout) == (2, "")
    assert said in one_line(answer)
    assert not (tmp_path / "y.npz").exists()


@pytest.mark.slow
def test_run_model_gives_what_the_same_weights_give_elsewhere(tmp_path: Path) -> None:
    """From outside: seeded weights in a file; outputs, loss and gradients of two frameworks."""
    images, weights = tmp_path / "x.npy", tmp_path / "w.npz"
    np.save(images, np.random.default_rng(0).normal(size=(2, 64, 64, 3)).astype(np.float32))
    small = ["--width", "0.25"]
    init = evenbench("weights", "init", "unet", "--classes", "3", "--out", str(weights), *small)
    assert init.returncode == 0, init.stderr
    found = []
    for framework, mode in (("pytorch", "eager"), ("tensorflow", "graph")):
        out = tmp_path / f"{framework}.npz"
        options = ["--framework", framework, "--mode", mode, "--weights", str(weights), "--input", str(images)]
        options += ["--out", str(out), "--gradients", "--precision", "float64", *small]
        answer = evenbench("run-model", "unet", *options, TF_CPP_MIN_LOG_LEVEL="3")
        assert answer.returncode == 0, answer.stderr
        found.append(dict(np.load(out)))
    one, other = found
    assert one.keys() == other.keys()
    assert one["logits"].shape == (2, 64, 64, 3)
    for name in ("logits", "loss", "gradient/classifier.conv.bias", "gradient/up1.merge.conv2.conv.weight"):
        assert np.abs(one[name] - other[name]).max() < 1e-9 * np.abs(one[name]).max()
    # The bias moves all logits of a class: its gradient is the mean of softmax - target, here of class 0 everywhere.
    gradient = one["gradient/classifier.conv.bias"]
    assert gradient.sum() == pytest.approx(0, abs=1e-12)
    assert gradient[0] < 0 < gradient[1:].min()


def test_unknown_profile_of_the_environment() -> None:
    answer = evenbench("verify", EVENBENCH_PROFILE="nosuch")
    assert answer.returncode == 2
    assert "unknown profile 'nosuch'" in one_line(answer)


def test_run_outside_a_checkout(tmp_path: Path) -> None:
    answer = evenbench("run", cwd=tmp_path)
    assert answer.returncode == 2
    assert "asv.conf.json" in one_line(answer)


def test_no_space_for_a_proof_is_one_line(tmp_path: Path) -> None:
    # The real error of a full device, raised where the certificate is kept.
    full = "import pathlib\nopen_ = pathlib.Path.write_text\n"
    full += "pathlib.Path.write_text = lambda self, *a, **k: open_(pathlib.Path('/dev/full'), *a, **k)"
    answer = evenbench("verify", "conv2d-1x7", code=full, XDG_CACHE_HOME=str(tmp_path))
    assert answer.returncode == 2
    assert "No space left on device" in one_line(answer)
    assert not list(tmp_path.rglob("*.json"))


def test_help_imports_nothing_heavy() -> None:
    listing = "import atexit, sys\natexit.register(lambda: print(sorted(sys.modules), file=sys.stderr))"
    answer = evenbench("--help", code=listing)
    assert answer.returncode == 0
    heavy = {"torch", "tensorflow", "keras", "numpy", "pandas", "altair", "asv", "scipy", "sklearn", "psutil"}
    assert not heavy & set(eval(answer.stderr))


def test_workloads_as_json() -> None:
    rows = json.loads(evenbench("workloads", "--json").stdout)
    assert [row["name"] for row in rows] == list(impls.WORKLOADS)
    assert next(row for row in rows if row["name"] == "resnet50")["parameters"] == 25_557_032


def test_a_missing_framework_is_named_and_the_rest_is_proven(tmp_path: Path) -> None:
    # As if TensorFlow were not installed: the import system does not find it.
    hide = "import importlib.util as util\nfind = util.find_spec\n"
    hide += "util.find_spec = lambda name, *rest: None if name == 'tensorflow' else find(name, *rest)"
    answer = evenbench("verify", "conv2d-1x7", code=hide, XDG_CACHE_HOME=str(tmp_path))
    assert answer.returncode == 0, answer.stderr
    assert "n/a: tensorflow (tensorflow is not installed)" in answer.stdout
    assert "n/a: keras-tensorflow (tensorflow is not installed)" in answer.stdout
    assert answer.stdout.count("equal") == 3


def test_a_failed_proof_exits_3_and_names_the_check(tmp_path: Path) -> None:
    for room in ("hwprobe", "impls", "reports", "suites"):
        shutil.copytree(ROOT / room, tmp_path / room, ignore=shutil.ignore_patterns("__pycache__"))
    twin = tmp_path / "impls/kernels/convolution/convolution_pytorch.py"
    twin.write_text(
        twin.read_text().replace("case.dilation,", "2 * case.dilation,").replace("case.padding, 2", "(0, 6), 2")
    )
    cache = str(tmp_path / "cache")
    answer = evenbench("verify", "conv2d-1x7", cwd=tmp_path, XDG_CACHE_HOME=cache, PYTHONPATH=str(tmp_path))
    assert answer.returncode == 3, answer.stderr
    (line,) = [line for line in answer.stdout.splitlines() if "pytorch" in line]
    assert "not equal: forward (float64, output)" in line
    again = evenbench("verify", "conv2d-1x7", "--json", cwd=tmp_path, XDG_CACHE_HOME=cache, PYTHONPATH=str(tmp_path))
    assert {one["framework"] for one in json.loads(again.stdout) if not one["passed"]} == {"pytorch"}
