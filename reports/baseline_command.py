"""`evenbench baseline`: keep a run under a name, to compare later ones with."""

from pathlib import Path
from typing import Annotated

import typer

from reports.command import ResultsOption, fail, load_results

app = typer.Typer(name="baseline", help="Keep a run under a name, to compare later ones with.", no_args_is_help=True)
Name = Annotated[str, typer.Argument(metavar="NAME", help="Letters, digits, - _ .")]


@app.command()
def save(
    name: Name,
    run: Annotated[str, typer.Option(help="A run's ID or the beginning of a commit. Default: the newest run.")] = "",
    force: Annotated[bool, typer.Option("--force", help="Replace a baseline of that name.")] = False,
    results: ResultsOption = Path(".asv"),
) -> None:
    """Copy a run to baselines/NAME in the results folder, where no later run overwrites it.

    Exit codes: 0 saved; 2 wrong usage, or nothing to save.

    Example: evenbench baseline save main --run 1a2b3c4d
    """
    from reports import baselines
    from reports.runs import UnknownNameError, choose

    loaded = load_results(results)
    try:
        chosen = choose(loaded.runs, run)
        folder = baselines.save(results, chosen, name, force)
    except (baselines.BaselineError, UnknownNameError) as error:
        fail(str(error))
    except OSError as error:
        fail(f"cannot write {baselines.path(results, name)}: {error.strerror}")
    print(f"{folder}: run {chosen.run_id}, commit {chosen.commit[:8]}, profile {chosen.profile}, {chosen.env_name}")


@app.command("list")
def list_(results: ResultsOption = Path(".asv")) -> None:
    """List the baselines, each with its run.

    Example: evenbench baseline list
    """
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from reports import baselines

    names = baselines.names(results)
    if not names:
        print(f"no baselines in {results}; `evenbench baseline save NAME` makes one")
        return
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)
    for column in ("Name", "Commit", "Profile", "Run", "Environment"):
        table.add_column(column, overflow="fold")
    for name in names:
        try:
            run = baselines.saved(results, name).runs[0]
            row = (name, run.commit[:8], run.profile, run.run_id, run.env_name)
        except baselines.BaselineError as error:
            row = (name, "", "", "", str(error))
        table.add_row(*map(Text, row))
    Console(highlight=False).print(table)


@app.command()
def remove(name: Name, results: ResultsOption = Path(".asv")) -> None:
    """Delete a baseline.

    Example: evenbench baseline remove main
    """
    from reports import baselines

    try:
        baselines.remove(results, name)
    except baselines.BaselineError as error:
        fail(str(error))
    except OSError as error:
        fail(f"cannot delete {baselines.path(results, name)}: {error.strerror}")
