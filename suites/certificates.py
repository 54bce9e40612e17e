"""What `evenbench verify` proves and how it shows it."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from math import inf
from threading import Lock

import impls
from impls.equivalence import Certificate, ProgramName
from suites.plan import groups, proofs
from suites.profiles import Profile

Report = Callable[[ProgramName, Certificate | None], None]


def programs(workloads: list[str], profile: Profile) -> list[ProgramName]:
    """Every program of these workloads, of all that the profile times if there are none, that can run here.

    Modes are the profile's, also of workloads that it does not time.
    """
    if workloads:
        models, kernels = (
            tuple(name for name in workloads if name in known) for known in (impls.MODELS, impls.KERNELS)
        )
        profile = replace(profile, models=models, kernels=kernels)
    missing = {framework: impls.missing(framework) for framework in impls.FRAMEWORKS}
    found = [program for group in groups(profile, missing).values() for program in group.programs]
    chosen = [program for program in found if not workloads or program.workload in workloads]
    return proofs(chosen, profile)


@contextmanager
def progress(total: int) -> Iterator[Report]:
    """Says on a terminal which proofs are under way and how many are done; quiet elsewhere."""
    if not sys.stderr.isatty():
        yield lambda _name, _certificate: None
        return
    from rich.console import Console
    from rich.progress import MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = (SpinnerColumn(), TextColumn("verifying"), MofNCompleteColumn(), TimeElapsedColumn())
    lock, running = Lock(), dict[ProgramName, None]()
    with Progress(*columns, TextColumn("{task.description}"), console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=total)

        def report(name: ProgramName, certificate: Certificate | None) -> None:
            with lock:  # proofs run in several threads
                if certificate is None:
                    running[name] = None
                else:
                    running.pop(name, None)
                    bar.advance(task)
                bar.update(task, description=", ".join(f"{one.workload} {one.framework}" for one in running))

        yield report


def show(certificates: list[Certificate]) -> None:
    """One row a program: the worst figure of each precision, and what failed."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(width=None if sys.stdout.isatty() else 160)
    table = Table(caption="largest relative error of any tensor; the reference computes in float64")
    proven = {check["dtype"] for one in certificates for check in one["checks"]}
    precisions = [name for name in ("float64", "float32", "bfloat16") if name in proven or name != "bfloat16"]
    for column in ("Workload", "Framework", "Mode", *precisions, "Verdict"):
        table.add_column(column, overflow="fold")
    for one in certificates:
        verdict = Text("equal", "green") if one["passed"] else Text(_failure(one), "red")
        worst = [_worst(one, precision) for precision in precisions]
        mode = f"{one['mode']}, default settings" if one["as_installed"] else one["mode"]
        table.add_row(one["workload"], one["framework"], mode, *worst, verdict)
    console.print(table)
    for framework in impls.FRAMEWORKS:
        if reason := impls.missing(framework):
            console.print(f"n/a: {framework} ({reason})")
    for reference in sorted({f"{_kind(one)} are compared with {one['reference']}" for one in certificates}):
        console.print(reference)


def _kind(certificate: Certificate) -> str:
    return f"{impls.WORKLOADS[certificate['workload']].kind}s"


def _worst(certificate: Certificate, precision: str) -> str:
    checks = [check for check in certificate["checks"] if check["dtype"] == precision]
    if not checks:
        return "n/a"
    errors = [check["error"] for check in checks]
    if None in errors:
        return "not finite"
    # In bfloat16 each kind of check has its own bound: the one that comes closest to it.
    closest = max(checks, key=lambda check: check["error"] / check["tolerance"] if check["tolerance"] else inf)
    sign = "<=" if closest["error"] <= closest["tolerance"] else ">"
    return f"{closest['error']:.1e} {sign} {closest['tolerance']:.0e}"


def _failure(certificate: Certificate) -> str:
    if certificate["error"]:
        return f"not proven: {certificate['error']}"
    failed = [check for check in certificate["checks"] if not check["passed"]]
    return "not equal: " + "; ".join(f"{check['name']} ({check['dtype']}, {check['tensor']})" for check in failed)
