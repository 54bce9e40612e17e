"""Every number that a folder of results holds, so that one can tell what is missing of it later."""

import itertools
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

CASE = ("workload", "framework", "mode", "size", "phase")
STAGE = ("workload", "phase", "size", "part", "process")
Numbers = dict[str, Any]  # where it stands -> a number, or the list of samples so far


def numbers(store: Path) -> Numbers:
    """All of store/runs and store/results. Raises ValueError, one line, for a file that is no valid JSON."""
    found: Numbers = {}
    for path in sorted(store.glob("r*/*/**/*.json")):
        name, data = path.relative_to(store).as_posix(), _read(path)
        if path.parent.name == "measurements":
            found |= {f"{name} {key}": value for key, value in _of_group(data)}
        elif path.name == "manifest.json":
            found |= {f"{name} ceilings": data["ceilings"]} if data["ceilings"] else {}
        elif path.name != "machine.json":
            found |= {f"{name} {key}": value for key, value in _of_asv(data)}
    return found


def missing(before: Numbers, after: Numbers) -> list[str]:
    """Where a number stood that is gone or is another one now; a list of samples may have grown."""
    return [key for key, value in before.items() if not _kept(value, after.get(key))]


def name_of(row: dict[str, Any], keys: tuple[str, ...] = CASE) -> str:
    """A record's case in one word, or a stage's identity."""
    return "/".join(str(row[key]) for key in keys)


def _kept(before: Any, after: Any) -> bool:
    if isinstance(before, list) and isinstance(after, list):
        return after[: len(before)] == before
    return bool(after == before)


def _read(path: Path) -> Any:
    try:
        return json.loads(path.read_bytes())
    except ValueError as error:
        raise ValueError(f"{path} is broken: {error}") from None


def _of_group(group: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """The records' numbers, and what else a complete stage tells: the order of its turns, failures."""
    for record in group["records"]:
        for key, value in record.items():
            if key not in CASE:
                yield f"{name_of(record)} {key}", value
    for stage in group["stages"]:
        yield f"{name_of(stage, STAGE)} complete", json.dumps(stage, sort_keys=True)


def _of_asv(results: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """Result and samples of every combination of parameters that has one."""
    for name, row in results["results"].items():
        columns = dict(zip(results["result_columns"], row, strict=False))
        cases = ["/".join(case) for case in itertools.product(*columns["params"])]
        for column in ("result", "samples"):
            for case, value in zip(cases, columns.get(column) or [], strict=False):
                if value is not None and value == value:  # null is a failure, NaN is n/a
                    yield f"{name} {case} {column}", value
