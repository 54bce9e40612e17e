"""A learning rate that changes, and the state that training goes on from, here or in another framework."""

import json
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.datasets import load_digits
from test_models import in_turn
from test_training_parts import BATCH, CLASSES, LEARNED, SIZE, WIDTH, WITHOUT, WORK, Found, run, start

import impls
from impls.optimizer import Adam, Optimizer, Standing, StochasticGradientDescent, pack, unpack

# Column -> the programs that are looked at, as (mode, precision).
PROGRAMS = {
    "pytorch": (("eager", "float64"), ("eager", "float32"), ("compiled", "float32")),
    "tensorflow": (("eager", "float64"), ("graph", "float64"), ("compiled", "float32")),
    "keras-tensorflow": (("graph", "float64"), ("compiled", "float32")),
    "keras-torch": (("eager", "float64"), ("eager", "float32")),
    "keras-jax": (("compiled", "float64"), ("compiled", "float32")),  # its eager mode takes a minute to compile
}
CASES = [(column, *program) for column, programs in PROGRAMS.items() for program in programs]
EXACT = [case for case in CASES if case[2] == "float64"]
# Keras on TensorFlow takes Adam's betas for float32 before it makes them float64: powers of two are the same in both.
OPTIMIZERS: dict[str, Optimizer] = {
    "SGD": StochasticGradientDescent(learning_rate=0.02, momentum=0.9, weight_decay=0.01),
    "Adam": Adam(learning_rate=1e-3, beta_1=0.875, beta_2=0.9375, epsilon=2.0**-10),
}
# The rate of each step, in parts of the optimiser's own. A rate of zero must not make it forget its momentum.
SCHEDULE = (1.0, 2.0, 0.3, 0.0, 1.7, 0.1, 0.6, 0.25)
HALF = 4
CLOSE = {"rtol": 1e-9, "atol": 1e-12}


@dataclass(frozen=True)
class Seen:
    """What `look` has found. refused: what was said to the other optimiser's state."""

    losses: list[float]  # without a stop
    again: list[float]  # of the second half, from the program's own state
    moved: list[float]  # of the second half, from PyTorch's state; float64 only
    compilations: list[int]  # after the first step, and after all that needs no other program
    refused: str


def path(folder: Path, column: str, mode: str, precision: str, title: str, when: str) -> Path:
    """Where a state is kept."""
    return folder / f"{column}-{mode}-{precision}-{title}-{when}.npz"


def read(file: Path) -> Found:
    """A kept state."""
    with np.load(file) as archive:
        return dict(archive)


def beginning(optimizer: Optimizer) -> Found:
    """The state before the first step, made without a framework."""
    zeros = {name: np.zeros_like(start()[name]) for name, learned in LEARNED.items() if learned}
    return start() | pack(Standing(dict.fromkeys(optimizer.MOMENTS, zeros), 0, optimizer.learning_rate))


def train(program: Any, inputs: Sequence[Any], schedule: Sequence[float]) -> list[float]:
    """The losses of steps, one for each rate."""
    losses = []
    for share in schedule:
        program.set_learning_rate(share * program.optimizer_facts.learning_rate)
        losses.append(float(program.train_step(*inputs)[0]))
    return losses


def look(column: str, mode: str, precision: str, folder: Path) -> dict[str, Seen]:
    """Train a program with each optimiser: without a stop, from its own state at half time, from PyTorch's."""
    impls.WORKLOADS[WORK.name] = WORK
    runtime = impls.runtime(column)
    program = impls.load(WORK.name, column, mode, precision, CLASSES, WIDTH)
    inputs = program.prepare(*impls.example(WORK.name, "train", SIZE, BATCH, CLASSES))
    found = {}
    for title, optimizer in OPTIMIZERS.items():

        def keep(when: str, title: str = title) -> Path:
            file = path(folder, column, mode, precision, title, when)
            np.savez(file, **program.state())
            return file

        program.use(optimizer)
        program.load_weights(start())
        losses = train(program, inputs, SCHEDULE[:1])
        compilations = [runtime.compilations()]
        losses += train(program, inputs, SCHEDULE[1:])
        keep("end")

        program.load_state(beginning(optimizer))
        keep("beginning")
        train(program, inputs, SCHEDULE[:HALF])
        half = read(keep("half"))
        train(program, inputs, (3.0, 0.7))  # leaves it elsewhere
        program.load_state(half)
        again = train(program, inputs, SCHEDULE[HALF:])
        keep("end again")
        refused = refusal(program, optimizer)
        keep("refused")
        compilations.append(runtime.compilations())

        program.use(optimizer)
        keep("used")
        moved = []
        if precision == "float64":
            program.load_state(read(path(folder, "pytorch", "eager", "float64", title, "half")))
            moved = train(program, inputs, SCHEDULE[HALF:])
        found[title] = Seen(losses, again, moved, compilations, refused)
    return found


def refusal(program: Any, optimizer: Optimizer) -> str:
    """What is said when the other optimiser's state is loaded."""
    (other,) = (one for one in OPTIMIZERS.values() if one is not optimizer)
    try:
        program.load_state(beginning(other))
    except ValueError as error:
        return str(error)
    return ""


def by_definition(optimizer: Optimizer) -> list[float]:
    """The losses of the optimiser as impls/optimizer.py defines it, in NumPy, with PyTorch's gradients."""
    impls.WORKLOADS[WORK.name] = WORK
    program = impls.load(WORK.name, "pytorch", "eager", "float64", CLASSES, WIDTH)
    inputs = program.prepare(*impls.example(WORK.name, "train", SIZE, BATCH, CLASSES))
    weights, losses = start(), []
    first, second = ({name: np.zeros_like(array) for name, array in weights.items()} for _ in range(2))
    for step, share in enumerate(SCHEDULE, start=1):
        program.load_weights(weights)
        loss, gradients = program.training_gradient(*inputs)
        losses.append(float(loss))
        rate = share * optimizer.learning_rate
        for name, g in program.named(gradients).items():
            if isinstance(optimizer, StochasticGradientDescent):
                first[name] = optimizer.momentum * first[name] + g + optimizer.weight_decay * weights[name]
                weights[name] = weights[name] - rate * first[name]
            else:
                beta_1, beta_2 = optimizer.beta_1, optimizer.beta_2
                first[name] = beta_1 * first[name] + (1 - beta_1) * g
                second[name] = beta_2 * second[name] + (1 - beta_2) * g**2
                root = np.sqrt(second[name] / (1 - beta_2**step))
                weights[name] = weights[name] - rate * first[name] / (1 - beta_1**step) / (root + optimizer.epsilon)
    return losses


RUN = """
import json, sys
sys.path.insert(0, "tests")
from dataclasses import asdict
from pathlib import Path
import impls
from test_training_state import OPTIMIZERS, WITHOUT, by_definition, look

column, folder, *programs = sys.argv[1:]
impls.runtime(column).configure(2)
found = {}
for name in programs:
    seen = look(column, *name.split(), Path(folder))
    found[name] = {title: asdict(one) for title, one in seen.items()}
if column == "pytorch":
    found["definition"] = {title: by_definition(optimizer) for title, optimizer in OPTIMIZERS.items()}
print(json.dumps(found))
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the states are kept."""
    return tmp_path_factory.mktemp("states")


@pytest.fixture(scope="module")
def found(folder: Path) -> Callable[[str], dict[str, Any]]:
    """A column -> what RUN printed; every other column's wants PyTorch's."""

    @cache
    def found(column: str) -> dict[str, Any]:
        if column != "pytorch":
            found("pytorch")
        programs = [f"{mode} {precision}" for mode, precision in PROGRAMS[column] if (column, mode) != WITHOUT]
        return json.loads(run(RUN, column, str(folder), *programs).splitlines()[-1])

    return found


def seen(found: Callable[[str], dict[str, Any]], case: tuple[str, str, str]) -> list[tuple[str, Seen]]:
    """What was found with each optimiser."""
    column, mode, precision = case
    if (column, mode) == WITHOUT:
        pytest.skip("torch.compile does not work in a path with a space")
    return [(title, Seen(**one)) for title, one in found(column)[f"{mode} {precision}"].items()]


def assert_close(state: Found, expected: Found) -> None:
    """The same entries, to the last but a few digits."""
    assert state.keys() == expected.keys()
    for name, array in expected.items():
        scale = max(float(np.abs(array).max()), 1e-6)
        np.testing.assert_allclose(state[name], array, rtol=0, atol=1e-9 * scale, err_msg=name)


@pytest.mark.slow
def test_pytorch_descends_as_the_definitions_say(found):
    for title, one in seen(found, ("pytorch", "eager", "float64")):
        np.testing.assert_allclose(one.losses, found("pytorch")["definition"][title], **CLOSE)
        assert len(set(one.losses)) == len(SCHEDULE) - 1  # the step at a rate of zero repeats the loss


@pytest.mark.slow
@pytest.mark.parametrize("case", EXACT[1:], ids=" ".join)
def test_all_descend_alike_at_a_rate_that_changes(found, folder, case):
    expected = dict(seen(found, EXACT[0]))
    for title, one in seen(found, case):
        np.testing.assert_allclose(one.losses, expected[title].losses, **CLOSE, err_msg=title)
        assert_close(read(path(folder, *case, title, "end")), read(path(folder, *EXACT[0], title, "end")))


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES, ids=" ".join)
def test_nothing_is_compiled_again(found, case):
    for title, one in seen(found, case):
        first, last = one.compilations
        assert first == last, title


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES, ids=" ".join)
def test_going_on_from_a_state_is_as_if_there_had_been_no_stop(found, folder, case):
    for title, one in seen(found, case):
        assert one.again == one.losses[HALF:], title
        end, again = (read(path(folder, *case, title, when)) for when in ("end", "end again"))
        assert end.keys() == again.keys()
        assert [name for name in end if not np.array_equal(end[name], again[name])] == []
        assert end["optimizer/steps"] == len(SCHEDULE)


@pytest.mark.slow
@pytest.mark.parametrize("case", EXACT[1:], ids=" ".join)
def test_a_state_goes_from_one_framework_to_another(found, folder, case):
    expected = dict(seen(found, EXACT[0]))
    for title, one in seen(found, case):
        np.testing.assert_allclose(one.moved, expected[title].losses[HALF:], **CLOSE, err_msg=title)
        # And back: what this one keeps is what PyTorch has gone on from.
        assert_close(read(path(folder, *case, title, "half")), read(path(folder, *EXACT[0], title, "half")))


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES, ids=" ".join)
def test_what_is_loaded_is_what_is_kept_and_use_begins_anew(found, folder, case):
    for title, _ in seen(found, case):
        expected = beginning(OPTIMIZERS[title])
        kept, used = (read(path(folder, *case, title, when)) for when in ("beginning", "used"))
        assert kept.keys() == used.keys() == expected.keys()
        for name, array in expected.items():
            close = {"rtol": 0 if case[2] == "float64" else 1e-7, "atol": 0}
            np.testing.assert_allclose(kept[name], array, **close, err_msg=name)
            if name.startswith("optimizer/"):
                np.testing.assert_allclose(used[name], array, **close, err_msg=name)


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES, ids=" ".join)
def test_another_optimisers_state_is_refused_and_changes_nothing(found, folder, case):
    said = {
        "SGD": "the state has optimizer/second/classifier.bias, which this model and optimiser have not",
        "Adam": "the state has no optimizer/second/stem.conv.weight: it is of another model or optimiser",
    }
    for title, one in seen(found, case):
        assert one.refused == said[title]
        before, after = (read(path(folder, *case, title, when)) for when in ("end again", "refused"))
        assert all(np.array_equal(before[name], after[name]) for name in before)


def test_unpack_names_what_is_wrong() -> None:
    tensors, optimizer = WORK.tensors(CLASSES, WIDTH), OPTIMIZERS["Adam"]
    state = beginning(optimizer)
    assert unpack(state, optimizer, tensors).learning_rate == optimizer.learning_rate
    for wrong, said in (
        ({name: array for name, array in state.items() if name != "optimizer/steps"}, "has no optimizer/steps"),
        (state | {"classifier.bias": np.zeros(1)}, r"classifier.bias has the shape \(1,\), not \(10,\)"),
        (state | {"optimizer/first/classifier.bias": np.zeros(1)}, "optimizer/first/classifier.bias has the shape"),
        (state | {"other.weight": np.zeros(1)}, "has other.weight, which"),
    ):
        with pytest.raises(ValueError, match=said):
            unpack(wrong, optimizer, tensors)


# Determinism: what impls/frameworks/README.md states. One framework a run has its turn; EVENBENCH_ALL_MODES=1: all.

TIMED = {
    "pytorch": "eager",
    "tensorflow": "graph",
    "keras-tensorflow": "graph",
    "keras-torch": "eager",
    "keras-jax": "compiled",
}
LEARN = """
import json, sys
sys.path.insert(0, "tests")
from test_training_state import learn
print(json.dumps(learn(*sys.argv[1:])))
"""


def learn(column: str, mode: str) -> list[float]:
    """The losses of 30 steps of MobileNetV3 on 32 digits a step, each pixel repeated until they are 32 px large."""
    runtime = impls.runtime(column)
    runtime.configure(2)
    program = impls.load("mobilenet_v3_small", column, mode, num_classes=10)
    program.load_weights(impls.initial_weights("mobilenet_v3_small", 10))
    images, labels = load_digits(return_X_y=True)
    images = np.kron(images.reshape(-1, 8, 8), np.ones((4, 4)))[..., None].repeat(3, axis=-1) / 8 - 1
    batches = [program.prepare(images[n : n + 32], labels[n : n + 32]) for n in range(0, 30 * 32, 32)]
    return [float(program.train_step(*batch)[0]) for batch in batches]


@pytest.mark.slow
@pytest.mark.parametrize(("column", "mode"), in_turn(list(TIMED.items())))
def test_training_twice_gives_the_same_losses_to_the_last_bit(column, mode):
    # At the same time, so that their threads get in each other's way as differently as can be.
    with ThreadPoolExecutor(2) as pool:
        once, again = pool.map(lambda _: json.loads(run(LEARN, column, mode).splitlines()[-1]), range(2))
    assert once == again
    assert min(once[-5:]) < once[0]  # it is training
