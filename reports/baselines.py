"""Named baselines: copies of a run's results, which later runs of the same commit do not overwrite.

A baseline is a small results folder of its own, <results>/baselines/NAME, and is read as any other.
"""

import os
import re
import shutil
from pathlib import Path

from reports.asv_file import read_results
from reports.load import NoResultsError, Results, Run, load
from reports.manifest import BadFileError, read_manifest
from reports.write import write_all

FOLDER = "baselines"
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")  # no path, no option, no hidden file


class BaselineError(Exception):
    """A baseline that cannot be made or is not there; the text says why, in one line."""


def is_name(name: str) -> bool:
    """Whether a baseline may be called so."""
    return NAME.fullmatch(name) is not None


def path(results: Path, name: str) -> Path:
    """Where a baseline lies, whether or not it is there."""
    return results / FOLDER / name


def names(results: Path) -> list[str]:
    """All baselines of a results folder, sorted."""
    folder = results / FOLDER
    return sorted(one.name for one in folder.iterdir() if is_name(one.name)) if folder.is_dir() else []


def saved(results: Path, name: str) -> Results:
    """A baseline as it was saved. Raises BaselineError where there is none, or none that can be read."""
    _require(results, name)
    try:
        return load(path(results, name))
    except NoResultsError as error:
        raise BaselineError(str(error)) from None


def save(results: Path, run: Run, name: str, force: bool = False) -> Path:
    """Copy what a comparison needs of a run. An error at any moment leaves what was there before.

    force: replace the baseline of that name. Raises BaselineError, and OSError where the folder cannot be written.
    """
    if not is_name(name):
        raise BaselineError(f"no name for a baseline: {name!r} (1 to 100 letters, digits, - _ . and no - _ . in front)")
    target = path(results, name)
    if target.exists() and not force:
        raise BaselineError(f"there is a baseline {name!r}: --force replaces it")
    copy = target.with_name(f".{name}.{os.getpid()}.new")
    try:
        _write(copy, _files(results, run))
        load(copy)  # asv may have been writing it just now
        _replace(target, copy)
    except NoResultsError as error:
        raise BaselineError(f"run {run.run_id} cannot be read: {error}") from None
    finally:
        shutil.rmtree(copy, ignore_errors=True)
    return target


def remove(results: Path, name: str) -> None:
    """Delete a baseline. Raises BaselineError where there is none."""
    _require(results, name)
    gone = path(results, name).with_name(f".{name}.{os.getpid()}.old")
    path(results, name).rename(gone)  # first out of sight, for deleting takes several steps
    shutil.rmtree(gone)


def _require(results: Path, name: str) -> None:
    if name not in names(results):
        raise BaselineError(f"no baseline {name!r}; there are: {', '.join(names(results)) or 'none'}")


def _files(results: Path, run: Run) -> dict[str, bytes]:
    """Path -> content: the run's results, its manifest, and asv's list with the versions of what was measured."""
    found = [file for file in (results / "results" / run.machine).glob("*.json") if _holds(file, run)][:1]
    found += list((results / "results").glob("benchmarks.json"))
    found += [file for file in (results / "runs").glob("*/manifest.json") if _describes(file, run)][:1]
    return {file.relative_to(results).as_posix(): file.read_bytes() for file in found}


def _holds(file: Path, run: Run) -> bool:
    try:
        raw = read_results(file)
    except BadFileError:
        return False
    return (raw["params"]["machine"], raw["commit_hash"], raw["env_name"]) == run.key


def _describes(file: Path, run: Run) -> bool:
    try:
        manifest = read_manifest(file)
    except BadFileError:
        return False
    return (
        manifest["run_id"] == run.run_id and (manifest["machine"], manifest["commit"], manifest["env_name"]) == run.key
    )


def _write(folder: Path, files: dict[str, bytes]) -> None:
    shutil.rmtree(folder, ignore_errors=True)  # of a process that was killed and had the same number
    for name in files:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
    write_all(folder, files)


def _replace(target: Path, copy: Path) -> None:
    """Put the copy in the target's place. A folder that is not empty can only be moved out of the way."""
    old = target.with_name(f".{target.name}.{os.getpid()}.old")
    if target.exists():
        target.rename(old)
    try:
        copy.rename(target)
    except BaseException:  # Ctrl-C, too
        if old.exists():
            old.rename(target)
        raise
    shutil.rmtree(old, ignore_errors=True)
