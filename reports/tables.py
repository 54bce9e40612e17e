"""The tidy table, enriched: intervals, percentiles and derived metrics; and its way to CSV and Parquet."""

import io
import json
import math
from typing import Any

import pandas as pd

from reports import stats
from reports.metrics import METRICS

Row = dict[str, Any]
ADDED = ["low", "high", "p95", "p99"]


def records(frame: pd.DataFrame) -> list[Row]:
    """The rows as dictionaries."""
    return [{str(key): value for key, value in row.items()} for row in frame.to_dict("records")]


def enrich(frame: pd.DataFrame) -> pd.DataFrame:
    """The same rows with ADDED columns, followed by the rows of the derived metrics.

    low, high: the 95 % interval of the median, in the row's unit; NaN where one measurement is all there is.
    """
    measured = [{**row, **_spread(row)} for row in records(frame)]
    columns = list(frame.columns)
    at = columns.index("q25")
    return pd.DataFrame(measured + _derived(measured), columns=[*columns[:at], *ADDED, *columns[at:]])


def batch_size(size: str) -> int | None:
    """The batch size in a size such as "224px-batch8"; None where it names none."""
    digits = size.rpartition("batch")[2]
    return int(digits) if "batch" in size and digits.isdecimal() and int(digits) > 0 else None


def to_csv(frame: pd.DataFrame) -> bytes:
    """Comma-separated, UTF-8, figures in full precision; a row's samples are one JSON list."""
    flat = frame.assign(samples=frame["samples"].map(json.dumps))
    return flat.to_csv(index=False, lineterminator="\n").encode()


def to_parquet(frame: pd.DataFrame) -> bytes:
    """The same table as Parquet; samples are a list of doubles."""
    buffer = io.BytesIO()
    frame.to_parquet(buffer, index=False, engine="pyarrow")
    return buffer.getvalue()


def _spread(row: Row) -> Row:
    samples = row["samples"]
    low, high = (
        stats.median_interval(stats.blocks(samples, row["calls_per_block"])) if samples else (math.nan, math.nan)
    )
    return {"low": low, "high": high, "p95": stats.percentile(samples, 95), "p99": stats.percentile(samples, 99)}


def _derived(rows: list[Row]) -> list[Row]:
    """Rows of the metrics with a formula, from their source's: the ends of a rate's interval swap sides."""
    derived = []
    for metric in METRICS:
        if metric.formula is None:
            continue
        for row in rows:
            batch = batch_size(row["size"])
            if row["metric"] != metric.source or batch is None:
                continue
            ends = {"value": "value", "low": "high", "high": "low", "q25": "q75", "q75": "q25"}
            figures = {end: metric.formula(row[other], batch) for end, other in ends.items()}
            samples = [metric.formula(sample, batch) for sample in row["samples"]]
            # Percentiles describe the slow calls of a latency; of a rate they would describe the fast ones.
            tails = {"p95": math.nan, "p99": math.nan}
            named = {"metric": metric.key, "unit": metric.unit}
            derived.append({**row, **figures, **tails, **named, "samples": samples})
    return derived
