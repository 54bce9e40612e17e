"""Kernels: each case of each operation in every framework."""

from suites import common

PROGRAMS = common.programs(None)
NAMES = ["workload", "framework", "mode"]


class Forward(common.Forward):
    """The operation."""

    params = PROGRAMS
    param_names = NAMES


class GradientByInput(common.GradientByInput):
    """The gradient by the operation's inputs alone."""

    params = PROGRAMS
    param_names = NAMES


class GradientByWeight(common.GradientByWeight):
    """The gradient by what is learned alone."""

    params = PROGRAMS
    param_names = NAMES


class ColdStart(common.FirstCall):
    """The first call of a kernel in a process that has imported the framework and run other kernels."""

    params = PROGRAMS
    param_names = NAMES
