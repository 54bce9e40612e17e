"""torchvision's state dicts, as its `weights=` publishes them or `torch.save(model.state_dict(), path)` writes them."""

from collections.abc import Sequence
from pathlib import Path

from impls import Workload
from impls.checkpoints import state_dict
from impls.checkpoints.source import Arrays, Names, Pairs, Source
from impls.layers import Layer

INCEPTION_STEM = ("Conv2d_1a_3x3", "Conv2d_2a_3x3", "Conv2d_2b_3x3", "Conv2d_3b_1x1", "Conv2d_4a_3x3")
INCEPTION_BLOCKS = {
    **dict.fromkeys(("Mixed_5b", "Mixed_5c", "Mixed_5d"), "a"),
    "Mixed_6a": "b",
    **dict.fromkeys(("Mixed_6b", "Mixed_6c", "Mixed_6d", "Mixed_6e"), "c"),
    "Mixed_7a": "d",
    **dict.fromkeys(("Mixed_7b", "Mixed_7c"), "e"),
}
INCEPTION_BRANCHES = {
    "a": ("branch1x1", "branch5x5_1", "branch5x5_2", *(f"branch3x3dbl_{n}" for n in (1, 2, 3)), "branch_pool"),
    "b": ("branch3x3", *(f"branch3x3dbl_{n}" for n in (1, 2, 3))),
    "c": (
        "branch1x1",
        *(f"branch7x7_{n}" for n in (1, 2, 3)),
        *(f"branch7x7dbl_{n}" for n in range(1, 6)),
        "branch_pool",
    ),
    "d": ("branch3x3_1", "branch3x3_2", *(f"branch7x7x3_{n}" for n in (1, 2, 3, 4))),
    "e": (
        "branch1x1",
        *(f"branch3x3_{n}" for n in ("1", "2a", "2b")),
        *(f"branch3x3dbl_{n}" for n in ("1", "2", "3a", "3b")),
        "branch_pool",
    ),
}


def resnet(layers: Sequence[Layer]) -> Pairs:
    """stage2.block1.reduce is layer2.0.conv1 with layer2.0.bn1."""
    number = {"reduce": 1, "spatial": 2, "expand": 3, "first": 1, "second": 2}
    for layer in layers:
        if layer.name == "stem":
            yield "conv1", "bn1"
        elif layer.name == "classifier":
            yield "fc", ""
        else:
            stage, block, part = layer.name.split(".")
            prefix = f"layer{stage.removeprefix('stage')}.{int(block.removeprefix('block')) - 1}"
            if part == "shortcut":
                yield f"{prefix}.downsample.0", f"{prefix}.downsample.1"
            else:
                yield f"{prefix}.conv{number[part]}", f"{prefix}.bn{number[part]}"


def mobilenet_v2(layers: Sequence[Layer]) -> Pairs:
    """A block is features.N.conv: convolution, norm and activation are a list of their own in all but its last part."""
    blocks = blocks_of(layers)
    for layer in layers:
        block, _, part = layer.name.rpartition(".")
        if layer.name == "stem":
            yield "features.0.0", "features.0.1"
        elif layer.name == "head":
            yield f"features.{len(blocks) + 1}.0", f"features.{len(blocks) + 1}.1"
        elif layer.name == "classifier":
            yield "classifier.1", ""
        else:
            prefix = f"features.{list(blocks).index(block) + 1}.conv"
            place = blocks[block].index(part)
            last = part == "project"
            yield (
                (f"{prefix}.{place}", f"{prefix}.{place + 1}")
                if last
                else (
                    f"{prefix}.{place}.0",
                    f"{prefix}.{place}.1",
                )
            )


def mobilenet_v3(layers: Sequence[Layer]) -> Pairs:
    """A block is features.N.block; its squeeze-and-excite is one part of it."""
    blocks = blocks_of(layers)
    for layer in layers:
        if layer.name == "stem":
            yield "features.0.0", "features.0.1"
        elif layer.name == "head":
            yield f"features.{len(blocks) + 1}.0", f"features.{len(blocks) + 1}.1"
        elif layer.name == "penultimate":
            yield "classifier.0", ""
        elif layer.name == "classifier":
            yield "classifier.3", ""
        else:
            block, part, *inside = layer.name.removeprefix("blocks.").split(".")
            prefix = f"features.{int(block) + 1}.block.{blocks[f'blocks.{block}'].index(part)}"
            if inside:
                yield f"{prefix}.fc1" if inside == ["reduce"] else f"{prefix}.fc2", ""
            else:
                yield f"{prefix}.0", f"{prefix}.1"


def inception_v3(layers: Sequence[Layer]) -> Pairs:
    """The same convolutions in the same order; the auxiliary head, where ours has one, stands behind Mixed_6e."""
    branches = [f"{block}.{branch}" for block, kind in INCEPTION_BLOCKS.items() for branch in INCEPTION_BRANCHES[kind]]
    if any(layer.name.startswith("auxiliary") for layer in layers):
        place = branches.index("Mixed_7a.branch3x3_1")
        branches[place:place] = ["AuxLogits.conv0", "AuxLogits.conv1", "AuxLogits.fc"]
    for layer, name in zip(layers, [*INCEPTION_STEM, *branches, "fc"], strict=True):
        yield (f"{name}.conv", f"{name}.bn") if layer.norm else (name, "")


def blocks_of(layers: Sequence[Layer]) -> dict[str, list[str]]:
    """Blocks (stage2.block1, blocks.0) -> their parts, in order."""
    found: dict[str, list[str]] = {}
    for layer in layers:
        if "." in layer.name:
            first, second, *rest = layer.name.split(".")
            parts = found.setdefault(f"{first}.{second}", [])
            if rest[0] not in parts:
                parts.append(rest[0])
    return found


MODELS = {
    **dict.fromkeys(("resnet18", "resnet34", "resnet50", "resnet101", "resnet152"), resnet),
    **dict.fromkeys(("inception_v3", "inception_v3_aux"), inception_v3),
    "mobilenet_v2": mobilenet_v2,
    "mobilenet_v3_small": mobilenet_v3,
    "mobilenet_v3_large": mobilenet_v3,
}


def read(path: Path, work: Workload, width: float) -> tuple[Arrays, Names]:
    """The file's tensors and the names of ours."""
    layers = work.layers(width=width)
    arrays, names = state_dict.read(path, layers, MODELS[work.name](layers))
    if work.name == "inception_v3":  # the published file has the auxiliary head, which serves training only
        arrays = {name: array for name, array in arrays.items() if not name.startswith("AuxLogits.")}
    return arrays, names


SOURCE = Source(tuple(MODELS), read)
