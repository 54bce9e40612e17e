"""Every case of every kernel by name: the literature's, the models' own layers, DeepBench's, and sweeps."""

from collections import Counter
from collections.abc import Iterable, Mapping
from functools import cache

from impls.kernels import Case
from impls.kernels.activation.cases import CASES as ACTIVATION
from impls.kernels.batch_norm.cases import CASES as BATCH_NORM
from impls.kernels.conv_norm_activation.cases import CASES as CONV_NORM_ACTIVATION
from impls.kernels.conv_norm_activation.cases import Case as ConvNormActivation
from impls.kernels.convolution import cases as convolution
from impls.kernels.convolution import deepbench, sweeps
from impls.kernels.convolution.literature import CASES as LITERATURE
from impls.kernels.dense import cases as dense
from impls.kernels.join.cases import CASES as JOIN
from impls.kernels.pooling.cases import CASES as POOLING
from impls.kernels.upsample.cases import CASES as UPSAMPLE
from impls.layers import Layer

# The cases that have a name of their own.
NAMED: Mapping[str, Case] = {
    **LITERATURE,
    **dense.CASES,
    **POOLING,
    **BATCH_NORM,
    **ACTIVATION,
    **UPSAMPLE,
    **JOIN,
    **CONV_NORM_ACTIVATION,
}


def catalogue(models: Iterable[Iterable[Layer]]) -> dict[str, Case]:
    """Every case once: the named ones, then the distinct layers of these models, DeepBench's lists and the sweeps."""
    names = {case: name for name, case in NAMED.items()}
    layers = (of_layer(layer) for model in models for layer in model)
    for case in (*layers, *deepbench.cases(), *sweeps.cases()):
        names.setdefault(case, shape_name(case))
    return {name: case for case, name in names.items()}


def package(case: Case) -> str:
    """Where a case's twins live."""
    folder = type(case).__module__.split(".")[-2]
    return f"impls.kernels.{folder}.{folder}"


@cache
def of_layer(layer: Layer, batch_size: int = 1) -> convolution.Case | dense.Case:
    """The kernel that a layer is, without its bias, batch norm and activation."""
    if layer.kind == "dense":
        return dense.Case(layer.in_channels, layer.out_channels, batch_size)
    paddings = [size // 2 if layer.padding is None else layer.padding for size in layer.kernel_size]
    if layer.kind == "transposed":
        paddings = [0, 0]
    return convolution.Case(
        layer.in_channels,
        layer.out_channels,
        (layer.image_size, layer.image_size),
        layer.kernel_size,
        (layer.stride, layer.stride),
        (paddings[0], paddings[1]),
        groups=layer.groups,
        transposed=layer.kind == "transposed",
        batch_size=batch_size,
    )


@cache
def of_layer_with_norm(layer: Layer, batch_size: int = 1) -> Case:
    """The kernel that a layer is in evaluation mode, with its batch norm and the activation behind it."""
    case = of_layer(layer, batch_size)
    if not layer.norm or isinstance(case, dense.Case):
        return case
    return ConvNormActivation(case, layer.activation)


def of_model(layers: Iterable[Layer], batch_size: int = 1) -> Counter[Case]:
    """The kernels that a model is made of in evaluation mode -> how many of its layers each is."""
    return Counter(of_layer(layer, batch_size) for layer in layers if not layer.in_training_only)


def shape_name(case: convolution.Case | dense.Case) -> str:
    """As in "conv2d-64to128-56px-3x3-stride2": all that is not the default, which is stride 1 and half the kernel."""
    if isinstance(case, dense.Case):
        parts = [f"{case.in_features}to{case.out_features}"]
    else:
        parts = [f"{case.in_channels}to{case.out_channels}", f"{_by(case.image_size)}px", _sides(case.kernel_size)]
        if set(case.stride) != {1}:
            parts.append(f"stride{_by(case.stride)}")
        if case.padding != tuple(size // 2 for size in case.kernel_size):
            parts.append(f"pad{_by(case.padding)}")
        if case.dilation > 1:
            parts.append(f"dilation{case.dilation}")
        if case.groups > 1 and not case.depthwise:
            parts.append(f"groups{case.groups}")
    if case.batch_size > 1:
        parts.append(f"batch{case.batch_size}")
    return "-".join([case.kernel, *parts])


def title(name: str, case: Case) -> str:
    """As a reader knows it: the kernel and its shape, or what its name says."""
    if isinstance(case, convolution.Case | dense.Case):
        name = shape_name(case)
    return name.replace("-", " ")


def group(case: Case) -> str:
    """The kind of shape that a case is of, for tables that ask which shape favours whom."""
    if not isinstance(case, convolution.Case):
        return GROUPS.get(case.kernel, "activation")
    if case.kernel in ("conv1d", "conv3d", "conv_transpose2d"):
        return {"conv1d": "1-D", "conv3d": "3-D"}.get(case.kernel, "transposed")
    for kind, is_so in (
        ("depthwise", case.depthwise),
        ("grouped", case.groups > 1),
        ("dilated", case.dilation > 1),
        ("strided", max(case.stride) > 1),
    ):
        if is_so:
            return kind
    if len(set(case.kernel_size)) > 1:
        return "1xn and nx1"
    return {1: "1x1", 3: "3x3"}.get(case.kernel_size[0], "5x5 and larger")


GROUPS = {
    "dense": "dense",
    "max_pool2d": "pooling",
    "average_pool2d": "pooling",
    "global_average_pool2d": "pooling",
    "batch_norm_eval": "normalisation",
    "batch_norm_training": "normalisation",
    "upsample_nearest": "memory movement",
    "upsample_bilinear": "memory movement",
    "residual_add": "memory movement",
    "concat": "memory movement",
    "conv_norm_activation": "fused",
}


def _by(sizes: tuple[int, ...]) -> str:
    """One number where all are the same."""
    return str(sizes[0]) if len(set(sizes)) == 1 else _sides(sizes)


def _sides(sizes: tuple[int, ...]) -> str:
    return "x".join(map(str, sizes))
