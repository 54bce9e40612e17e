"""A comparison for people: a table that fits 80 columns, or GitHub Markdown for a pull request."""

import math
from collections import Counter
from typing import TYPE_CHECKING

from tabulate import tabulate

from reports import formats, stats
from reports.comparable import machines_differ
from reports.escape import markdown
from reports.names import phase_title, program_title, size_title
from reports.pairs import Comparison, Figure
from reports.sides import Side
from reports.tables import Row

if TYPE_CHECKING:
    from rich.table import Table

COLUMNS = ("Figure", "A", "B", "B / A", "Verdict on B")
CAPTION = "B / A: the ratio of the medians with its 95 % interval. What got worse comes first."


def show(comparison: Comparison) -> None:
    """Print a table for each verdict, plain text when piped."""
    from rich.console import Console
    from rich.text import Text

    console = Console(highlight=False)
    for text in titles(comparison):
        console.print(Text(text))
    sections: dict[str, list[Figure]] = {}
    for figure in comparison.figures:
        sections.setdefault(figure.verdict, []).append(figure)
    for verdict, figures in sections.items():
        console.print(_section(f"{verdict} ({len(figures)})", figures))
    for text in sentences(comparison):
        console.print(Text(text))


def _section(title: str, figures: list[Figure]) -> "Table":
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False, expand=True)
    style = ("red" if figures[0].is_worse else "green") if figures[0].differs else ""
    table.add_column(Text(title, f"bold {style}"), overflow="fold", ratio=1)
    for name in COLUMNS[1:4]:
        table.add_column(name, no_wrap=True, min_width=len("[0.000, 0.000]"))  # so that all tables have the same
    for figure in figures:
        where, *cells, _ = _cells(figure, "\n")
        table.add_row(*map(Text, [f"{where}\n{figure.reason}".rstrip(), *cells]))
    return table


def to_markdown(comparison: Comparison) -> str:
    """The same for a site that renders Markdown."""
    rows = [[markdown(cell) for cell in _cells(figure, " ")] for figure in comparison.figures]
    parts = [f"- {markdown(text)}" for text in titles(comparison)]
    table = tabulate(rows, headers=COLUMNS, tablefmt="github", disable_numparse=True)
    return "\n".join([*parts, "", table, "", *(f"{markdown(text)}\n" for text in sentences(comparison))])


def titles(comparison: Comparison) -> list[str]:
    """Who A and B are."""
    return [f"{name}: {_run(side)}" for name, side in (("A", comparison.first), ("B", comparison.second))]


def sentences(comparison: Comparison) -> list[str]:
    """What a reader must know beside the figures."""
    found = [CAPTION, f"B: {summary(comparison)}."]
    for name, count in (("A", comparison.only_first), ("B", comparison.only_second)):
        found += [f"{count} more only {name} has."] if count else []
    if machines_differ(comparison.first, comparison.second):
        prints = [side.run.manifest["fingerprint"] or formats.UNKNOWN for side in (comparison.first, comparison.second)]
        found.append(f"The machines differ: fingerprint {formats.join(prints)}.")
    return found


def summary(comparison: Comparison) -> str:
    """As in "1 slower, 30 no difference detectable"."""
    return ", ".join(
        f"{count} {verdict}" for verdict, count in Counter(one.verdict for one in comparison.figures).items()
    )


def ratio_text(ratio: stats.Ratio) -> str:
    """As in "1.102 [1.083, 1.121]"; '' where there is none."""
    if not math.isfinite(ratio.value):
        return ""
    return f"{ratio.value:.3f}" + (f" [{ratio.low:.3f}, {ratio.high:.3f}]" if ratio.known else "")


def _run(side: Side) -> str:
    run = side.run
    parts = [f"{side.title}, run {run.run_id}", f"commit {run.commit[:8]}", f"profile {run.profile}", run.env_name]
    parts += ["interrupted"] if run.interrupted else []
    parts += ["uncommitted changes"] if run.dirty else []
    return ", ".join(parts)


def _where(figure: Figure) -> str:
    row = figure.first
    program = "" if programs_differ(figure) else program_title(row["framework"], row["mode"])
    return ", ".join(part for part in (row["workload"], size_title(row["size"]), program) if part)


def programs_differ(figure: Figure) -> bool:
    """Whether it is two programs' figure, not one's at two times."""
    programs = [(row["framework"], row["mode"]) for row in (figure.first, figure.second)]
    return programs[0] != programs[1]


def _cells(figure: Figure, separator: str) -> tuple[str, ...]:
    """In the order of COLUMNS; separator: between a figure and its interval."""
    phase = phase_title(figure.first["phase"], figure.first["suite"])
    modes = programs_differ(figure)
    return (
        f"{_where(figure)},{separator}{phase}: {figure.metric.title.lower()}",
        *(_figure(row, figure.metric.unit, modes, separator) for row in (figure.first, figure.second)),
        ratio_text(figure.ratio).replace(" ", separator, 1),
        f"{figure.verdict}: {figure.reason}" if figure.reason else figure.verdict,
    )


def _figure(row: Row, unit: str, with_mode: bool, separator: str) -> str:
    if row["status"] != "ok":
        return str(row["status"])
    mode = f"({row['mode']})" if with_mode else ""
    parts = [formats.quantity(row["value"], unit), formats.interval(row["low"], row["high"], row["value"], unit), mode]
    return separator.join(part for part in parts if part)
