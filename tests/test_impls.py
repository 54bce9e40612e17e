"""Equal programs: their facts against published figures and independent oracles, and the proof that can fail."""

import json
import os
import subprocess
import sys
import time
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest

import impls
from impls import certificate, comparison, equivalence, kernels, weights
from impls.layers import Tensor
from impls.tasks.data import digits
from suites.profiles import QUICK

ROOT = Path(__file__).parent.parent


def python(code: str, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run code in a process of its own: one framework each."""
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "OMP_WAIT_POLICY": "PASSIVE", **variables}
    command = [sys.executable, "-c", code, *arguments]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)


# Facts


# Weights


def test_layouts_go_there_and_back() -> None:
    for kind, shape in {
        "conv": (5, 3, 2, 7),
        "depthwise": (4, 1, 3, 2),
        "transposed": (3, 5, 2, 4),
        "dense": (4, 3),
    }.items():
        array = np.random.default_rng(0).normal(size=shape)
        native = weights.to_channels_last(array, kind)
        assert native.shape != array.shape
        assert np.array_equal(weights.from_channels_last(native, kind), array)


def test_weights_are_seeded_by_name() -> None:
    tensors = {"a.conv.weight": Tensor((4, 3, 3, 3), "conv"), "b.conv.weight": Tensor((4, 3, 3, 3), "conv")}
    both = weights.initial(tensors, seed=0)
    alone = weights.initial({"b.conv.weight": tensors["b.conv.weight"]}, seed=0)
    assert np.array_equal(both["b.conv.weight"], alone["b.conv.weight"])
    assert not np.array_equal(both["a.conv.weight"], both["b.conv.weight"])
    assert not np.array_equal(both["a.conv.weight"], weights.initial(tensors, seed=1)["a.conv.weight"])


def test_initial_weights_have_the_spread_of_the_paper() -> None:
    found = impls.initial_weights("resnet50")
    kernel = found["stage2.block2.spatial.conv.weight"]
    assert kernel.std() == pytest.approx(np.sqrt(2 / (128 * 9)), rel=0.02)
    assert not found["stage1.block1.expand.norm.weight"].any()
    assert found["stage1.block1.reduce.norm.weight"].min() == 1


# The proof


def test_together_forgives_one_small_tensor_and_not_all() -> None:
    expected = {f"layer{n}.norm.bias": np.full(9, 1.0 if n else 1e-3) for n in range(9)}
    one = {**expected, "layer0.norm.bias": expected["layer0.norm.bias"] * 1.05}
    every = {name: array * 1.001 for name, array in expected.items()}
    assert not comparison.worst("gradients", "float32", one, expected)["passed"]
    assert comparison.together("gradients", "float32", one, expected)["passed"]
    assert not comparison.together("gradients", "float32", every, expected)["passed"]
    assert not comparison.together("forward, training mode", "float32", one, expected)["passed"]


def test_relative_errors() -> None:
    expected = {"a.norm.weight": np.array([1.0, -4.0]), "a.norm.bias": np.array([1e-9]), "b.conv.weight": np.ones(2)}
    found = {"a.norm.weight": np.array([1.0, -4.4]), "a.norm.bias": np.array([2e-9]), "b.conv.weight": np.ones(2)}
    errors = comparison.relative_errors(found, expected)
    assert errors["a.norm.weight"] == pytest.approx(0.1)
    assert errors["a.norm.bias"] == pytest.approx(1e-9 / 0.4)  # measured by a tenth of its layer's largest
    assert errors["b.conv.weight"] == 0
    for wrong in (np.array([np.nan, 1]), np.array([np.inf, 1]), np.ones(3)):
        assert comparison.relative_errors({**found, "b.conv.weight": wrong}, expected)["b.conv.weight"] == np.inf
    assert comparison.relative_errors({}, expected)["b.conv.weight"] == np.inf


FRAMEWORKS = [framework for framework, modes in QUICK.modes.items() if modes]
CHECKS = (  # of a model, in each precision
    "forward, evaluation mode",
    "forward, training mode",
    "gradients",
    *(
        f"{what}, {optimizer}"
        for optimizer in ("SGD", "Adam")
        for what in ("loss of 5 steps", "weights after 5 steps", "batch norm statistics after 5 steps")
    ),
)

BREAK = """
import sys
import time
from dataclasses import replace
from dataclasses import asdict
from pathlib import Path
import torch
import impls
from impls import certificate
impls.runtime("pytorch").configure(2)
reference = Path(sys.argv[1])
def failed(write=False):
    sizes = certificate.Sizes(64, 64, 4, 10, 0.25)  # the traps do not depend on the sizes
    checks = certificate.certify("mobilenet_v2", "pytorch", "eager", reference, write, sizes, ["float64", "bfloat16"])
    return sorted({check["name"] for check in checks if not check["passed"]})
print(failed(write=True))
import impls.frameworks.layers_pytorch as layers
import impls.models.mobilenet_v2.mobilenet_v2_pytorch as twin
norms, build = layers.nn.BatchNorm2d, twin.build
layers.nn.BatchNorm2d = lambda channels, eps, momentum: norms(channels, 1.001e-5, momentum); print(failed())
layers.nn.BatchNorm2d = lambda channels, eps, momentum: norms(channels, eps, 0.01); print(failed())
layers.nn.BatchNorm2d = norms
sgd, adam, relu6 = certificate.SGD, certificate.ADAM, torch.nn.ReLU6
certificate.SGD = replace(sgd, momentum=0.874); print(failed())
certificate.SGD = replace(sgd, weight_decay=2.0**-11); print(failed()); certificate.SGD = sgd
certificate.ADAM = replace(adam, epsilon=2.0**-7); print(failed()); certificate.ADAM = adam
twin.nn.ReLU6 = torch.nn.ReLU; print(failed()); twin.nn.ReLU6 = relu6
def wrong(variant, num_classes):  # in bfloat16 alone half of each feature is lost
    module = build(variant, num_classes)
    module.head.register_forward_hook(lambda _, __, y: y * (y.dtype == torch.float64) + y * 0.5)
    return module
twin.build = wrong; print(failed())
"""


def test_proof_fails_for_each_classic_trap(tmp_path: Path) -> None:
    answer = python(BREAK, str(tmp_path / "reference.npz"))
    assert answer.returncode == 0, answer.stderr
    right, epsilon, update, momentum, decay, adam, relu, features = (
        {name.replace(" after 5 steps", "") for name in eval(line)} for line in answer.stdout.splitlines()
    )
    assert right == set()
    assert epsilon >= {"forward, evaluation mode", "forward, training mode", "gradients"}
    assert update == {"batch norm statistics, SGD", "batch norm statistics, Adam"}
    assert "weights, SGD" in momentum and "gradients" not in momentum
    assert "weights, SGD" in decay and "gradients" not in decay
    assert "weights, Adam" in adam and "weights, SGD" not in adam
    assert "forward, evaluation mode" in relu
    assert "forward, evaluation mode" in features


def verify(tmp_path: Path, *workloads: str, **variables: str) -> tuple[int, list[dict]]:
    """`evenbench verify --json` with an empty cache."""
    answer = python(
        "from suites.cli import main; main()", "verify", "--json", *workloads, XDG_CACHE_HOME=str(tmp_path), **variables
    )
    assert answer.stdout, answer.stderr
    return answer.returncode, json.loads(answer.stdout)


@pytest.mark.slow
def test_every_quick_program_is_proven(tmp_path: Path) -> None:
    code, found = verify(tmp_path)
    failed = [(one["workload"], one["framework"], one["error"], one["checks"]) for one in found if not one["passed"]]
    assert (code, failed) == (0, [])
    proven = {(one["workload"], one["framework"]) for one in found}
    timed = {(name, framework) for name in QUICK.models for framework in FRAMEWORKS}
    assert proven == timed | {(name, framework) for name in QUICK.kernels for framework in impls.FRAMEWORKS}
    for one in found:
        precisions = {check["dtype"] for check in one["checks"]}
        assert precisions == {"count", "float64", "float32"}
        work = impls.WORKLOADS[one["workload"]]
        counts = 2 if sum(work.macs()) else 1
        assert len(one["checks"]) == counts + 2 * len(CHECKS if work.model else kernels.phases(work.facts))
        # A float32 that is as exact as float64 was computed in float64.
        assert max(check["error"] for check in one["checks"] if check["dtype"] == "float32") > 1e-9
    # What is proven is kept, under a hash that the code decides.
    kept = sorted(tmp_path.glob("evenbench/certificates/*.json"))
    assert len(kept) == len(found)
    first = equivalence.ProgramName("resnet50", "pytorch", "eager")
    proof = equivalence.Proof(first, certificate.full("resnet50"), QUICK.precisions)
    assert equivalence.code_hash(proof) in {path.stem for path in kept}


@pytest.mark.slow
def test_every_mode_of_a_kernel_is_proven(tmp_path: Path) -> None:
    code, found = verify(tmp_path, "conv2d-3x3-stride2", EVENBENCH_PROFILE="standard")
    if " " in sys.prefix:  # torch.compile's own limit, which must be said and not crash
        (failed,) = [one for one in found if not one["passed"]]
        assert (code, failed["mode"]) == (3, "compiled")
        assert "path with a space" in failed["error"]
    else:
        assert code == 0, found
    modes = {(framework, mode) for framework, offered in impls.MODES.items() for mode in offered}
    assert {(one["framework"], one["mode"]) for one in found} == modes


COMPILE = """
import impls
impls.runtime("pytorch").configure(2)
for name in impls.NAMED_KERNELS[:9]:
    program = impls.load(name, "pytorch", "compiled")
    program.load_weights(impls.initial_weights(name))
    program.predict(*program.prepare(*impls.example(name, "predict")))
"""


@pytest.mark.slow
@pytest.mark.skipif(" " in sys.prefix, reason="torch.compile does not work in a path with a space")
def test_a_process_compiles_more_kernels_than_torch_allows_recompilations() -> None:
    answer = python(COMPILE)
    assert answer.returncode == 0, answer.stderr


def test_a_broken_cache_is_proven_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    name = equivalence.ProgramName("conv2d-1x7", "pytorch", "eager")
    (first,) = equivalence.verify([name])
    path = tmp_path / "evenbench/certificates" / f"{first['code_hash']}.json"
    path.write_text(path.read_text()[:50])
    (second,) = equivalence.verify([name])
    assert second == first
    assert json.loads(path.read_text()) == first


def test_a_process_that_dies_is_a_failed_proof_with_its_reason(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    # A module of this name is found before the framework: importing it kills the process.
    (tmp_path / "torch.py").write_text("import os, signal; os.kill(os.getpid(), signal.SIGKILL)")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    (found,) = equivalence.verify([equivalence.ProgramName("conv2d-1x7", "pytorch", "eager")])
    assert not found["passed"]
    assert "signal 9" in found["error"]


@pytest.mark.slow
def test_default_settings_have_a_proof_of_their_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In float64 alone; Keras on torch is then channels last, which the equalised programs are not."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    name = equivalence.ProgramName("mobilenet_v3_small", "keras-torch", "eager", as_installed=True)
    if impls.missing("keras-torch"):
        pytest.skip("Keras on torch is not installed")
    (found,) = equivalence.verify([name], sizes_of=certificate.small)
    assert found["passed"], found
    assert found["as_installed"]
    assert {check["dtype"] for check in found["checks"]} == {"count", "float64"}
    assert all(check["name"].endswith(" (default settings)") for check in found["checks"])


def test_a_proof_ends_when_nobody_waits_for_it(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "impls.certificate", "pytorch", "1"]
    process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdin
    request = {
        **{"workload": "resnet152", "mode": "eager", "precisions": ["float64"]},  # takes a minute
        **{"sizes": asdict(certificate.full("resnet152")), "reference": str(tmp_path / "r.npz"), "write": True},
    }
    process.stdin.write(json.dumps(request) + "\n")
    process.stdin.flush()
    time.sleep(6)  # it has imported PyTorch and computes
    assert process.poll() is None
    process.stdin.close()
    assert process.wait(timeout=5) == 0
    assert not (tmp_path / "r.npz").exists()


# Loading


def test_load_names_what_is_wrong() -> None:
    with pytest.raises(ValueError, match="pytorch has no mode graph; it has eager, compiled"):
        impls.load("resnet50", "pytorch", "graph")
    with pytest.raises(KeyError):
        impls.load("nosuch", "pytorch", "eager")


def test_keras_keeps_to_one_backend_a_process() -> None:
    answer = python("import impls; impls.runtime('keras-torch'); impls.runtime('keras-tensorflow')")
    assert "RuntimeError: Keras already runs on torch" in answer.stderr


def test_importing_impls_imports_no_framework() -> None:
    answer = python("import sys, impls; print({'torch', 'tensorflow', 'keras'} & set(sys.modules))")
    assert answer.stdout.strip() == "set()"


def test_gradients_are_those_of_autograd() -> None:
    code = """
import numpy as np, torch, impls
from impls.optimizer import Adam
program = impls.load("mobilenet_v2", "pytorch", "eager", num_classes=10, optimizer=Adam(beta_1=0.5))
program.load_weights(impls.initial_weights("mobilenet_v2", 10))
images, labels = program.prepare(*impls.example("mobilenet_v2", "train", 64, 4, 10))
program.module.train()
loss = torch.nn.functional.cross_entropy(program.module(images), labels)
name = "stage3.block1.widen.conv.weight"
expected = torch.autograd.grad(loss, dict(program.module.named_parameters())[name])[0]
assert abs(float(program.train_step(images, labels)[0]) - float(loss)) < 1e-5
print(np.abs(2 * program.first_moments()[name] - expected.numpy()).max() / expected.abs().max().item())
"""
    answer = python(code)
    assert answer.returncode == 0, answer.stderr
    assert float(answer.stdout) < 1e-5


# The task


def test_digits_are_the_known_ones_in_a_fixed_stratified_split() -> None:
    split = digits.load(32)
    images, labels = split.held_out.read(np.arange(360))
    trained, _ = split.train.read(np.arange(1437))
    assert trained.shape == (1437, 32, 32, 3)
    assert images.shape == (360, 32, 32, 3)
    assert np.bincount(labels).min() >= 34
    assert trained.mean() == pytest.approx(0, abs=1e-3)
    assert len({image.tobytes() for image in (*trained, *images)}) == 1797  # no scan twice
    assert np.array_equal(images[:, ::4, ::4], digits.load(8).held_out.read(np.arange(360))[0])


@pytest.mark.parametrize("image_size", [0, 4, 30])
def test_digits_refuse_a_size_that_would_need_interpolation(image_size: int) -> None:
    with pytest.raises(ValueError, match="multiple"):
        digits.load(image_size)


def test_digits_refuse_other_data(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(digits, "SHA256", "0" * 64)
    with pytest.raises(ValueError, match="not those"):
        digits.load.__wrapped__(8)
