"""A trained public checkpoint: nsfwjs' InceptionV3 and MobileNetV2 (MIT), imported and shown photographs.

They tell five kinds of pictures apart. The npm package holds their weights in 8 bits, in base64 within
JavaScript that is read here and never run. Needs npm and a network; skipped with a reason without them.
"""

import base64
import re
import shutil
import subprocess
import tarfile
from collections.abc import Mapping
from pathlib import Path

import h5py
import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_sample_image
from test_checkpoints import python
from typer.testing import CliRunner

from suites.weights_command import app

PACKAGE = "nsfwjs@4.3.0"
KINDS = ("drawing", "hentai", "neutral", "porn", "sexy")
MODELS = {"inception_v3": 299, "mobilenet_v2": 224}
FEATURES = 256  # what the public network's first dense layer gives: to ours it is the classifier
HEAD = ("dense_2", "dense_3")  # which ours have no place for
COLUMNS = ("pytorch", "tensorflow", "keras-torch")
PHOTOGRAPHS = ("china.jpg", "flower.jpg")  # that come with scikit-learn

# What keras.applications itself computes with the file.
KERAS = """
import sys
from pathlib import Path
import keras, numpy as np
folder = Path(sys.argv[1])
for name, public in (("inception_v3", "InceptionV3"), ("mobilenet_v2", "MobileNetV2")):
    images = np.load(folder / f"{name}.npy")
    model = getattr(keras.applications, public)(
        weights=None, classes=256, input_shape=images.shape[1:], classifier_activation=None
    )
    model.load_weights(folder / f"{name}.h5")
    np.save(folder / f"{name}-keras.npy", np.asarray(model(images, training=False)))
"""

OURS = """
import sys
from pathlib import Path
import numpy as np
import impls
folder, column = Path(sys.argv[1]), sys.argv[2]
impls.runtime(column).configure(2)
for name in ("inception_v3", "mobilenet_v2"):
    images = np.load(folder / f"{name}.npy")
    weights = dict(np.load(folder / f"{name}.npz", allow_pickle=False))
    if name == "mobilenet_v2":  # Keras pads below and right only, ours above and left: the same, upside down
        images = np.ascontiguousarray(images[:, ::-1, ::-1])
        weights = {key: one[:, :, ::-1, ::-1].copy() if one.ndim == 4 else one for key, one in weights.items()}
    program = impls.load(name, column, "eager", num_classes=256)
    program.load_weights(weights)
    np.save(folder / f"{name}-{column}.npy", program.to_numpy(program.predict(*program.prepare(images))[0]))
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """For each model, photographs (.npy), its file of weights as Keras 2 wrote them, and ours made of it (.npz)."""
    if not shutil.which("npm"):
        pytest.skip("npm is not installed")
    found = tmp_path_factory.mktemp("trained")
    packed = subprocess.run(["npm", "pack", "--silent", PACKAGE], cwd=found, capture_output=True, check=False)
    if packed.returncode:
        pytest.skip(f"npm cannot fetch {PACKAGE}")
    with tarfile.open(found / "nsfwjs-4.3.0.tgz") as package:
        package.extractall(found, filter="data")
    for name, size in MODELS.items():
        np.save(found / f"{name}.npy", np.stack([photograph(photo, size) for photo in PHOTOGRAPHS]))
        layers, weights = trained(found / "package" / "dist" / "models" / name)
        write(found / f"{name}.h5", [layer for layer in layers if layer not in HEAD], weights)
        np.savez(found / f"{name}-head.npz", **{key: array for key, array in weights.items() if key.startswith(HEAD)})
        arguments = ["import", name, "--from", "keras", str(found / f"{name}.h5"), "--out", str(found / f"{name}.npz")]
        done = CliRunner().invoke(app, arguments)
        assert done.exit_code == 0, done.output
        assert f"{name}, {FEATURES} classes" in done.output
    return found


def photograph(name: str, size: int) -> np.ndarray:
    """One of scikit-learn's, (size, size, 3), from 0 to 1 as the networks were trained."""
    image = Image.fromarray(load_sample_image(name))
    return np.asarray(image.resize((size, size), Image.Resampling.BILINEAR), np.float32) / 255


def trained(model: Path) -> tuple[list[str], dict[str, np.ndarray]]:
    """The layers in their order, and the weights as "layer/kernel", of a model of TensorFlow.js."""
    facts = (model / "model.min.js").read_text()
    shards = sorted(model.glob("group1-shard*"))
    encoded = [max(re.findall(r'"([A-Za-z0-9+/=]+)"', shard.read_text()), key=len) for shard in shards]
    content = b"".join(base64.b64decode(shard, validate=True) for shard in encoded)
    weights, start = {}, 0
    entry = r'name:"([^"]+)",shape:\[([\d,]*)\],dtype:"float32",quantization:\{min:(\S+?),scale:(\S+?),dtype:"uint8"\}'
    for name, shape, least, scale in re.findall(entry, facts):
        sides = [int(side) for side in shape.split(",")]
        array = np.frombuffer(content, np.uint8, int(np.prod(sides)), start).reshape(sides)
        start += array.size
        weights[name] = array * np.float32(scale) + np.float32(least)
    assert start == len(content)
    return re.findall(r'\{name:"([^"]+)",class_name:"\w+",config', facts), weights


def write(path: Path, layers: list[str], weights: Mapping[str, np.ndarray]) -> None:
    """As keras.applications' weights are published."""
    with h5py.File(path, "w") as file:
        file.attrs["layer_names"] = [layer.encode() for layer in layers]
        for layer in layers:
            group = file.create_group(layer)
            names = [f"{name}:0" for name in weights if name.startswith(f"{layer}/")]
            for name in names:
                group[name] = weights[name.removesuffix(":0")]
            group.attrs["weight_names"] = [name.encode() for name in names]


@pytest.fixture(scope="module")
def by_keras(folder: Path) -> Path:
    """The folder, with what keras.applications computes."""
    python("-c", KERAS, str(folder))
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("column", COLUMNS)
def test_trained_networks_know_photographs(column: str, by_keras: Path) -> None:
    python("-c", OURS, str(by_keras), column)
    for name in MODELS:
        expected, found = (np.load(by_keras / f"{name}-{by}.npy") for by in ("keras", column))
        assert found.shape == (len(PHOTOGRAPHS), FEATURES)
        assert np.abs(found - expected).max() < 1e-4 * np.abs(expected).max()
        kinds = classify(found, by_keras / f"{name}-head.npz")
        assert [KINDS[kind.argmax()] for kind in kinds] == ["neutral", "neutral"]
        assert kinds.max(axis=1).min() > 0.9


def classify(features: np.ndarray, head: Path) -> np.ndarray:
    """The public network's last layers: probabilities of the five kinds."""
    with np.load(head, allow_pickle=False) as dense:
        hidden = np.maximum(features, 0) @ dense["dense_2/kernel"] + dense["dense_2/bias"]
        logits = np.maximum(hidden, 0) @ dense["dense_3/kernel"] + dense["dense_3/bias"]
    exponents = np.exp(logits - logits.max(axis=1, keepdims=True))
    return exponents / exponents.sum(axis=1, keepdims=True)
