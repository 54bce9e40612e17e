"""Box decoding and non-maximum suppression: the reference by hand, and every framework against the reference."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import impls
from impls.boxes import EMPTY, SETTINGS, Detections, Settings, reference

ROOT = Path(__file__).parent.parent
FEW = Settings(score_threshold=0.25, iou_threshold=0.5, max_detections=5, max_candidates=50)

# The reference, by hand


def kept(boxes: list, scores: list, settings: Settings = FEW) -> list[tuple[int, float, list[float]]]:
    """(label, score, box) of what the reference keeps."""
    detections = reference.suppress(np.array(boxes, float).reshape(-1, 4), np.array(scores, float), settings)
    assert detections.boxes.shape == (settings.max_detections, 4)
    count = detections.count
    assert (detections.labels[count:] == EMPTY).all()
    assert not detections.boxes[count:].any()
    assert not detections.scores[count:].any()
    rows = zip(detections.labels.tolist(), detections.scores.tolist(), detections.boxes.tolist(), strict=True)
    return list(rows)[:count]


def test_decoding_by_hand() -> None:
    # Two rows, two columns, two anchors, one class; logits are zero but where stated.
    head = np.zeros((1, 2, 2, 2, 6))
    head[0, 1, 0, 1] = [np.log(3), -np.log(3), np.log(2), np.log(0.5), np.log(3), np.log(4)]
    boxes, scores = reference.decode([head.reshape(1, 2, 2, 12)], [[(8, 4), (20, 40)]], 64)
    assert boxes.shape == (1, 8, 4)
    assert scores.shape == (1, 8, 1)
    # Row 0, column 1, anchor 0: in the middle of its cell of 32 pixels, as large as its anchor.
    assert boxes[0, 2].tolist() == [48 - 4, 16 - 2, 48 + 4, 16 + 2]
    assert scores[0, 2] == pytest.approx(0.25)
    # Row 1, column 0, anchor 1: at 3/4 and 1/4 of its cell, 40 wide and 20 high.
    assert boxes[0, 5] == pytest.approx([24 - 20, 40 - 10, 24 + 20, 40 + 10])
    assert scores[0, 5] == pytest.approx(0.75 * 0.8)


def test_heads_are_decoded_one_after_another() -> None:
    heads = [np.zeros((2, side, side, 2 * 7)) for side in (1, 2)]
    boxes, scores = reference.decode(heads, [[(10, 10), (20, 20)], [(2, 2), (4, 4)]], 64)
    assert scores.shape == (2, 2 + 8, 2)
    assert (boxes[0, :, 2] - boxes[0, :, 0]).tolist() == [10, 20, *[2, 4] * 4]


def test_iou_by_hand() -> None:
    box = np.array([0.0, 0, 4, 2])
    others = np.array([[0, 0, 4, 2], [2, 0, 6, 2], [1, 1, 3, 2], [4, 0, 8, 2], [5, 5, 6, 6]], float)
    assert reference.iou(box, others) == pytest.approx([1, 4 / 12, 2 / 8, 0, 0])
    degenerate = np.array([[1, 1, 1, 2], [1, 1, 2, 1], [3, 2, 1, 1], [3, 0, 1, 2]], float)
    assert not reference.iou(box, degenerate).any()
    for one in degenerate:
        assert not reference.iou(one, np.vstack((degenerate, box))).any()


def test_what_a_suppressed_box_overlaps_stays() -> None:
    # The second overlaps the first by 2/3 and the third by 2/3; the third overlaps the first by 3/7 only.
    boxes = [[0, 0, 10, 1], [2, 0, 12, 1], [4, 0, 14, 1]]
    assert kept(boxes, [[0.9], [0.8], [0.7]]) == [(0, 0.9, boxes[0]), (0, 0.7, boxes[2])]
    assert kept(boxes, [[0.8], [0.9], [0.7]]) == [(0, 0.9, boxes[1])]


def test_classes_do_not_suppress_each_other() -> None:
    boxes = [[0, 0, 10, 10], [0, 0, 10, 9]]
    assert kept(boxes, [[0.5, 0.9], [0.6, 0.3]]) == [(1, 0.9, boxes[0]), (0, 0.6, boxes[1])]


def test_thresholds_must_be_passed() -> None:
    boxes = [[0, 0, 3, 1], [1, 0, 4, 1]]  # IoU 1/2
    assert len(kept(boxes, [[0.9], [0.8]])) == 2
    assert len(kept(boxes, [[0.9], [0.8]], Settings(iou_threshold=0.4999))) == 1
    assert kept(boxes, [[0.25], [0.25]]) == []


def test_ties_go_by_class_then_by_box() -> None:
    apart = [[0, 0, 1, 1], [2, 0, 3, 1]]
    half = [[0.5, 0.5], [0.5, 0.5]]
    assert [(label, box) for label, _, box in kept(apart, half)] == [
        (0, apart[0]), (0, apart[1]), (1, apart[0]), (1, apart[1]),
    ]  # fmt: skip
    near = [[0, 0, 10, 1], [1, 0, 11, 1]]
    assert [(label, box) for label, _, box in kept(near, half)] == [(0, near[0]), (1, near[0])]


def test_only_so_many_candidates_and_detections() -> None:
    apart = [[2 * place, 0, 2 * place + 1, 1] for place in range(8)]
    scores = [[0.3 + place / 100] for place in range(8)]
    assert [box for _, _, box in kept(apart, scores)] == apart[:2:-1]
    # The three best are candidates, two of them the same box: nothing moves up.
    boxes = [apart[7], apart[7], apart[6], apart[5]]
    one = Settings(max_candidates=3)
    assert [box for _, _, box in kept(boxes, [[0.9], [0.8], [0.7], [0.6]], one)] == [apart[7], apart[6]]


def test_what_is_not_finite_is_not_found() -> None:
    nan, infinite = float("nan"), float("inf")
    good = [0, 0, 1, 1]
    boxes = [[0, nan, 1, 1], [0, 0, infinite, 1], good, good]
    assert kept(boxes, [[0.9, 0.9], [0.9, 0.9], [nan, nan], [0.5, nan]]) == [(0, 0.5, good)]


def test_boxes_without_area_stay() -> None:
    boxes = [[0, 0, 0, 5], [0, 0, 0, 5], [5, 5, 3, 3], [5, 5, 3, 3]]
    assert len(kept(boxes, [[0.9]] * 4)) == 4


@pytest.mark.parametrize(
    "wrong", [{"score_threshold": -0.1}, {"iou_threshold": 1.1}, {"max_detections": 0}, {"max_candidates": 0}]
)
def test_settings_name_what_is_wrong(wrong: dict) -> None:
    (name,) = wrong
    with pytest.raises(ValueError, match=name):
        Settings(**wrong)


def test_example_heads_find_objects_several_times() -> None:
    for name in ("yolov3", "yolov3_tiny"):
        facts = impls.WORKLOADS[name].facts
        heads = impls.example(name, "boxes", 416, 2)
        boxes, scores = reference.decode(heads, facts.anchors, 416)
        candidates = (scores > SETTINGS.score_threshold).sum(axis=(1, 2))
        counts = reference.detect(heads, facts.anchors, 416, SETTINGS).count
        assert boxes.shape == (2, sum(3 * (416 // stride) ** 2 for stride in facts.strides), 4)
        assert (counts >= 30).all()
        assert (counts + 20 < candidates).all()


def test_stage_is_for_detectors_and_modes_that_have_it() -> None:
    with pytest.raises(ValueError, match="resnet50 finds no boxes"):
        impls.load_boxes("resnet50", "pytorch", "eager")
    with pytest.raises(ValueError, match=r"torch\.compile takes no function"):
        impls.load_boxes("yolov3", "pytorch", "compiled")


CERTIFICATE = """
import json, sys
import impls
from impls import boxes, certificate
impls.runtime("pytorch").configure(1)
found = {}
for iou_threshold in (boxes.SETTINGS.iou_threshold, 0.5):
    proof = certificate._Proof("yolov3_tiny", "pytorch", "eager", certificate.full("yolov3_tiny"))
    honest, load = boxes.SETTINGS, impls.load_boxes
    def load_other(*arguments):
        boxes.SETTINGS = boxes.Settings(iou_threshold=iou_threshold)
        try:
            return load(*arguments)
        finally:
            boxes.SETTINGS = honest
    impls.load_boxes = load_other
    found[iou_threshold] = [check for kind in ("float64", "float32") for check in proof.boxes(kind)]
    impls.load_boxes = load
print(json.dumps(list(found.values())))
"""


def test_certificate_proves_this_stage_too() -> None:
    command = [sys.executable, "-c", CERTIFICATE]
    answer = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert answer.returncode == 0, answer.stderr
    honest, other = json.loads(answer.stdout)
    names = [f"detections, {field}" for field in Detections._fields]
    assert [(check["name"], check["dtype"]) for check in honest] == [
        (name, dtype) for dtype in ("float64", "float32") for name in names
    ]
    assert all(check["passed"] for check in honest)
    assert not any(check["passed"] for check in other)  # with another threshold every field differs


# The frameworks, each in a process of its own


def spread(count: int, classes: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Boxes crowded into 416 pixels, most of whose scores are low; many scores are equal, and some boxes."""
    generator = np.random.default_rng(seed)
    centres = generator.integers(0, 8, (count, 2)) * 52 + generator.normal(0, 8, (count, 2))
    halves = np.exp(generator.normal(3, 0.5, (count, 2))) / 2
    boxes = np.concatenate((centres - halves, centres + halves), 1).astype(np.float32)
    boxes[count // 2 :: 7] = boxes[: len(boxes[count // 2 :: 7])]
    return boxes, np.round(generator.beta(0.5, 3, (count, classes)), 2).astype(np.float32)


def filled(boxes: Any, scores: Any) -> tuple[np.ndarray, np.ndarray]:
    """81 boxes and 3 classes, what is added scores 0: one compiled program serves many cases."""
    boxes, scores = np.array(boxes, float), np.array(scores, float)
    return (
        np.pad(boxes, ((0, 81 - len(boxes)), (0, 0))),
        np.pad(scores, ((0, 81 - len(scores)), (0, 3 - scores.shape[1]))),
    )


def cases() -> dict[str, tuple[np.ndarray, np.ndarray, Settings]]:
    """Name -> boxes, scores and settings."""
    nan, infinite = float("nan"), float("inf")
    plenty, scarce = Settings(0.1, 0.45, 100, 200), Settings(0.25, 1 / 3, 100, 50)  # few settings: few programs
    row = np.array([[2 * place, 0, 2 * place + 1, 1] for place in range(9)], float)
    chain = np.array([[place, 0, place + 4, 1] for place in range(60)], float)  # next ones overlap by 3/5
    falling = np.linspace(0.9, 0.3, 60)[:, None]
    crowd = spread(81, 3, seed=1)
    equal = np.zeros((81, 3))
    equal[::3, 0] = equal[::2, 1] = equal[:40, 2] = 0.5
    broken = [
        [0, nan, 1, 1], [0, 0, infinite, 1], [-infinite, 0, 1, 1], [0, 0, 1, 1], [0, 0, 1, 1], [7, 7, 7, 9],
        [7, 7, 7, 9], [5, 5, 3, 3], [5, 5, 3, 3], [2, 2, 6, 6],
    ]  # fmt: skip
    unscored = np.full((10, 2), 0.5)
    unscored[3], unscored[4, 1] = nan, nan
    two = [[0.9], [0.8]]
    return {
        "some classes": (*crowd, FEW),
        "more allowed than there are": (*crowd, plenty),
        "one class": (crowd[0], crowd[1][:, :1], FEW),
        "no box": (np.zeros((0, 4)), np.zeros((0, 3)), FEW),
        "all below": (crowd[0], crowd[1] / 4, FEW),
        "more left than allowed": (*filled(row, np.linspace(0.3, 0.7, 27).reshape(9, 3)), FEW),
        "equal boxes and scores": (*filled(np.repeat(row[:3], 4, 0), np.full((12, 3), 0.5)), plenty),
        "equal scores at the last candidate": (np.repeat(row, 9, 0), equal, scarce),
        "chain": (*filled(chain, falling), plenty),
        "chain, its middle first": (*filled(chain, np.roll(falling, 30)), plenty),
        "broken": (*filled(broken, unscored), plenty),
        # In float64 it is greater than the threshold, by what float32 has rounded away.
        "score at the threshold": (*filled(row, np.full((9, 2), np.float32(0.1))), plenty),
        # Exactly the threshold, as either type rounds it, and then a little more.
        "IoU 1/2": (*filled([[0, 0, 3, 1], [1, 0, 4, 1]], two), FEW),
        "IoU 9/20": (*filled([[0, 0, 20, 1], [0, 0, 9, 1]], two), plenty),
        "IoU 1/3": (*filled([[0, 0, 2, 1], [1, 0, 3, 1]], two), scarce),
        "IoU more than 1/3": (*filled([[0, 0, 2, 1], [0.9999, 0, 3, 1]], two), scarce),
        "thousands": (*spread(5000, 20, seed=2), Settings(0.25, 0.5, 100, 1000)),
        "thousands, low thresholds": (*spread(5000, 20, seed=3), Settings(0.01, 0.9, 1000, 1000)),
    }


CASES = cases()
ANCHORS = (((30, 40), (50, 20), (60, 60)), ((12, 14), (20, 30), (31, 17)), ((4, 5), (6, 3), (8, 9)))
IMAGE_SIZE, CLASSES = 128, 4
CROWDED = Settings(0.25, 0.3, 20, 200)


def heads() -> list[np.ndarray]:
    """Seeded heads of two images, numbers that bfloat16 has too."""
    generator = np.random.default_rng(0)
    drawn = [generator.normal(size=(2, side, side, 3 * (5 + CLASSES))) for side in (4, 8, 16)]
    return [(head.astype(np.float32).view(np.uint32) & 0xFFFF0000).view(np.float32) for head in drawn]


def crowded_boxes(precision: str) -> np.ndarray:
    """Boxes of which many overlap."""
    return CASES["thousands"][0][:300].astype(precision)


# Prints nothing: what the framework finds goes to a file, under the names of case, precision and place.
RUN = """
import sys
from functools import cache
from importlib import import_module
import numpy as np
import impls
from tests.test_boxes import ANCHORS, CASES, CROWDED, DTYPES, IMAGE_SIZE, cases_of, crowded_boxes, heads

framework, mode, path, *precisions = sys.argv[1:]
runtime = impls.runtime(framework)
runtime.configure(2)
name = framework.split("-")[0]
twin = import_module(f"impls.boxes.boxes_{name}")
if name == "pytorch":
    import torch
    tensor, numpy = lambda array, dtype: torch.tensor(array, dtype=getattr(torch, dtype)), lambda value: value.numpy()
elif name == "tensorflow":
    import tensorflow as tf
    tensor, numpy = tf.constant, lambda value: value.numpy()
else:
    import keras
    tensor, numpy = keras.ops.convert_to_tensor, keras.ops.convert_to_numpy

suppress = cache(lambda settings: runtime.compile(lambda *given: twin.suppress(*given, settings), mode))
iou = runtime.compile(lambda boxes: (twin.iou(boxes),), mode)
decode = runtime.compile(lambda *given: twin.decode(given, ANCHORS, IMAGE_SIZE), mode)
detect = runtime.compile(lambda *given: twin.detect(given, ANCHORS, IMAGE_SIZE, CROWDED), mode)
results = {}

def keep(key, values):
    results.update((f"{key} {place}", numpy(value)) for place, value in enumerate(values))

for precision in precisions:
    if name == "keras":  # whose settings are global
        runtime.build(keras.layers.Identity, precision)
    for case in cases_of(framework, mode):
        boxes, scores, settings = CASES[case]
        keep(f"{case} {precision}", suppress(settings)(tensor(boxes, precision), tensor(scores, precision)))
    keep(f"iou {precision}", iou(tensor(crowded_boxes(precision), precision)))
    for dtype in DTYPES[precision]:
        native = [np.moveaxis(head, -1, 1) if runtime.layout() == "NCHW" else head for head in heads()]
        given = [tensor(np.ascontiguousarray(head), dtype) for head in native]
        keep(f"decode {dtype}", decode(*given))
        if dtype == precision:
            keep(f"detect {dtype}", detect(*given))
np.savez(path, **results)
"""
# The types that heads come in, at the precision of what is computed from them.
DTYPES = {"float32": ("float32", "bfloat16"), "float64": ("float64",)}
BOTH = tuple(DTYPES)
# TensorFlow's graph and XLA, which compiles for JAX too, are proven each for itself: both together need not be in full.
RUNS = (
    ("pytorch", "eager", BOTH),
    ("tensorflow", "graph", BOTH),
    ("tensorflow", "compiled", ("float32",)),
    ("keras-tensorflow", "graph", BOTH),
    ("keras-torch", "eager", BOTH),
    ("keras-jax", "compiled", BOTH),
)


def cases_of(framework: str, mode: str) -> list[str]:
    """Names of the cases that a framework runs."""
    short = (framework, mode) == ("tensorflow", "compiled")
    return [name for name, (boxes, scores, _) in CASES.items() if not short or scores.shape == (81, 3)]


@dataclass(frozen=True)
class Run:
    """What a framework has found."""

    cases: list[str]
    precisions: tuple[str, ...]
    arrays: Mapping[str, np.ndarray]

    def found(self, name: str, count: int) -> list[np.ndarray]:
        """The parts of one result."""
        return [self.arrays[f"{name} {place}"] for place in range(count)]


@pytest.fixture(scope="module", params=RUNS, ids=lambda run: f"{run[0]}-{run[1]}")
def run(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """One framework in a process of its own."""
    framework, mode, precisions = request.param
    if why := impls.missing(framework):
        pytest.skip(why)
    path = tmp_path_factory.mktemp("boxes") / "results.npz"
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "OMP_WAIT_POLICY": "PASSIVE"}
    command = [sys.executable, "-c", RUN, framework, mode, str(path), *precisions]
    answer = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert answer.returncode == 0, answer.stderr
    return Run(cases_of(framework, mode), precisions, np.load(path))


def test_frameworks_keep_the_same(run: Run) -> None:
    for precision, case in product(run.precisions, run.cases):
        boxes, scores, settings = CASES[case]
        expected = reference.suppress(boxes.astype(precision), scores.astype(precision), settings)
        for part, right, found in zip(Detections._fields, expected, run.found(f"{case} {precision}", 4), strict=True):
            assert np.array_equal(right, found), (case, precision, part)
            assert right.dtype == found.dtype, (case, precision, part)


def test_frameworks_overlap_alike_to_the_last_bit(run: Run) -> None:
    for precision in run.precisions:
        boxes = crowded_boxes(precision)
        (found,) = run.found(f"iou {precision}", 1)
        assert np.array_equal(found, [reference.iou(box, boxes) for box in boxes])


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float64"])
def test_frameworks_decode_and_detect_the_same(run: Run, dtype: str) -> None:
    (precision,) = (precision for precision, dtypes in DTYPES.items() if dtype in dtypes)
    if precision not in run.precisions:
        pytest.skip(f"not run in {precision}")
    given = [head.astype(precision) for head in heads()]
    expected, found = reference.decode(given, ANCHORS, IMAGE_SIZE), run.found(f"decode {dtype}", 2)
    if dtype == precision:
        detections = reference.detect(given, ANCHORS, IMAGE_SIZE, CROWDED)
        assert (detections.count > 5).all()
        expected, found = (*expected, *detections), found + run.found(f"detect {dtype}", 4)
    for right, one in zip(expected, found, strict=True):
        assert right.dtype == one.dtype
        assert np.abs(one - right).max() <= {"float32": 1e-5, "float64": 1e-12}[precision] * np.abs(right).max()
