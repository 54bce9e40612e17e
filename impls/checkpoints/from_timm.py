"""timm's state dicts, .pth or .safetensors: mobilenetv1_100, and ResNets laid out as torchvision's."""

from collections.abc import Sequence
from pathlib import Path

from impls import Workload
from impls.checkpoints import state_dict
from impls.checkpoints.from_torchvision import resnet
from impls.checkpoints.source import Arrays, Names, Pairs, Source
from impls.layers import Layer

# Blocks of the same width stand in one stage.
REPEATS = (1, 2, 2, 6, 2)


def mobilenet_v1(layers: Sequence[Layer]) -> Pairs:
    """block3.depthwise is blocks.1.1.conv_dw with blocks.1.1.bn1."""
    places = [f"blocks.{stage}.{block}" for stage, repeats in enumerate(REPEATS) for block in range(repeats)]
    for layer in layers:
        if layer.name == "stem":
            yield "conv_stem", "bn1"
        elif layer.name == "classifier":
            yield "classifier", ""
        else:
            block, part = layer.name.split(".")
            prefix = places[int(block.removeprefix("block")) - 1]
            yield (
                (f"{prefix}.conv_dw", f"{prefix}.bn1")
                if part == "depthwise"
                else (f"{prefix}.conv_pw", f"{prefix}.bn2")
            )


MODELS = {
    "mobilenet_v1": mobilenet_v1,
    **dict.fromkeys(("resnet18", "resnet34", "resnet50", "resnet101", "resnet152"), resnet),
}


def read(path: Path, work: Workload, width: float) -> tuple[Arrays, Names]:
    """The file's tensors and the names of ours."""
    layers = work.layers(width=width)
    return state_dict.read(path, layers, MODELS[work.name](layers))


SOURCE = Source(tuple(MODELS), read)
