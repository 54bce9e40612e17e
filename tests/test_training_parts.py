"""The parts of a training step, how a compilation is noticed, and the settings of a runtime that is to set nothing."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import impls
from impls import kernels, weights
from impls.kernels.activation.cases import Case as Activation
from impls.kernels.catalogue import NAMED
from impls.optimizer import StochasticGradientDescent

ROOT = Path(__file__).parent.parent
# A network of one block, which has a projection: compiled in seconds.
RESNET = impls.WORKLOADS["resnet18"]
WORK = replace(RESNET, name="small", facts=replace(RESNET.facts, blocks=(0, 0, 0, 1)))
CLASSES, WIDTH, SIZE, BATCH = 10, 0.125, 32, 4
# Powers of two, which Keras has exactly; the first step's momentum is its gradient.
OPTIMIZER = StochasticGradientDescent(learning_rate=2.0**-6, momentum=0.5)
# Whose training is looked at: compiled or not, PyTorch's parts call what its step calls.
TRAINED = {
    "pytorch": ("eager",),
    "tensorflow": ("eager", "graph", "compiled"),
    "keras-tensorflow": ("graph",),
    "keras-torch": ("eager",),
    "keras-jax": ("compiled",),
}
CALLS = [(column, mode) for column, modes in TRAINED.items() for mode in modes]
# torch.compile does not work where PyTorch is installed in a path with a space.
WITHOUT = ("pytorch", "compiled") if " " in sys.prefix else None
RELU = Activation("relu", 4, 8)
Found = dict[str, np.ndarray]
Ran = tuple[dict[str, Any], dict[str, dict[str, Found]]]


def run(code: str, *arguments: str) -> str:
    """Run code in a process of its own, which must succeed: what it prints."""
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "OMP_WAIT_POLICY": "PASSIVE"}
    command = [sys.executable, "-c", code, *arguments]
    answer = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert answer.returncode == 0, answer.stderr
    return answer.stdout


def train(column: str, mode: str, keep: Callable[..., None]) -> None:
    """Steps alone, and steps with their parts before and between them. keep: of call, loss and tensors by name."""
    impls.WORKLOADS[WORK.name] = WORK
    program = impls.load(WORK.name, column, mode, "float64", CLASSES, WIDTH, OPTIMIZER)
    inputs = program.prepare(*impls.example(WORK.name, "train", SIZE, BATCH, CLASSES))
    program.load_weights(start())
    for call in ("step", "second step"):
        keep(call, program, program.train_step(*inputs)[0], program.weights())
    program.use(OPTIMIZER)
    program.load_weights(start())
    keep("loss", program, program.training_loss(*inputs), program.weights())
    loss, gradients = program.training_gradient(*inputs)
    keep("gradient", program, loss, program.named(gradients))
    keep("after gradient", program, loss, program.weights())
    keep("loss again", program, program.training_loss(*inputs), program.weights())
    keep("step behind", program, program.train_step(*inputs)[0], program.weights())
    program.training_gradient(*inputs)
    program.training_loss(*inputs)
    keep("second step behind", program, program.train_step(*inputs)[0], program.weights())


def start() -> Found:
    """Weights that leave no gradient zero."""
    return weights.perturbed(WORK.tensors(CLASSES, WIDTH), 0)


def count(column: str, mode: str, runtime: Any) -> list[int]:
    """Compilations so far: when a kernel is built, after two calls of it, after one with more images."""
    program = impls.load_kernel(RELU, column, mode)
    (images,) = program.prepare(*kernels.inputs(RELU, 0))
    (more,) = program.prepare(np.concatenate(kernels.inputs(RELU, 0) * 3))
    counts = [runtime.compilations()]
    for batch in (images, images, more):
        program.predict(batch)
        runtime.synchronize()
        counts.append(runtime.compilations())
    return counts


RUN = """
import json, sys
import numpy as np
import impls
from tests.test_training_parts import TRAINED, count, settings, train

column, path, *modes = sys.argv[1:]
runtime, found, compiled = impls.runtime(column), {}, {}
states = [settings(column)]
for threads in (None, 1):
    runtime.configure(threads)
    states.append(settings(column))

def keep(call, program, loss, tensors):
    found[f"{mode}|{call}|loss"] = program.to_numpy(loss)
    found.update((f"{mode}|{call}|{name}", array) for name, array in tensors.items())
    compiled.setdefault(mode, []).append(runtime.compilations() - before)

for mode in TRAINED[column]:
    before = runtime.compilations()
    train(column, mode, keep)
np.savez(path, **found)
counts = {mode: count(column, mode, runtime) for mode in modes}
print(json.dumps({"settings": states, "compiled": compiled, "counts": counts}))
"""


def settings(column: str) -> list[Any]:
    """What `configure` may set, as the framework has it now."""
    if "keras" in column:
        import keras

        engine = column.replace("keras-", "").replace("torch", "pytorch")
        return [keras.config.image_data_format(), *settings(engine)]
    if column == "pytorch":
        import torch

        return [torch.get_num_threads(), torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32]
    if column == "tensorflow":
        import tensorflow as tf

        threads = tf.config.threading
        pools = [threads.get_intra_op_parallelism_threads(), threads.get_inter_op_parallelism_threads()]
        return [*pools, tf.config.experimental.tensor_float_32_execution_enabled()]
    import jax

    variables = [os.environ.get(name) for name in ("NPROC", "XLA_PYTHON_CLIENT_PREALLOCATE")]
    return [*variables, jax.config.jax_default_matmul_precision]


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Ran]:
    """A column -> what RUN printed, and mode -> call -> name -> value."""

    @cache
    def ran(column: str) -> Ran:
        modes = [mode for mode in impls.MODES[column] if (column, mode) != WITHOUT]
        path = tmp_path_factory.mktemp(column) / "found.npz"
        printed = json.loads(run(RUN, column, str(path), *modes).splitlines()[-1])
        found: dict[str, dict[str, Found]] = {}
        with np.load(path) as archive:
            for key in archive.files:
                mode, call, name = key.split("|")
                found.setdefault(mode, {}).setdefault(call, {})[name] = archive[key]
        return printed, found

    return ran


LEARNED = {name: tensor.trainable for name, tensor in WORK.tensors(CLASSES, WIDTH).items()}
SAME = {"rtol": 1e-10, "atol": 1e-12}


@pytest.mark.slow
@pytest.mark.parametrize(("column", "mode"), CALLS)
class TestParts:
    def test_loss_and_gradients_are_those_of_a_step(self, ran, column, mode):
        found = ran(column)[1][mode]
        step, gradient = found["step"], found["gradient"]
        assert gradient.keys() == {"loss", *(name for name, learned in LEARNED.items() if learned)}
        for call in ("loss", "gradient", "loss again"):
            np.testing.assert_allclose(found[call]["loss"], step["loss"], **SAME)
        for name in gradient.keys() - {"loss"}:
            implied = (start()[name] - step[name]) / OPTIMIZER.learning_rate
            largest = np.abs(implied).max()
            assert largest > 1e-6
            np.testing.assert_allclose(gradient[name], implied, rtol=0, atol=1e-9 * largest, err_msg=name)

    def test_weights_stay_and_statistics_move_as_in_a_step(self, ran, column, mode):
        found = ran(column)[1][mode]
        for name, learned in LEARNED.items():
            for call in ("loss", "after gradient", "loss again") if learned else ():
                assert np.array_equal(found[call][name], start()[name]), (call, name)
            if not learned:
                np.testing.assert_allclose(found["loss"][name], found["step"][name], **SAME)
                assert not np.allclose(found["after gradient"][name], found["loss"][name], **SAME), name

    def test_steps_do_not_see_what_was_asked_before_them(self, ran, column, mode):
        # But for the statistics, which training does not read.
        found = ran(column)[1][mode]
        for alone, behind in (("step", "step behind"), ("second step", "second step behind")):
            for name in ("loss", *(name for name, learned in LEARNED.items() if learned)):
                np.testing.assert_allclose(found[behind][name], found[alone][name], **SAME, err_msg=name)


@pytest.mark.slow
@pytest.mark.parametrize("column", ["tensorflow", "keras-tensorflow"])
def test_parts_are_compiled_when_they_are_asked_for_and_once(ran, column):
    # Two steps; the loss, the gradients (kept twice), the loss; with the new optimiser two steps.
    for mode, graphs in ran(column)[0]["compiled"].items():
        assert graphs == (8 * [0] if mode == "eager" else [1, 1, 2, 3, 3, 3, 4, 4])


@pytest.mark.slow
@pytest.mark.parametrize("column", impls.FRAMEWORKS)
def test_a_compilation_is_noticed(ran, column):
    for mode, (built, first, second, other) in ran(column)[0]["counts"].items():
        assert second == first
        if mode == "eager" and column != "keras-jax":  # whose operations XLA compiles one by one
            assert (built, other) == (first, first), mode
        else:
            assert built < first < other, mode


@pytest.mark.slow
@pytest.mark.parametrize("column", impls.FRAMEWORKS)
def test_no_number_of_threads_leaves_everything_as_it_was(ran, column):
    installed, untouched, equalised = ran(column)[0]["settings"]
    assert untouched == installed
    assert equalised != installed
    if "keras" in column:
        assert (installed[0], equalised[0] == "channels_first") == ("channels_last", column == "keras-torch")


# Keras' own layout

LANES = """
import json, sys
from pathlib import Path
import impls
from impls.certificate import Sizes, certify
from tests.test_training_parts import WORK

impls.WORKLOADS[WORK.name] = WORK
threads, folder, *names = sys.argv[1:]
runtime = impls.runtime("keras-torch")
runtime.configure(int(threads) if threads else None)
failed = []
for name in names:
    sizes = Sizes(64, 64, 2, 10, 0.125) if impls.WORKLOADS[name].model else None
    reference = Path(folder, f"{name}.npz")
    checks = certify(name, "keras-torch", "eager", reference, bool(threads), sizes, ["float64"])
    failed += [(name, check) for check in checks if not check["passed"]]
print(json.dumps([runtime.layout(), failed]))
"""
# Two models, which have most of what models have, and a kernel of each kind that is quick in NumPy.
MODELS = (WORK.name, "yolov3_tiny")
QUICK = {name: case for name, case in NAMED.items() if case.macs < 60e6 and case.inputs[0][0] == 1}
PROVEN = (*MODELS, *{case.kernel: name for name, case in QUICK.items()}.values())


@pytest.mark.slow
def test_keras_on_pytorch_computes_the_same_in_its_own_layout(tmp_path: Path) -> None:
    # The reference of the models is what the layout of the engine gives.
    assert json.loads(run(LANES, "2", str(tmp_path), *MODELS)) == ["NCHW", []]
    assert json.loads(run(LANES, "", str(tmp_path), *PROVEN)) == ["NHWC", []]
