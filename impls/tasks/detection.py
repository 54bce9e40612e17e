"""Detection: what YOLOv3's heads are to say, as arrays of their own shape (Redmon & Farhadi 2018, sections 2.1, 2.2).

The loss that compares the two (`detection` in impls/frameworks/losses_*.py) is a sum over all cells, anchors and
heads, divided by the batch size, of

- where the objectness is 1: the binary cross-entropy of x and y, half the squared error of w and h, and the binary
  cross-entropy of each class;
- where it is 1 or 0: the binary cross-entropy of the objectness.

Its gradient by any value that comes out is prediction - target, with the sigmoid where there is one. That is what the
paper states ("our gradient is the ground truth value minus our prediction") and what darknet applies to x and y too,
where a squared error of the sigmoids would lose the gradient of what is most wrong. Darknet multiplies the error of a
box by 2 - its share of the image, and ignores by the predicted box, not by the anchor: both are not in the paper.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

ANCHORS_PER_HEAD = 3
IGNORED_ABOVE = 0.5  # IoU
OBJECTS = 2  # that each head finds in an example image


def encode(
    boxes: Sequence[np.ndarray] | np.ndarray,
    labels: Sequence[np.ndarray] | np.ndarray,
    anchors: Sequence[Sequence[tuple[int, int]]],
    strides: Sequence[int],
    image_size: int,
    num_classes: int,
) -> tuple[np.ndarray, ...]:
    """Boxes of each image -> of each head, (N, h, w, anchors * (5 + num_classes)).

    boxes: of each image (boxes, 4), x_min, y_min, x_max, y_max in pixels. labels: of each image (boxes,).
    anchors: of each head, width and height in pixels. strides: of each head, pixels of a cell's side.

    A box belongs to the cell with its centre and, over all heads, to the anchor of the best IoU, both centred on one
    point. There stand: x and y in the cell, 0 to 1; log(width / anchor's width), log(height / anchor's height);
    1 for the objectness; the class, one-hot. Another anchor of its cell whose IoU is above IGNORED_ABOVE has the
    objectness -1: it is not held against it. Everything else is 0. Of two boxes with one place the later stays.
    """
    heads = [
        np.zeros((len(boxes), image_size // stride, image_size // stride, len(priors), 5 + num_classes))
        for stride, priors in zip(strides, anchors, strict=True)
    ]
    for image, (image_boxes, image_labels) in enumerate(zip(boxes, labels, strict=True)):
        for box, label in zip(image_boxes, image_labels, strict=True):
            centre, size = (box[:2] + box[2:]) / 2, box[2:] - box[:2]
            overlaps = [iou_of_sizes(size, np.array(priors)) for priors in anchors]
            best = max(overlap.max() for overlap in overlaps)
            for head, stride, priors, overlap in zip(heads, strides, anchors, overlaps, strict=True):
                column, row = np.clip(centre // stride, 0, image_size // stride - 1).astype(int)
                cell = head[image, row, column]  # (anchors, 5 + num_classes), a view
                cell[(overlap > IGNORED_ABOVE) & (cell[:, 4] == 0), 4] = -1
                if overlap.max() == best:
                    anchor = int(overlap.argmax())
                    cell[anchor] = 0
                    cell[anchor, :2] = centre / stride - (column, row)
                    cell[anchor, 2:4] = np.log(size / priors[anchor])
                    cell[anchor, [4, 5 + label]] = 1
    return tuple(head.reshape(*head.shape[:3], -1) for head in heads)


def heads(
    generator: np.random.Generator, facts: Any, batch_size: int, image_size: int, num_classes: int
) -> tuple[np.ndarray, ...]:
    """What a trained network says of photographs, seeded: of each head, (N, h, w, anchors * (5 + num_classes)).

    facts: the model's variant. Nearly everywhere nothing is found; around each of OBJECTS places a head has the cells
    and anchors next to it find the same object, so that there is something to suppress.
    """
    found = []
    for stride, priors in zip(facts.strides, facts.anchors, strict=True):
        cells = image_size // stride
        head = generator.normal(0, 0.5, (batch_size, cells, cells, len(priors), 5 + num_classes))
        head[..., 4:] -= 6
        for image in head:
            for row, column in generator.integers(0, cells, (OBJECTS, 2)):
                near = image[max(row - 1, 0) : row + 2, max(column - 1, 0) : column + 2]
                near[..., [4, 5 + generator.integers(num_classes)]] += 8
        found.append(head.reshape(*head.shape[:3], -1))
    return tuple(found)


def iou_of_sizes(size: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """IoU of a box with others of the same centre: (2,), (n, 2) -> (n,)."""
    intersection = np.minimum(size, sizes).prod(axis=1)
    return intersection / (size.prod() + sizes.prod(axis=1) - intersection)
