"""What a run leaves on disk beside asv's own files: .asv/runs/<run_id>/ with a manifest and the measurements.

Everything is written atomically as soon as it is known, so that a run that is killed keeps what it had.
"""

import hashlib
import os
import secrets
import time
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil

from hwprobe.private import scrub
from suites import noise
from suites.files import read_json, stated, write_json

SCHEMA_VERSION = 1
Record = dict[str, Any]
PROGRAM = ("workload", "framework", "mode")
PROVEN = (*PROGRAM, "as_installed")
INHERITED = ("certificates", "failures", "curves", "stage_conditions", "latencies", "pairs")
LATENCY = (*PROGRAM, "phase", "size", "stage", "calls", "unstable")


class RefusedError(Exception):
    """What is on disk must not be touched; the message is one line."""


class Run:
    """One run's folder."""

    def __init__(self, folder: Path, manifest: Record) -> None:
        self.folder = folder
        self.manifest = manifest
        self._wall_before = manifest["time"]["wall_s"]  # of a run that goes on after an interruption
        self._start = time.monotonic()

    def save(self) -> None:
        """Write the manifest."""
        wall_s = self._wall_before + time.monotonic() - self._start
        self.manifest["time"]["wall_s"] = round(wall_s, 3)
        write_json(self.folder / "manifest.json", self.manifest)

    def finish(self, **last: Any) -> None:
        """Mark the run as complete, with what is known only at its end."""
        self.manifest.update(last, finished_at=now())
        self.save()

    def spend(self, kind: str, seconds: float) -> None:
        """Count time as "measured" or "verifying"."""
        self.manifest["time"][f"{kind}_s"] += seconds

    def group(self, name: str) -> Record:
        """The measurements of a group of programs: its stages and their records.

        Raises RefusedError where they are broken, which nothing of this program leaves behind.
        """
        path = self._group_path(name)
        if not path.exists():
            return {"schema_version": SCHEMA_VERSION, "group": name, "stages": [], "records": []}
        stored = read_json(path)
        if not isinstance(stored, dict):
            raise RefusedError(f"{path} is broken: move it away, and its group is measured again")
        return stored

    def save_group(self, group: Record) -> None:
        """Write the measurements of a group, then the manifest, which repeats what a report needs of them."""
        write_json(self._group_path(group["group"]), group)
        self._repeat(group)
        self.save()

    def log(self, name: str) -> Path:
        """Where a worker's standard error goes."""
        folder = self.folder / "logs"
        folder.mkdir(exist_ok=True)
        return folder / f"{name}.log"

    def certify(self, certificate: Record) -> None:
        """Keep a certificate in place of an older one of the same program."""
        kept = [known for known in self.manifest["certificates"] if not same(known, certificate, PROVEN)]
        error = certificate.get("error")
        self.manifest["certificates"] = [*kept, {**certificate, "error": error and scrub(error)}]

    def _repeat(self, group: Record) -> None:
        """Put what a report needs of a group in place of what was inherited of the same stages."""
        stages = {(stage["workload"], stage["phase"]) for stage in group["stages"]}
        rows = {key: [row for stage in group["stages"] for row in stage[key]] for key in ("failures", "curves")}
        rows["stage_conditions"] = [_conditions(stage) for stage in group["stages"]]
        rows["latencies"] = [{key: row[key] for key in LATENCY} for row in group["records"] if "calls" in row]
        rows["pairs"] = noise.pairs(group["records"], self.manifest["profile"]["calls_per_block"])
        for key, mine in rows.items():
            others = [row for row in self.manifest[key] if (row["workload"], row.get("stage")) not in stages]
            self.manifest[key] = others + mine

    def _group_path(self, name: str) -> Path:
        return self.folder / "measurements" / f"{name}.json"


def same(one: Mapping[str, Any], other: Mapping[str, Any], keys: Iterable[str]) -> bool:
    """Whether two rows agree in these keys."""
    return all(one.get(key) == other.get(key) for key in keys)


def create(runs: Path, identity: Record, settings: Record) -> Run:
    """Begin a run: make its folder and write its first manifest.

    identity: machine, commit, env_name and source (the code's hash): a rerun of the same keeps what the newest run of
    it knew about workloads that are not measured this time. Raises OSError where the folder cannot be written.
    """
    run_id = f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{secrets.token_hex(4)}"
    before = _newest(runs, identity) or {}
    inherited = {key: before.get(key, []) for key in INHERITED}
    manifest = {
        "schema_version": SCHEMA_VERSION,
        "run_id": run_id,
        "started_at": now(),
        "finished_at": None,
        **identity,
        **settings,
        **inherited,
        "inherited_from": before.get("run_id"),
        "owner": _owner(),
        "time": {"wall_s": 0.0, "measured_s": 0.0, "verifying_s": 0.0},
    }
    run = Run(runs / run_id, manifest)
    run.save()
    return run


def interrupted(runs: Path, identity: Record) -> Record | None:
    """The manifest of the newest run of the same, if it was interrupted and nobody goes on with it."""
    manifest = _newest(runs, identity)
    return None if manifest is None or manifest["finished_at"] or _alive(manifest["owner"]) else manifest


def adopt(runs: Path, identity: Record, benchmarks: list[str]) -> Run | None:
    """The interrupted run of the same, to go on with, if it was asked for the same benchmarks."""
    manifest = interrupted(runs, identity)
    if manifest is None or manifest["benchmarks"] != benchmarks:
        return None
    manifest["owner"] = _owner()
    run = Run(runs / manifest["run_id"], manifest)
    for path in (run.folder / "measurements").glob("*.json"):
        run.save_group(run.group(path.stem))  # it may have been killed before the manifest knew of them
    run.save()
    return run


def refuse_newer(folder: Path, kinds: Mapping[str, tuple[str, int]]) -> None:
    """Raise RefusedError, one line, if a newer program has written into a folder: this one would spoil its results.

    kinds: pattern of files -> the key under which they state their version, and the newest that is known.
    """
    for pattern, (key, known) in kinds.items():
        for path in sorted(folder.glob(pattern)):
            version = stated(path, key)
            if version is not None and not (isinstance(version, int) and version <= known):
                raise RefusedError(
                    f"{path} is of a newer evenbench or asv ({key} {version}, known is {known}): nothing was written"
                )


def source_hash(root: Path) -> str:
    """Hash of the code that measures and of the code that is measured."""
    digest = hashlib.sha256()
    for package in ("suites", "impls"):
        for path in sorted((root / package).rglob("*.py")):
            digest.update(f"{path.relative_to(root)}\0".encode() + path.read_bytes() + b"\0")
    return digest.hexdigest()[:16]


def now() -> str:
    """This moment, ISO 8601, UTC."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def _newest(runs: Path, identity: Record) -> Record | None:
    """The newest manifest of the same machine, commit, environment and code. A broken one is passed over."""
    paths = sorted(runs.glob("*/manifest.json"), reverse=True) if runs.is_dir() else []
    manifests = (read_json(path) for path in paths)
    return next((one for one in manifests if isinstance(one, dict) and same(one, identity, identity)), None)


def _conditions(stage: Record) -> Record:
    """What tainted a stage, as the manifest has it."""
    where = {key: stage[key] for key in ("workload", "size", "part", "process")}
    conditions = {key: stage["conditions"][key] for key in ("verdict", "taints")}
    return {**where, "stage": stage["phase"], **conditions}


def _owner() -> Record:
    return {"pid": os.getpid(), "started": psutil.Process().create_time()}


def _alive(owner: Record) -> bool:
    try:
        return abs(psutil.Process(owner["pid"]).create_time() - owner["started"]) < 1
    except psutil.Error:
        return False
