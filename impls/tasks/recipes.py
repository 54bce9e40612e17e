"""Recipes: which data each model is trained on and how, in one place and equal for every framework.

Augmentation is off: every framework sees the same pixels.
"""

from dataclasses import dataclass

import numpy as np

from impls.optimizer import Adam, Optimizer, StochasticGradientDescent
from impls.tasks import schedules

# Of each task, the score that a training is after.
QUALITY = {"classification": "top1", "segmentation": "foreground_iou", "detection": "map50"}


@dataclass(frozen=True)
class Recipe:
    """How a model is trained.

    data: a name of impls.tasks.data.registry. image_size: pixels of a side. width: factor of the model's channels.
    optimizer: "adam" or "sgd". learning_rate: the highest, which is reached and left along schedules.one_cycle.
    target: the quality that is to be reached, set beforehand. evaluations: how often the held-out part is scored on
    the way, the end included.
    """

    data: str
    image_size: int
    batch_size: int
    steps: int
    learning_rate: float
    target: float
    width: float = 1.0
    optimizer: str = "adam"
    evaluations: int = 5

    def rates(self) -> np.ndarray:
        """The learning rate of each step, (steps,) float64."""
        return schedules.one_cycle(self.learning_rate, self.steps)

    def built_optimizer(self) -> Optimizer:
        """At the rate of the first step."""
        first = float(self.rates()[0])
        return Adam(first) if self.optimizer == "adam" else StochasticGradientDescent(first)

    def is_evaluated(self, step: int) -> bool:
        """Whether the held-out part is scored after a step, counted from 1."""
        return step * self.evaluations // self.steps > (step - 1) * self.evaluations // self.steps


# Enough to tell that all programs compute the same, at a width that takes seconds.
QUICK = {
    "resnet50": Recipe("digits", 32, 32, 60, 1e-3, 0.5, width=0.25),
    "inception_v3": Recipe("digits", 80, 32, 40, 3e-3, 0.3, width=0.25, evaluations=1),
    "mobilenet_v2": Recipe("digits", 32, 32, 120, 5e-3, 0.3, width=0.25),
    "yolov3": Recipe("composed_digits", 96, 16, 120, 1e-2, 0.05, width=0.25, evaluations=1),
    # Until the last bias has followed, no pixel is an item: fewer steps, or a lower rate, score nothing at all.
    "unet": Recipe("composed_digits_masks", 64, 8, 300, 1e-2, 0.5, width=0.25, evaluations=1),
}
# To the qualities that such models are wanted for.
STANDARD = {
    "resnet50": Recipe("digits", 32, 32, 150, 1e-3, 0.9),
    "inception_v3": Recipe("digits", 80, 32, 150, 2e-3, 0.9),
    "mobilenet_v2": Recipe("digits", 32, 32, 400, 5e-3, 0.9),
    # A lower rate needs many more steps: at a twentieth of it, next to nothing is found after as many.
    "yolov3": Recipe("composed_digits", 96, 16, 1500, 2e-2, 0.5, width=0.25),
    "unet": Recipe("composed_digits_masks", 64, 16, 600, 1e-2, 0.95, width=0.25),
}
# Of data that are fetched: `evenbench data get nuclei`.
NUCLEI = {"unet": Recipe("nuclei", 64, 16, 200, 3e-3, 0.85, width=0.25)}
RECIPES = {"quick": QUICK, "standard": STANDARD, "nuclei": NUCLEI}
