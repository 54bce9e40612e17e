"""Training and evaluation, the same for every framework and task: one order of batches, one schedule, one score.

The same initial weights and the same batches in the same order go into each framework; what differs is the time.
"""

import json
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from time import perf_counter
from types import ModuleType
from typing import Any

import numpy as np

import impls
from impls.boxes import Detections, Settings, reference
from impls.tasks import detection, scores
from impls.tasks.data import Part, Split
from impls.tasks.recipes import QUALITY, Recipe

State = dict[str, np.ndarray]  # of a training that can go on: the program's, and what is known of the steps so far
CURVE = "training/curve"
# What is scored is a ranking of all boxes: what would not be shown to anybody counts, too.
DETECTIONS = Settings(score_threshold=0.01)


class DivergedError(ArithmeticError):
    """The loss is not finite any more; the message is one line."""


def batches(part: Part, steps: int, batch_size: int, seed: int, done: int = 0) -> Iterator[tuple[np.ndarray, Any]]:
    """Seeded batches as Part.read gives them, epoch after epoch; the last incomplete one of an epoch is left out.

    done: how many to pass over, without reading them. Raises ValueError if the part has fewer images than a batch.
    """
    generator = np.random.default_rng(seed)
    per_epoch = steps_per_epoch(part, batch_size)
    order = np.empty(0, np.int64)
    for step in range(steps):
        if step % per_epoch == 0:
            order = generator.permutation(len(part))
        if step >= done:
            yield part.read(order[step % per_epoch * batch_size :][:batch_size])


def steps_per_epoch(part: Part, batch_size: int) -> int:
    """How many batches an epoch has. Raises ValueError if there is none."""
    if len(part) < batch_size:
        raise ValueError(f"batch_size {batch_size} is larger than the training part ({len(part)})")
    return len(part) // batch_size


def arrays(workload: str, targets: Any, image_size: int, num_classes: int) -> tuple[np.ndarray, ...]:
    """What Part.read gives as targets -> what a program's train_step takes behind the images."""
    work = impls.WORKLOADS[workload]
    assert work.model
    if work.model.task != "detection":
        return (targets,)
    boxes, labels = [one.boxes for one in targets], [one.labels for one in targets]
    facts = work.facts
    return detection.encode(boxes, labels, facts.anchors, facts.strides, image_size, num_classes)


def train(
    workload: str,
    program: Any,
    runtime: ModuleType,
    split: Split,
    recipe: Recipe,
    seed: int,
    kept: State | None = None,
    keep: Callable[[int, Callable[[], State]], None] | None = None,
) -> dict[str, Any]:
    """Train a program whose initial weights are loaded, or go on from a state that `keep` was given.

    keep: called after each step with its number and with a function that gives the state; it may write that to a file.
    Returns `loss`, of each step; `seconds`, from the start to the end of each; `scored`, of each evaluation the step,
    its end in seconds and the scores. The clock runs over the steps alone: batches are on the device before, reading
    the loss is the wait for it, and evaluations are not counted. Raises DivergedError.
    """
    num_classes, rates = len(split.classes), recipe.rates()
    program.use(recipe.built_optimizer())
    curve: dict[str, Any] = {"loss": [], "seconds": [], "scored": []}
    if kept:
        curve = json.loads(str(kept[CURVE]))
        program.load_state({name: array for name, array in kept.items() if name != CURVE})
    done = len(curve["loss"])
    chosen = batches(split.train, recipe.steps, recipe.batch_size, seed, done)
    for step, (images, targets) in enumerate(chosen, start=done + 1):
        prepared = program.prepare(images, *arrays(workload, targets, recipe.image_size, num_classes))
        runtime.synchronize()
        start = perf_counter()
        program.set_learning_rate(float(rates[step - 1]))
        loss = float(program.train_step(*prepared)[0])
        runtime.synchronize()
        seconds = perf_counter() - start
        if not np.isfinite(loss):
            raise DivergedError(f"the loss is {loss} after step {step}")
        curve["loss"].append(loss)
        curve["seconds"].append(seconds + (curve["seconds"][-1] if curve["seconds"] else 0.0))
        if recipe.is_evaluated(step):
            found, _ = evaluate(workload, program, split, recipe)
            curve["scored"].append({"step": step, "seconds": curve["seconds"][-1], "scores": found})
        if keep:
            keep(step, lambda: {**program.state(), CURVE: np.array(json.dumps(curve))})
    return curve


def read_state(path: Path) -> State | None:
    """What `keep` was given and wrote as .npz, None where there is no such file, or half of one."""
    try:
        with np.load(path, allow_pickle=False) as stored:
            return dict(stored)
    except (OSError, ValueError, zipfile.BadZipFile):
        return None


def quality(workload: str, found: dict[str, Any]) -> float:
    """The score that a training is after."""
    model = impls.WORKLOADS[workload].model
    assert model
    return float(found[QUALITY[model.task]])


def seconds_to_target(workload: str, curve: dict[str, Any], target: float) -> float | None:
    """Until the end of the first step whose evaluation reached it, None if none did."""
    reached = (one["seconds"] for one in curve["scored"] if quality(workload, one["scores"]) >= target)
    return next(reached, None)


def evaluate(workload: str, program: Any, split: Split, recipe: Recipe) -> tuple[dict[str, Any], list[np.ndarray]]:
    """Scores of the whole held-out part, and all that came out of the network, an array for each output.

    Every batch has the same number of images, the last one filled up with images that are not counted: another size
    would make a graph be traced again.
    """
    count = len(split.held_out)
    outputs: list[list[np.ndarray]] = []
    targets: list[Any] = []
    for start in range(0, count, recipe.batch_size):
        images, wanted = split.held_out.read(np.arange(start, start + recipe.batch_size) % count)
        found = [program.to_numpy(one) for one in program.predict(*program.prepare(images))]
        outputs.append([one[: count - start] for one in found])
        targets.extend(wanted[: count - start])
    whole = [np.concatenate(parts) for parts in zip(*outputs, strict=True)]
    return _scores(workload, targets, whole, recipe.image_size, len(split.classes)), whole


def _scores(
    workload: str, targets: list[Any], outputs: list[np.ndarray], image_size: int, num_classes: int
) -> dict[str, Any]:
    work = impls.WORKLOADS[workload]
    assert work.model
    if work.model.task == "classification":
        return scores.classification(np.array(targets), outputs[0])
    if work.model.task == "segmentation":
        return scores.segmentation(np.array(targets), outputs[0])
    found = reference.detect(outputs, work.facts.anchors, image_size, DETECTIONS)
    images = [Detections(*(field[number] for field in found)) for number in range(len(targets))]
    return scores.detection(targets, images, image_size, num_classes)
