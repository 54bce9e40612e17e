"""The top of the page: which machine, is it ready, which run, and every mark that a reader must not miss."""

from dataclasses import dataclass
from typing import Any

from reports import formats
from reports.compare import UNSTABLE, Noise, Verdict
from reports.conditions import tally
from reports.formats import UNKNOWN
from reports.load import Results, Run

TIERS = ("minimum", "ideal")
CHECKS = {"cores": "CPU cores", "vram": "VRAM", "ram": "RAM", "disk": "disk"}
GB = 10**9
VERDICT_WORDS = {
    "pass": "met",
    "warn": "met, with a doubt",
    "fail": "not met",
    "unknown": "cannot be told",
    "skipped": "not checked",
}


@dataclass(frozen=True)
class Mark:
    """Something about the run that a reader must see before any figure."""

    title: str
    detail: str


@dataclass(frozen=True)
class Requirement:
    """One row of the readiness table; `tiers` holds (required, verdict, verdict in words) of each tier."""

    check: str
    measured: str
    tiers: tuple[tuple[str, str, str], ...]
    reason: str
    remedy: str


@dataclass(frozen=True)
class Readiness:
    """`tiers`: (tier, verdict, sentence) each."""

    tiers: tuple[tuple[str, str, str], ...]
    requirements: tuple[Requirement, ...]


def machine_line(run: Run) -> str:
    """As in "Intel(R) Xeon(R) Processor, 2 cores, 23.5 GiB RAM, no GPU, Debian GNU/Linux 12", after a label if any."""
    label = f"{run.manifest['label']}: " if run.manifest["label"] else ""
    facts = run.manifest["facts"]
    ram = fact(facts, "memory", "usable")
    devices = _get(facts, "gpu", "devices")
    names = [_value(_get(device, "name")) for device in devices] if isinstance(devices, list) else []
    gpu = formats.join([str(name) for name in names if name]) or ("no GPU" if devices == [] else "GPU unknown")
    return label + ", ".join(
        [
            str(fact(facts, "cpu", "model") or "CPU unknown"),
            f"{fact(facts, 'cpu', 'cores') or UNKNOWN} cores",
            f"{formats.quantity(ram, 'bytes') if isinstance(ram, int | float) else UNKNOWN} RAM",
            gpu,
            str(fact(facts, "software", "os") or "operating system unknown"),
        ]
    )


def fact(facts: dict[str, Any], *path: str) -> Any:
    """The value of a fact, None where it is not recorded."""
    return _value(_get(facts, *path))


def readiness(run: Run) -> Readiness:
    """The stored verdict on both tiers; a tier that is not recorded is unknown."""
    stored = _get(run.manifest["readiness"], "tiers")
    tiers = {name: _get(stored, name) or {} for name in TIERS}
    checks: dict[str, dict[str, dict[str, Any]]] = {}
    for name, tier in tiers.items():
        rows = _get(tier, "checks")
        for row in rows if isinstance(rows, list) else []:
            if isinstance(row, dict):
                checks.setdefault(str(row.get("check", UNKNOWN)), {})[name] = row
    summaries = tuple((name, _verdict(tier), _summary(name, tier, checks)) for name, tier in tiers.items())
    return Readiness(summaries, tuple(_requirement(check, rows) for check, rows in checks.items()))


def marks(run: Run, results: Results, verdicts: list[Verdict], noise: Noise) -> list[Mark]:
    """What qualifies every figure of this page, the most serious first."""
    found = []
    if not run.has_manifest:
        found.append(Mark("No manifest", "this run's certificates and conditions are unknown: no ranking is given"))
    if run.interrupted:
        found.append(Mark("Interrupted run", "not everything was measured"))
    if run.dirty:
        found.append(Mark("Uncommitted changes", "the code that was measured differs from its commit"))
    taints = run.manifest["conditions"].get("taints")
    reasons = (
        [str(taint.get("reason")) for taint in taints if isinstance(taint, dict)] if isinstance(taints, list) else []
    )
    if reasons:  # of a run that did not yet tell stage by stage
        found.append(Mark("Tainted conditions", "; ".join(reasons)))
    disturbed = tally(results.of(run))
    if disturbed.tainted:
        such = "such as " if len(disturbed.reasons) > 3 else ""
        found.append(
            Mark(
                "Tainted results",
                f"{disturbed.tainted} of {disturbed.results}: {such}{'; '.join(disturbed.reasons[:3])}",
            )
        )
    if noise.unstable:
        such = f"{'such as ' if len(noise.unstable) > 3 else ''}{'; '.join(noise.unstable[:3])}"
        detail = f"{len(noise.unstable)} of {noise.timed} medians are known no better than ±{UNSTABLE:.0%}: {such}"
        found.append(Mark("Unstable", detail))
    withheld = sorted({verdict.workload for verdict in verdicts if verdict.state == "withheld"})
    if withheld:
        found.append(Mark("Rankings withheld", f"no proof of equal work for {formats.some(withheld)}"))
    forced = run.manifest["readiness"].get("forced")
    if isinstance(forced, list) and forced:
        found.append(Mark("Forced", f"not checked on demand: {formats.join([str(name) for name in forced])}"))
    if results.skipped:
        count = len(results.skipped)
        found.append(
            Mark(f"{count} skipped", "files or benchmarks that could not be used: see failures and exclusions")
        )
    return found


def _summary(name: str, tier: dict[str, Any], checks: dict[str, dict[str, dict[str, Any]]]) -> str:
    """As in "minimum tier not met: CPU cores 2 of 4, VRAM 0 GiB of 2 GiB"."""
    words = VERDICT_WORDS.get(_verdict(tier), UNKNOWN)
    short = [
        f"{CHECKS.get(check, check)} {_measured(rows[name])} of {_required(rows[name])}"
        for check, rows in checks.items()
        if name in rows and rows[name].get("verdict") in ("fail", "unknown")
    ]
    return f"{name} tier {words}" + (f": {', '.join(short)}" if short else "")


def _requirement(check: str, rows: dict[str, dict[str, Any]]) -> Requirement:
    asked = [rows.get(tier, {}) for tier in TIERS]
    verdicts = [str(row.get("verdict", "unknown")) for row in asked]
    return Requirement(
        check=CHECKS.get(check, check),
        measured=_measured(next(iter(rows.values()))),
        tiers=tuple(
            (_required(row), verdict if verdict in VERDICT_WORDS else "unknown", VERDICT_WORDS.get(verdict, UNKNOWN))
            for row, verdict in zip(asked, verdicts, strict=True)
        ),
        reason=next((str(row["reason"]) for row in asked if row.get("reason")), ""),
        remedy=next((str(row["remedy"]) for row in asked if row.get("remedy")), ""),
    )


def _verdict(tier: dict[str, Any]) -> str:
    verdict = _get(tier, "verdict")
    return verdict if isinstance(verdict, str) and verdict in VERDICT_WORDS else "unknown"


def _measured(row: dict[str, Any]) -> str:
    return _amount(row, "measured")


def _required(row: dict[str, Any]) -> str:
    return _amount(row, "required")


def _amount(row: dict[str, Any], key: str) -> str:
    """Disks are sold in GB of 10^9 bytes, memory in GiB: what is asked for in whole GB is shown in GB."""
    value, required = row.get(key), row.get("required")
    if not isinstance(value, int | float):
        return UNKNOWN
    if row.get("unit") != "bytes":
        return f"{value:g}"
    decimal = isinstance(required, int) and required % GB == 0
    return f"{value / GB:.4g} GB" if decimal else f"{value / 2**30:.3g} GiB"


def _get(source: Any, *path: str) -> Any:
    for key in path:
        source = source.get(key) if isinstance(source, dict) else None
    return source


def _value(fact_: Any) -> Any:
    return fact_.get("value") if isinstance(fact_, dict) else None
