"""A profile that asks for the impossible is refused in one line that names the field, its value and what is allowed."""

from dataclasses import replace
from typing import Any

import pytest

from suites import limits, profiles
from suites.profiles import QUICK, USUAL_MODES


@pytest.mark.parametrize("profile", profiles.PROFILES.values(), ids=lambda profile: profile.name)
def test_the_profiles_ask_for_what_can_be(profile: profiles.Profile) -> None:
    limits.check(profile)


@pytest.mark.parametrize(
    ("field", "value", "told"),
    [
        ("processes", 0, "processes is 0, allowed are whole numbers from 1"),
        ("blocks", -3, "blocks is -3, allowed"),
        ("kernel_blocks", 1.5, "kernel_blocks is 1.5, allowed"),
        ("calls_per_block", True, "calls_per_block is True, allowed"),
        ("warmup_calls", -1, "warmup_calls is -1, allowed are whole numbers from 0"),
        ("settle_calls", -1, "settle_calls is -1, allowed"),
        ("stage_limit_s", 0, "stage_limit_s is 0, allowed are numbers of seconds above 0"),
        ("kernel_limit_s", float("nan"), "kernel_limit_s is nan, allowed"),
        ("timeout_s", -900, "timeout_s is -900, allowed"),
        ("timeout_s", float("inf"), "timeout_s is inf, allowed"),
        ("inference_batches", (1, 0), "inference_batches is 0, allowed are whole numbers from 1"),
        ("training_batches", (-8,), "training_batches is -8, allowed"),
        ("small_training_batch", 0, "small_training_batch is 0, allowed"),
        ("training_seeds", 0, "training_seeds is 0, allowed"),
        ("trained", ("vgg",), "trained names 'vgg', allowed are "),
        ("digits", 9, "digits is 9, allowed are whole numbers from 10"),
        ("models", ("resnet51",), "models names 'resnet51', allowed are resnet18, "),
        ("models", ("conv2d-1x1",), "models names 'conv2d-1x1', allowed are resnet18, "),
        ("kernels", ("resnet50",), "kernels names 'resnet50', allowed are conv2d-"),
        (
            "pipelines",
            ("input_pipeline-webp",),
            "pipelines names 'input_pipeline-webp', allowed are input_pipeline-jpeg, ",
        ),
        ("modes", {**USUAL_MODES, "mxnet": ()}, "modes names 'mxnet', allowed are pytorch, "),
        ("modes", {"pytorch": ("eager",)}, "modes lacks tensorflow, allowed is ()"),
        ("kernel_modes", {**USUAL_MODES, "pytorch": ("graph",)}, "kernel_modes of pytorch names 'graph', allowed are"),
        ("default_modes", {"pytorch": ("eager",)}, "default_modes lacks tensorflow"),
        ("precisions", ("float64", "float16"), "precisions names 'float16', allowed are float32, bfloat16, float64"),
        ("precisions", ("float32",), "precisions is ('float32',), allowed are those with float64"),
        ("modes", dict.fromkeys(USUAL_MODES, ()), "modes names no mode at all"),
        ("name", "", "name is empty"),
    ],
)
def test_the_impossible_is_refused(field: str, value: Any, told: str) -> None:
    with pytest.raises(ValueError) as caught:
        limits.check(replace(QUICK, **{field: value}))
    assert told in str(caught.value)
    assert "\n" not in str(caught.value)


def test_nothing_to_measure_is_refused() -> None:
    with pytest.raises(ValueError, match="models, kernels and pipelines are all empty"):
        limits.check(replace(QUICK, models=(), kernels=()))


def test_one_kind_of_workload_is_enough() -> None:
    limits.check(replace(QUICK, models=(), modes=dict.fromkeys(USUAL_MODES, ())))
    limits.check(replace(QUICK, kernels=(), kernel_modes=dict.fromkeys(USUAL_MODES, ())))
