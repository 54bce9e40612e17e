"""Public implementations of our models: what each framework's own users would take, to measure ours against.

torchvision and timm for PyTorch, keras.applications for Keras; TensorFlow has no model collection of its own that is
alive, so keras.applications under tf.function stands for it. None is needed for anything but `make fairness`.
"""

from importlib import import_module
from importlib.util import find_spec
from typing import Any

import impls
from impls.optimizer import SGD

# Our workload -> the public one's package and name.
PYTORCH = {
    "resnet18": ("torchvision", "resnet18"),
    "resnet50": ("torchvision", "resnet50"),
    "mobilenet_v1": ("timm", "mobilenetv1_100"),
    "mobilenet_v2": ("torchvision", "mobilenet_v2"),
    "mobilenet_v3_small": ("torchvision", "mobilenet_v3_small"),
    "mobilenet_v3_large": ("torchvision", "mobilenet_v3_large"),
    "inception_v3_aux": ("torchvision", "inception_v3"),
}
KERAS = {
    "resnet50": ("keras", "ResNet50"),
    "mobilenet_v1": ("keras", "MobileNet"),
    "mobilenet_v2": ("keras", "MobileNetV2"),
    "mobilenet_v3_small": ("keras", "MobileNetV3Small"),
    "mobilenet_v3_large": ("keras", "MobileNetV3Large"),
    "inception_v3": ("keras", "InceptionV3"),
}
# Column -> the public models, and the column that runs them.
REFERENCES = {
    "pytorch": (PYTORCH, "pytorch"),
    "tensorflow": (KERAS, "keras-tensorflow"),
    "keras-tensorflow": (KERAS, "keras-tensorflow"),
    "keras-torch": (KERAS, "keras-torch"),
    "keras-jax": (KERAS, "keras-jax"),
}


def title(workload: str, framework: str) -> str:
    """As in "torchvision resnet50"."""
    return " ".join(REFERENCES[framework][0][workload])


def missing(workload: str, framework: str) -> str | None:
    """Why there is nothing to compare with, None if there is."""
    models, column = REFERENCES[framework]
    if workload not in models:
        return "there is no public implementation to compare with"
    package = models[workload][0]
    return impls.missing(column) or (None if find_spec(package) else f"{package} is not installed")


def load(workload: str, framework: str, mode: str, num_classes: int, image_size: int) -> Any:
    """The public model as a program of our runtime, so that the way it is called and trained is the same.

    Its weights are its own random ones, and it has none under canonical names.
    """
    models, column = REFERENCES[framework]
    package, _ = models[workload]
    engine = impls.runtime(column)
    twin = import_module(f"impls.references.references_{'keras' if package == 'keras' else 'pytorch'}")
    module = engine.build(twin.build, "float32", models[workload], num_classes, image_size)
    return engine.Model(module, mode, "float32", {}, "classification", SGD)
