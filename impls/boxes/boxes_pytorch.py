"""Decoding and non-maximum suppression in PyTorch. README.md and reference.py define both."""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.functional import pad

from impls.boxes import EMPTY, Anchors, Detections, Settings


def decode(heads: Sequence[Tensor], anchors: Anchors, image_size: int) -> tuple[Tensor, Tensor]:
    """Heads (N, anchors * (5 + classes), h, w) -> boxes (N, boxes, 4) in pixels, scores (N, boxes, classes)."""
    decoded = [decode_head(head, priors, image_size) for head, priors in zip(heads, anchors, strict=True)]
    return torch.cat([boxes for boxes, _ in decoded], 1), torch.cat([scores for _, scores in decoded], 1)


def decode_head(head: Tensor, priors: Sequence[tuple[float, float]], image_size: int) -> tuple[Tensor, Tensor]:
    """One head (Redmon & Farhadi 2018, section 2.1), in the order of rows, columns, anchors."""
    if head.dtype == torch.bfloat16:  # 8 bits are too few for a place in an image
        head = head.float()
    height, width = head.shape[2:]
    t = head.unflatten(1, (len(priors), -1)).permute(0, 3, 4, 1, 2)  # (N, h, w, anchors, 5 + classes)
    columns = torch.arange(width, dtype=head.dtype, device=head.device)[:, None]
    rows = torch.arange(height, dtype=head.dtype, device=head.device)[:, None, None]
    sizes = torch.tensor(priors, dtype=head.dtype, device=head.device)
    centre_x = (t[..., 0].sigmoid() + columns) * (image_size / width)
    centre_y = (t[..., 1].sigmoid() + rows) * (image_size / height)
    half_width = sizes[:, 0] * t[..., 2].exp() / 2
    half_height = sizes[:, 1] * t[..., 3].exp() / 2
    corners = centre_x - half_width, centre_y - half_height, centre_x + half_width, centre_y + half_height
    scores = t[..., 4:5].sigmoid() * t[..., 5:].sigmoid()
    return torch.stack(corners, -1).flatten(1, 3), scores.flatten(1, 3)


def suppress(boxes: Tensor, scores: Tensor, settings: Settings) -> Detections:
    """Boxes (B, 4), scores (B, classes) -> what is kept, class by class, by greedy non-maximum suppression."""
    boxes, scores, labels = candidates(boxes, scores, settings)
    return padded(boxes, scores, labels, greedy(boxes, labels, settings), settings)


def candidates(boxes: Tensor, scores: Tensor, settings: Settings) -> tuple[Tensor, Tensor, Tensor]:
    """Boxes, scores and labels of the best, in order: as many as there are."""
    valid = (scores > settings.score_threshold) & boxes.isfinite().all(1, keepdim=True)
    box, label = valid.nonzero(as_tuple=True)
    scores = scores[box, label]
    if len(scores) > settings.max_candidates:  # fewer to sort; topk alone would order equal scores as it likes
        enough = scores >= scores.topk(settings.max_candidates).values[-1]
        box, label, scores = box[enough], label[enough], scores[enough]
    order = label.argsort(stable=True)  # by label, then by box: what the next one leaves among equal scores
    order = order[scores[order].argsort(stable=True, descending=True)][: settings.max_candidates]
    return boxes[box[order]], scores[order], label[order].int()


def greedy(boxes: Tensor, labels: Tensor, settings: Settings) -> Tensor:
    """Which candidates are kept, (K,).

    All at once and repeated, instead of one after another: a candidate stays if none of those that stayed in the
    last round, stand before it and have its label overlaps it. After round k the first k are right, so what no
    longer changes is the greedy choice; that takes as many rounds as the longest chain of suppressions (Zheng et al.
    2020, "Enhancing Geometric Factors in Model Learning and Inference for Object Detection and Instance
    Segmentation", section 3.3).
    """
    overlaps = (labels[:, None] == labels) & (iou(boxes) > settings.iou_threshold)
    overlaps = overlaps.triu(1)  # [i, j]: i stands before j
    valid = labels != EMPTY
    kept, before = valid, ~valid
    while not torch.equal(kept, before):
        kept, before = valid & ~(overlaps & kept[:, None]).any(0), kept
    return kept


def iou(boxes: Tensor) -> Tensor:
    """Intersection over union of each of (K, 4) with each -> (K, K); 0 for what has no area."""
    left, top, right, bottom = boxes.T
    intersection = area(
        torch.minimum(right[:, None], right) - torch.maximum(left[:, None], left),
        torch.minimum(bottom[:, None], bottom) - torch.maximum(top[:, None], top),
    )
    areas = area(right - left, bottom - top)
    union = areas[:, None] + areas - intersection
    return intersection / torch.where(intersection > 0, union, 1)


def area(width: Tensor, height: Tensor) -> Tensor:
    """Area of rectangles; 0 if a side is not positive.

    The choice stands between the product and the sum that it goes into: a compiler that made one fused operation of
    them would round otherwise.
    """
    return torch.where((width > 0) & (height > 0), width * height, 0)


def padded(boxes: Tensor, scores: Tensor, labels: Tensor, kept: Tensor, settings: Settings) -> Detections:
    """The first max_detections that are kept, and empty rows behind them."""
    first = kept.nonzero().squeeze(1)[: settings.max_detections]
    empty = settings.max_detections - len(first)
    count = torch.tensor(len(first), dtype=torch.int32, device=boxes.device)
    return Detections(
        pad(boxes[first], (0, 0, 0, empty)),
        pad(scores[first], (0, empty)),
        pad(labels[first], (0, empty), value=EMPTY),
        count,
    )


def detect(heads: Sequence[Tensor], anchors: Anchors, image_size: int, settings: Settings) -> Detections:
    """What is found in each image of a batch."""
    boxes, scores = decode(heads, anchors, image_size)
    images = [suppress(*image, settings) for image in zip(boxes, scores, strict=True)]
    return Detections(*(torch.stack(part) for part in zip(*images, strict=True)))
