"""What a profile may ask for: the impossible is refused before anything is measured."""

import math
from collections.abc import Collection, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import impls
from impls.pipelines import spec as pipelines

if TYPE_CHECKING:
    from suites.profiles import Profile

LEAST = {  # of whole numbers
    **dict.fromkeys(("processes", "blocks", "kernel_blocks", "calls_per_block"), 1),
    **dict.fromkeys(("warmup_calls", "settle_calls", "largest_batch", "seed"), 0),
    **dict.fromkeys(("inference_batches", "training_batches", "small_training_batch"), 1),
    "training_seeds": 1,
    "digits": 10,  # the data have so many classes
}
TIMES = ("stage_limit_s", "kernel_limit_s", "timeout_s")


def check(profile: "Profile") -> None:
    """Refuse what no run could do. Raises ValueError, one line: the field, its value, what is allowed."""
    for problem in _problems(profile):
        raise ValueError(f"the profile {profile.name or '(without a name)'} cannot be measured: {problem}")


def _problems(profile: "Profile") -> Iterator[str]:
    if not profile.name:
        yield "name is empty"
    for field, least in LEAST.items():
        value = getattr(profile, field)
        for number in value if isinstance(value, tuple) else (value,):
            if isinstance(number, bool) or not isinstance(number, int) or number < least:
                yield f"{field} is {number!r}, allowed are whole numbers from {least}"
    for field in TIMES:
        seconds = getattr(profile, field)
        if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0 < seconds < math.inf:
            yield f"{field} is {seconds!r}, allowed are numbers of seconds above 0"
    yield from _strangers("models", profile.models, impls.MODELS)
    yield from _strangers("kernels", profile.kernels, impls.KERNELS)
    yield from _strangers("pipelines", profile.pipelines, pipelines.WORKLOADS)
    yield from _strangers("precisions", profile.precisions, impls.PRECISIONS)
    yield from _strangers("recipes", profile.recipes, impls.MODELS)
    yield from _strangers("trained", profile.trained, profile.recipes)
    for field in ("modes", "kernel_modes", "default_modes", "training_modes"):
        yield from _modes(field, getattr(profile, field))
    yield from _empty(profile)


def _strangers(field: str, names: Collection[Any], known: Collection[str]) -> Iterator[str]:
    for name in names:
        if name not in known:
            few = f"{', '.join(list(known)[:8])}{', …' if len(known) > 8 else ''}"
            yield f"{field} names {name!r}, allowed are {few}"


def _modes(field: str, modes: Mapping[str, tuple[str, ...]]) -> Iterator[str]:
    yield from _strangers(field, modes, impls.FRAMEWORKS)
    for framework, names in modes.items():
        yield from _strangers(f"{field} of {framework}", names, impls.MODES.get(framework, ()))
    for framework in impls.FRAMEWORKS:
        if framework not in modes and (modes or field != "default_modes"):
            yield f"{field} lacks {framework}, allowed is () for one that is left out"


def _empty(profile: "Profile") -> Iterator[str]:
    """What leaves nothing to measure."""
    if not (profile.models or profile.kernels or profile.pipelines):
        yield "models, kernels and pipelines are all empty, allowed are two of them"
    for workloads, field in (("models", "modes"), ("kernels", "kernel_modes")):
        if getattr(profile, workloads) and not any(getattr(profile, field).values()):
            yield f"{field} names no mode at all, allowed is that only where {workloads} is empty, too"
    if "float64" not in profile.precisions:
        yield f"precisions is {profile.precisions!r}, allowed are those with float64, the proof's own"
