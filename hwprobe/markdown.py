"""Facts and verdicts as GitHub Markdown, to paste into an issue or into a request for a purchase."""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from tabulate import tabulate

from hwprobe import wording
from hwprobe.summary import lines
from hwprobe.wording import LABELS

# What Markdown, HTML or GitHub's formulas would take for their own. As a character reference it is only itself.
_SPECIAL = re.compile(r"[\\`*_{}\[\]<>|~$&@#!]")


def render(report: Mapping[str, Any]) -> str:
    """The command's report (schema.json) as Markdown; of a report on a workload the tiers are left out."""
    label = [("Label", report["label"])] if report["label"] else []
    found = [*label, *lines(report["facts"]), ("Fingerprint", report["fingerprint"]["id"])]
    parts = [_table(("Machine", ""), found)]
    parts += _workload(report["workload"]) if "workload" in report else _tiers(report["readiness"])
    if report["advice"]:
        parts.append("For figures that repeat (nothing of this is done for you):")
        parts.append(_list(f"{escaped(row['reason'])}: {escaped(row['remedy'])}" for row in report["advice"]))
    if "ceilings" in report:
        parts.append(_table(wording.CEILING_COLUMNS, wording.ceiling_rows(report["ceilings"])))
        parts.append(_list(map(escaped, wording.ceiling_notes(report["ceilings"]))))
    return "\n\n".join(part for part in parts if part)


def escaped(text: str) -> str:
    """The text as it is, whatever it holds: one line, nothing formatted, nobody notified."""
    # GitHub looks for @names and #numbers in what Markdown has rendered: only a character in between keeps them apart.
    return _SPECIAL.sub(
        lambda found: f"&#{ord(found[0])};" + ("&#8203;" if found[0] in "@#" else ""), " ".join(text.split())
    )


def _tiers(readiness: Mapping[str, Any]) -> list[str]:
    rows = list(wording.rows(readiness))  # type: ignore[arg-type]
    cells = [
        (LABELS[row[0]["check"]], wording.amount(row[0]["check"], row[0]["measured"]), *map(_cell, row)) for row in rows
    ]
    verdicts = [
        f"**{tier.capitalize()} tier:** {escaped(wording.tier_verdict(result['checks'])[0])}."
        for tier, result in readiness["tiers"].items()
    ]
    forced = wording.forced(readiness)  # type: ignore[arg-type]
    columns = ("Check", "Found", *map(str.capitalize, readiness["tiers"]))
    return [_table(columns, cells, plain=False), _remedies(rows), *verdicts, escaped(forced)]


def _workload(result: Mapping[str, Any]) -> list[str]:
    cells = [
        (
            LABELS[row["check"]],
            *(wording.amount(row["check"], row[name]) for name in ("measured", "required")),
            row["verdict"],
        )
        for row in result["checks"]
    ]
    says = f"**{escaped(wording.workload_title(result))}.** {escaped(wording.workload_needs(result))}"
    return [_table(wording.WORKLOAD_COLUMNS, cells), _remedies((row,) for row in result["checks"]), says]


def _cell(row: Mapping[str, Any]) -> str:
    return f"**{row['verdict']}** ({wording.amount(row['check'], row['required'])})"


def _remedies(results: Iterable[Sequence[Any]]) -> str:
    said = [(LABELS[rows[0]["check"]], wording.advice(rows)) for rows in results]
    return _list(f"**{label}:** {escaped(advice)}" for label, advice in said if advice)


def _list(items: Iterable[str]) -> str:
    return "\n".join(f"- {item}" for item in items)


def _table(columns: Sequence[str], rows: Iterable[Sequence[str]], plain: bool = True) -> str:
    """`plain`: the cells are texts, not Markdown of our own."""
    cells = [[escaped(cell) if plain else cell for cell in row] for row in rows]
    return tabulate(cells, headers=columns, tablefmt="github", disable_numparse=True)
