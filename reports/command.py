"""`evenbench report` and `evenbench compare`. Importing this is light: what they need is imported when they run."""

import sys
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

if TYPE_CHECKING:
    from reports.load import Results
    from reports.pairs import Comparison

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
        loaded = load_results(results)
        try:
            out.mkdir(parents=True, exist_ok=True)  # before the work rather than after it
            from reports.site import report_files
            from reports.write import write_all

            write_all(out, report_files(loaded, say))
        except OSError as error:
            fail(f"cannot write {out}: {error.strerror}")
    for skipped in loaded.skipped:
        print(f"skipped {skipped.path}: {skipped.reason}", file=sys.stderr)
    print(out / "index.html")


def compare(
    first: Annotated[str, typer.Argument(metavar="A", help="What B is judged against.")],
    second: Annotated[str, typer.Argument(metavar="B", help="What is judged.")],
    results: ResultsOption = Path(".asv"),
    fail_on: Annotated[
        str | None, typer.Option(metavar="SHARE", help="Exit 3 if a figure got worse by this much or more: 5%, 0.05.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON (form: reports/comparison.schema.json).")] = False,
    as_markdown: Annotated[bool, typer.Option("--markdown", help="Print Markdown for a pull request.")] = False,
) -> None:
    """Compare two runs, or two frameworks in the newest run, figure by figure.

    A and B: a commit (its first digits), an environment (its name, or a part that no other has, such as torch2.12), a
    machine, a results folder, or a baseline that `evenbench baseline save` made; or, both of them, a framework or
    framework:mode.

    A difference is claimed where the 95 % interval of the ratio excludes 1. With --fail-on a figure fails if its whole
    interval is on the bad side and the ratio worse by at least that share.

    Exit codes: 0 no regression, or nobody asked; 2 wrong usage; with --fail-on also 3 a regression; 4 nothing was
    comparable.

    Example: evenbench compare main .asv --fail-on 5%
    """
    from reports import gate, pairs
    from reports.load import NoResultsError
    from reports.runs import UnknownNameError
    from reports.sides import sides

    if as_json and as_markdown:
        fail("choose one of --json and --markdown")
    least = None if fail_on is None else _threshold(fail_on)
    try:
        with _progress() as say:
            say("reading results")
            both = sides(results, first, second)
            say("computing intervals")
            found = pairs.compare(*both)
    except (UnknownNameError, NoResultsError) as error:
        fail(str(error))
    if not found.figures and least is None:
        fail(f"{first} and {second} have no figure in common")
    _print_comparison(found, least, as_json, as_markdown)
    if least is not None:
        for line in gate.lines(found, least):
            print(_line(f"evenbench: {line}"), file=sys.stderr)
        raise typer.Exit(gate.exit_code(found, least))


def _threshold(text: str) -> float:
    from reports.gate import threshold

    try:
        return threshold(text)
    except ValueError as error:
        fail(str(error))


def load_results(folder: Path) -> "Results":
    """The folder's results, or the end of the command with one line."""
    from reports.load import NoResultsError, load

    try:
        return load(folder)
    except NoResultsError as error:
        fail(str(error))


def _print_comparison(found: "Comparison", least: float | None, as_json: bool, as_markdown: bool) -> None:
    from reports import pairs_json, pairs_text
    from reports.formats import some
    from reports.sides import sources

    if as_json:
        import json

        print(json.dumps(pairs_json.to_json(found, least), indent=1, allow_nan=False))
    elif as_markdown:
        print(pairs_text.to_markdown(found))
    else:
        pairs_text.show(found)
    for source in sources(found.first, found.second):
        if skipped := [f"{one.path}: {one.reason}" for one in source.results.skipped]:
            print(_line(f"skipped in {source.folder}: {some(skipped)}"), file=sys.stderr)


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


def fail(message: str) -> NoReturn:
    """End the command: one line on stderr, exit code 2."""
    print(_line(f"evenbench: {message}"), file=sys.stderr)
    raise typer.Exit(USAGE)


def _line(text: str) -> str:
    """Text that holds names from files, on one line."""
    return " ".join(text.split())


def app() -> Callable[[], None]:
    """All commands as a program of their own."""
    from reports import baseline_command

    commands = typer.Typer(name="reports", no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
    commands.command()(report)
    commands.command()(compare)
    commands.add_typer(baseline_command.app)
    return commands
