"""One of asv's results files -> rows of the tidy table (asv's format, version 2)."""

import ast
import itertools
import math
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from reports.conditions import conditions_of, stages_of
from reports.latencies import latencies_of, per_process, unsteady
from reports.manifest import BadFileError, Manifest, read_json
from reports.metrics import BY_KEY, BY_SUFFIX, Metric
from reports.names import KERNELS

API_VERSION = 2
# The axes of the suites' benchmarks, for a folder whose benchmarks.json is missing or broken.
AXES = ("workload", "framework", "mode", "size")
# Names of the units that benchmarks may declare; asv calls an undeclared one "unit".
UNITS = {
    **{"seconds": "s", "second": "s", "byte": "bytes", "B": "bytes", "joules": "J"},
    **{"ratio": "fraction", "accuracy": "fraction"},
}

Row = dict[str, Any]


def read_results(path: Path) -> dict[str, Any]:
    """The file with its outer shape checked. Raises BadFileError."""
    raw = read_json(path)
    if not isinstance(raw, dict) or not isinstance(raw.get("result_columns"), list):
        raise BadFileError("not one of asv's results files")
    if raw.get("version") != API_VERSION:
        raise BadFileError(f"results format {raw.get('version')!r}, this program reads {API_VERSION}")
    texts = all(isinstance(raw.get(key), str) for key in ("commit_hash", "env_name"))
    if not (texts and isinstance(raw.get("results"), dict) and isinstance(raw.get("params"), dict)):
        raise BadFileError("commit_hash, env_name, params or results is missing or of a wrong type")
    if raw["params"].get("machine") != path.parent.name:
        raise BadFileError(f"belongs to machine {raw['params'].get('machine')!r}, lies in {path.parent.name!r}")
    return raw


def first_start(raw: dict[str, Any]) -> str:
    """When the first benchmark of a file began (asv keeps milliseconds since 1970), as ISO 8601; '' if unknown."""
    records = [_record(raw, columns) for columns in raw["results"].values() if isinstance(columns, list)]
    starts = [_number(record.get("started_at")) for record in records]
    known = [start for start in starts if 0 < start < 1e14]
    return datetime.fromtimestamp(min(known) / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if known else ""


def rows_of(
    raw: dict[str, Any], manifest: Manifest, benchmarks: dict[str, Any]
) -> tuple[list[Row], list[tuple[str, str]], list[str]]:
    """(rows, benchmarks left out with the reason, workloads that the run had nothing to do with).

    asv lists every combination of names for every profile. Where no program of a workload was tried in a phase at a
    size, there is nothing to say and there are no rows. Raises BadFileError.
    """
    rows: list[Row] = []
    left_out = []
    for name, columns in raw["results"].items():
        if not isinstance(columns, list):
            raise BadFileError(f"the entry of {name} is no list")
        record, declared = _record(raw, columns), benchmarks.get(name, {})
        parts = name.split(".")
        metric = BY_SUFFIX.get(".".join(parts[-2:]))
        problem = _problem(metric, record, declared)
        if metric is None or problem:
            left_out.append((name, problem))
            continue
        rows += [{"suite": ".".join(parts[:-2]), **row} for row in _rows(name, record, declared, metric)]
    figures = {(*_case(row), row["phase"]) for row in rows if row["status"] == "ok"}
    stages, latencies = stages_of(manifest), latencies_of(manifest)
    for row in rows:
        row["reason"] = _reason(row, manifest, (*_case(row), row["phase"]) in figures)
    rows, untried = _tried(rows, manifest)
    for row in rows:
        row["per_process"] = per_process(row, latencies)
        row["conditions"] = conditions_of(row, stages, unsteady(row, latencies))
    return rows, left_out, untried


def _tried(rows: list[Row], manifest: Manifest) -> tuple[list[Row], list[str]]:
    """The rows of what was tried, or was left out for a reason of its own, and the workloads of which nothing was."""

    def group(row: Row) -> tuple[str, ...]:
        # A kernel's rows stay together: its page says of each phase why there is no figure.
        return (row["suite"], row["workload"]) + (() if row["suite"] == KERNELS else (row["phase"], row["size"]))

    def is_tried(row: Row) -> bool:
        missing = manifest["frameworks"].get(row["framework"], {}).get("reason")
        return row["status"] != "n/a" or row["reason"] not in (outside(manifest), missing)

    tried = {group(row) for row in rows if is_tried(row)}
    kept = [row for row in rows if group(row) in tried]
    there = {(row["suite"], row["workload"]) for row in kept}
    gone = [(row["suite"], row["workload"]) for row in rows if (row["suite"], row["workload"]) not in there]
    return kept, [workload for suite, workload in dict.fromkeys(gone) if suite != KERNELS]


def _record(raw: dict[str, Any], columns: list[Any]) -> dict[str, Any]:
    """Column name -> value; asv cuts trailing nulls off."""
    names = [str(name) for name in raw["result_columns"]]
    return dict(itertools.zip_longest(names, columns[: len(names)]))


def _problem(metric: Metric | None, record: dict[str, Any], declared: dict[str, Any]) -> str:
    """Why a benchmark is left out of the table, or ''."""
    if metric is None:
        return "no metric of this name"
    unit = str(declared.get("unit", metric.unit))
    if unit not in ("unit", metric.unit) and UNITS.get(unit) != metric.unit:
        return f"unit {unit!r}, expected {metric.unit!r}"
    if declared and record.get("version") not in (None, declared.get("version")):
        return "measured by another version of the benchmark"
    return ""


def _rows(name: str, record: dict[str, Any], declared: dict[str, Any], metric: Metric) -> list[Row]:
    """A row for each combination of a benchmark's parameters, which asv multiplies out in this order."""
    params = record.get("params")
    if not isinstance(params, list) or not all(isinstance(values, list) for values in params):
        raise BadFileError(f"the parameters of {name} are no list of lists")
    count = math.prod(len(values) for values in params)
    results = [None] * count if record.get("result") is None else record["result"]
    # Compared before anything is multiplied out: a file may claim more combinations than it holds.
    if not isinstance(results, list) or len(results) != count:
        raise BadFileError(f"{name} has {count} parameter combinations and another number of results")
    axes = declared.get("param_names")
    names = axes if isinstance(axes, list) and len(axes) == len(params) else AXES[: len(params)]
    if len(names) != len(params):
        raise BadFileError(f"{name} has {len(params)} parameters and no names for them")
    samples, q25, q75 = (_column(record, key, count) for key in ("samples", "stats_q_25", "stats_q_75"))
    rows = []
    literal = [[_literal(value) for value in values] for values in params]
    for index, values in enumerate(itertools.product(*literal)):
        axis = {str(key): value for key, value in zip(names, values, strict=True)}
        figures = _figures(results[index], samples[index], q25[index], q75[index], metric)
        program = {key: axis.get(key, "") for key in AXES}
        rows.append({**program, "phase": metric.phase, "metric": metric.key, "unit": metric.unit, **figures})
    return rows


def _column(record: dict[str, Any], key: str, count: int) -> list[Any]:
    values = record.get(key)
    return values if isinstance(values, list) and len(values) == count else [None] * count


def _literal(value: Any) -> str:
    """asv stores the repr of each parameter."""
    try:
        return str(ast.literal_eval(value))
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        return str(value)


def _figures(value: Any, samples: Any, q25: Any, q75: Any, metric: Metric) -> Row:
    """Value, quartiles, samples, status and (only if the file itself shows it) the reason."""
    row: Row = {"value": math.nan, "q25": math.nan, "q75": math.nan, "samples": [], "reason": ""}
    if value is None:  # asv writes null for failed and NaN for n/a
        return {**row, "status": "failed"}
    if isinstance(value, float) and math.isnan(value):
        return {**row, "status": "n/a"}
    if not _plausible(value, metric):
        return {
            **row,
            "status": "failed",
            "reason": f"the stored result {str(value)[:40]!r} is no figure in {metric.unit}",
        }
    if samples and not (isinstance(samples, list) and all(_plausible(sample, metric) for sample in samples)):
        return {**row, "status": "failed", "reason": f"the stored samples are no figures in {metric.unit}"}
    quartiles = [_number(quartile) if _plausible(quartile, metric) else math.nan for quartile in (q25, q75)]
    numbers = [float(sample) for sample in samples or []]
    return {
        "value": float(value),
        "q25": quartiles[0],
        "q75": quartiles[1],
        "samples": numbers,
        "status": "ok",
        "reason": "",
    }


def _number(value: Any) -> float:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else math.nan


def _plausible(value: Any, metric: Metric) -> bool:
    number = _number(value)
    return math.isfinite(number) and (number > 0 if metric.unit == "s" else number >= 0)


def _reason(row: Row, manifest: Manifest, others: bool) -> str:
    """Why a row has no value: its own words, the framework's entry, or the recorded failure that fits best.

    others: whether the same program has other figures of the same phase.
    """
    if row["status"] == "ok" or row["reason"]:
        return str(row["reason"])
    framework = manifest["frameworks"].get(row["framework"], {}).get("reason")
    if framework:
        return str(framework)
    fitting = [
        failure
        for failure in manifest["failures"]
        if all(failure[key] in ("", row[key]) for key in AXES)
        and (failure["kind"] == "n/a") == (row["status"] == "n/a")
    ]
    same_phase = [failure for failure in fitting if failure["phase"].replace(" ", "").lower() == row["phase"].lower()]
    for failure in same_phase or fitting:
        return f"{failure['kind']}: {failure['message']}".removeprefix("n/a: ")
    if row["status"] == "failed":
        return "no reason recorded"
    title = BY_KEY[row["metric"]].title
    return f"{title} cannot be measured here" if others else outside(manifest)


def outside(manifest: Manifest) -> str:
    """The reason of what the run was not to measure."""
    return f"not in the {manifest['profile'].get('name', 'run')} profile"


def _case(row: Row) -> tuple[str, ...]:
    return tuple(row[key] for key in AXES)
