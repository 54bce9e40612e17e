"""`make fairness`: the public models do the same work as ours, and the table says what the samples say."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

import impls
from impls import references
from suites import fairness
from suites.fairness import Turns
from suites.plan import Program

ROOT = Path(__file__).parent.parent
MACS = """
import sys
import impls
from impls import references
column = sys.argv[1]
impls.runtime(column).configure(2)
for name in references.REFERENCES[column][0]:
    work = impls.WORKLOADS[name]
    public = references.load(name, column, impls.MODES[column][0], work.model.num_classes, work.model.image_size)
    (images,) = public.prepare(*impls.example(name, "predict"))
    outputs = public.predict(images)
    print(name, sum(public.macs(images)), tuple(outputs[0].shape), flush=True)
"""


@pytest.mark.slow
@pytest.mark.parametrize("column", ["pytorch", "keras-tensorflow"])
def test_public_models_do_the_work_of_ours(column: str) -> None:
    command = [sys.executable, "-c", MACS, column]
    answer = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert answer.returncode == 0, answer.stderr
    found = {
        name: (int(macs), rest) for name, macs, rest in (line.split(" ", 2) for line in answer.stdout.splitlines())
    }
    assert found.keys() == references.REFERENCES[column][0].keys()
    for name, (macs, shape) in found.items():
        assert shape == "(1, 1000)"
        # Keras' ResNet50 is version 1, with the stride in the first convolution of a block.
        version_1 = column == "keras-tensorflow" and name == "resnet50"
        assert macs == (3_857_973_248 if version_1 else sum(impls.WORKLOADS[name].macs())), name


def test_a_cell_says_what_the_processes_say() -> None:
    turns = [Turns([1.2, 1.2, 9.0], [1.0, 1.0, 1.0], (2, 2)), Turns([1.1], [1.0], (2, 2)), Turns([1.3], [1.0], (2, 2))]
    slower = fairness.compare(turns)
    assert (slower.ratio, slower.low, slower.high) == (1.2, 1.1, 1.3)
    assert slower.is_slower
    assert str(slower) == "**1.20 [1.10, 1.30]**, 1200 ms"
    # Twice the work in the same time is half as slow.
    per_mac = fairness.compare([Turns([0.0123], [0.0123], (4, 2))] * 2)
    assert not per_mac.is_slower
    assert str(per_mac) == "0.50 [0.50, 0.50], 12.3 ms"
    row = fairness.Row(Program("resnet50", "keras-torch", "eager"), [slower, per_mac], per_mac=True)
    assert str(row) == f"| resnet50 | keras-torch eager | keras ResNet50, per MAC | {slower} | {per_mac} |"
    assert row.is_slower and not replace(row, comparisons=[per_mac]).is_slower


def test_a_cell_that_cannot_be_has_its_reason() -> None:
    cell = fairness.compare([Turns([1.0], [1.0], (2, 2))] * 2)
    row = fairness.Row(Program("resnet18", "pytorch", "eager"), [cell, cell, "ValueError: why", cell], per_mac=False)
    assert str(row) == f"| resnet18 | pytorch eager | torchvision resnet18 | {cell} | {cell} | n/a | {cell} |"
    assert row.remarks == ["- resnet18, pytorch, training, batch 1: ValueError: why"]
    assert not row.is_slower


@pytest.mark.slow
def test_one_failure_costs_one_cell(monkeypatch: pytest.MonkeyPatch) -> None:
    # Batch norm of one value: with the auxiliary head PyTorch cannot train InceptionV3 on one image.
    monkeypatch.setattr(fairness, "SECONDS", 0.1)
    monkeypatch.setattr(fairness, "BATCHES", (1, 2))
    one, two = fairness.phase_turns(Program("inception_v3_aux", "pytorch", "eager"), "training", 2)
    assert "Expected more than 1 value per channel" in one
    assert [turns.macs for turns in two] == [(5_713_216_096, 5_713_216_096)] * 2


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["yolov3"], "no such model with a reference: yolov3 (there are resnet18"),
        (["--framework", "nosuch"], "no such framework: nosuch"),
    ],
)
def test_bad_input_is_one_line(arguments: list[str], said: str) -> None:
    command = [sys.executable, "-m", "suites.fairness", *arguments]
    answer = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (answer.returncode, answer.stdout) == (2, "")
    (line,) = answer.stderr.splitlines()
    assert said in line


def test_what_is_not_there_has_its_reason() -> None:
    assert references.missing("unet", "pytorch") == "there is no public implementation to compare with"
    (remark,) = fairness.rows(["unet"], ["pytorch"], 2)
    assert "unet, pytorch: n/a" in remark
