"""Runs by the names that a user may give them."""

from reports.formats import some
from reports.load import Run

SHORTEST_COMMIT = 4  # digits, as git has it


class UnknownNameError(Exception):
    """What was asked for is not there, or is several things; the text names what there is."""


def of_commit(runs: list[Run], name: str) -> list[Run]:
    """The runs of the commit that begins with this name, in their order. Raises UnknownNameError where several do."""
    if len(name) < SHORTEST_COMMIT:
        return []
    found = [run for run in runs if run.commit.startswith(name.lower())]
    commits = sorted({run.commit[:12] for run in found})
    if len(commits) > 1:
        raise UnknownNameError(f"several commits begin with {name!r}: {some(commits)}")
    return found


def choose(runs: list[Run], wanted: str) -> Run:
    """The run with this ID, else the newest of the commit that begins so; '': the newest of all.

    runs: newest first. Raises UnknownNameError where there is none.
    """
    if not wanted:
        return runs[0]
    found = [run for run in runs if run.run_id == wanted] or of_commit(runs, wanted)
    if not found:
        raise UnknownNameError(f"no run {wanted!r}; there are: {some([run.run_id for run in runs])}")
    return found[0]
