"""How much a run measures: quick, standard or full, chosen by EVENBENCH_PROFILE."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import impls
from impls.models import Model
from impls.pipelines import spec as pipelines
from impls.tasks import recipes
from impls.tasks.recipes import Recipe
from suites import limits

VARIABLE = "EVENBENCH_PROFILE"
Modes = Mapping[str, tuple[str, ...]]  # framework -> execution modes


class Size(NamedTuple):
    """Images of a model's call: image_size x image_size pixels, batch_size of them."""

    image_size: int
    batch_size: int

    @property
    def label(self) -> str:
        """As it stands in asv's parameters."""
        return f"{self.image_size}px-batch{self.batch_size}"


PIPELINE_SIZE = Size(pipelines.IMAGE_SIZE, pipelines.BATCH_SIZE)  # of what an input pipeline delivers


@dataclass(frozen=True)
class Profile:
    """One row of settings; all of them are recorded in the run's manifest."""

    name: str
    models: tuple[str, ...]
    kernels: tuple[str, ...]
    pipelines: tuple[str, ...]  # of impls.pipelines.spec.WORKLOADS
    blocks: int  # of a process; in each, every program of a workload takes its turn once, in random order
    kernel_blocks: int  # of a process
    calls_per_block: int  # measured calls of one turn
    warmup_calls: int  # discarded after the first call, before the first block
    processes: int  # how often all that is started afresh: 1, or enough for intervals over processes
    modes: Modes  # of models
    kernel_modes: Modes
    inference_batches: tuple[int, ...]  # at the paper's image size
    small_training_batch: int  # at the model's small image size, which is 32 px or little more
    training_batches: tuple[int, ...]  # at the paper's image size
    precisions: tuple[str, ...]  # of the certificates; float64 is always one, measured is float32
    default_modes: Modes  # framework -> modes that are also measured with the settings that it is installed with
    training_parts: bool  # time forward and backward of a training step apart, too
    largest_batch: int  # batch size beyond which the largest one that fits is not sought; 0: it is not sought at all
    recipes: Mapping[str, Recipe]  # model -> how it is trained; all its programs evaluate the same trained weights
    trained: tuple[str, ...]  # models that every framework trains; of others one program trains the weights
    training_seeds: int  # how often each of those trainings is done, each time from other weights
    training_modes: Modes  # framework -> modes that train
    stage_limit_s: (
        float  # measured calls of one workload and size, all processes together, beyond which blocks are fewer
    )
    kernel_limit_s: float  # a call of a kernel beyond which it is left out
    settle_calls: int = 1  # discarded at the start of a turn of short calls: the caches hold another program's data
    digits: int = 10  # classes of the training of classification; everything else has the paper's
    timeout_s: int = 900  # wall clock of any one request to a worker, a fit's steps included
    seed: int = 0

    def first_mode(self, framework: str) -> str:
        """The mode of a framework that stands for it; what compiles for the one whose modes all do."""
        return (*self.modes[framework], "compiled")[0]

    def inference_sizes(self, workload: str) -> tuple[Size, ...]:
        """The sizes of a model's inference; its cold start is the first one's."""
        return tuple(Size(_model(workload).image_size, batch) for batch in self.inference_batches)

    def cold_sizes(self, workload: str) -> tuple[Size, ...]:
        """The size of a model's cold start."""
        return self.inference_sizes(workload)[:1]

    def training_sizes(self, workload: str) -> tuple[Size, ...]:
        """The sizes of a model's training step."""
        full = (Size(_model(workload).image_size, batch) for batch in self.training_batches)
        return (Size(_model(workload).small_size, self.small_training_batch), *full)

    def largest_batch_sizes(self, workload: str) -> tuple[Size, ...]:
        """Where the search for the largest batch begins."""
        return (Size(_model(workload).image_size, 1),) if self.largest_batch else ()

    def fit_sizes(self, workload: str) -> tuple[Size, ...]:
        """The size of a model's training to a quality, and of its evaluation."""
        recipe = self.recipes.get(workload)
        return (Size(recipe.image_size, recipe.batch_size),) if recipe else ()

    def num_classes(self, workload: str, phase: str) -> int:
        """Classes of a model in a phase."""
        model = _model(workload)
        return self.digits if model.task == "classification" and phase != "inference" else model.num_classes


# The mode in which a framework's users meet it first.
USUAL_MODES = {
    "pytorch": ("eager",),
    "tensorflow": ("graph",),
    "keras-tensorflow": ("graph",),
    "keras-torch": ("eager",),
    "keras-jax": ("compiled",),
}
# One of each kind of shape, small enough that all programs' three phases take some seconds.
FEW_KERNELS = (
    "conv2d-7x7-stride2",
    "conv2d-5x5",
    "conv2d-3x3",
    "conv2d-3x3-256",
    "conv2d-3x3-stride2",
    "conv2d-1x1",
    "conv2d-1x7",
    "conv2d-dilated-3x3",
    "conv2d-grouped-3x3",
    "depthwise_conv2d-3x3",
    "conv_transpose2d-2x2",
    "dense-2048-1000",
    "max_pool2d-3x3-stride2",
    "average_pool2d-3x3",
    "batch_norm_eval-256x56",
    "batch_norm_training-64x112",
    "relu-256x56",
    "hard_swish-240x14",
    "upsample_nearest-256x13",
    "residual_add-256x56",
    "concat-512x32",
    "conv_norm_activation-3x3-relu",
)
QUICK = Profile(
    name="quick",
    models=("resnet50", "mobilenet_v2"),
    kernels=FEW_KERNELS,
    pipelines=(),
    blocks=11,
    kernel_blocks=9,
    calls_per_block=2,
    warmup_calls=1,
    processes=1,
    modes={**USUAL_MODES, "keras-jax": ()},  # whose compiling takes minutes a model
    kernel_modes=USUAL_MODES,
    inference_batches=(1,),
    small_training_batch=32,
    training_batches=(),
    precisions=("float64", "float32"),
    default_modes={},
    training_parts=False,
    largest_batch=0,
    recipes=recipes.QUICK,
    trained=("mobilenet_v2",),
    training_seeds=1,
    training_modes={**USUAL_MODES, "keras-jax": ()},
    stage_limit_s=60,
    kernel_limit_s=0.3,  # XLA's gradients of grouped convolutions take a second
)
STANDARD = Profile(
    name="standard",
    models=(
        "resnet50",
        "inception_v3",
        "mobilenet_v1",
        "mobilenet_v2",
        "mobilenet_v3_large",
        "yolov3",
        "yolov3_tiny",
        "unet",
    ),
    kernels=impls.NAMED_KERNELS,
    pipelines=tuple(pipelines.WORKLOADS),
    blocks=6,
    kernel_blocks=6,
    calls_per_block=3,
    warmup_calls=3,
    processes=6,
    modes=impls.MODES,
    kernel_modes=impls.MODES,
    inference_batches=(1,),
    small_training_batch=32,
    training_batches=(8,),
    precisions=("float64", "float32", "bfloat16"),
    default_modes=USUAL_MODES,
    training_parts=True,
    largest_batch=64,
    recipes=recipes.STANDARD,
    trained=tuple(recipes.STANDARD),
    training_seeds=1,
    training_modes=USUAL_MODES,
    stage_limit_s=300,
    kernel_limit_s=60,
    timeout_s=3600,
)
FULL = Profile(
    name="full",
    # The auxiliary head exists in training alone, on images that no training on digits has.
    models=tuple(name for name in impls.MODELS if name != "inception_v3_aux"),
    kernels=impls.KERNELS,
    pipelines=tuple(pipelines.WORKLOADS),
    blocks=8,
    kernel_blocks=8,
    calls_per_block=5,
    warmup_calls=5,
    processes=8,
    modes=impls.MODES,
    kernel_modes=impls.MODES,
    inference_batches=(1, 8),
    small_training_batch=32,
    training_batches=(8,),
    precisions=("float64", "float32", "bfloat16"),
    default_modes=USUAL_MODES,
    training_parts=True,
    largest_batch=1024,
    recipes=recipes.STANDARD,
    trained=tuple(recipes.STANDARD),
    training_seeds=3,
    training_modes=USUAL_MODES,
    stage_limit_s=1200,
    kernel_limit_s=60,
    timeout_s=7200,
)
PROFILES = {profile.name: profile for profile in (QUICK, STANDARD, FULL)}


def get(name: str) -> Profile:
    """The profile of a name.

    Raises ValueError, whose message is one line for the user, for an unknown one and for one that asks for what no run
    could do.
    """
    if name not in PROFILES:
        raise ValueError(f"unknown profile {name!r}: choose one of {', '.join(PROFILES)}")
    limits.check(PROFILES[name])
    return PROFILES[name]


def current() -> Profile:
    """The profile that EVENBENCH_PROFILE names, quick where it is not set. Raises ValueError for an unknown one."""
    return get(os.environ.get(VARIABLE) or QUICK.name)


def _model(workload: str) -> Model:
    model = impls.WORKLOADS[workload].model
    assert model
    return model
