"""Seeded NumPy weights under canonical names, and the layouts that the frameworks want them in."""

from collections.abc import Mapping
from zlib import crc32

import numpy as np

from impls.layers import Tensor

Weights = dict[str, np.ndarray]

# The last batch norm of what a shortcut is added to, or of the shortcut.
ENDS_OF_BRANCHES = tuple(f"{layer}.norm.weight" for layer in ("expand", "second", "project", "restore", "shortcut"))

# What gives the logits.
LAST = ("classifier.weight", "classifier.conv.weight", "output.conv.weight")


def to_channels_last(array: np.ndarray, kind: str) -> np.ndarray:
    """A canonical weight in the layout of TensorFlow and Keras."""
    return np.ascontiguousarray(np.transpose(array, channels_last(kind, array.ndim)))


def from_channels_last(array: np.ndarray, kind: str) -> np.ndarray:
    """A weight of TensorFlow or Keras in the canonical layout."""
    return np.transpose(array, np.argsort(channels_last(kind, array.ndim)))


def channels_last(kind: str, rank: int) -> tuple[int, ...]:
    """Where each axis comes from: OIHW -> HWIO, IOHW -> HWOI, (C, 1, H, W) -> (H, W, C, 1), (out, in) -> (in, out)."""
    if kind == "vector":
        return (0,)
    return (*range(2, rank), *((0, 1) if kind == "depthwise" else (1, 0)))


def initial(tensors: Mapping[str, Tensor], seed: int) -> Weights:
    """Weights to start training from.

    He normal, fan out, for convolutions (He et al. 2015, section 2.2); normal(0, 0.01) for dense layers and for what
    gives the logits; batch norm as the identity, but zero for the last scale of each of ResNet's blocks (Goyal et al.
    2017, section 5.1).
    """
    return {name: _initial(name, tensor, _generator(name, seed)) for name, tensor in tensors.items()}


def perturbed(tensors: Mapping[str, Tensor], seed: int) -> Weights:
    """Weights to prove equality with: like `initial`, but no scale, shift or statistic is at a special value.

    A batch norm that is the identity would hide a swapped mean and bias, a zero scale a whole residual branch. The
    shifts keep most activations two standard deviations from a ReLU's kink: in training mode few change sides by
    rounding (each one that does is a jump in the gradient), while in evaluation mode, whose statistics differ, many
    are cut off. Branches that are added up shift less, lest their sum's mean drown its spread. Small logits keep the
    softmax from multiplying rounding errors, and biases smaller still leave the logits to what the images say.
    """
    weights = initial(tensors, seed)
    for name, weight in weights.items():
        generator = _generator(name, seed + 1)
        if name.endswith("norm.weight"):
            weights[name] = generator.uniform(0.5, 1.0, weight.shape)
            deviations = 0.6 if name.endswith(ENDS_OF_BRANCHES) else 2.0
            shift = name.removesuffix("weight") + "bias"
            weights[shift] = weights[name] * generator.uniform(0.9, 1.1, weight.shape) * deviations
        elif name.endswith("running_mean"):
            weights[name] = generator.normal(0.0, 0.1, weight.shape)
        elif name.endswith("running_var"):
            weights[name] = generator.uniform(0.5, 1.5, weight.shape)
        elif name.endswith(LAST):
            weights[name] = np.multiply(weight, 0.1)
        elif tensors[name].kind == "dense":
            weights[name] = generator.normal(0.0, np.sqrt(2.0 / weight.shape[1]), weight.shape)
        elif name.endswith(".bias") and not name.endswith("norm.bias"):
            weights[name] = generator.normal(0.0, 0.03, weight.shape)
    return weights


def _initial(name: str, tensor: Tensor, generator: np.random.Generator) -> np.ndarray:
    if tensor.kind == "dense" or name.endswith(LAST):
        return generator.normal(0.0, 0.01, tensor.shape)
    if tensor.kind != "vector":
        outputs = tensor.shape[1] if tensor.kind == "transposed" else tensor.shape[0]
        if tensor.kind == "depthwise":
            outputs = 1
        fan_out = outputs * tensor.shape[2] * tensor.shape[3]
        return generator.normal(0.0, np.sqrt(2.0 / fan_out), tensor.shape)
    # Not the last scale of MobileNetV2's blocks: most of them have no shortcut, and nothing would pass.
    last_of_branch = name.endswith(("expand.norm.weight", "second.norm.weight"))
    if name.endswith("running_var") or (name.endswith("norm.weight") and not last_of_branch):
        return np.ones(tensor.shape)
    return np.zeros(tensor.shape)


def _generator(name: str, seed: int) -> np.random.Generator:
    # One stream per name: adding a layer leaves all other weights as they were.
    return np.random.default_rng([seed, crc32(name.encode())])
