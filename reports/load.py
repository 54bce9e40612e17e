"""The results folder -> one tidy table. What cannot be read is named, skipped and counted, never fatal by itself."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd

from reports.asv_file import first_start, read_results, rows_of
from reports.manifest import BadFileError, Manifest, in_shape, read_json, read_manifest

COLUMNS = [
    *("suite", "workload", "framework", "mode", "size", "phase", "metric", "value", "unit"),
    *("q25", "q75", "samples", "calls_per_block", "per_process", "status", "reason", "conditions"),
    *("machine", "commit", "env_name", "profile", "dirty", "run_id"),
]
Key = tuple[str, str, str]  # machine, commit, env_name


class NoResultsError(Exception):
    """There is nothing to report on; the text says what is missing and which command makes it."""


@dataclass(frozen=True)
class Skipped:
    """A file, or a benchmark in it, that was left out."""

    path: str
    reason: str


@dataclass(frozen=True)
class Run:
    """One results file with the manifest that belongs to it (an empty one, if none does)."""

    run_id: str
    machine: str
    commit: str
    env_name: str
    started_at: str  # ISO 8601, so that it sorts by time
    profile: str
    dirty: bool
    manifest: Manifest
    has_manifest: bool
    untried: tuple[str, ...] = ()  # workloads that it had nothing to do with; kernels aside

    @property
    def key(self) -> Key:
        return (self.machine, self.commit, self.env_name)

    @property
    def interrupted(self) -> bool:
        return self.has_manifest and not self.manifest["finished_at"]

    @property
    def calls_per_block(self) -> int:
        calls = self.manifest["profile"].get("calls_per_block")
        return calls if isinstance(calls, int) and calls >= 1 else 1


@dataclass(frozen=True)
class Results:
    """Everything that was read. `frame` has COLUMNS, a row per metric x workload x framework x mode x size x run."""

    frame: pd.DataFrame
    runs: list[Run]  # newest first
    skipped: list[Skipped]

    def of(self, run: Run) -> pd.DataFrame:
        same = pd.Series(True, index=self.frame.index)
        for column, value in zip(("machine", "commit", "env_name"), run.key, strict=True):
            same &= self.frame[column] == value
        return self.frame[same].reset_index(drop=True)


def load(folder: Path) -> Results:
    """Read `folder`/results and `folder`/runs. Raises NoResultsError when no results file is readable."""
    skipped: list[Skipped] = []
    manifests = _manifests(folder, skipped)
    paths = [path for path in sorted((folder / "results").glob("*/*.json")) if path.name != "machine.json"]
    benchmarks, problem = _benchmarks(folder)
    runs: dict[Key, Run] = {}
    rows: list[dict[str, Any]] = []
    for path in paths:
        name = path.relative_to(folder).as_posix()
        try:
            raw = read_results(path)
            run = _run(raw, manifests)
            if run.key in runs:
                raise BadFileError("a second file for the same machine, commit and environment")
            measured, left_out, untried = rows_of(raw, run.manifest, benchmarks)
        except BadFileError as error:
            skipped.append(Skipped(name, str(error)))
            continue
        runs[run.key] = replace(run, untried=tuple(untried))
        rows += [{**_identity(run), **row} for row in measured]
        skipped += [Skipped(f"{name}: {benchmark}", reason) for benchmark, reason in left_out]
    if runs and problem:
        skipped.append(Skipped("results/benchmarks.json", problem))
    if not rows:
        broken = f" ({len(skipped)} skipped, such as {skipped[0].path}: {skipped[0].reason})" if skipped else ""
        interrupted = any(not manifest["finished_at"] for manifest in manifests.values())
        remedy = "a run was interrupted: `evenbench run --resume` goes on with it" if interrupted else ""
        raise NoResultsError(f"no results in {folder}{broken}; {remedy or '`evenbench run` makes them'}")
    order = ["machine", "run_id", "suite", "workload", "size", "phase", "metric", "framework", "mode"]
    frame = pd.DataFrame(rows, columns=COLUMNS).sort_values(order, kind="stable").reset_index(drop=True)
    newest_first = sorted(runs.values(), key=lambda run: (run.started_at, run.key), reverse=True)
    return Results(frame, newest_first, skipped)


def _manifests(folder: Path, skipped: list[Skipped]) -> dict[Key, Manifest]:
    """Manifests by what they belong to; the newest wins."""
    newest: dict[Key, Manifest] = {}
    for path in sorted((folder / "runs").glob("*/manifest.json")):
        try:
            manifest = read_manifest(path)
        except BadFileError as error:
            skipped.append(Skipped(path.relative_to(folder).as_posix(), str(error)))
            continue
        key = (manifest["machine"], manifest["commit"], manifest["env_name"])
        if key not in newest or manifest["started_at"] >= newest[key]["started_at"]:
            newest[key] = manifest
    return newest


def _benchmarks(folder: Path) -> tuple[dict[str, Any], str]:
    """asv's list of benchmarks (parameter names, units, versions), or why there is none.

    Without it the suites' own axes and units count.
    """
    try:
        raw = read_json(folder / "results" / "benchmarks.json")
    except BadFileError as error:
        return {}, str(error)
    if not isinstance(raw, dict):
        return {}, "not one of asv's files"
    return {name: entry for name, entry in raw.items() if isinstance(entry, dict)}, ""


def _run(raw: dict[str, Any], manifests: dict[Key, Manifest]) -> Run:
    machine, commit, env_name = str(raw["params"]["machine"]), raw["commit_hash"], raw["env_name"]
    found = manifests.get((machine, commit, env_name))
    manifest = found if found is not None else in_shape({})
    return Run(
        run_id=manifest["run_id"] or f"{commit[:8]}-{env_name}",
        machine=machine,
        commit=commit,
        env_name=env_name,
        started_at=manifest["started_at"] or first_start(raw),
        profile=str(manifest["profile"].get("name") or raw["params"].get("profile") or "unknown"),
        dirty=manifest["dirty"] or raw["params"].get("tree") == "dirty",
        manifest=manifest,
        has_manifest=found is not None,
    )


def _identity(run: Run) -> dict[str, Any]:
    return {
        "machine": run.machine,
        "commit": run.commit,
        "env_name": run.env_name,
        "profile": run.profile,
        "dirty": run.dirty,
        "run_id": run.run_id,
        "calls_per_block": run.calls_per_block,
    }
