"""Kernels: each convolution case in every framework."""

from suites import common

PROGRAMS = common.programs(None)
NAMES = ["workload", "framework", "mode"]


class Inference(common.Inference):
    """The forward pass."""

    params = PROGRAMS
    param_names = NAMES


class Training(common.Training):
    """The forward and the backward pass: gradients by input and by weight."""

    params = PROGRAMS
    param_names = NAMES


class ColdStart(common.FirstCall):
    """The first call of a kernel in a process that has imported the framework and run other kernels."""

    params = PROGRAMS
    param_names = NAMES
