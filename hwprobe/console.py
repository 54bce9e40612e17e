"""What the user of the command gets to see when something goes wrong: one line, and never a traceback."""

import os
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager

import typer

from hwprobe.readiness import INTERNAL_ERROR

DEBUG = "EVENBENCH_DEBUG"  # set to anything: the traceback, too


@contextmanager
def errors_in_one_line() -> Iterator[None]:
    """What fails in here, but wrong usage, is no fault of the user's: one line on stderr and the exit code for that."""
    try:
        yield
    except (typer.Exit, typer.BadParameter):
        raise
    except Exception as error:
        if os.environ.get(DEBUG):
            traceback.print_exc()
        print(f"hwprobe: internal error: {_line(error)}", file=sys.stderr)
        raise typer.Exit(INTERNAL_ERROR) from None


@contextmanager
def readers_may_leave() -> Iterator[None]:
    """Print in here: whoever reads only the head of it ends the printing, and changes nothing of the exit code."""
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(errors="replace")  # a terminal without the character of a processor's name
    try:
        yield
        print(end="", flush=True)
    except (BrokenPipeError, SystemExit):  # rich makes the one the other
        _forget_output()
    except OSError:
        _forget_output()
        raise


def _forget_output() -> None:
    """Let the rest go nowhere: at its end Python would write it once more, and complain."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _line(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    return " ".join(f"{type(error).__name__}: {error}".split())
