"""Facts, verdicts and ceilings as tables for people: 80 columns wide unless told otherwise, plain text when piped."""

from collections.abc import Iterable, Mapping
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from hwprobe import wording
from hwprobe.advice import Advice
from hwprobe.readiness import CheckResult, Readiness
from hwprobe.summary import lines
from hwprobe.wording import LABELS

_STYLES = {"pass": "green", "warn": "yellow", "fail": "bold red", "unknown": "magenta", "skipped": "dim"}


def show(
    facts: Mapping[str, Any],
    fingerprint: str,
    readiness: Readiness | None,
    console: Console | None = None,
    label: str | None = None,
) -> None:
    """Print what was found, a row per check, why and what to do, and the verdict of each tier."""
    console = console or Console(highlight=False)
    named = [("Label", label)] if label else []
    console.print(_pairs([*named, *lines(facts), ("Fingerprint", fingerprint)]))
    if readiness is None:
        return
    console.print(_checks(readiness))
    console.print(_remedies(wording.rows(readiness)))
    console.print()
    for tier, result in readiness["tiers"].items():
        text, is_met = wording.tier_verdict(result["checks"])
        style = _STYLES["pass" if is_met else "fail"]
        console.print(Text.assemble((f"{tier.capitalize()} tier: ", "bold"), (text, style), "."))
    if forced := wording.forced(readiness):
        console.print(Text(forced))


def show_advice(advice: Iterable[Advice], console: Console | None = None) -> None:
    """Print what makes figures vary here and what to do about it; nothing where nothing is known to."""
    console = console or Console(highlight=False)
    for number, row in enumerate(advice):
        if number == 0:
            console.print(Text("\nFor figures that repeat (nothing of this is done for you):"))
        console.print(Text(f"- {row['reason']}: {row['remedy']}"))


def show_workload(result: Mapping[str, Any], console: Console | None = None) -> None:
    """Print whether a workload finds room now, and what each framework needs."""
    console = console or Console(highlight=False)
    table = Table(*wording.WORKLOAD_COLUMNS, box=box.SIMPLE_HEAD, pad_edge=False)
    for row in result["checks"]:
        amounts = (wording.amount(row["check"], row[name]) for name in ("measured", "required"))
        table.add_row(LABELS[row["check"]], *amounts, Text(row["verdict"], _STYLES[row["verdict"]]))
    console.print(table)
    console.print(_remedies((row,) for row in result["checks"]))
    console.print(Text(f"\n{wording.workload_title(result)}", "bold"))
    console.print(Text(wording.workload_needs(result)))


def show_ceilings(ceilings: Mapping[str, Any], console: Console | None = None) -> None:
    """Print the rates that were measured, how, when, what could not be measured and what spoiled it."""
    console = console or Console(highlight=False)
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, collapse_padding=True)
    for name in wording.CEILING_COLUMNS:
        table.add_column(name, justify="right" if name in ("Best", "Median", "Spread") else "left")
    for row in wording.ceiling_rows(ceilings):
        table.add_row(*map(Text, row))
    console.print(table)
    for line in wording.ceiling_notes(ceilings):
        console.print(Text(line))


def _checks(readiness: Readiness) -> Table:
    table = Table("Check", "Found", *(tier.capitalize() for tier in readiness["tiers"]), box=box.SIMPLE_HEAD)
    table.pad_edge = False
    for rows in wording.rows(readiness):
        check, measured = rows[0]["check"], rows[0]["measured"]
        table.add_row(LABELS[check], wording.amount(check, measured), *map(_cell, rows))
    return table


def _cell(row: CheckResult) -> Text:
    asked = wording.amount(row["check"], row["required"])
    return Text.assemble((row["verdict"], _STYLES[row["verdict"]]), f" ({asked})")


def _remedies(results: Iterable[tuple[CheckResult, ...]]) -> Table:
    """Below the table and not in it: sentences need the width."""
    said = [(LABELS[rows[0]["check"]], wording.advice(rows)) for rows in results]
    return _pairs([(label, advice) for label, advice in said if advice])


def _pairs(rows: Iterable[tuple[str, str]]) -> Table:
    """Labels and their texts, without a frame."""
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True, style="bold")
    table.add_column(overflow="fold")
    for name, text in rows:
        table.add_row(Text(name), Text(text))
    return table
