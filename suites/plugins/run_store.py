"""Keep each run of asv in a folder of its own, and let asv read what the session measures.

asv would start a process for each parameter combination, each of which would import a framework for nothing: here a
metric is a look-up, so this suite's benchmarks are read in asv's own process. Any other benchmark runs as asv runs it.
"""

import ast
import io
import itertools
import sys
import tempfile
from contextlib import ExitStack, redirect_stdout
from dataclasses import asdict
from pathlib import Path
from typing import Any

from asv import runner, util
from asv.commands import run as command
from asv.console import log
from asv_runner.discovery import get_benchmark_from_name
from asv_runner.run import _run as run_benchmark_here

import hwprobe
from hwprobe import conditions, label
from hwprobe.advice import advise
from hwprobe.fingerprint import fingerprint
from hwprobe.private import scrub
from hwprobe.readiness import judge
from suites import common, kernel_facts, plan, session, store, worker_process
from suites.plan import Case
from suites.plugins import run_command
from suites.plugins.environment import PrebuiltEnvironment
from suites.profiles import Profile

SETTINGS = (
    "OMP_",
    "KMP_",
    "GOMP_",
    "MKL_",
    "OPENBLAS_",
    "TF_",
    "XLA_",
    "TORCH",
    "CUDA_",
    "CUBLAS_",
    "NVIDIA_",
    "MALLOC_",
)
run_benchmarks_of_asv = runner.run_benchmarks


def setup() -> None:
    """Called by asv when it loads the plugin."""
    if command.run_benchmarks is run_benchmarks:
        return
    run_command.setup()
    command.run_benchmarks = run_benchmarks
    runner.get_spawner = lambda env, benchmark_dir, **_: Reader(env, benchmark_dir)


class Reader(runner.Spawner):
    """asv's way of running a benchmark, but this suite's are look-ups and need no process of their own."""

    def run(
        self, name: str, params_str: str, profile_path: str, result_file_name: str, timeout: float, cwd: str
    ) -> tuple[str, int]:
        """Output and exit code of one parameter combination of a benchmark; asv reads its result from the file."""
        if not metrics_of(self.benchmark_dir, name):
            return super().run(name, params_str, profile_path, result_file_name, timeout, cwd)
        output = io.StringIO()
        try:
            with redirect_stdout(output):
                run_benchmark_here((self.benchmark_dir, name, params_str, "None", result_file_name))
        except session.MeasurementError as error:
            return str(error), 1
        except OSError as error:
            raise util.UserError(f"cannot keep the measurements: {error}") from None
        finally:
            forget_importers()
        return output.getvalue(), 0


def metrics_of(benchmark_dir: str, name: str) -> common.Metrics | None:
    """The object whose method a benchmark of this suite is, None for any other benchmark."""
    try:
        owner = getattr(get_benchmark_from_name(benchmark_dir, name).func, "__self__", None)
    finally:
        forget_importers()
    return owner if isinstance(owner, common.Metrics) else None


def forget_importers() -> None:
    """asv_runner adds an importer with every benchmark it looks up; keep the first of each kind."""
    seen: set[tuple[str, str]] = set()
    for importer in list(sys.meta_path):
        root = (getattr(importer, "_name", ""), getattr(importer, "_root", ""))
        if all(root) and root in seen:
            sys.meta_path.remove(importer)
        seen.add(root)


def run_benchmarks(benchmarks: Any, env: Any, results: Any = None, **options: Any) -> Any:
    """asv.runner.run_benchmarks, within a run that is kept."""
    if not isinstance(env, PrebuiltEnvironment):
        return run_benchmarks_of_asv(benchmarks, env, results=results, **options)
    if env.dirty:
        log.warning("the tree has uncommitted changes: its results are marked tree=dirty")
    with ExitStack() as stack:
        if hasattr(results, "result_dir"):
            runs = Path(results.result_dir).resolve().parent / "runs"
        else:  # asv is told to save nothing
            runs = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="evenbench-")))
        try:
            run = open_run(runs, env, results)
        except OSError as error:
            raise util.UserError(f"cannot write {runs}: {error.strerror}") from None
        wanted = cases(benchmarks, env.profile)
        groups = plan.groups(env.profile, env.interpreter["missing"], wanted.__contains__)
        session.use(session.Session(run, env.profile, groups, env.executable, hwprobe.usable_cpus()))
        results = run_benchmarks_of_asv(benchmarks, env, results=results, **options)
        session.use(None)
        close_run(run)
    return results


def cases(benchmarks: Any, profile: Profile) -> set[Case]:
    """The cases of this suite that asv is going to ask for: those that are selected and that the profile offers.

    asv is told not to ask for the others one by one, for with all kernels they are tens of thousands.
    """
    found: set[Case] = set()
    for name, benchmark in benchmarks.items():
        if not (owner := metrics_of(benchmarks.benchmark_dir, name)):
            continue
        axes = [[ast.literal_eval(value) for value in axis] for axis in benchmark["params"]]
        mine = {index: owner.case(*values) for index, values in enumerate(itertools.product(*axes))}
        selected = benchmarks.benchmark_selection.get(name)
        candidates = mine if selected is None else selected
        chosen = {index for index in candidates if plan.offered(mine[index], profile) is None}
        benchmarks.benchmark_selection[name] = chosen
        found.update(mine[index] for index in chosen)
    return found


def open_run(runs: Path, env: Any, results: Any) -> store.Run:
    """The interrupted run that asv is told to go on with (it skips what exists), or a new one."""
    identity = run_command.identity(results.params["machine"], results.commit_hash, env.name)
    if run_command.resume:
        if run := store.adopt(runs, identity, run_command.benchmarks):
            log.info(f"Going on with run {run.manifest['run_id']}")
            return run
        if left := store.interrupted(runs, identity):
            asked = " ".join(f"--bench {one}" for one in left["benchmarks"]) or "all benchmarks"
            log.warning(f"Run {left['run_id']} was interrupted, too, but of {asked}: this is a new run")
    try:
        named = label.current()
    except ValueError as error:
        raise util.UserError(str(error)) from None
    facts, now = {**hwprobe.collect(), "software": env.interpreter["software"]}, conditions.collect()
    threads = hwprobe.usable_cpus()
    settings = {
        "label": named,
        "benchmarks": run_command.benchmarks,
        "kernels": kernel_facts.facts(env.profile.kernels),
        "ceilings": {},
        "dirty": env.dirty,
        "profile": asdict(env.profile),
        "threads": threads,
        "precision": "float32",
        "versions": env.interpreter["versions"],
        "frameworks": {name: {"reason": reason} for name, reason in env.interpreter["missing"].items()},
        "facts": facts,
        "fingerprint": fingerprint(facts)["id"],
        "readiness": judge(facts),
        "conditions": {"before": now, "after": None, "advice": advise(facts, now)},
        "environment": settings_of(worker_process.environment(threads)),
    }
    return store.create(runs, identity, settings)


def settings_of(variables: dict[str, str]) -> dict[str, str]:
    """The environment variables that may change a result; paths and JSON are left out, for they may name people and
    machines (TF_CONFIG lists hosts), and so may a GPU's UUID in CUDA_VISIBLE_DEVICES."""
    names = (name for name in sorted(variables) if name.startswith(SETTINGS))
    return {name: scrub(variables[name]) for name in names if not set("/\\{") & set(variables[name])}


def close_run(run: store.Run) -> None:
    """Complete the manifest, and tell how much of the time was spent in what."""
    run.finish(conditions={**run.manifest["conditions"], "after": conditions.collect()})
    time = run.manifest["time"]
    share = (time["measured_s"] + time["verifying_s"]) / time["wall_s"]
    log.info(
        f"Measured {time['measured_s']:.0f} s and verified {time['verifying_s']:.0f} s of {time['wall_s']:.0f} s "
        f"({share:.0%}); the run is kept in {run.folder}"
    )
    for sentence in tainted(run.manifest["stage_conditions"]):
        log.warning(sentence)


def tainted(stages: list[dict[str, Any]]) -> list[str]:
    """As in "3 of 9 stages are tainted by other load (the first: other programs took 12% of the CPUs)"."""
    reasons: dict[str, list[str]] = {}
    for taint in (taint for stage in stages for taint in stage["taints"]):
        reasons.setdefault(taint["condition"], []).append(taint["reason"])
    return [
        f"{len(found)} of {len(stages)} stages are tainted by {condition} (the first: {found[0]})"
        for condition, found in reasons.items()
    ]
