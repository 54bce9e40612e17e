"""How `evenbench run` hands over to asv."""

import os
import sys
from collections.abc import Sequence
from pathlib import Path

from hwprobe import label
from suites import profiles


def command(arguments: Sequence[str] = (), resume: bool = False) -> list[str]:
    """asv's command line, to be run in the folder of asv.conf.json: `python -m asv run`, arguments of asv's added.

    resume: go on with the interrupted run of the same commit, environment and profile. The machine is registered with
    asv under the name made of what it has. Raises asv's UserError, one line, where that cannot be written.
    """
    from suites.plugins import machine

    skip = ["--skip-existing-successful"] if resume else []
    return [sys.executable, "-m", "asv", "run", "--machine", machine.name(), *skip, *arguments]


def environment(profile: str) -> dict[str, str]:
    """The variables for it. Raises ValueError, one line, for an unknown profile or a label that is none."""
    profiles.get(profile)
    label.current()
    return {**os.environ, profiles.VARIABLE: profile}


def problem(root: Path) -> str | None:
    """Why asv cannot run in this folder, in one line; None if it can."""
    if not (root / "asv.conf.json").is_file():
        return f"{root} has no asv.conf.json: run this in the folder of the checkout"
    store = root / ".asv"
    place = store if store.exists() else root
    if not os.access(place, os.W_OK | os.X_OK):
        return f"{place} cannot be written"
    return None
