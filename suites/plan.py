"""What a run measures: which programs of which workloads, in which stages, grouped by what shares its processes."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import impls
from impls import boxes, equivalence, kernels
from impls.pipelines import spec as pipelines
from suites.profiles import PIPELINE_SIZE, Modes, Profile, Size

KERNELS = "kernels"  # the group of all kernels
PIPELINE = "input pipeline"
LATENCY_PHASES = ("inference", "boxes", "training", *kernels.PHASES, PIPELINE)
LEARNING = ("fit", "accuracy")
LARGEST_BATCH = {"inference": "largest inference batch", "training": "largest training batch"}
# Lanes: settings that would differ are fixed; everything as it was installed; equalised once more, for an A/A pair.
EQUALISED, DEFAULT, AGAIN = "equalised", "default", "again"


class Program(NamedTuple):
    """A workload in one framework's execution mode, in a lane."""

    workload: str
    framework: str
    mode: str
    lane: str = EQUALISED

    @property
    def label(self) -> str:
        """Which of a workload's programs."""
        lane = "" if self.lane == EQUALISED else f" {self.lane}"
        return f"{self.framework}/{self.mode}{lane}"

    @property
    def names(self) -> dict[str, str]:
        """What impls loads it by."""
        return {"workload": self.workload, "framework": self.framework, "mode": self.mode}

    @property
    def proven(self) -> equivalence.ProgramName:
        """What impls proves it by: a pair's twin is the same program."""
        return equivalence.ProgramName(**self.names, as_installed=self.lane == DEFAULT)


class Case(NamedTuple):
    """Of what asv asks for results. size is None for kernels, whose sizes belong to the workload."""

    phase: str  # one of LATENCY_PHASES, "cold start", "fit", "accuracy" or one of LARGEST_BATCH
    program: Program
    size: str | None


Wanted = Callable[[Case], bool]


class Stage(NamedTuple):
    """What is measured without interruption; its results are kept once it is complete."""

    phase: str
    workload: str
    size: Size | None
    programs: tuple[Program, ...]
    part: str = ""  # which, where a phase is measured in several stages

    @property
    def label(self) -> str | None:
        """The size as it stands in asv's parameters."""
        return self.size.label if self.size else None

    def row(self, program: Program) -> dict[str, str | None]:
        """What identifies the stage's result of one program wherever results are stored."""
        return row(Case(self.phase, program, self.label))


def row(case: Case) -> dict[str, str | None]:
    """What identifies a result: lanes are phases of their own there, as in "default inference"."""
    lane = case.program.lane
    phase = case.phase if lane == EQUALISED else f"{lane} {case.phase}"
    return {**case.program.names, "phase": phase, "size": case.size}


@dataclass(frozen=True)
class Group:
    """Stages that share their processes: all of a model's, those of all kernels, or an input pipeline's only one."""

    name: str
    stages: tuple[Stage, ...]

    @property
    def programs(self) -> list[Program]:
        """Every program of the group, once."""
        return list(dict.fromkeys(program for stage in self.stages for program in stage.programs))

    def worker(self, program: Program) -> str:
        """The name of the process that runs a program.

        Every program of a model has its own, so that each cold start is one, and so has every input pipeline; kernels
        share one per framework and lane.
        """
        if self.name != KERNELS:
            return program.label
        return program.framework if program.lane == EQUALISED else f"{program.framework} {program.lane}"


def group_of(workload: str) -> str:
    """The name of the group that a workload belongs to."""
    work = impls.WORKLOADS.get(workload)  # None: an input pipeline
    return KERNELS if work and work.kind == "kernel" else workload


def groups(profile: Profile, missing: Mapping[str, str | None], wanted: Wanted = lambda _: True) -> dict[str, Group]:
    """Name -> group, of all that the profile asks for, that can run here and that is wanted."""
    stages: dict[str, list[Stage]] = {}
    makers = (
        *((name, _model) for name in profile.models),
        *((name, _learning) for name in profile.recipes),
        *((name, _kernel) for name in profile.kernels),
        *((name, _pipeline) for name in profile.pipelines),
    )
    for name, make in makers:
        found = make(name, profile, missing, wanted)
        stages.setdefault(group_of(name), []).extend(stage for stage in found if stage.programs)
    return {name: Group(name, _with_pair(found)) for name, found in stages.items()}


def proofs(programs: Iterable[Program], profile: Profile) -> list[equivalence.ProgramName]:
    """What there is to prove of programs before a run, each once: all that is timed.

    The rest proves itself in the run: input pipelines in their first pass, what is only evaluated by its outputs.
    """
    timed = {*profile.models, *profile.kernels, *profile.trained}
    return list(dict.fromkeys(program.proven for program in programs if program.workload in timed))


def _with_pair(stages: list[Stage]) -> tuple[Stage, ...]:
    """An A/A pair in each group: its first timed stage runs its first program twice, in two processes."""
    for index, stage in enumerate(stages):
        if stage.phase in LATENCY_PHASES:
            twin = stage.programs[0]._replace(lane=AGAIN)
            return (*stages[:index], stage._replace(programs=(*stage.programs, twin)), *stages[index + 1 :])
    return tuple(stages)


def offered(case: Case, profile: Profile) -> str | None:
    """Why a profile has no such case, None if it has."""
    workload, framework, mode, lane = case.program
    if workload in pipelines.WORKLOADS:
        return _no_pipeline(case, profile)
    if mode not in impls.MODES[framework]:
        return f"{framework} has no mode {mode}"
    if case.phase == "boxes" and (reason := boxes.missing(framework, mode)):
        return reason
    kernel = group_of(workload) == KERNELS
    if case.phase in LEARNING:
        return _not_learned(case, profile)
    if workload not in (profile.kernels if kernel else profile.models):
        return f"the profile {profile.name} does not run {workload}"
    if kernel and (reason := _missing(case.phase, case.program)):
        return reason
    sizes_of = {
        "cold start": profile.cold_sizes,
        "inference": profile.inference_sizes,
        "boxes": profile.inference_sizes,
        "training": profile.training_sizes,
        **dict.fromkeys(LARGEST_BATCH.values(), profile.largest_batch_sizes),
    }.get(case.phase)
    modes = profile.kernel_modes if kernel else profile.modes
    if mode not in modes[framework]:
        return f"the profile {profile.name} does not run {framework} in mode {mode}"
    if lane == DEFAULT and (reason := _not_usual(case.program, profile)):
        return reason
    if case.phase in LARGEST_BATCH.values() and mode != profile.first_mode(framework):
        return f"the largest batch is sought in mode {profile.first_mode(framework)} alone"
    if sizes_of and not kernel and case.size not in [size.label for size in sizes_of(workload)]:
        return f"the profile {profile.name} has no {case.phase} at {case.size}"
    return None


def _kernel(name: str, profile: Profile, missing: Mapping[str, str | None], wanted: Wanted) -> list[Stage]:
    programs = _programs(name, profile.kernel_modes, missing)

    def stage(*phases: str) -> Stage:
        found = [p for p in programs if any(wanted(Case(phase, p, None)) for phase in phases)]
        return Stage(phases[0], name, None, tuple(p for p in found if not _missing(phases[0], p)))

    return [stage(kernels.FORWARD, "cold start"), *(stage(phase) for phase in kernels.PHASES[1:])]


def _pipeline(name: str, _profile: Profile, missing: Mapping[str, str | None], wanted: Wanted) -> list[Stage]:
    modes = {framework: (mode,) for framework, mode in pipelines.MODES.items()}
    found = [p for p in _programs(name, modes, missing) if wanted(Case(PIPELINE, p, PIPELINE_SIZE.label))]
    return [Stage(PIPELINE, name, PIPELINE_SIZE, tuple(found))]


def _no_pipeline(case: Case, profile: Profile) -> str | None:
    """Why a profile has no such input pipeline, None if it has."""
    workload, framework, mode, _ = case.program
    if workload not in profile.pipelines:
        return f"the profile {profile.name} does not run {workload}"
    if mode != pipelines.MODES[framework]:
        return f"{framework}'s input pipeline has no mode {mode}"
    return None


def _not_usual(program: Program, profile: Profile) -> str | None:
    """Why a program is not measured with default settings, None if it is."""
    if not profile.default_modes:
        return f"the profile {profile.name} does not measure default settings"
    usual = profile.default_modes[program.framework]
    return None if program.mode in usual else f"default settings are measured in mode {', '.join(usual)} alone"


def _missing(phase: str, program: Program) -> str | None:
    """Why a kernel has no such program, None if it has."""
    case = impls.WORKLOADS[program.workload].facts
    if phase not in ("cold start", *kernels.phases(case)):
        return f"{program.workload} learns nothing"
    return kernels.missing(case, program.framework, program.mode, phase)


def _model(name: str, profile: Profile, missing: Mapping[str, str | None], wanted: Wanted) -> list[Stage]:
    programs = _programs(name, profile.modes, missing)
    defaults = [p._replace(lane=DEFAULT) for p in programs if not _not_usual(p, profile)]
    first = [p for p in programs if p.mode == profile.first_mode(p.framework)]

    def stage(size: Size, *phases: str, programs: list[Program] = programs) -> Stage:
        found = [p for p in programs if any(wanted(Case(phase, p, size.label)) for phase in phases)]
        if phases[0] == "boxes":
            found = [p for p in found if not boxes.missing(p.framework, p.mode)]
        return Stage(phases[0], name, size, tuple(found))

    cold = profile.cold_sizes(name)
    stages = [
        stage(size, *(("inference", "cold start") if size in cold else ("inference",)), programs=programs + defaults)
        for size in profile.inference_sizes(name)
    ]
    model = impls.WORKLOADS[name].model
    if model and model.task == "detection":
        stages += [stage(size, "boxes") for size in profile.inference_sizes(name)]
    stages += [stage(size, "training", programs=programs + defaults) for size in profile.training_sizes(name)]
    for size in profile.largest_batch_sizes(name):
        stages += [stage(size, phase, programs=first) for phase in LARGEST_BATCH.values()]
    return stages


def _learning(name: str, profile: Profile, missing: Mapping[str, str | None], wanted: Wanted) -> list[Stage]:
    """The trainings of a model, of which the first one's weights are evaluated, then the evaluation."""
    (size,) = profile.fit_sizes(name)

    def chosen(phase: str, modes: Modes) -> tuple[Program, ...]:
        return tuple(p for p in _programs(name, modes, missing) if wanted(Case(phase, p, size.label)))

    trained, evaluated = chosen("fit", profile.training_modes), chosen("accuracy", profile.modes)
    fit, accuracy = Stage("fit", name, size, trained), Stage("accuracy", name, size, evaluated)
    if name not in profile.trained:
        # One program trains for all; the others stand in if it fails.
        return [fit._replace(programs=tuple(dict.fromkeys((*trained, *evaluated)))), accuracy]
    trainings = [(program, seed) for program in trained or evaluated[:1] for seed in range(profile.training_seeds)]
    parts = [fit._replace(programs=(program,), part=f"{program.label}#{seed}") for program, seed in trainings]
    return [*parts, accuracy]


def _not_learned(case: Case, profile: Profile) -> str | None:
    """Why a profile has no such training or evaluation, None if it has."""
    workload, framework, mode, _ = case.program
    if workload not in profile.recipes:
        return f"the profile {profile.name} does not train {workload}"
    modes = profile.training_modes if case.phase == "fit" else profile.modes
    if mode not in modes[framework]:
        return f"the profile {profile.name} does not run {framework} in mode {mode}"
    if case.size not in [size.label for size in profile.fit_sizes(workload)]:
        return f"the profile {profile.name} has no {case.phase} at {case.size}"
    return None


def _programs(name: str, modes: Mapping[str, tuple[str, ...]], missing: Mapping[str, str | None]) -> list[Program]:
    return [
        Program(name, framework, mode)
        for framework in impls.FRAMEWORKS
        if not missing[framework]
        for mode in modes[framework]
        if mode in impls.MODES[framework]
    ]
