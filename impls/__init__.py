"""Equivalent programs: every workload in every framework. Importing this imports no framework.

load("resnet50", "pytorch", "eager") gives a program; see the runtimes in impls/frameworks for what it can do.
"""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cache, partial
from importlib import import_module
from importlib.util import find_spec
from types import ModuleType
from typing import Any

import numpy as np

from impls import boxes, kernels, weights
from impls.kernels import catalogue
from impls.layers import Layer, Tensor, parameters, tensors
from impls.models import Model
from impls.models.inception_v3 import spec as inception_v3
from impls.models.mobilenet_v1 import spec as mobilenet_v1
from impls.models.mobilenet_v2 import spec as mobilenet_v2
from impls.models.mobilenet_v3 import spec as mobilenet_v3
from impls.models.resnet import spec as resnet
from impls.models.unet import spec as unet
from impls.models.yolov3 import spec as yolov3
from impls.models.yolov3_tiny import spec as yolov3_tiny
from impls.optimizer import SGD, Optimizer
from impls.tasks import detection, targets

# Column -> (the packages that must be there, its runtime, Keras' backend).
_COLUMNS = {
    "pytorch": (("torch",), "pytorch", None),
    "tensorflow": (("tensorflow",), "tensorflow", None),
    "keras-tensorflow": (("keras", "tensorflow"), "keras", "tensorflow"),
    "keras-torch": (("keras", "torch"), "keras", "torch"),
    "keras-jax": (("keras", "jax"), "keras", "jax"),
}
FRAMEWORKS = tuple(_COLUMNS)

# JAX has no graph but the compiled one. torch.compile takes no model of Keras 3.15 as one graph: it cannot follow how a
# layer's call binds its arguments, and with a break in every layer it would not be compiled.
MODES = {
    "pytorch": ("eager", "compiled"),
    "tensorflow": ("eager", "graph", "compiled"),
    "keras-tensorflow": ("eager", "graph", "compiled"),
    "keras-torch": ("eager",),
    "keras-jax": ("eager", "compiled"),
}
PRECISIONS = ("float32", "bfloat16", "float64")


@dataclass(frozen=True)
class Workload:
    """What there is to run.

    name: as on the command line. kind: "model" or "kernel". package: where its twins live. facts: a model's variant
    in its spec or a kernel's case. model: what the spec says of all its variants, None for a kernel.
    """

    name: str
    kind: str
    title: str
    package: str
    facts: Any
    model: Model | None = None

    def layers(self, num_classes: int | None = None, image_size: int | None = None, width: float = 1.0) -> list[Layer]:
        """A model's convolutions and dense layers; the paper's sizes unless stated."""
        assert self.model
        facts = self.facts if width == 1 else replace(self.facts, width=width)
        return list(facts.layers(num_classes or self.model.num_classes, image_size or self.model.image_size))

    def tensors(self, num_classes: int | None = None, width: float = 1.0) -> dict[str, Tensor]:
        """Canonical name -> shape and kind of every weight."""
        if self.model is None:
            return dict(self.facts.weights)
        return tensors(self.layers(num_classes, width=width))

    def parameters(self, num_classes: int | None = None, width: float = 1.0) -> int:
        """Number of learned values."""
        return parameters(self.tensors(num_classes, width))

    def macs(self, image_size: int | None = None, num_classes: int | None = None, width: float = 1.0) -> list[int]:
        """Multiply-accumulates of each layer: of one image for a model, of the whole batch for a kernel.

        Layers that only training applies are left out.
        """
        if self.model is None:
            return [self.facts.macs]
        return [layer.macs for layer in self.layers(num_classes, image_size, width) if not layer.in_training_only]

    def check_image_size(self, image_size: int) -> None:
        """Raise ValueError, one line that names what is expected, for a size that the model cannot take."""
        assert self.model
        if image_size < self.model.smallest or image_size % self.model.multiple:
            of = f"a multiple of {self.model.multiple} and " if self.model.multiple > 1 else ""
            raise ValueError(
                f"{self.name} takes images whose side is {of}at least {self.model.smallest} pixels, not {image_size}"
            )


def _kernels(models: list[Workload]) -> list[Workload]:
    cases = catalogue.catalogue(model.layers() for model in models)
    return [
        Workload(name, "kernel", catalogue.title(name, case), catalogue.package(case), case)
        for name, case in cases.items()
    ]


def _models(folder: str, spec: ModuleType) -> list[Workload]:
    package = f"impls.models.{folder}.{folder}"
    return [
        # A variant may differ from its spec's others in what it takes or gives.
        Workload(name, "model", facts.title, package, facts, getattr(facts, "model", spec.MODEL))
        for name, facts in spec.VARIANTS.items()
    ]


_MODELS = [
    *_models("resnet", resnet),
    *_models("inception_v3", inception_v3),
    *_models("mobilenet_v1", mobilenet_v1),
    *_models("mobilenet_v2", mobilenet_v2),
    *_models("mobilenet_v3", mobilenet_v3),
    *_models("yolov3", yolov3),
    *_models("yolov3_tiny", yolov3_tiny),
    *_models("unet", unet),
]
WORKLOADS: Mapping[str, Workload] = {workload.name: workload for workload in (*_MODELS, *_kernels(_MODELS))}
MODELS = tuple(model.name for model in _MODELS)
KERNELS = tuple(name for name in WORKLOADS if name not in MODELS)
NAMED_KERNELS = tuple(catalogue.NAMED)


def missing(framework: str) -> str | None:
    """Why a framework cannot be used here, None if it can; looked up without importing it."""
    for package in _COLUMNS[framework][0]:
        if find_spec(package) is None:
            return f"{package} is not installed"
    return None


def runtime(framework: str) -> ModuleType:
    """Import the framework and give its runtime.

    Raises ModuleNotFoundError if the framework is not installed, RuntimeError if Keras already runs on another
    backend (the backend is fixed at Keras' first import: one process serves one column).
    """
    _, name, backend = _COLUMNS[framework]
    if backend:
        os.environ["KERAS_BACKEND"] = backend
    found = import_module(f"impls.frameworks.{name}")
    if backend and backend != found.BACKEND:
        raise RuntimeError(f"Keras already runs on {found.BACKEND} in this process, so {framework} needs another")
    return found


def load(
    workload: str,
    framework: str,
    mode: str,
    precision: str = "float32",
    num_classes: int | None = None,
    width: float = 1.0,
    optimizer: Optimizer = SGD,
) -> Any:
    """Build a program. Its weights are undefined until load_weights.

    num_classes: the paper's unless stated. Kernels have neither classes nor a width nor an optimiser; see
    impls/frameworks/kernels_*.py for what their programs can do.
    Raises KeyError for an unknown workload or framework, ValueError for a mode or precision that is not offered.
    """
    work = WORKLOADS[workload]
    if mode not in MODES[framework]:
        raise ValueError(f"{framework} has no mode {mode}; it has {', '.join(MODES[framework])}")
    if precision not in (offered := precisions(workload)):
        raise ValueError(f"{workload} does not run in {precision}; it runs in {', '.join(offered)}")
    if work.model is None:
        return load_kernel(work.facts, framework, mode, precision)
    engine = runtime(framework)
    twin = import_module(f"{work.package}_{_COLUMNS[framework][1]}")
    num_classes = num_classes or work.model.num_classes
    module = engine.build(twin.build, precision, replace(work.facts, width=width), num_classes)
    return engine.Model(module, mode, precision, work.tensors(num_classes, width), work.model.task, optimizer)


def load_kernel(case: kernels.Case, framework: str, mode: str, precision: str = "float32", repeats: int = 1) -> Any:
    """Build a kernel's program of any case, in the catalogue or not. Its weights are undefined until load_weights.

    repeats: how often predict does it in one call, each time on inputs of its own, which stand one after the other.
    """
    runtime(framework).set_precision(precision)
    _, name, backend = _COLUMNS[framework]
    twin = import_module(f"{catalogue.package(case)}_{name}")
    programs = import_module(f"impls.frameworks.kernels_{backend or framework}")
    compute = twin.compute if repeats == 1 else partial(_repeat, twin.compute, repeats)
    return programs.Kernel(compute, case, mode, precision)


def _repeat(compute: Callable[..., Any], repeats: int, case: kernels.Case, *tensors: Any) -> tuple[Any, ...]:
    count = len(case.inputs)
    weights = tensors[repeats * count :]
    return tuple(compute(case, *tensors[n * count : (n + 1) * count], *weights) for n in range(repeats))


def profiler(framework: str) -> ModuleType:
    """The framework's own profiler, as a module with the function profile. Raises ValueError where there is none."""
    _, name, backend = _COLUMNS[framework]
    if backend == "jax":
        raise ValueError("XLA fuses what it compiles: JAX's profiler sees no layers")
    return import_module(f"impls.frameworks.profile_{'pytorch' if backend == 'torch' else backend or name}")


def precisions(workload: str) -> tuple[str, ...]:
    """What a workload's programs compute in."""
    work = WORKLOADS[workload]
    return PRECISIONS if work.model else getattr(work.facts, "precisions", ("float32", "float64"))


def load_boxes(
    workload: str, framework: str, mode: str, precision: str = "float32", image_size: int | None = None
) -> Any:
    """Build the stage behind a detector: a program whose predict takes the heads and gives boxes.Detections.

    image_size: the paper's unless stated. Raises ValueError for a workload without boxes or a mode that has none.
    """
    work = WORKLOADS[workload]
    if work.model is None or work.model.task != "detection":
        raise ValueError(f"{workload} finds no boxes")
    if reason := boxes.missing(framework, mode):
        raise ValueError(reason)
    engine = runtime(framework)
    twin = import_module(f"impls.boxes.boxes_{_COLUMNS[framework][1]}")
    size = image_size or work.model.image_size
    detect = partial(twin.detect, anchors=work.facts.anchors, image_size=size, settings=boxes.SETTINGS)
    return engine.Boxes(detect, mode, precision)


@cache
def example(
    workload: str,
    purpose: str,
    image_size: int | None = None,
    batch_size: int = 1,
    num_classes: int | None = None,
    seed: int = 0,
) -> tuple[np.ndarray, ...]:
    """Seeded inputs, float64: "predict" -> (images,), "train" -> (images, *targets), "boxes" -> a detector's (*heads,);
    of kernels "predict" -> (*inputs,), "cotangent" -> (gradient by the output,).

    Random values: zeros would run faster than what users have. Raises ValueError for a size that the model cannot
    take.
    """
    work = WORKLOADS[workload]
    if work.model is None:
        return (kernels.cotangent(work.facts, seed),) if purpose == "cotangent" else kernels.inputs(work.facts, seed)
    generator = np.random.default_rng(seed)
    image_size, num_classes = image_size or work.model.image_size, num_classes or work.model.num_classes
    work.check_image_size(image_size)
    if batch_size < 1:
        raise ValueError(f"batch_size must be at least 1, not {batch_size}")
    if purpose == "boxes":
        return detection.heads(generator, work.facts, batch_size, image_size, num_classes)
    images = generator.standard_normal((batch_size, image_size, image_size, 3))
    if purpose == "predict":
        return (images,)
    return images, *targets.example(work.model.task, work.facts, generator, batch_size, image_size, num_classes)


def initial_weights(
    workload: str, num_classes: int | None = None, seed: int = 0, width: float = 1.0
) -> weights.Weights:
    """Canonical weights to start training from; a kernel's are random, too."""
    work = WORKLOADS[workload]
    if work.model is None:
        return kernels.weights(work.facts, seed)
    return weights.initial(work.tensors(num_classes, width), seed)
