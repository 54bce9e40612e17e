"""How a reader sees the names on disk: titles, and one colour-blind-safe colour for each framework everywhere."""

import re
from dataclasses import dataclass

KERNELS = "kernels"  # the suite whose workloads share one chart and one table


@dataclass(frozen=True)
class Framework:
    title: str
    colour: str


# Okabe and Ito's palette, chosen to be told apart with every common form of colour blindness.
FRAMEWORKS = {
    "pytorch": Framework("PyTorch", "#D55E00"),
    "tensorflow": Framework("TensorFlow", "#0072B2"),
    "keras-tensorflow": Framework("Keras on TF", "#009E73"),
    "keras-torch": Framework("Keras on torch", "#CC79A7"),
    "keras-jax": Framework("Keras on JAX", "#E69F00"),
}
OTHER_COLOUR = "#7F7F7F"
MODES = ("eager", "graph", "compiled")

PHASE_TITLES = {
    "Inference": "Inference",
    "Boxes": "Decoding and suppression of boxes",
    "DefaultInference": "Inference with default settings",
    "Training": "Training step",
    "DefaultTraining": "Training step with default settings",
    "LargestInferenceBatch": "Largest batch of inference",
    "LargestTrainingBatch": "Largest batch of training",
    "ColdStart": "Cold start",
    "Accuracy": "The same trained weights in every program",
    "Fit": "Training to a held-out quality",
    "InputPipeline": "Input pipeline",
}
KERNEL_PHASE_TITLES = {
    "Forward": "Forward",
    "GradientByInput": "Gradient by input",
    "GradientByWeight": "Gradient by weight",
    "ColdStart": "Cold start",
}


def framework_title(framework: str) -> str:
    known = FRAMEWORKS.get(framework)
    return known.title if known else framework


def framework_colour(framework: str) -> str:
    known = FRAMEWORKS.get(framework)
    return known.colour if known else OTHER_COLOUR


def framework_class(framework: str) -> str:
    """CSS class of a framework: from our own list only, so that no text of a result file reaches an attribute."""
    return f"fw-{framework}" if framework in FRAMEWORKS else "fw-other"


def program_title(framework: str, mode: str) -> str:
    """As in "PyTorch (eager)"."""
    return f"{framework_title(framework)} ({mode})" if mode else framework_title(framework)


def phase_title(phase: str, suite: str) -> str:
    titles = KERNEL_PHASE_TITLES if suite == KERNELS else PHASE_TITLES
    return titles.get(phase, phase)


def size_title(size: str) -> str:
    """As in "224 px, batch_size 1" for "224px-batch1"; another form is shown as it is."""
    match = re.fullmatch(r"(\d+)px-batch(\d+)", size)
    return f"{match[1]} px, batch_size {match[2]}" if match else size


def framework_order(framework: str) -> tuple[int, str]:
    """Sort key: known frameworks in their fixed order, others after them by name."""
    known = list(FRAMEWORKS)
    return (known.index(framework) if framework in known else len(known), framework)


def mode_order(mode: str) -> tuple[int, str]:
    return (MODES.index(mode) if mode in MODES else len(MODES), mode)


def program_order(framework: str, mode: str) -> tuple[tuple[int, str], tuple[int, str]]:
    """Sort key: by framework, then by mode."""
    return framework_order(framework), mode_order(mode)
