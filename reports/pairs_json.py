"""A comparison for programs, in the form of comparison.schema.json: SI base units, null for what is not known."""

import math
from typing import Any

from reports.comparable import is_one_run, machines_differ
from reports.gate import is_regression
from reports.pairs import Comparison, Figure
from reports.sides import Side, sources
from reports.tables import Row

SCHEMA_VERSION = 1


def to_json(comparison: Comparison, fail_on: float | None) -> dict[str, Any]:
    """fail_on: the fraction from which a change for the worse is a regression; None: nobody asked."""
    figures = [_figure(one, None if fail_on is None else is_regression(one, fail_on)) for one in comparison.figures]
    return {
        "schema_version": SCHEMA_VERSION,
        "a": _side(comparison.first),
        "b": _side(comparison.second),
        "paired": is_one_run(comparison.first, comparison.second),
        "machines_differ": machines_differ(comparison.first, comparison.second),
        "fail_on": fail_on,
        "regressions": None if fail_on is None else sum(figure["regression"] for figure in figures),
        "figures": figures,
        "only_a": comparison.only_first,
        "only_b": comparison.only_second,
        "skipped": [
            {"path": (source.folder / one.path).as_posix(), "reason": one.reason}
            for source in sources(comparison.first, comparison.second)
            for one in source.results.skipped
        ],
    }


def _side(side: Side) -> dict[str, Any]:
    run, about = side.run, side.run.manifest
    return {
        "name": side.title,
        "kind": side.kind,
        "run_id": run.run_id,
        "started_at": run.started_at or None,
        "interrupted": run.interrupted,
        "commit": run.commit,
        "dirty": run.dirty,
        "machine": run.machine,
        "label": about["label"] or None,
        "fingerprint": about["fingerprint"] or None,
        "env_name": run.env_name,
        "profile": run.profile,
        "threads": about["threads"],
        "precision": about["precision"] or None,
        "versions": {str(name): str(version) for name, version in about["versions"].items()},
    }


def _figure(figure: Figure, is_regression: bool | None) -> dict[str, Any]:
    return {
        **{key: figure.first[key] for key in ("suite", "workload", "size", "phase", "metric")},
        "unit": figure.metric.unit,
        "better": figure.metric.better,
        "a": _program(figure.first),
        "b": _program(figure.second),
        "ratio": {key: _known(getattr(figure.ratio, key)) for key in ("value", "low", "high")},
        "verdict": figure.verdict,
        "reason": figure.reason or None,
        "regression": is_regression,
    }


def _program(row: Row) -> dict[str, Any]:
    figures = {key: _known(row[key]) for key in ("value", "low", "high")}
    return {"framework": row["framework"], "mode": row["mode"], "status": row["status"], **figures}


def _known(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None
