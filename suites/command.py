"""How the commands of this room that are no part of `evenbench` run: `python -m suites.<name>`."""

import sys
from collections.abc import Callable
from typing import Any, NoReturn

import typer


def main(function: Callable[..., Any], name: str) -> NoReturn:
    """Run a function as the command; wrong usage, a stranger or no space is one line on stderr and exit code 2."""
    usage_error: type[Exception] = typer.BadParameter.__mro__[1]  # UsageError, exported under no name that lasts
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    app.command()(function)
    try:
        sys.exit(app(prog_name=f"python -m suites.{name}", standalone_mode=False))
    except usage_error as error:
        said = error.format_message()  # type: ignore[attr-defined]
    except (OSError, ValueError) as error:
        said = str(error)
    except typer.Abort:
        sys.exit(130)
    print(f"evenbench: {' '.join(said.split())}", file=sys.stderr)
    sys.exit(2)
