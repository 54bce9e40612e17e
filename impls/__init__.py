"""Equivalent programs: every workload in every framework. Importing this imports no framework.

load("resnet50", "pytorch", "eager") gives a program; see the runtimes in impls/frameworks for what it can do.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from types import ModuleType
from typing import Any

import numpy as np

from impls import weights
from impls.kernels.conv2d.cases import CASES as CONV2D
from impls.kernels.conv2d.cases import Case
from impls.layers import Tensor, macs, parameters, tensors
from impls.models.mobilenet_v1 import spec as mobilenet_v1
from impls.models.mobilenet_v2 import spec as mobilenet_v2
from impls.models.resnet import spec as resnet
from impls.optimizer import SGD, StochasticGradientDescent

# Column -> (the package that must be there, its runtime, Keras' backend).
_COLUMNS = {
    "pytorch": (("torch",), "pytorch", None),
    "tensorflow": (("tensorflow",), "tensorflow", None),
    "keras-tensorflow": (("keras", "tensorflow"), "keras", "tensorflow"),
    "keras-torch": (("keras", "torch"), "keras", "torch"),
}
FRAMEWORKS = tuple(_COLUMNS)

# torch.compile on Keras breaks the graph in the middle of layers, and Keras itself leaves it off on PyTorch.
MODES = {
    "pytorch": ("eager", "compiled"),
    "tensorflow": ("eager", "graph", "compiled"),
    "keras-tensorflow": ("eager", "graph", "compiled"),
    "keras-torch": ("eager",),
}


@dataclass(frozen=True)
class Workload:
    """What there is to run.

    name: as on the command line. kind: "model" or "kernel". package: where its twins live. facts: a model's variant
    in its spec or a kernel's case.
    """

    name: str
    kind: str
    title: str
    package: str
    facts: Any

    def tensors(self, num_classes: int = 1000) -> dict[str, Tensor]:
        """Canonical name -> shape and kind of every weight."""
        if isinstance(self.facts, Case):
            return {"weight": self.facts.weight}
        return tensors(self.facts.layers(num_classes))

    def parameters(self, num_classes: int = 1000) -> int:
        """Number of learned values."""
        return parameters(self.tensors(num_classes))

    def macs(self, image_size: int = 224, num_classes: int = 1000) -> int:
        """Multiply-accumulates: of one image for a model, of the whole batch for a kernel."""
        if isinstance(self.facts, Case):
            return self.facts.macs
        return sum(macs(layer, image_size) for layer in self.facts.layers(num_classes))


def _kernel(name: str, case: Case) -> Workload:
    return Workload(f"conv2d-{name}", "kernel", f"conv2d {name}", "impls.kernels.conv2d.conv2d", case)


def _models(folder: str, spec: ModuleType) -> list[Workload]:
    package = f"impls.models.{folder}.{folder}"
    return [Workload(name, "model", facts.title, package, facts) for name, facts in spec.VARIANTS.items()]


WORKLOADS: Mapping[str, Workload] = {
    workload.name: workload
    for workload in (
        *_models("resnet", resnet),
        *_models("mobilenet_v1", mobilenet_v1),
        *_models("mobilenet_v2", mobilenet_v2),
        *(_kernel(name, case) for name, case in CONV2D.items()),
    )
}


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
    dtype: str = "float32",
    num_classes: int = 1000,
    optimizer: StochasticGradientDescent = SGD,
) -> Any:
    """Build a program. Its weights are undefined until load_weights; kernels have neither classes nor an optimiser.

    Raises KeyError for an unknown workload or framework, ValueError for a mode that the framework does not offer.
    """
    work = WORKLOADS[workload]
    if mode not in MODES[framework]:
        raise ValueError(f"{framework} has no mode {mode}; it has {', '.join(MODES[framework])}")
    engine = runtime(framework)
    twin = import_module(f"{work.package}_{_COLUMNS[framework][1]}")
    tensors = work.tensors(num_classes)
    if work.kind == "kernel":
        return engine.Kernel(engine.build(twin.build, dtype, work.facts), mode, dtype, tensors)
    return engine.Model(engine.build(twin.build, dtype, work.facts, num_classes), mode, dtype, tensors, optimizer)


@cache
def example(
    workload: str, purpose: str, image_size: int = 224, batch_size: int = 1, num_classes: int = 1000, seed: int = 0
) -> tuple[np.ndarray, ...]:
    """Seeded inputs, float64: "predict" -> (images,), "train" -> (images, labels); kernels: (x,), (x, cotangent).

    Random values: zeros would run faster than what users have.
    """
    facts = WORKLOADS[workload].facts
    generator = np.random.default_rng(seed)
    if isinstance(facts, Case):
        x = generator.standard_normal((facts.batch_size, facts.image_size, facts.image_size, facts.in_channels))
        shape = (facts.batch_size, *facts.output_size, facts.out_channels)
        return (x, generator.standard_normal(shape)) if purpose == "train" else (x,)
    images = generator.standard_normal((batch_size, image_size, image_size, 3))
    return (images, generator.integers(0, num_classes, batch_size)) if purpose == "train" else (images,)


def initial_weights(workload: str, num_classes: int = 1000, seed: int = 0) -> weights.Weights:
    """Canonical weights to start training from."""
    return weights.initial(WORKLOADS[workload].tensors(num_classes), seed)
