"""The tidy table, enriched: intervals, percentiles and derived metrics; and its way to CSV and Parquet."""

import io
import json
import math
from collections.abc import Callable
from typing import Any

import pandas as pd

from reports import stats
from reports.metrics import METRICS, Metric, Work

Row = dict[str, Any]
ADDED = ["low", "high", "p95", "p99"]
FACTS = ["operations", "bytes_moved", "intensity"]


def records(frame: pd.DataFrame) -> list[Row]:
    """The rows as dictionaries."""
    return [{str(key): value for key, value in row.items()} for row in frame.to_dict("records")]


def units(row: Row) -> stats.Units:
    """A row's samples by the units that intervals are made of; its one value, if that is all there is."""
    return stats.units(row["samples"] or [row["value"]], row["calls_per_block"], row["per_process"])


def batch_work(row: Row) -> Work:
    """All that a row itself tells of its call: the batch size."""
    return Work(batch_size(row["size"]) or math.nan)


def enrich(frame: pd.DataFrame, work: Callable[[Row], Work] = batch_work) -> pd.DataFrame:
    """The same rows with the columns ADDED and FACTS, followed by the rows of the derived metrics.

    low, high: the 95 % interval of the median, in the row's unit; NaN where one measurement is all there is.
    work: what a row's call does; operations, bytes_moved and intensity (FLOP/byte) are of one call, NaN where unknown.
    """
    measured = [{**row, **_spread(row), **_facts(work(row))} for row in records(frame)]
    columns = list(frame.columns)
    at = columns.index("q25")
    return pd.DataFrame(measured + _derived(measured, work), columns=[*columns[:at], *ADDED, *columns[at:], *FACTS])


def batch_size(size: str) -> int | None:
    """The batch size in a size such as "224px-batch8"; None where it names none."""
    digits = size.rpartition("batch")[2]
    return int(digits) if "batch" in size and digits.isdecimal() and int(digits) > 0 else None


def to_csv(frame: pd.DataFrame) -> bytes:
    """Comma-separated, UTF-8, figures in full precision; a row's samples are one JSON list."""
    flat = frame.assign(**{column: frame[column].map(json.dumps) for column in ("samples", "per_process")})
    return flat.to_csv(index=False, lineterminator="\n").encode()


def to_parquet(frame: pd.DataFrame) -> bytes:
    """The same table as Parquet; samples are a list of doubles."""
    buffer = io.BytesIO()
    frame.to_parquet(buffer, index=False, engine="pyarrow")
    return buffer.getvalue()


def _spread(row: Row) -> Row:
    samples = row["samples"]
    low, high = stats.median_interval(units(row)) if samples else (math.nan, math.nan)
    return {"low": low, "high": high, "p95": stats.percentile(samples, 95), "p99": stats.percentile(samples, 99)}


def _facts(work: Work) -> Row:
    return {"operations": work.operations, "bytes_moved": work.bytes_moved, "intensity": work.intensity}


def _derived(rows: list[Row], work: Callable[[Row], Work]) -> list[Row]:
    """Rows of the metrics with a formula, from their source's, where what it needs is known."""
    by_metric: dict[str, list[Row]] = {}
    for row in rows:
        by_metric.setdefault(row["metric"], []).append(row)
    derived = []
    for metric in METRICS:
        lesser = {_program(row): row for row in by_metric.get(metric.less, [])}
        for row in by_metric.get(metric.source, []):
            less = lesser.get(_program(row))
            made = _difference(row, less, metric) if metric.less else _rate(row, metric, work(row))
            if made is not None:
                derived.append(made)
    return derived


def _program(row: Row) -> tuple[str, ...]:
    return tuple(row[key] for key in ("suite", "workload", "framework", "mode", "size", "run_id"))


def _difference(row: Row, less: Row | None, metric: Metric) -> Row | None:
    """A part of a step: two latencies that were measured in turns, one less the other. Noise may turn it negative."""
    if less is None or row["status"] != "ok" or less["status"] != "ok":
        return None
    value, low, high = stats.difference_of_medians(units(row), units(less))
    none = dict.fromkeys(("q25", "q75", "p95", "p99"), math.nan)
    return {**row, **none, "value": value, "low": low, "high": high, "metric": metric.key, "samples": []}


def _rate(row: Row, metric: Metric, work: Work) -> Row | None:
    """A derived metric's row: the ends of a rate's interval swap sides. None where the rate is unknown."""
    formula = metric.formula
    if formula is None or math.isnan(formula(1.0, work)):
        return None
    ends = {"value": "value", "low": "high", "high": "low", "q25": "q75", "q75": "q25"}
    figures = {end: formula(row[other], work) for end, other in ends.items()}
    # Percentiles describe the slow calls of a latency; of a rate they would describe the fast ones.
    tails = {"p95": math.nan, "p99": math.nan}
    samples = [formula(sample, work) for sample in row["samples"]]
    return {**row, **figures, **tails, "metric": metric.key, "unit": metric.unit, "samples": samples}
