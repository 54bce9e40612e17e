"""The catalogue of kernels: what it holds, that its models are made of it, and that every case is proven equal.

Those that quick times are proven in every run (tests/test_impls.py). Here all the others have their turn, a share of
them in each run, by the number of commits; EVENBENCH_ALL_MODES=1 proves all, in some hours.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from test_models import in_turn

import impls
from impls import equivalence, kernels
from impls.kernels import catalogue
from impls.kernels.activation import reference as activation
from impls.kernels.activation.cases import Case as Activation
from impls.kernels.convolution import deepbench, sweeps
from impls.kernels.convolution.cases import conv
from impls.kernels.convolution.literature import CASES as LITERATURE
from suites.profiles import QUICK

ROOT = Path(__file__).parent.parent
COLUMNS = {"pytorch": "eager", "tensorflow": "graph", "keras-tensorflow": "graph", "keras-torch": "eager"}
COLUMNS |= {"keras-jax": "compiled"}
SHARES = 48  # of the kernels, one of which has its turn in a run


def test_macs_by_hand() -> None:
    assert LITERATURE["conv2d-11x11-stride4"].macs == 55 * 55 * 96 * 3 * 11 * 11
    assert LITERATURE["conv2d-lenet5-5"].macs == 120 * 16 * 5 * 5
    assert LITERATURE["conv2d-vgg16-5"].macs == 14 * 14 * 512 * 512 * 9
    assert LITERATURE["depthwise_conv2d-3x3"].macs == 56 * 56 * 144 * 9
    assert LITERATURE["conv2d-grouped-3x3"].macs == 56 * 56 * 128 * 4 * 9
    assert LITERATURE["conv2d-1x7"].macs == 17 * 17 * 128 * 128 * 7
    assert LITERATURE["conv_transpose2d-2x2"].macs == 28 * 28 * 128 * 64 * 4
    assert LITERATURE["conv_transpose2d-2x2"].output_size == (56, 56)
    assert LITERATURE["conv_transpose2d-4x4"].output_size == (16, 16)
    assert LITERATURE["conv2d-dilated-3x3"].output_size == (28, 28)
    assert LITERATURE["conv1d-wav2vec2"].output_size == (1599,)
    assert LITERATURE["conv3d-c3d-5"].macs == 2 * 7 * 7 * 512 * 512 * 27


def test_the_literature_s_kernels_are_there() -> None:
    cases = LITERATURE.values()
    three = {(case.in_channels, case.out_channels) for case in cases if case.kernel_size == (3, 3) and case.groups == 1}
    assert {(256, 384), (384, 384), (384, 256)} <= three  # AlexNet's
    assert {(64, 64), (128, 128), (256, 256), (512, 512), (256, 512)} <= three  # VGG's
    assert {case.kernel for case in catalogue.NAMED.values()} >= {
        *("conv1d", "conv2d", "conv3d", "depthwise_conv2d", "conv_transpose2d", "dense", "max_pool2d"),
        *("average_pool2d", "global_average_pool2d", "batch_norm_eval", "batch_norm_training", "sigmoid", "relu"),
        *("tanh", "leaky_relu", "relu6", "hard_swish", "silu", "softmax", "upsample_nearest", "upsample_bilinear"),
        *("concat", "residual_add", "conv_norm_activation"),
    }


def test_names_and_cases_are_one_to_one() -> None:
    cases = {name: impls.WORKLOADS[name].facts for name in impls.KERNELS}
    assert len(set(cases.values())) == len(cases) == len(impls.WORKLOADS) - len(impls.MODELS)
    assert set(catalogue.NAMED) == set(impls.NAMED_KERNELS) <= set(cases)
    assert all(name.startswith(f"{case.kernel}-") for name, case in cases.items())


@pytest.mark.parametrize("model", impls.MODELS)
def test_a_model_is_the_sum_of_its_kernels(model: str) -> None:
    work = impls.WORKLOADS[model]
    made_of = catalogue.of_model(work.layers())
    known = {impls.WORKLOADS[name].facts for name in impls.KERNELS}
    assert sum(case.macs * count for case, count in made_of.items()) == sum(work.macs())
    assert set(made_of) <= known
    sizes = [layer.output_size for layer in work.layers() if not layer.in_training_only and layer.kind != "dense"]
    found = [catalogue.of_layer(layer).output_size for layer in work.layers() if layer.kind != "dense"][: len(sizes)]
    if model != "inception_v3_aux":  # whose auxiliary layers stand in between
        assert found == [(size, size) for size in sizes]


def test_resnet50_repeats_what_the_paper_says() -> None:
    made_of = catalogue.of_model(impls.WORKLOADS["resnet50"].layers())
    # Table 1: stage 3 has six blocks, of which the first's 3x3 is strided.
    assert made_of[conv(256, 256, 14, 3, padding=1)] == 5
    assert made_of[conv(256, 256, 28, 3, 2, 1)] == 1
    assert made_of[conv(64, 256, 56, 1)] == 4  # three expansions and the shortcut


def test_deepbench_s_fields_are_read_as_they_are_named() -> None:
    cases = list(deepbench.cases())
    assert len(cases) == len(set(cases)) == 192
    first = cases[0]  # DeepSpeech: 700 x 161, a kernel 20 wide and 5 high
    assert (first.image_size, first.kernel_size, first.stride) == ((161, 700), (5, 20), (2, 2))
    assert first.output_size == (79, 341)  # the next layer's input
    assert cases[6].image_size == first.output_size


def test_sweeps_vary_one_figure_at_a_time() -> None:
    for case in sweeps.cases():
        base = sweeps.BASE.__dict__
        changed = {name for name, value in case.__dict__.items() if value != base[name]}
        assert len(changed - {"padding", "out_channels"}) <= 1
        if case.stride == (1, 1):
            assert case.output_size == case.image_size
    swept = [len({getattr(case, name) for case in sweeps.cases()}) for name in ("kernel_size", "groups", "dilation")]
    assert swept == [5, 7, 4]


def test_traffic_by_hand() -> None:
    case = conv(2, 3, 4, 3, padding=1)
    x, weight, y = 32, 54, 48
    assert [kernels.bytes_moved(case, phase) for phase in kernels.PHASES] == [4 * (x + weight + y)] * 3
    relu = Activation("relu", 2, 4)
    assert kernels.phases(relu) == kernels.PHASES[:2]
    assert [kernels.bytes_moved(relu, phase) for phase in kernels.phases(relu)] == [4 * 64, 4 * 96]


# Equality


@pytest.mark.slow
@pytest.mark.parametrize("share", in_turn(list(range(SHARES))))
def test_kernels_are_proven(share: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    others = [name for name in impls.KERNELS if name not in QUICK.kernels]
    names = [
        equivalence.ProgramName(name, framework, mode)
        for name in others[share::SHARES]
        for framework, mode in COLUMNS.items()
    ]
    found = equivalence.verify(names)
    failed = [
        (one["workload"], one["framework"], one["error"], [check for check in one["checks"] if not check["passed"]])
        for one in found
        if not one["passed"]
    ]
    assert failed == []
    assert {check["dtype"] for one in found for check in one["checks"]} >= {"count", "float32", "float64"}


EDGES = [0.0, -0.0, 1e-40, -1e-40, 3.0, -3.0, 6.0, 1e4, -1e4, 3e38, -3e38, np.inf, -np.inf, np.nan]
EDGE = """
import sys
import numpy as np
import impls
from impls.kernels.activation.cases import Case
column, mode, out = sys.argv[1:4]
impls.runtime(column).configure(2)
x = np.load(sys.argv[4])
found = {}
for name in sys.argv[5:]:
    program = impls.load_kernel(Case(name, x.shape[-1], x.shape[1], x.shape[0]), column, mode)
    program.load_weights({})
    found[name] = program.to_numpy(program.predict(*program.prepare(x)))
np.savez(out, **found)
"""
ACTIVATIONS = ("sigmoid", "relu", "tanh", "leaky_relu", "relu6", "hard_sigmoid", "hard_swish", "silu")


@pytest.mark.slow
@pytest.mark.parametrize("column", COLUMNS)
def test_activations_at_their_edges(column: str, tmp_path: Path) -> None:
    x = np.resize(np.array(EDGES, np.float32), (1, 4, 4, 7))
    np.save(tmp_path / "x.npy", x)
    arguments = [column, COLUMNS[column], str(tmp_path / "y.npz"), str(tmp_path / "x.npy"), *ACTIVATIONS]
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "OMP_WAIT_POLICY": "PASSIVE"}
    answer = subprocess.run(
        [sys.executable, "-c", EDGE, *arguments], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert answer.returncode == 0, answer.stderr
    with np.load(tmp_path / "y.npz") as found:
        for name in ACTIVATIONS:
            with np.errstate(all="ignore"):
                expected = activation.forward(Activation(name, 7, 4), x.astype(np.float64)).astype(np.float32)
            if name == "hard_swish" and "torch" in column:  # which multiplies by 6 before it divides
                expected[x > np.finfo(np.float32).max / 6] = np.inf
            different = ~np.isclose(found[name], expected, rtol=1e-4, atol=1e-30, equal_nan=True)
            assert not different.any(), (name, x[different].tolist(), found[name][different].tolist())


# Bad input


@pytest.mark.parametrize(
    ("arguments", "options", "said"),
    [
        ((6, 4, 8, 3), {"groups": 4}, "4 groups do not divide 6 and 4 channels"),
        ((3, 4, 2, 5), {}, "does not fit into"),
        ((3, 4, 8, 0), {}, "kernel_size must be at least 1"),
        ((3, 4, 8, 3), {"padding": -1}, "padding must be at least 0"),
        ((0, 4, 8, 3), {}, "in_channels must be at least 1"),
        ((3, 4, 8, 3), {"transposed": True, "stride": 4}, "a transposed convolution is padded by"),
    ],
)
def test_impossible_convolutions_are_refused_by_name(arguments: tuple, options: dict, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        conv(*arguments, **options)


def test_what_a_framework_lacks_has_its_reason() -> None:
    case = LITERATURE["conv2d-3x3"]
    for framework in ("tensorflow", "keras-tensorflow"):
        assert "both gradients" in kernels.missing(case, framework, "eager", kernels.BY_INPUT)
        assert kernels.missing(case, framework, "eager", kernels.FORWARD) is None
        assert kernels.missing(case, framework, "graph", kernels.BY_WEIGHT) is None
    assert kernels.missing(Activation("relu", 8, 8), "tensorflow", "eager", kernels.BY_INPUT) is None
    assert json.dumps(list(kernels.PHASES)) == '["forward", "gradient by input", "gradient by weight"]'
