"""torchvision's and timm's models."""

from importlib import import_module
from typing import Any

import torch
from torch import nn

LIBRARIES: list[torch.library.Library] = []  # an operator lasts as long as someone holds its library


def build(public: tuple[str, str], num_classes: int, image_size: int) -> nn.Module:  # noqa: ARG001
    """The public model, which gives logits; where one has dropout it is off, as it is in ours."""
    package, name = public
    torchvision = import_torchvision()
    if package == "timm":
        return import_module("timm").create_model(name, num_classes=num_classes)
    models = torchvision.models
    options = {"init_weights": False, "aux_logits": True} if name == "inception_v3" else {}
    found = getattr(models, name)(weights=None, num_classes=num_classes, **options)
    for module in found.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
    return found


def import_torchvision() -> Any:
    """torchvision, also beside a PyTorch that its compiled part was not built for, as PyPI's is beside the CPU build.

    It fails to be imported without that part's operators. No model here calls them: their names are enough.
    """
    try:
        return import_module("torchvision")
    except RuntimeError:
        library = torch.library.Library("torchvision", "DEF")
        for name in ("nms", "qnms"):
            library.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        LIBRARIES.append(library)
        return import_module("torchvision")
