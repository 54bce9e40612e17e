"""What every kernel is compared with: its reference against SciPy or the definition, and against finite differences."""

from collections.abc import Callable
from importlib import import_module
from statistics import fmean, pvariance
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from scipy import ndimage, signal, special

from impls import kernels
from impls.kernels.activation import cases as activation
from impls.kernels.batch_norm import cases as batch_norm
from impls.kernels.conv_norm_activation import cases as conv_norm_activation
from impls.kernels.convolution import cases as convolution
from impls.kernels.convolution.cases import conv, depthwise, transposed
from impls.kernels.dense import cases as dense
from impls.kernels.join import cases as join
from impls.kernels.pooling import cases as pooling
from impls.kernels.upsample import cases as upsample

SMALL: dict[str, kernels.Case] = {
    "conv1d": conv(3, 4, 9, 4, 2, 1, rank=1, batch_size=2),
    "conv1d, dilated": conv(2, 3, 12, 3, padding=4, rank=1, dilation=4),
    "conv2d": conv(3, 4, 8, (3, 5), padding=(1, 2)),
    "conv2d, strided": conv(2, 4, 11, 5, (3, 2), 2),
    "conv2d, dilated": conv(3, 4, 12, 3, 2, 2, dilation=2),
    "conv2d, grouped": conv(6, 4, 7, 3, padding=1, groups=2, batch_size=2),
    "depthwise": depthwise(4, 7, 3, 2),
    "conv3d": conv(2, 3, (4, 5, 6), 3, (1, 2, 1), 1, rank=3),
    "transposed": transposed(3, 5, 6, 2),
    "transposed, overlapping": transposed(3, 2, 4, 4, 1),
    "dense": dense.Case(5, 3, 2),
    "maximum": pooling.Case("max", 2, 8, 3, 2, 1),
    "maximum, odd size": pooling.Case("max", 2, 7, 3, 2, 1),
    "maximum, even window": pooling.Case("max", 2, 7, 2, 2, batch_size=2),
    "average": pooling.Case("average", 2, 6, 3, 1, 1),
    "average, strided": pooling.Case("average", 2, 9, 5, 3),
    "global average": pooling.global_average(3, 4, 2),
    "batch norm, evaluation": batch_norm.Case(3, 4, training=False, epsilon=0.1),
    "batch norm, training": batch_norm.Case(3, 4, training=True, batch_size=2, epsilon=0.1),
    **{name: activation.Case(name, 6, 1 if name == "softmax" else 8, 2) for name in activation.OPERATIONS},
    "nearest": upsample.Case("nearest", 2, 3, 3),
    "bilinear": upsample.Case("bilinear", 2, 4),
    "bilinear, threefold": upsample.Case("bilinear", 1, 3, 3, 2),
    "sum": join.Case("add", 2, 3),
    "concatenation": join.Case("concat", 2, 3, 2),
    "block": conv_norm_activation.Case(conv(2, 3, 7, 3, 2, 1, batch_size=2), "hard_swish", epsilon=0.1),
    "block without activation": conv_norm_activation.Case(conv(2, 3, 5, 1), ""),
}


def reference(case: kernels.Case) -> ModuleType:
    """The reference that stands beside the case's class."""
    return import_module(f"{type(case).__module__.removesuffix('.cases')}.reference")


def arguments(case: kernels.Case) -> list[np.ndarray]:
    """Seeded inputs, spread beyond every kink, and weights."""
    return [*(3 * x for x in kernels.inputs(case, 0)), *kernels.weights(case, 0).values()]


# The definition, by another hand


def convolved(case: convolution.Case, x: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Each pair of channels by scipy.signal; a dilated kernel has zeros between its taps."""
    if case.transposed:
        return transposed_convolved(case, x, weight)
    spread = np.zeros((*weight.shape[:2], *((k - 1) * case.dilation + 1 for k in case.kernel_size)))
    spread[:, :, *(slice(None, None, case.dilation) for _ in case.kernel_size)] = weight
    padded, output = np.pad(x, ((0, 0), *((p, p) for p in case.padding), (0, 0))), np.zeros(case.output)
    for image, out in np.ndindex(case.batch_size, case.out_channels):
        first = out // (case.out_channels // case.groups) * weight.shape[1]
        for channel in range(weight.shape[1]):
            full = signal.correlate(padded[image, ..., first + channel], spread[out, channel], "valid", "direct")
            output[image, ..., out] += full[tuple(slice(None, None, stride) for stride in case.stride)]
    return output


def transposed_convolved(case: convolution.Case, x: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Zeros between the pixels, a full convolution, and the padding cut off."""
    output = np.zeros(case.output)
    spread = np.zeros([(size - 1) * stride + 1 for size, stride in zip(case.image_size, case.stride, strict=True)])
    inner = tuple(slice(p, p + size) for p, size in zip(case.padding, case.output_size, strict=True))
    for image, channel, out in np.ndindex(case.batch_size, case.in_channels, case.out_channels):
        spread[tuple(slice(None, None, stride) for stride in case.stride)] = x[image, ..., channel]
        output[image, ..., out] += signal.convolve(spread, weight[channel, out], "full", "direct")[inner]
    return output


def multiplied(_: dense.Case, x: np.ndarray, weight: np.ndarray) -> list[list[float]]:
    """Row by row, sum by sum."""
    return [[sum(a * b for a, b in zip(row, column, strict=True)) for column in weight] for row in x]


def pooled(case: pooling.Case, x: np.ndarray) -> np.ndarray:
    """SciPy's filters, around every pixel; then those windows that are wanted."""
    window = (1, case.kernel_size, case.kernel_size, 1)
    if case.kind == "global_average":
        return np.array([[fmean(image[..., channel].flat) for channel in range(case.channels)] for image in x])
    if case.kind == "max":
        filtered = ndimage.maximum_filter(x, window, mode="constant", cval=-np.inf)
    else:
        there = ndimage.uniform_filter(np.ones_like(x), window, mode="constant")
        filtered = ndimage.uniform_filter(x, window, mode="constant") / there
    centres = np.arange(case.output_size) * case.stride - case.padding + case.kernel_size // 2
    return filtered[:, centres][:, :, centres]


def normalised(case: batch_norm.Case, x: np.ndarray, weight: np.ndarray, bias: np.ndarray, *running: Any) -> np.ndarray:
    """Channel by channel."""
    output = np.empty_like(x)
    for channel in range(case.channels):
        values = x[..., channel]
        batch = fmean(values.flat), pvariance(values.ravel().tolist())
        mean, variance = batch if case.training else (statistic[channel] for statistic in running)
        output[..., channel] = weight[channel] * (values - mean) / (variance + case.epsilon) ** 0.5 + bias[channel]
    return output


ACTIVATIONS: dict[str, Callable[[np.ndarray], Any]] = {
    "sigmoid": special.expit,
    "relu": lambda x: (x + np.abs(x)) / 2,
    "tanh": lambda x: 2 * special.expit(2 * x) - 1,
    "leaky_relu": lambda x: np.maximum(x, np.float64(np.float32(0.1)) * x),
    "relu6": lambda x: np.interp(x, (0, 6), (0, 6)),
    "hard_sigmoid": lambda x: np.interp(x, (-3, 3), (0, 1)),
    "hard_swish": lambda x: np.piecewise(x, [x < -3, x > 3], [0, lambda x: x, lambda x: (x**2 + 3 * x) / 6]),
    "silu": lambda x: x * special.expit(x),
    "softmax": lambda x: special.softmax(x, axis=-1),
}


def block(case: conv_norm_activation.Case, x: np.ndarray, weight: np.ndarray, *norm: np.ndarray) -> np.ndarray:
    """The three by another hand, one behind the other."""
    output = normalised(case.norm, convolved(case.convolution, x, weight), *norm)
    return ACTIVATIONS[case.activation](output) if case.activation else output


def upsampled(case: upsample.Case, x: np.ndarray) -> np.ndarray:
    """Repeated by a Kronecker product, or SciPy's zoom from centre to centre."""
    factors = (1, case.factor, case.factor, 1)
    if case.kind == "nearest":
        return np.kron(x, np.ones(factors))
    return ndimage.zoom(x, factors, order=1, mode="nearest", grid_mode=True)


DEFINITIONS: dict[type, Callable[..., Any]] = {
    convolution.Case: convolved,
    dense.Case: multiplied,
    pooling.Case: pooled,
    batch_norm.Case: normalised,
    activation.Case: lambda case, x: ACTIVATIONS[case.name](x),
    upsample.Case: upsampled,
    join.Case: lambda case, x, y: np.sum((x, y), axis=0) if case.kind == "add" else np.block([x, y]),
    conv_norm_activation.Case: block,
}


@pytest.mark.parametrize("name", SMALL)
def test_forward_is_the_definition(name: str) -> None:
    case = SMALL[name]
    given = arguments(case)
    output = reference(case).forward(case, *given)
    assert output.shape == case.output
    assert np.abs(output - DEFINITIONS[type(case)](case, *given)).max() < 1e-12


@pytest.mark.parametrize("name", SMALL)
def test_gradients_are_finite_differences(name: str) -> None:
    case, step = SMALL[name], 1e-6
    given, cotangent, generator = arguments(case), kernels.cotangent(case, 0), np.random.default_rng(1)

    def loss(position: int, moved: np.ndarray) -> float:
        return np.sum(reference(case).forward(case, *given[:position], moved, *given[position + 1 :]) * cotangent)

    gradients = reference(case).backward(case, *given, cotangent)
    trainable = [tensor.trainable for tensor in case.weights.values()]
    assert [gradient is not None for gradient in gradients] == [True for _ in case.inputs] + trainable
    for position, (value, gradient) in enumerate(zip(given, gradients, strict=True)):
        if gradient is None:
            continue
        assert gradient.shape == value.shape
        for direction in generator.standard_normal((5, *value.shape)):
            change = loss(position, value + step * direction) - loss(position, value - step * direction)
            assert np.sum(gradient * direction) == pytest.approx(change / (2 * step), rel=1e-6, abs=1e-7)


@pytest.mark.parametrize("name", SMALL)
def test_a_case_says_whether_its_gradient_reads_the_input(name: str) -> None:
    case, inputs = SMALL[name], len(SMALL[name].inputs)
    given, cotangent = arguments(case), kernels.cotangent(case, 0)
    others = [*(1.5 * np.roll(x, 1) for x in given[:inputs]), *given[inputs:]]
    found, other = (reference(case).backward(case, *one, cotangent)[:inputs] for one in (given, others))
    assert any(not np.array_equal(*pair) for pair in zip(found, other, strict=True)) == case.gradient_reads_input


# Facts


def test_work_by_hand() -> None:
    assert conv(3, 96, 227, 11, 4).macs == 55 * 55 * 96 * 3 * 11 * 11
    assert depthwise(144, 56, 3).macs == 56 * 56 * 144 * 9
    assert transposed(128, 64, 28, 2).macs == 28 * 28 * 128 * 64 * 4
    assert conv(2, 3, (4, 5, 6), 3, padding=1, rank=3, batch_size=2).macs == 2 * 4 * 5 * 6 * 2 * 3 * 27
    assert (dense.Case(20, 10, 3).macs, dense.Case(20, 10, 3).operations) == (600, 1200)
    assert pooling.Case("max", 2, 8, 3, 2, 1).operations == 4 * 4 * 2 * 9
    assert pooling.global_average(3, 4).operations == 3 * 17
    assert batch_norm.Case(3, 4, training=False).operations == 96
    assert batch_norm.Case(3, 4, training=True, batch_size=2).operations == 2 * 48 * 7
    assert upsample.Case("bilinear", 2, 4).operations == 8 * 8 * 2 * 8
    assert [join.Case(kind, 2, 3).operations for kind in ("add", "concat")] == [18, 0]
    case = conv_norm_activation.Case(conv(2, 3, 5, 1), "relu")
    assert (case.macs, case.operations) == (150, 300 + 2 * 75 + 75)
    assert set(activation.OPERATIONS) == set(ACTIVATIONS)


NAMED = {
    module.__name__.split(".")[-2]: module.CASES
    for module in (dense, pooling, batch_norm, activation, upsample, join, conv_norm_activation)
}


@pytest.mark.parametrize("folder", NAMED)
def test_a_named_case_begins_with_its_kernel(folder: str) -> None:
    for name, case in NAMED[folder].items():
        assert name.startswith(f"{case.kernel}-")


def test_there_is_a_maximum_that_the_same_padding_of_others_would_change() -> None:
    """Their SAME pads what is missing, and an odd pixel behind the image only."""
    differing = set()
    for name, case in pooling.CASES.items():
        missing = (-(-case.image_size // case.stride) - 1) * case.stride + case.kernel_size - case.image_size
        if case.kind == "max" and case.padding and (missing // 2, missing - missing // 2) != (case.padding,) * 2:
            differing.add(name)
    assert differing == {"max_pool2d-3x3-stride2"}


# What cannot be

IMPOSSIBLE = {
    "groups do not divide": lambda: conv(3, 4, 8, 3, groups=2),
    "no output is left": lambda: conv(3, 4, 2, 3),
    "stride must be at least 1": lambda: conv(3, 4, 8, 3, 0),
    "padded by half of kernel_size - stride": lambda: transposed(3, 4, 8, 4, 2),
    "in_features must be at least 1, not 0": lambda: dense.Case(0, 4),
    "kind must be one of max, average, global_average, not min": lambda: pooling.Case("min", 2, 8, 3),
    "stride must be at least 1, not 0": lambda: pooling.Case("max", 2, 8, 3, 0),
    "padding must be from 0 to half of kernel_size, not 2": lambda: pooling.Case("max", 2, 8, 3, 1, 2),
    "a window of 9 does not fit into 8": lambda: pooling.Case("max", 2, 8, 9),
    "an average is padded at stride 1": lambda: pooling.Case("average", 2, 8, 3, 2, 1),
    "by half of an odd kernel_size here": lambda: pooling.Case("average", 2, 8, 2, 1, 1),
    "has the kernel_size of the image": lambda: pooling.Case("global_average", 2, 8, 7),
    "epsilon must be positive, not 0": lambda: batch_norm.Case(2, 4, training=False, epsilon=0),
    "more than one value a channel": lambda: batch_norm.Case(2, 1, training=True),
    "channels must be at least 1, not -1": lambda: activation.Case("relu", -1),
    "name must be one of .*, not gelu": lambda: activation.Case("gelu", 2),
    "image_size must be 1, not 8": lambda: activation.Case("softmax", 2, 8),
    "kind must be one of nearest, bilinear, not cubic": lambda: upsample.Case("cubic", 2, 4),
    "factor must be at least 2, not 1": lambda: upsample.Case("nearest", 2, 4, 1),
    "kind must be one of add, concat, not multiply": lambda: join.Case("multiply", 2, 4),
    "must be a square image": lambda: conv_norm_activation.Case(conv(2, 3, (5, 6), 1), "relu"),
    "of images, not softmax": lambda: conv_norm_activation.Case(conv(2, 3, 5, 1), "softmax"),
    "name must be one of .*, not swish": lambda: conv_norm_activation.Case(conv(2, 3, 5, 1), "swish"),
}


@pytest.mark.parametrize("reason", IMPOSSIBLE)
def test_what_cannot_be_is_refused_by_name(reason: str) -> None:
    with pytest.raises(ValueError, match=reason) as refused:
        IMPOSSIBLE[reason]()
    assert "\n" not in str(refused.value)
