"""A trained public checkpoint: nsfwjs' InceptionV3 and MobileNetV2 (MIT), imported and shown photographs.

They tell five kinds of pictures apart. The npm package holds their weights in 8 bits, in base64 within
JavaScript that is read here and never run. Needs npm and a network; skipped with a reason without them.
"""

import base64
import json
import re
import shutil
import subprocess
import tarfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from published_models import write_keras_2
from sklearn.datasets import load_sample_image
from test_checkpoints import COMPUTE, python
from typer.testing import CliRunner

from suites.weights_command import app

PACKAGE = "nsfwjs@4.3.0"
KINDS = ("drawing", "hentai", "neutral", "porn", "sexy")
# Name -> keras.applications' name, pixels of a side, whether Keras pads it below and right only.
MODELS = {"inception_v3": ("InceptionV3", 299, False), "mobilenet_v2": ("MobileNetV2", 224, True)}
FEATURES = 256  # what the public network's first dense layer gives: to ours it is the classifier
HEAD = ("dense_2", "dense_3")  # which ours have no place for
COLUMNS = ("pytorch", "tensorflow", "keras-torch")
PHOTOGRAPHS = ("china.jpg", "flower.jpg")  # that come with scikit-learn

# What keras.applications itself computes with the file.
KERAS = """
import json, sys
from pathlib import Path
import keras, numpy as np
folder = Path(sys.argv[1])
for name, (public, *_) in json.loads(sys.argv[2]).items():
    images = np.load(folder / f"{name}.npz")["images"]
    model = getattr(keras.applications, public)(
        weights=None, classes=256, input_shape=images.shape[1:], classifier_activation=None
    )
    model.load_weights(folder / f"{name}.h5")
    np.savez(folder / f"{name}.keras.npz", np.asarray(model(images, training=False)))
"""
# What ours computes: workload, source, the file's end, width, turned by 180 degrees, classes.
CASES = {name: (name, "evenbench", "-ours.npz", 1.0, turned, FEATURES) for name, (_, _, turned) in MODELS.items()}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """For each model photographs (.npz), its weights as Keras 2 wrote them (.h5), and ours made of them (-ours.npz)."""
    if not shutil.which("npm"):
        pytest.skip("npm is not installed")
    found = tmp_path_factory.mktemp("trained")
    packed = subprocess.run(["npm", "pack", "--silent", PACKAGE], cwd=found, capture_output=True, check=False)
    if packed.returncode:
        pytest.skip(f"npm cannot fetch {PACKAGE}")
    with tarfile.open(found / "nsfwjs-4.3.0.tgz") as package:
        package.extractall(found, filter="data")
    for name, (_, size, _) in MODELS.items():
        np.savez(found / f"{name}.npz", images=np.stack([photograph(photo, size) for photo in PHOTOGRAPHS]))
        layers = trained(found / "package" / "dist" / "models" / name)
        dense = {f"{layer}/{key}": array for layer in HEAD for key, array in layers.pop(layer).items()}
        np.savez(found / f"{name}-head.npz", **dense)
        write_keras_2(layers, found / f"{name}.h5")
        files = [str(found / f"{name}{end}") for end in (".h5", "-ours.npz")]
        done = CliRunner().invoke(app, ["import", name, "--from", "keras", files[0], "--out", files[1]])
        assert done.exit_code == 0, done.output
        assert f"{name}, {FEATURES} classes" in done.output
    return found


def photograph(name: str, size: int) -> np.ndarray:
    """One of scikit-learn's, (size, size, 3), from 0 to 1 as the networks were trained."""
    image = Image.fromarray(load_sample_image(name))
    return np.asarray(image.resize((size, size), Image.Resampling.BILINEAR), np.float32) / 255


def trained(model: Path) -> dict[str, dict[str, np.ndarray]]:
    """The layers in their order, with their weights, of a model of TensorFlow.js."""
    facts = (model / "model.min.js").read_text()
    shards = sorted(model.glob("group1-shard*"))
    encoded = [max(re.findall(r'"([A-Za-z0-9+/=]+)"', shard.read_text()), key=len) for shard in shards]
    content = b"".join(base64.b64decode(shard, validate=True) for shard in encoded)
    layers: dict[str, dict[str, np.ndarray]] = {
        layer: {} for layer in re.findall(r'\{name:"([^"]+)",class_name:"\w+",config', facts)
    }
    start = 0
    entry = r'name:"([^"]+)",shape:\[([\d,]*)\],dtype:"float32",quantization:\{min:(\S+?),scale:(\S+?),dtype:"uint8"\}'
    for name, shape, least, scale in re.findall(entry, facts):
        sides = [int(side) for side in shape.split(",")]
        array = np.frombuffer(content, np.uint8, int(np.prod(sides)), start).reshape(sides)
        start += array.size
        layer, weight = name.split("/")
        layers[layer][weight] = array * np.float32(scale) + np.float32(least)
    assert start == len(content)
    return layers


@pytest.fixture(scope="module")
def by_keras(folder: Path) -> Path:
    """The folder, with what keras.applications computes."""
    python("-c", KERAS, str(folder), json.dumps(MODELS))
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("column", COLUMNS)
def test_trained_networks_know_photographs(column: str, by_keras: Path) -> None:
    python("-c", COMPUTE, column, str(by_keras), json.dumps(CASES))
    for name in MODELS:
        expected, found = (np.load(by_keras / f"{name}.{by}.npz")["arr_0"] for by in ("keras", column))
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
