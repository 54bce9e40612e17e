"""torchvision beside a build of PyTorch that its own compiled half does not fit, as PyPI's does beside the CPU build.

`from torchvision_shim import torchvision`: the models run, and operations on boxes for which Python suffices.
"""

import torch

try:
    import torchvision
except RuntimeError:  # operator torchvision::nms does not exist
    library = torch.library.Library("torchvision", "DEF")
    for name in ("nms", "qnms"):
        library.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")

    def nms(boxes: torch.Tensor, scores: torch.Tensor, iou_threshold: float) -> torch.Tensor:
        """Indices of the boxes that no better-scored kept box overlaps by more, best first."""
        areas = (boxes[:, 2:] - boxes[:, :2]).prod(dim=1)
        order, kept = scores.argsort(descending=True, stable=True), []
        while len(order):
            best, order = order[0], order[1:]
            kept.append(best)
            low, high = (
                torch.maximum(boxes[best, :2], boxes[order, :2]),
                torch.minimum(boxes[best, 2:], boxes[order, 2:]),
            )
            common = (high - low).clamp(min=0).prod(dim=1)
            order = order[common / (areas[best] + areas[order] - common) <= iou_threshold]
        return torch.stack(kept) if kept else torch.empty(0, dtype=torch.int64)

    library.impl("nms", nms, "CPU")
    import torchvision

    torchvision.extension._has_ops = lambda: True  # nms asks it; RoI align asked before, and has its Python instead

__all__ = ["torchvision"]
