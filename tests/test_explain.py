"""`evenbench explain`: the sum by hand, and a real model whose every layer is found by the framework's own profiler."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import impls
from impls.layers import Layer, dense
from suites import explain

ROOT = Path(__file__).parent.parent
LAYERS = [
    Layer("stem", 3, 8, (3, 3), 16, stride=2, activation="relu"),
    Layer("block1", 8, 8, (3, 3), 8, activation="relu"),
    Layer("block2", 8, 8, (3, 3), 8, activation="relu"),
    Layer("last", 8, 8, (3, 3), 8),
    dense("classifier", 8, 10),
    Layer("auxiliary", 8, 8, (3, 3), 8, in_training_only=True),
]
PEAKS = {"gemm": [{"dtype": "float32", "flops_per_s": 1e9}], "bandwidth": []}


def command(*arguments: str) -> subprocess.CompletedProcess[str]:
    """`evenbench explain`, in a process of its own."""
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "OMP_WAIT_POLICY": "PASSIVE"}
    line = [sys.executable, "-m", "suites.cli", "explain", *arguments]
    return subprocess.run(line, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)


def test_layers_are_together_if_kernel_and_activation_are_the_same() -> None:
    names = [[layer.name for layer in row.layers] for row in explain.distinct(LAYERS, 1)]
    assert names == [["stem"], ["block1", "block2"], ["last"], ["classifier"]]


def test_the_sum_by_hand() -> None:
    rows = explain.distinct(LAYERS, 1)
    call = 0.0005
    samples = {"model": [0.010] * 9, "call": [call] * 9} | {
        f"alone {n}": [0.004 * (n + 1) + call] * 9 for n in range(4)
    }
    samples |= {f"with norm {n}": [0.008 * (n + 1) + call] * 9 for n in range(4)}  # four in a call
    found = explain.account({}, rows, samples, {"reason": "none"}, PEAKS)
    assert found["predicted_s"] == pytest.approx(0.002 + 2 * 0.004 + 0.006 + 0.008)
    assert found["overhead_s"] == pytest.approx(0.010 - 0.024)
    block = found["layers"][1]
    assert (block["layers"], block["count"], block["total_s"]) == (["block1", "block2"], 2, pytest.approx(0.008))
    assert block["macs"] == 2 * 8 * 8 * 8 * 8 * 9
    assert block["flops_per_s"] == pytest.approx(2 * 8 * 8 * 8 * 8 * 9 / 0.002)
    assert block["share_of_ceiling"] == pytest.approx(block["flops_per_s"] / 1e9)
    assert explain.summary(found)[-1] == "profiler   n/a: none"


def test_the_profiler_s_seconds_go_to_the_layers_of_these_shapes() -> None:
    rows = explain.distinct(LAYERS, 2)
    same = {"input": [2, 8, 8, 8], "weight": [8, 8, 3, 3]}
    operations = [
        {"name": "conv2d", "seconds": 0.25, "input": [2, 16, 16, 3], "weight": [8, 3, 3, 3]},
        {"name": "conv2d", "seconds": 0.25, "input": [2, 18, 18, 3], "weight": [8, 3, 3, 3]},  # padded before
        *({"name": "conv2d", "seconds": 1.0, **same} for _ in range(3)),
        {"name": "relu", "seconds": 0.3, **same},
        {"name": "add", "seconds": 0.25},
        {"name": "add", "seconds": 0.25},
    ]
    found = explain.attribute(operations, rows)
    # Three layers have these shapes, two of them in one row.
    assert found["layers"] == pytest.approx({0: 0.5, 1: 2.2, 2: 1.1})
    assert found["between"] == {"add": 0.5}


@pytest.mark.slow
@pytest.mark.parametrize("framework", ["pytorch", "tensorflow"])
def test_the_profiler_sees_every_layer_of_a_model(framework: str) -> None:
    answer = command("resnet18", "--framework", framework, "--image-size", "32", "--json")
    assert answer.returncode == 0, answer.stderr
    found = json.loads(answer.stdout)
    assert sum(layer["macs"] for layer in found["layers"]) == sum(impls.WORKLOADS["resnet18"].macs(32))
    assert sum(layer["count"] for layer in found["layers"]) == len(impls.WORKLOADS["resnet18"].layers())
    assert found["predicted_s"] == pytest.approx(sum(layer["total_s"] for layer in found["layers"]))
    assert found["overhead_s"] == pytest.approx(found["model_s"] - found["predicted_s"])
    assert found["profiler"]["reason"] is None
    assert all(layer["profiled_s"] > 0 for layer in found["layers"])
    between = " ".join(found["profiler"]["between_s"]).lower()
    assert "pool" in between and "add" in between


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("nosuch", "--framework", "pytorch"), "no such model: nosuch (there are resnet18"),
        (("conv2d-3x3", "--framework", "pytorch"), "no such model: conv2d-3x3"),
        (("resnet18", "--framework", "nosuch"), "no such framework: nosuch"),
        (("resnet18", "--framework", "pytorch", "--mode", "graph"), "pytorch has no mode graph"),
        (("resnet18", "--framework", "pytorch", "--image-size", "31"), "at least 32"),
        (("unet", "--framework", "pytorch", "--image-size", "40"), "a multiple of 16"),
        (("resnet18", "--framework", "pytorch", "--batch-size", "0"), "batch-size"),
    ],
)
def test_bad_input_is_one_line(arguments: tuple[str, ...], said: str) -> None:
    answer = command(*arguments)
    assert (answer.returncode, answer.stdout) == (2, "")
    (line,) = answer.stderr.splitlines()
    assert said in line
