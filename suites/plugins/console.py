"""What `asv run` prints of a benchmark: the combinations that were measured or failed.

Parameters are the same in every profile, so most combinations of a small profile are n/a; asv would list them all.
"""

import itertools
import math
from ast import literal_eval
from typing import Any

from asv import results, runner, util


def setup() -> None:
    """Called by asv when it loads the plugin."""
    runner.format_benchmark_result = format_benchmark_result


def format_benchmark_result(found: results.Results, benchmark: dict[str, Any]) -> tuple[str | None, str | None]:
    """asv's function of this name, less the rows that are n/a: a status, and a table."""
    name, params = benchmark["name"], benchmark["params"]
    if not params:
        return results.format_benchmark_result(found, benchmark)
    # Its table of all combinations, n/a or not, would take asv most of a short run's time.
    values, stats = found.get_result_value(name, params), found.get_result_stats(name, params)
    failed = values.count(None)
    status = "ok" if not failed else "failed" if failed == len(values) else f"{failed}/{len(values)} failed"
    rows = [[*benchmark["param_names"], "result"]]
    for case, value, spread in zip(itertools.product(*params), values, stats, strict=True):
        if value is None or not math.isnan(value):
            error = results.get_err(value, spread) if spread else None
            rows.append([*map(str, map(literal_eval, case)), util.human_value(value, benchmark["unit"], err=error)])
    left_out = len(values) + 1 - len(rows)
    lines = [util.format_text_table(rows, 1)] if len(rows) > 1 else []
    lines += [f"{left_out} combinations are n/a"] if left_out else []
    lines += [found.stderr[name]] if None in values and found.stderr.get(name) else []
    return status, "\n".join(lines)
