"""Public models with random weights: their files, and what they compute. A script, in a process of its own:

    python tests/published_models.py torch|keras|darknet FOLDER

For each case it writes FOLDER/<case><suffix>, the file in the model's public format, and FOLDER/<case>.npz with
images (N, H, W, C) and the outputs; and, of torch, FOLDER/shapes.json: of SHAPES, the shape of every tensor.
"""

import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

CLASSES = 7
CFG = Path("/usr/share/darknet/cfg")  # Debian's package darknet


@dataclass(frozen=True)
class Case:
    """source, workload, width: as `evenbench weights import` names them. public: as its own library names the model.

    rotated: the images, and our kernels, are turned by 180 degrees.
    """

    source: str
    workload: str
    public: str
    suffix: str
    image_size: int = 64
    width: float = 1.0
    rotated: bool = False

    @property
    def classes(self) -> int:
        """Darknet's cfg states 80."""
        return 80 if self.source == "darknet" else CLASSES


CASES = {
    "resnet18": Case("torchvision", "resnet18", "resnet18", ".pth"),
    "resnet50": Case("torchvision", "resnet50", "resnet50", ".pth"),
    "mobilenet_v1-timm": Case("timm", "mobilenet_v1", "mobilenetv1_100", ".safetensors"),
    "mobilenet_v2": Case("torchvision", "mobilenet_v2", "mobilenet_v2", ".pth"),
    "mobilenet_v3_small": Case("torchvision", "mobilenet_v3_small", "mobilenet_v3_small", ".pth"),
    "inception_v3": Case("torchvision", "inception_v3", "inception_v3", ".pth", 107),
    "mobilenet_v1-keras": Case("keras", "mobilenet_v1", "MobileNet", ".weights.h5", 64, 0.5, rotated=True),
    "mobilenet_v2-keras": Case("keras", "mobilenet_v2", "MobileNetV2", ".weights.h5", 65),
    "mobilenet_v2-keras-even": Case("keras", "mobilenet_v2", "MobileNetV2", ".h5", 64, rotated=True),
    "inception_v3-keras": Case("keras", "inception_v3", "InceptionV3", ".weights.h5", 107),
    "inception_v3-keras-old": Case("keras", "inception_v3", "InceptionV3", ".h5", 107),
    "yolov3-darknet": Case("darknet", "yolov3", "yolov3", ".weights", 96),
    "yolov3_tiny-darknet": Case("darknet", "yolov3_tiny", "yolov3-tiny", ".weights", 96),
}


# Source, our name, the public one.
RESNETS = ("resnet18", "resnet34", "resnet50", "resnet101", "resnet152")
SHAPES = (
    *(("torchvision", name, name) for name in (*RESNETS, "mobilenet_v2", "mobilenet_v3_small", "mobilenet_v3_large")),
    ("torchvision", "inception_v3_aux", "inception_v3"),
    *(("timm", name, name) for name in RESNETS),
    ("timm", "mobilenet_v1", "mobilenetv1_100"),
)


def images(case: Case) -> np.ndarray:
    """Two images, seeded."""
    return np.random.default_rng(1).standard_normal((2, case.image_size, case.image_size, 3)).astype(np.float32)


def value(name: str, shape: tuple[int, ...], fan_in: int, generator: np.random.Generator) -> np.ndarray:
    """A random weight; nothing is at a special value, and what comes in is still there at the end of a deep network."""
    if name.endswith(("running_mean", "moving_mean")):
        found = generator.normal(0, 0.1, shape)
    elif name.endswith(("running_var", "moving_variance")):
        found = generator.uniform(0.5, 1.5, shape)
    elif name.endswith("gamma") or (name.endswith("weight") and len(shape) == 1):
        found = generator.uniform(0.8, 1.2, shape)
    elif len(shape) == 1:
        found = generator.normal(0, 0.1, shape)
    else:
        found = generator.normal(0, np.sqrt(2 / fan_in), shape)
    return found.astype(np.float32)


def torch_model(case: Case) -> Any:
    """torchvision's or timm's model."""
    import torch

    from impls.references.references_pytorch import import_torchvision

    torchvision = import_torchvision()
    if case.source == "timm":
        import timm  # which imports torchvision

        model = timm.create_model(case.public, num_classes=CLASSES)
    elif case.public == "inception_v3":
        # Its average pooling counts the padded border's zeros, which the weights were not trained with.
        pool = partial(torch.nn.functional.avg_pool2d, count_include_pad=False)
        torchvision.models.inception.F = type("F", (), {**vars(torch.nn.functional), "avg_pool2d": staticmethod(pool)})
        model = torchvision.models.inception_v3(num_classes=CLASSES, init_weights=False)
    else:
        model = getattr(torchvision.models, case.public)(num_classes=CLASSES)
    generator = np.random.default_rng(0)
    for name, tensor in model.state_dict().items():
        if tensor.ndim:
            tensor.copy_(torch.from_numpy(value(name, tuple(tensor.shape), tensor[0].numel(), generator)))
    return model.eval()


def publish_torch(case: Case, path: Path) -> list[np.ndarray]:
    """Save a state dict; what the model computes."""
    import torch
    from safetensors.torch import save_file

    model = torch_model(case)
    (torch.save if case.suffix == ".pth" else save_file)(model.state_dict(), path)
    with torch.no_grad():
        return [model(torch.from_numpy(np.moveaxis(images(case), -1, 1).copy())).numpy()]


def shapes() -> dict[str, dict[str, tuple[int, ...]]]:
    """The state dicts' names and shapes of SHAPES, by "source name"."""
    import torch

    from impls.references.references_pytorch import import_torchvision

    torchvision, found = import_torchvision(), {}
    import timm  # which imports torchvision

    with torch.device("meta"):
        for source, name, public in SHAPES:
            create = timm.create_model if source == "timm" else torchvision.models.get_model
            options = {"init_weights": False} if public == "inception_v3" else {}
            state = create(public, **options).state_dict()
            found[f"{source} {name}"] = {key: tuple(tensor.shape) for key, tensor in state.items() if tensor.ndim}
    return found


def publish_keras(case: Case, path: Path) -> list[np.ndarray]:
    """Save weights as Keras 3 does, or as keras.applications publishes them; what the model computes."""
    import keras

    options: dict[str, Any] = {} if case.public == "InceptionV3" else {"alpha": case.width}
    shape = (case.image_size, case.image_size, 3)
    model = getattr(keras.applications, case.public)(
        weights=None, classes=CLASSES, input_shape=shape, classifier_activation=None, **options
    )
    generator = np.random.default_rng(0)
    for variable in model.weights:
        if "seed" not in variable.path:
            depthwise = "depthwise" in variable.path or "_dw_" in variable.path
            fan_in = int(np.prod(variable.shape[:2] if depthwise else variable.shape[:-1]))
            variable.assign(value(variable.path, tuple(variable.shape), fan_in, generator))
    if case.suffix == ".weights.h5":
        model.save_weights(path)
    else:
        save_as_keras_2(model, path)
    return [np.asarray(model(images(case), training=False))]


def save_as_keras_2(model: Any, path: Path) -> None:
    """A model's weights in the layout of the published files."""
    layers: dict[str, dict[str, np.ndarray]] = {}
    for layer in model.layers:
        prefix = "depthwise_" if "Depthwise" in type(layer).__name__ else ""
        weights = [variable for variable in layer.weights if "seed" not in variable.path]
        layers[layer.name] = {f"{prefix}{variable.name}": np.asarray(variable) for variable in weights}
    write_keras_2(layers, path)


def write_keras_2(layers: Mapping[str, Mapping[str, np.ndarray]], path: Path) -> None:
    """Layer -> weight -> values, in the layout of the published files."""
    import h5py

    with h5py.File(path, "w") as file:
        file.attrs["layer_names"] = [layer.encode() for layer in layers]
        for layer, weights in layers.items():
            group = file.create_group(layer)
            for name, array in weights.items():
                group[f"{layer}/{name}:0"] = array
            group.attrs["weight_names"] = [f"{layer}/{name}:0".encode() for name in weights]


def publish_darknet(case: Case, path: Path) -> list[np.ndarray]:
    """Write random weights for Debian's cfg, as darknet's source saves them; what OpenCV computes of them."""
    import cv2

    lines = (CFG / f"{case.public}.cfg").read_text().splitlines()
    lines = [
        f"{line.split('=')[0]}={case.image_size}" if line.startswith(("width", "height")) else line for line in lines
    ]
    cfg = path.with_suffix(".cfg")
    cfg.write_text("\n".join(lines))
    write_darknet(path, darknet_convolutions(lines))
    # OpenCV's epsilon is 1e-6; darknet's is 1e-5 on a GPU, as ours.
    shifted = path.with_suffix(".shifted")
    write_darknet(shifted, darknet_convolutions(lines), excess=1e-5 - 1e-6)
    network = cv2.dnn.readNetFromDarknet(str(cfg), str(shifted))
    network.setInput(np.moveaxis(images(case), -1, 1).copy())
    layers = [network.getLayer(int(number) - 1).name for number in network.getUnconnectedOutLayers()]
    # The layer before each "yolo" is the head's convolution, channels last, before any sigmoid.
    return list(network.forward(layers))


def darknet_convolutions(cfg: list[str]) -> list[tuple[int, int, int, bool]]:
    """Input channels, output channels, kernel size and batch norm of each convolution of a cfg."""
    found, channels = [], []  # channels: of every layer's output
    for kind, options in sections(cfg):
        before = channels[-1] if channels else 3
        if kind == "convolutional":
            found.append((before, int(options["filters"]), int(options["size"]), "batch_normalize" in options))
            channels.append(int(options["filters"]))
        elif kind == "route":
            places = [int(place) for place in options["layers"].split(",")]
            channels.append(sum(channels[place] for place in places))
        elif kind != "net":
            channels.append(before)
    return found


def sections(cfg: list[str]) -> list[tuple[str, dict[str, str]]]:
    """[name] and the lines key = value that follow."""
    found: list[tuple[str, dict[str, str]]] = []
    for line in (line.replace(" ", "") for line in cfg):
        if line.startswith("["):
            found.append((line[1:-1], {}))
        elif line and not line.startswith("#"):
            key, text = line.split("=")
            found[-1][1][key] = text
    return found


def write_darknet(path: Path, convolutions: list[tuple[int, int, int, bool]], excess: float = 0.0) -> None:
    """Random weights in darknet's format; excess: added to the variances."""
    generator = np.random.default_rng(0)
    with path.open("wb") as file:
        np.array([0, 2, 0], "<i4").tofile(file)
        np.array([32_013_312], "<i8").tofile(file)
        for inputs, outputs, size, norm in convolutions:
            for name in ("beta", "gamma", "moving_mean", "moving_variance") if norm else ("bias",):
                vector = value(name, (outputs,), 0, generator)
                (vector + np.float32(excess if name == "moving_variance" else 0)).astype("<f4").tofile(file)
            value("kernel", (outputs, inputs, size, size), inputs * size**2, generator).astype("<f4").tofile(file)


PUBLISH = {"torchvision": publish_torch, "timm": publish_torch, "keras": publish_keras, "darknet": publish_darknet}


def main() -> None:
    """Write all cases of a framework."""
    framework, folder = sys.argv[1], Path(sys.argv[2])
    for name, case in CASES.items():
        if PUBLISH[case.source].__name__.endswith(framework):
            outputs = PUBLISH[case.source](case, folder / f"{name}{case.suffix}")
            given = {f"output{number}": output for number, output in enumerate(outputs)}
            np.savez(folder / f"{name}.npz", images=images(case), **given)
    if framework == "torch":
        (folder / "shapes.json").write_text(json.dumps(shapes()))


if __name__ == "__main__":
    main()
