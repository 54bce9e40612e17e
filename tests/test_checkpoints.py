"""Published checkpoints: what our networks compute with them, against the public models; files that are not whole."""

import json
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import h5py
import numpy as np
import pytest
from published_models import CASES, CFG, SHAPES, write_darknet
from typer.testing import CliRunner

import impls
from impls.checkpoints import from_timm, from_torchvision, read
from impls.checkpoints.source import names
from impls.checkpoints.state_dict import ENDS
from suites.weights_command import app

ROOT = Path(__file__).parent.parent
COLUMNS = ("pytorch", "tensorflow", "keras-tensorflow")
MISSING = {
    "torchvision": find_spec("torchvision") is None and "torchvision is not installed",
    "timm": find_spec("timm") is None and "timm is not installed",
    "darknet": (find_spec("cv2") is None or not CFG.is_dir())
    and "OpenCV 4 or Debian's package darknet is not installed",
}
WIDTH = 0.125  # of the small networks that the tests without a framework use

# How a column computes what the public model computed: import, load, predict.
COMPUTE = """
import json, sys
from pathlib import Path
import numpy as np
import impls
from impls.checkpoints import read
column, folder, cases = sys.argv[1], Path(sys.argv[2]), json.loads(sys.argv[3])
impls.runtime(column).configure(2)
for name, (workload, source, suffix, width, rotated, classes) in cases.items():
    weights = read(workload, source, folder / f"{name}{suffix}", width)
    images = np.load(folder / f"{name}.npz")["images"]
    if rotated:
        images = images[:, ::-1, ::-1]
        weights = {key: array[:, :, ::-1, ::-1].copy() if array.ndim == 4 else array for key, array in weights.items()}
    program = impls.load(workload, column, "eager", "float32", classes, width)
    program.load_weights(weights)
    outputs = program.predict(*program.prepare(np.ascontiguousarray(images)))
    np.savez(folder / f"{name}.{column}.npz", *map(program.to_numpy, outputs))
"""


def python(*arguments: str) -> None:
    """Run Python in a process of its own."""
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "OMP_WAIT_POLICY": "PASSIVE"}
    command = [sys.executable, *arguments]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with every case's file and what the public model computes."""
    folder = tmp_path_factory.mktemp("published")
    for framework, needed in {"torch": ("torchvision", "timm"), "keras": (), "darknet": ("darknet",)}.items():
        if not any(MISSING[source] for source in needed):
            python("tests/published_models.py", framework, str(folder))
    return folder


@pytest.fixture(scope="module")
def computed(published: Path) -> Path:
    """The same folder, with what every column computes."""
    cases = {
        name: (case.workload, case.source, case.suffix, case.width, case.rotated, case.classes)
        for name, case in CASES.items()
        if (published / f"{name}.npz").is_file()
    }
    for column in COLUMNS:
        python("-c", COMPUTE, column, str(published), json.dumps(cases))
    return published


@pytest.mark.slow
@pytest.mark.parametrize("column", COLUMNS)
@pytest.mark.parametrize("name", CASES)
def test_our_networks_compute_what_the_public_models_do(name: str, column: str, computed: Path) -> None:
    if reason := MISSING.get(CASES[name].source):
        pytest.skip(reason)
    with np.load(computed / f"{name}.npz") as public, np.load(computed / f"{name}.{column}.npz") as ours:
        for number in range(len(public.files) - 1):
            expected, found = public[f"output{number}"], ours[f"arr_{number}"]
            assert found.shape == expected.shape
            largest = np.abs(expected).max()
            assert np.abs(found - expected).max() < 1e-4 * largest
            assert np.abs(expected[0] - expected[1]).max() > 1e-2 * largest  # the images have not drowned on the way


@pytest.mark.slow
@pytest.mark.parametrize(("source", "name"), [(source, name) for source, name, _ in SHAPES])
def test_every_tensor_has_its_public_name(source: str, name: str, published: Path) -> None:
    if reason := MISSING[source]:
        pytest.skip(reason)
    public = json.loads((published / "shapes.json").read_text())[f"{source} {name}"]
    ours = impls.WORKLOADS[name].tensors()
    found = public_names(name, source)
    assert set(found.values()) == set(public)
    for canonical, theirs in found.items():
        assert list(ours[canonical].shape) == public[theirs][: len(ours[canonical].shape)]  # a dense layer may be 1x1


@pytest.mark.slow
def test_both_formats_of_keras_hold_the_same(published: Path) -> None:
    new = read("inception_v3", "keras", published / "inception_v3-keras.weights.h5")
    old = read("inception_v3", "keras", published / "inception_v3-keras-old.h5")
    assert all(np.array_equal(new[name], old[name]) for name in new)
    assert new["classifier.bias"].shape == (7,)


@pytest.mark.slow
def test_variances_take_up_what_keras_adds_to_them(published: Path) -> None:
    path = published / "mobilenet_v2-keras.weights.h5"
    with h5py.File(path) as file:
        variance = file["layers/batch_normalization/vars/3"][()]
    found = read("mobilenet_v2", "keras", path)["stem.norm.running_var"]
    assert np.array_equal(found, variance + np.float32(1e-3 - 1e-5))


def public_names(workload: str, source: str, width: float = 1.0) -> dict[str, str]:
    """Canonical name -> name in a state dict."""
    layers = impls.WORKLOADS[workload].layers(width=width)
    module = {"torchvision": from_torchvision, "timm": from_timm}[source]
    return names(layers, module.MODELS[workload](layers), ENDS)


def state_dict(workload: str, num_classes: int = 5) -> dict[str, np.ndarray]:
    """A small network's weights under torchvision's names, float32."""
    weights = impls.initial_weights(workload, num_classes, width=WIDTH)
    return {
        theirs: weights[ours].astype(np.float32)
        for ours, theirs in public_names(workload, "torchvision", WIDTH).items()
    }


def save(path: Path, state: dict[str, np.ndarray]) -> None:
    """Write .safetensors, from its description: length of the header, the header, the values."""
    header, values = {}, b""
    for name, array in state.items():
        kind = {"f4": "F32", "f8": "F64", "f2": "F16", "i8": "I64"}[array.dtype.str[1:]]
        place = [len(values), len(values) + array.nbytes]
        header[name] = {"dtype": kind, "shape": array.shape, "data_offsets": place}
        values += array.tobytes()
    text = json.dumps({"__metadata__": {"format": "pt"}, **header}).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + values)


def test_a_state_dict_becomes_canonical_weights(tmp_path: Path) -> None:
    path = tmp_path / "resnet18.safetensors"
    state = state_dict("resnet18")
    state["bn1.num_batches_tracked"] = np.array(7)
    state["fc.bias"] = np.arange(5, dtype=np.float16)
    save(path, state)
    found = read("resnet18", "torchvision", path, WIDTH)
    assert {name: array.shape for name, array in found.items()} == {
        name: tensor.shape for name, tensor in impls.WORKLOADS["resnet18"].tensors(5, WIDTH).items()
    }
    assert np.array_equal(found["stage2.block1.shortcut.conv.weight"], state["layer2.0.downsample.0.weight"])
    assert found["classifier.bias"].tolist() == [0, 1, 2, 3, 4]
    assert {array.dtype for array in found.values()} == {np.dtype(np.float32)}


def refusal(workload: str, source: str, path: Path) -> str:
    """Why a file is refused, without its path."""
    with pytest.raises(ValueError) as caught:
        read(workload, source, path, WIDTH)
    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith(str(path))
    return str(caught.value).removeprefix(str(path))


def test_what_does_not_fit_is_named(tmp_path: Path) -> None:
    path = tmp_path / "resnet18.safetensors"
    whole = state_dict("resnet18")
    save(path, {name: array for name, array in whole.items() if name != "layer1.0.conv1.weight"})
    assert refusal("resnet18", "torchvision", path) == ": no tensor layer1.0.conv1.weight"
    save(path, {**whole, "conv1.weight": np.zeros((8, 3, 3, 3), np.float32)})
    assert refusal("resnet18", "torchvision", path) == ": conv1.weight has shape (8, 3, 3, 3), expected (8, 3, 7, 7)"
    save(path, {**whole, "fc2.weight": np.zeros(3, np.float32), "fc2.bias": np.zeros(3, np.float32)})
    assert refusal("resnet18", "torchvision", path) == ": resnet18 has no place for tensor fc2.bias (nor 1 more)"
    save(path, {**whole, "fc.weight": whole["fc.weight"].astype(np.int64)})
    assert refusal("resnet18", "torchvision", path) == ": fc.weight holds int64, expected floating-point numbers"
    save(path, whole)
    assert refusal("resnet34", "torchvision", path).startswith(": no tensor layer1.2.conv1.weight (nor ")


def test_files_that_are_not_whole_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "resnet18.safetensors"
    save(path, state_dict("resnet18"))
    for content in (path.read_bytes()[:-1000], b"", b"{}" * 20):
        path.write_bytes(content)
        assert refusal("resnet18", "torchvision", path).startswith(" is not a whole file of safetensors: ")
    path = tmp_path / "mobilenet.h5"
    for content in (b"", b"\x89HDF\r\n\x1a\n" + bytes(100)):
        path.write_bytes(content)
        assert refusal("mobilenet_v1", "keras", path).startswith(" is not a whole file of Keras' weights: ")
    with h5py.File(path, "w") as file:
        file.create_group("layers/conv2d/vars")["0"] = np.zeros((3, 3, 3, 8), np.float32)
    assert refusal("mobilenet_v1", "keras", path).startswith(": no tensor batch_normalization/vars/0 (nor ")
    for source in ("torchvision", "keras", "darknet"):
        workload = "yolov3" if source == "darknet" else "mobilenet_v2" if source == "keras" else "resnet18"
        with pytest.raises(FileNotFoundError):
            read(workload, source, tmp_path / "nowhere")
    with pytest.raises(ValueError, match="no checkpoints of resnet18 are read from keras, only of mobilenet_v1, "):
        read("resnet18", "keras", path)
    with pytest.raises(ValueError, match="no such source of checkpoints: caffe"):
        read("resnet18", "caffe", path)


HOSTILE = """
import os, pathlib, sys, torch
class Hostile:
    def __reduce__(self):
        return os.mkdir, (sys.argv[1] + "/ran",)
folder = pathlib.Path(sys.argv[1])
torch.save({"conv1.weight": Hostile()}, folder / "hostile.pth")
torch.save({"conv1.weight": torch.zeros(3)}, folder / "cut.pth")
torch.save(["not", "tensors"], folder / "list.pth")
content = (folder / "cut.pth").read_bytes()
(folder / "cut.pth").write_bytes(content[:len(content) // 2])
from impls.checkpoints import read
for name in ("hostile", "cut", "list"):
    try:
        read("resnet18", "torchvision", folder / f"{name}.pth")
    except ValueError as error:
        print(error)
"""


def test_nothing_in_a_file_is_run(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", HOSTILE, str(tmp_path)], cwd=ROOT, capture_output=True, text=True, check=True
    )
    hostile, cut, other = done.stdout.splitlines()
    assert hostile.startswith(f"{tmp_path}/hostile.pth is not a whole state dict of tensors: ")
    assert cut.startswith(f"{tmp_path}/cut.pth is not a whole state dict of tensors: ")
    assert other == f"{tmp_path}/list.pth is not a state dict: it holds more than named tensors"
    assert not (tmp_path / "ran").exists()


# yolov3-tiny.cfg: input channels, output channels, kernel size, batch norm.
TINY = [
    (3, 16, 3, True),
    (16, 32, 3, True),
    (32, 64, 3, True),
    (64, 128, 3, True),
    (128, 256, 3, True),
    (256, 512, 3, True),
    (512, 1024, 3, True),
    (1024, 256, 1, True),
    (256, 512, 3, True),
    (512, 255, 1, False),
    (256, 128, 1, True),
    (384, 256, 3, True),
    (256, 255, 1, False),
]


def test_darknets_values_are_cut_in_the_order_of_the_cfg(tmp_path: Path) -> None:
    path = tmp_path / "yolov3-tiny.weights"
    write_darknet(path, TINY)
    assert path.stat().st_size == 35_434_956  # as published
    weights = read("yolov3_tiny", "darknet", path)
    layers = impls.WORKLOADS["yolov3_tiny"].layers()
    values, start = np.frombuffer(path.read_bytes()[20:], "<f4"), 0
    for layer, (_, outputs, _, norm) in zip(layers, TINY, strict=True):
        order = ("norm.bias", "norm.weight", "norm.running_mean", "norm.running_var") if norm else ("conv.bias",)
        for part in (*order, "conv.weight"):
            array = weights[f"{layer.name}.{part}"]
            assert array.shape[0] == outputs
            assert np.array_equal(array.ravel(), values[start : start + array.size])
            start += array.size
    assert start == values.size


def test_darknets_number_of_classes_is_found_and_wrong_lengths_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "yolov3-tiny.weights"
    two_classes = [(before, 21 if after == 255 else after, size, norm) for before, after, size, norm in TINY]
    write_darknet(path, two_classes)
    last = impls.WORKLOADS["yolov3_tiny"].layers()[-1].name
    assert read("yolov3_tiny", "darknet", path)[f"{last}.conv.bias"].shape == (21,)
    old = path.read_bytes()
    path.write_bytes(np.array([0, 1, 0, 0], "<i4").tobytes() + old[20:])  # the older header is shorter
    assert read("yolov3_tiny", "darknet", path)[f"{last}.conv.bias"].shape == (21,)
    write_darknet(path, TINY)
    whole = path.read_bytes()
    for content, message in (
        (whole[:-4], f"{path}: ends within tensor {last}.conv.weight"),
        (whole + bytes(4), f"{path}: goes on after its last tensor {last}.conv.weight, with 1 values"),
        (whole[:-1], f"{path} is not a whole file of Darknet's weights: it has 35,434,955 bytes"),
        (b"", f"{path} is not a whole file of Darknet's weights: it has 0 bytes"),
    ):
        path.write_bytes(content)
        with pytest.raises(ValueError) as caught:
            read("yolov3_tiny", "darknet", path)
        assert str(caught.value) == message


def test_command_imports(tmp_path: Path) -> None:
    source, out = tmp_path / "resnet18.safetensors", tmp_path / "new" / "weights.npz"
    save(source, state_dict("resnet18"))
    arguments = ["import", "resnet18", "--from", "torchvision", str(source), "--out", str(out), "--width", str(WIDTH)]
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 0, done.output
    expected = read("resnet18", "torchvision", source, WIDTH)
    values = sum(array.size for name, array in expected.items() if "running" not in name)
    assert done.output == f"{out}: resnet18, 5 classes, {values:,} parameters\n"
    with np.load(out, allow_pickle=False) as found:
        assert {name: found[name].tolist() for name in found} == {name: one.tolist() for name, one in expected.items()}
    source.write_bytes(b"")
    failed = CliRunner().invoke(app, arguments)
    assert isinstance(failed.exception, ValueError)
    assert out.is_file()  # the old weights stay


def test_command_writes_initial_weights(tmp_path: Path) -> None:
    out = tmp_path / "weights.npz"
    arguments = ["init", "mobilenet_v2", "--out", str(out), "--seed", "3", "--classes", "4", "--width", "0.25"]
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 0, done.output
    expected = impls.initial_weights("mobilenet_v2", 4, 3, 0.25)
    with np.load(out, allow_pickle=False) as found:
        assert set(found) == set(expected)
        assert all(np.array_equal(found[name], expected[name]) for name in expected)
    for workload in ("conv2d-3x3", "no-such-model"):
        failed = CliRunner().invoke(app, ["init", workload, "--out", str(out)])
        assert isinstance(failed.exception, ValueError)
        assert str(failed.exception).startswith(f"no such model: {workload} (there are resnet18, ")


@pytest.mark.parametrize("command", ["import", "init"])
def test_help_has_an_example(command: str) -> None:
    done = CliRunner().invoke(app, [command, "--help"])
    assert done.exit_code == 0
    assert f"Example: evenbench weights {command} " in done.output
