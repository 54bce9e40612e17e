"""From YOLOv3's heads to detections: boxes are decoded, and of those that overlap only the best are kept.

A stage of its own behind the network. reference.py defines the result, the three twins have the same functions.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

# Label of a row that holds no detection.
EMPTY = -1

# Per head, the (width, height) of each anchor in pixels.
Anchors = Sequence[Sequence[tuple[float, float]]]


@dataclass(frozen=True)
class Settings:
    """What is kept, and how much of it.

    A threshold is compared in the type of the scores or boxes, and what equals it has not passed it.

    score_threshold: a class of a box is a candidate if its score is greater; the one of the YOLO authors' program.
    iou_threshold: a candidate goes if its IoU with a kept one of its class is greater; likewise.
    max_detections: kept of an image, of all classes together; COCO's evaluation looks at 100.
    max_candidates: best ones of an image, of all classes together, that are compared with each other: this bounds
    the work, and makes shapes that do not depend on the image.
    """

    score_threshold: float = 0.25
    iou_threshold: float = 0.45
    max_detections: int = 100
    max_candidates: int = 1000

    def __post_init__(self) -> None:
        for name in ("score_threshold", "iou_threshold"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} must be from 0 to 1, not {getattr(self, name)}")
        for name in ("max_detections", "max_candidates"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, not {getattr(self, name)}")


# What is timed and proven.
SETTINGS = Settings()


def missing(framework: str, mode: str) -> str | None:
    """Why this stage does not run in a mode, None if it does."""
    if framework == "pytorch" and mode == "compiled":
        return "torch.compile takes no function as one graph whose shapes depend on the values"
    return None


class Detections(NamedTuple):
    """What was found in an image, best first; in a batch each has an axis N before its own.

    boxes: (max_detections, 4), x_min, y_min, x_max, y_max in pixels. scores: (max_detections,).
    labels: (max_detections,), int32. Where there is none: zeros, and the label EMPTY. count: how many there are, int32.
    """

    boxes: Any
    scores: Any
    labels: Any
    count: Any
