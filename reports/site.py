"""The report: one page that needs nothing but itself, a Markdown summary and the tables."""

import hashlib
from collections.abc import Callable
from datetime import UTC, datetime
from functools import cache
from typing import Any

import jinja2
import pandas as pd
from markupsafe import Markup, escape

from reports import formats, headline, proof, stats
from reports.assets import page_assets
from reports.certificates import certificates
from reports.charts import Spec, curves_chart, kernel_chart, latency_chart
from reports.compare import Verdict, noise, verdicts
from reports.conditions import tally
from reports.escape import markdown
from reports.familiar import familiar_tables
from reports.kernels import MANY, KernelSection, kernel_section
from reports.learning import learning_sections
from reports.load import Results, Run
from reports.models import model_sections
from reports.names import KERNELS, phase_title, size_title
from reports.tables import enrich, to_csv, to_parquet
from reports.work import Facts, facts_of

Say = Callable[[str], None]


class Charts:
    """The specifications of a page's charts by name."""

    def __init__(self) -> None:
        self.specs: dict[str, Spec] = {}

    @staticmethod
    def name(verdict: Verdict) -> str:
        """Made of our own hash, since a workload's name may hold anything."""
        identity = "\0".join((verdict.suite, verdict.workload, verdict.phase, verdict.size))
        return "chart-" + hashlib.sha256(identity.encode()).hexdigest()[:12]


def report_files(results: Results, say: Say = lambda _: None) -> dict[str, bytes]:
    """File name -> content of the report on the newest run. The same input gives the same bytes."""
    run = results.runs[0]
    say("computing intervals")
    facts = facts_of(run.manifest)
    frame = enrich(results.of(run), facts.work)
    context = _context(frame, run, results, facts)
    say("writing the page")
    environment = _environment()
    return {
        "results.csv": to_csv(frame),
        "results.parquet": to_parquet(frame),
        "report.md": environment.get_template("report.md").render(context).encode(),
        "index.html": environment.get_template("page.html").render(context, **page_assets(environment)).encode(),
    }


def _context(frame: pd.DataFrame, run: Run, results: Results, facts: Facts) -> dict[str, Any]:
    proofs = certificates(run.manifest)
    judged = verdicts(frame, proofs)
    measured_noise = noise(judged, run.manifest["pairs"])
    kernels = kernel_section(frame, judged, run.manifest["ceilings"], facts)
    curves = learning_sections(run)
    return {
        "run": run,
        "machine": headline.machine_line(run),
        "readiness": headline.readiness(run),
        "marks": headline.marks(run, results, judged, measured_noise),
        "conditions": tally(results.of(run)).sentence,
        "started": _date(run.started_at),
        "time": _time(run),
        "versions": ", ".join(f"{name} {version}" for name, version in run.manifest["versions"].items()),
        "model_verdicts": [verdict for verdict in judged if verdict.suite != KERNELS],
        "sections": model_sections(frame, judged, _most_images(run)),
        "kernels": kernels,
        "curves": curves,
        "familiar": familiar_tables(frame, run),
        "charts": _charts(judged, kernels, curves),
        "proofs": proof.workload_proofs(frame, proofs),
        "failures": proof.failures(run),
        "exclusions": proof.exclusions(frame, run),
        "skipped": results.skipped,
        "other_runs": results.runs[1:],
        "settings": proof.settings(run),
        "manifest": proof.manifest_text(run),
        "noise": measured_noise,
        "comparisons": sum(len(verdict.entries) - 1 for verdict in judged if verdict.entries),
        "many": MANY,
        "processes": max(map(len, frame["per_process"]), default=0),
        "stats": stats,
    }


def _most_images(run: Run) -> int:
    """As far as the run sought the largest batch; 0: unknown."""
    most = run.manifest["profile"].get("largest_batch")
    return most if isinstance(most, int) else 0


def _charts(judged: list[Verdict], kernels: KernelSection | None, curves: list[dict[str, Any]]) -> Charts:
    charts = Charts()
    for verdict in judged:
        if verdict.suite != KERNELS and verdict.entries:
            charts.specs[charts.name(verdict)] = latency_chart(verdict)
    if kernels:
        _kernel_charts(charts.specs, kernels)
    for curve in curves:
        charts.specs[curve["name"]] = curves_chart(curve["curves"], curve["workload"])
    return charts


def _kernel_charts(specs: dict[str, Spec], kernels: KernelSection) -> None:
    for index, table in enumerate(kernels.tables, start=1):
        if len(table.verdicts) <= MANY and any(verdict.entries for verdict in table.verdicts):
            specs[f"kernels-{index}"] = kernel_chart(list(table.verdicts))
    for index, one in enumerate(kernels.rooflines, start=1):
        if one.spec is not None:
            specs[f"roofline-{index}"] = one.spec


def _time(run: Run) -> dict[str, str]:
    time = run.manifest["time"]
    parts = [time.get(key) for key in ("measured_s", "verifying_s", "wall_s")]
    if not all(isinstance(part, int | float) for part in parts) or not parts[2]:
        return {"wall": formats.duration(parts[2]), "share": ""}
    return {"wall": formats.duration(parts[2]), "share": f"{(parts[0] + parts[1]) / parts[2]:.0%}"}


def _date(text: str) -> str:
    """As in "2026-11-22 06:15 UTC"; a text that is no date stays as it is."""
    try:
        return datetime.fromisoformat(text).astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC")
    except ValueError:
        return text or formats.UNKNOWN


def _where(verdict: Verdict) -> str:
    parts = [phase_title(verdict.phase, verdict.suite).lower(), size_title(verdict.size)]
    return ", ".join(part for part in parts if part)


def _breakable(text: str) -> Markup:
    """A name that may break after its underscores, as it may after its hyphens."""
    return Markup(str(escape(text)).replace("_", "_<wbr>"))


@cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("reports"),
        autoescape=lambda name: name is None or not name.endswith(".md"),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    # NaN would be no JSON: rather no page than one whose charts do not load.
    environment.policies["json.dumps_kwargs"] = {"sort_keys": True, "separators": (",", ":"), "allow_nan": False}
    environment.filters["md"] = markdown
    environment.filters["breakable"] = _breakable
    environment.filters["date"] = _date
    environment.filters["where"] = _where
    environment.filters["error"] = formats.error
    environment.filters["capfirst"] = lambda text: text[:1].upper() + text[1:]
    return environment
