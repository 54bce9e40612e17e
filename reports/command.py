"""`evenbench report` and `evenbench compare`. Importing this is light: what they need is imported when they run."""

import sys
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

if TYPE_CHECKING:
    from reports.load import Results

USAGE = 2
ResultsOption = Annotated[Path, typer.Option(help="Folder with asv's results/ and the runs/ with their manifests.")]


def report(
    results: ResultsOption = Path(".asv"),
    out: Annotated[Path, typer.Option(help="Folder to write the report to.")] = Path(".asv/report"),
) -> None:
    """Build the report on the newest run: index.html, report.md, results.csv, results.parquet.

    Example: evenbench report --results .asv --out /tmp/report
    """
    with _progress() as say:
        say("reading results")
        loaded = _load(results)
        try:
            out.mkdir(parents=True, exist_ok=True)  # before the work rather than after it
            from reports.site import report_files
            from reports.write import write_all

            write_all(out, report_files(loaded, say))
        except OSError as error:
            _fail(f"cannot write {out}: {error.strerror}")
    for skipped in loaded.skipped:
        print(f"skipped {skipped.path}: {skipped.reason}", file=sys.stderr)
    print(out / "index.html")


def compare(
    first: Annotated[
        str, typer.Argument(metavar="A", help="A framework, framework:mode, or the beginning of a commit.")
    ],
    second: Annotated[str, typer.Argument(metavar="B", help="The same, to compare A with.")],
    results: ResultsOption = Path(".asv"),
) -> None:
    """Compare two frameworks in the newest run, or two commits on one machine, figure by figure.

    Example: evenbench compare pytorch tensorflow:graph
    """
    from reports import pairs

    with _progress() as say:
        say("reading results")
        loaded = _load(results)
        try:
            sides = pairs.sides(loaded, first, second)
        except pairs.UnknownNameError as error:
            _fail(str(error))
        say("computing intervals")
        found = pairs.compare(loaded, *sides)
    if not found:
        _fail(f"{first} and {second} have no figure in common")
    _print_comparison(found, *sides)


def _load(folder: Path) -> "Results":
    from reports.load import NoResultsError, load

    try:
        return load(folder)
    except NoResultsError as error:
        _fail(str(error))


def _print_comparison(found: list[Any], first: Any, second: Any) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    # A pipe has no width: keep each row on one line there.
    console = Console(width=None if sys.stdout.isatty() else 240)
    table = Table(caption="ratio: B's figure over A's, with its 95 % interval")
    for column in ("Workload", "Metric", f"A: {first.title}", f"B: {second.title}", "B / A", "Verdict"):
        table.add_column(Text(column))
    for one in found:
        row = (one.workload, one.metric, one.first, one.second, one.ratio, one.verdict)
        table.add_row(*[Text(text) for text in row])
    console.print(table)
    for side in (first, second):
        run = side.run
        text = f"{side.title}: run {run.run_id}, profile {run.profile}, {run.env_name}"
        console.print(Text(text), soft_wrap=True)


def _progress() -> Any:
    """A context that gives a function to say what is going on: a spinner on a terminal, nothing elsewhere."""
    if not sys.stderr.isatty():
        return nullcontext(_say_nothing)
    from contextlib import contextmanager

    from rich.console import Console

    @contextmanager
    def spinner() -> Any:
        with Console(stderr=True).status("starting") as status:
            yield lambda step: status.update(step)

    return spinner()


def _say_nothing(step: str) -> None:
    """Quiet where nobody watches."""


def _fail(message: str) -> NoReturn:
    print(f"evenbench: {' '.join(message.split())}", file=sys.stderr)
    raise typer.Exit(USAGE)


def app() -> Callable[[], None]:
    """Both commands as a program of their own."""
    commands = typer.Typer(name="reports", no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
    commands.command()(report)
    commands.command()(compare)
    return commands
