"""Training and evaluation: recipes, the order of batches, the schedule, going on after a kill, the command."""

import json
import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import impls
from impls.tasks import schedules, training
from impls.tasks.data import Split
from impls.tasks.data.arrays import Arrays
from impls.tasks.data.registry import DATA_SETS
from impls.tasks.recipes import QUALITY, RECIPES, STANDARD, Recipe

ROOT = Path(__file__).parent.parent
ALL = [(table, model) for table, recipes in RECIPES.items() for model in recipes]


def digits(size: int = 8) -> Split:
    return DATA_SETS["digits"].load(size)


# Recipes and schedules


@pytest.mark.parametrize(("table", "model"), ALL)
def test_a_recipe_fits_its_model_and_its_data(table: str, model: str) -> None:
    recipe, work = RECIPES[table][model], impls.WORKLOADS[model]
    assert work.model
    work.check_image_size(recipe.image_size)
    assert DATA_SETS[recipe.data].task == work.model.task
    assert 0 < recipe.target <= 1
    assert recipe.optimizer in ("adam", "sgd")
    scored = [step for step in range(1, recipe.steps + 1) if recipe.is_evaluated(step)]
    assert len(scored) == recipe.evaluations
    assert scored[-1] == recipe.steps


def test_the_one_cycle_is_pytorch_s() -> None:
    torch = pytest.importorskip("torch")
    for steps in (10, 57, 240):
        optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
        scheduler = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=0.01, total_steps=steps)
        expected = []
        for _ in range(steps):
            expected.append(optimizer.param_groups[0]["lr"])
            optimizer.step()
            scheduler.step()
        found = schedules.one_cycle(0.01, steps)
        assert len(found) == steps
        assert found == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("steps", range(1, 8))
def test_the_one_cycle_of_few_steps_is_positive_and_finite(steps: int) -> None:
    found = schedules.one_cycle(1.0, steps)
    assert len(found) == steps
    assert ((found > 0) & (found <= 1)).all()


# Batches and evaluation


def test_batches_are_seeded_and_cover_an_epoch_once() -> None:
    part = digits().train
    first = list(training.batches(part, 44, 32, seed=0))
    again = list(training.batches(part, 44, 32, seed=0))
    assert all(np.array_equal(a[0], b[0]) for a, b in zip(first, again, strict=True))
    assert not np.array_equal(first[0][1], next(training.batches(part, 1, 32, seed=1))[1])
    assert len({image.tobytes() for images, _ in first for image in images}) == 44 * 32
    rest = list(training.batches(part, 50, 32, seed=0, done=40))
    assert len(rest) == 10
    assert np.array_equal(rest[3][0], first[43][0])
    with pytest.raises(ValueError, match="batch_size 2000 is larger than the training part"):
        next(training.batches(part, 1, 2000, seed=0))


class Known:
    """A program whose predictions are known: the label of the first pixel."""

    def prepare(self, images: np.ndarray) -> tuple[np.ndarray]:
        return (images,)

    def predict(self, images: np.ndarray) -> tuple[np.ndarray]:
        assert len(images) == 4
        return (np.eye(3)[images[:, 0, 0, 0].astype(int)],)

    def to_numpy(self, logits: np.ndarray) -> np.ndarray:
        return logits


def test_scores_are_of_the_whole_held_out_part_and_of_no_image_twice() -> None:
    labels, predicted = np.array([0, 0, 1, 1, 2, 2]), np.array([0, 1, 1, 1, 2, 0])
    images = np.broadcast_to(predicted[:, None, None, None], (6, 1, 1, 3)).astype(np.float32)
    part = Arrays(images, labels)
    recipe = replace(STANDARD["resnet50"], batch_size=4)
    found, (logits,) = training.evaluate("resnet50", Known(), Split(part, part, ("a", "b", "c"), ""), recipe)
    assert found["top1"] == pytest.approx(4 / 6)
    assert found["precision"] == pytest.approx((1 / 2 + 2 / 3 + 1) / 3)
    assert found["recall"] == pytest.approx((1 / 2 + 1 + 1 / 2) / 3)
    assert found["f1"] == pytest.approx((1 / 2 + 4 / 5 + 2 / 3) / 3)
    assert logits.argmax(axis=1).tolist() == predicted.tolist()


def test_the_target_is_reached_at_the_first_evaluation_that_finds_it() -> None:
    scored = [{"seconds": second, "scores": {"top1": top1}} for second, top1 in ((1.0, 0.5), (2.0, 0.9), (3.0, 0.8))]
    assert training.seconds_to_target("resnet50", {"scored": scored}, 0.9) == 2.0
    assert training.seconds_to_target("resnet50", {"scored": scored}, 0.95) is None


# Going on

TRAIN = """
import json, os, signal, sys
import numpy as np
import impls
from pathlib import Path
from impls.tasks import training
from impls.tasks.data.registry import DATA_SETS
from impls.tasks.recipes import Recipe
framework, mode, recipe, model, path, killed_after = json.loads(sys.argv[1])
runtime = impls.runtime(framework)
runtime.configure(1)
recipe = Recipe(**recipe)
split = DATA_SETS[recipe.data].load(recipe.image_size)
program = impls.load(model, framework, mode, num_classes=len(split.classes), width=recipe.width)
program.load_weights(impls.initial_weights(model, len(split.classes), 0, recipe.width))
def keep(step, state):
    if killed_after:
        if step == killed_after:
            np.savez(path, **state())
        if step == killed_after + 1:
            os.kill(os.getpid(), signal.SIGKILL)
curve = training.train(model, program, runtime, split, recipe, 0, training.read_state(Path(path)), keep)
print(json.dumps(curve))
"""
SMALL = {
    "mobilenet_v3_small": Recipe("digits", 32, 16, 9, 1e-3, 0.5, width=0.25, evaluations=3),
    "unet": Recipe("composed_digits_masks", 32, 8, 6, 1e-3, 0.5, width=0.125, evaluations=2),
    "yolov3_tiny": Recipe("composed_digits", 96, 8, 6, 1e-3, 0.1, width=0.125, evaluations=2),
}


def train(*request: Any) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "OMP_WAIT_POLICY": "PASSIVE"}
    command = [sys.executable, "-c", TRAIN, json.dumps(request)]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("framework", "mode", "model"),
    [
        ("pytorch", "eager", "mobilenet_v3_small"),
        ("tensorflow", "graph", "mobilenet_v3_small"),
        ("pytorch", "eager", "unet"),
        ("pytorch", "eager", "yolov3_tiny"),
    ],
)
def test_a_killed_training_goes_on_to_the_same_curve(framework: str, mode: str, model: str, tmp_path: Path) -> None:
    if impls.missing(framework):
        pytest.skip(f"{framework} is not installed")
    recipe, path = vars(SMALL[model]), str(tmp_path / "state.npz")
    whole = train(framework, mode, recipe, model, str(tmp_path / "none.npz"), 0)
    assert whole.returncode == 0, whole.stderr
    killed = train(framework, mode, recipe, model, path, 4)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    rest = train(framework, mode, recipe, model, path, 0)
    assert rest.returncode == 0, rest.stderr
    expected, found = json.loads(whole.stdout), json.loads(rest.stdout)
    assert found["loss"] == pytest.approx(expected["loss"], rel=1e-6)
    assert len(found["seconds"]) == SMALL[model].steps
    assert found["seconds"] == sorted(found["seconds"])
    work = impls.WORKLOADS[model].model
    assert work
    name = QUALITY[work.task]
    for one, other in zip(expected["scored"], found["scored"], strict=True):
        assert one["step"] == other["step"]
        assert one["scores"][name] == pytest.approx(other["scores"][name], abs=1e-6)


@pytest.mark.slow
def test_frameworks_train_along_the_same_curve(tmp_path: Path) -> None:
    frameworks = [name for name in ("pytorch", "tensorflow", "keras-torch") if not impls.missing(name)]
    modes = {"pytorch": "eager", "tensorflow": "graph", "keras-torch": "eager"}
    model = "mobilenet_v3_small"
    losses = {}
    for framework in frameworks:
        answer = train(framework, modes[framework], vars(SMALL[model]), model, str(tmp_path / "none.npz"), 0)
        assert answer.returncode == 0, answer.stderr
        losses[framework] = json.loads(answer.stdout)["loss"]
    for found in losses.values():
        assert found == pytest.approx(losses[frameworks[0]], rel=2e-3)


def test_half_a_state_is_none(tmp_path: Path) -> None:
    assert training.read_state(tmp_path / "none.npz") is None
    (tmp_path / "half.npz").write_bytes(b"PK\x03\x04 and no more")
    assert training.read_state(tmp_path / "half.npz") is None


# The command


def evenbench(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "suites.cli", "train", *arguments]
    environment = {**os.environ, "OMP_WAIT_POLICY": "PASSIVE", **variables}
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)


@pytest.mark.slow
def test_the_command_trains_scores_and_keeps_the_weights(tmp_path: Path) -> None:
    out = tmp_path / "new" / "weights.npz"
    options = ("resnet50", "--framework", "pytorch", "--recipes", "quick", "--out", str(out))
    answer = evenbench(*options, XDG_CACHE_HOME=str(tmp_path / "cache"))
    assert answer.returncode == 0, answer.stderr
    lines = answer.stdout.splitlines()
    assert len(lines) == RECIPES["quick"]["resnet50"].evaluations + 1
    assert "top1" in lines[0]
    assert lines[-1].startswith("target top1 ")
    with np.load(out) as weights:
        assert set(weights) == set(impls.WORKLOADS["resnet50"].tensors(10, 0.25))
    assert not list((tmp_path / "cache").rglob("*.npz"))


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("resnet51", "--framework", "pytorch"), "no such model with a recipe: resnet51 (there are "),
        (("resnet50", "--framework", "caffe"), "no such framework: caffe"),
        (("resnet50", "--framework", "pytorch", "--mode", "graph"), "pytorch has no mode graph"),
        (("resnet50", "--framework", "pytorch", "--recipes", "slow"), "no such table of recipes: slow"),
    ],
)
def test_what_the_command_refuses(arguments: tuple[str, ...], told: str) -> None:
    answer = evenbench(*arguments)
    assert answer.returncode == 2
    assert told in answer.stderr
    assert answer.stderr.count("\n") == 1


def test_without_its_data_the_command_says_what_helps(tmp_path: Path) -> None:
    answer = evenbench("unet", "--framework", "pytorch", "--recipes", "nuclei", EVENBENCH_DATA=str(tmp_path))
    assert (answer.returncode, answer.stdout) == (2, "")
    assert answer.stderr == f"evenbench: {tmp_path}/nuclei has no wheel of stardist: evenbench data get nuclei\n"
