"""What is being measured and how far it is, on stderr; silent where that is no terminal."""

import sys
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Self


class Progress(AbstractContextManager["Progress"]):
    """A line that tells the present step, a bar, and the time that has passed."""

    def __init__(self, title: str, steps: int) -> None:
        self._bar = None
        if sys.stderr.isatty():
            from rich.console import Console
            from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
            from rich.progress import Progress as Bar

            columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
            # Once a second: redrawing takes time from the calls that are measured meanwhile.
            self._bar = Bar(*columns, console=Console(stderr=True), refresh_per_second=1, transient=True)
            self._task = self._bar.add_task(title, total=steps)
        self._title = title

    def __enter__(self) -> Self:
        if self._bar:
            print(file=sys.stderr)  # asv has left a line open
            self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar:
            self._bar.stop()

    def say(self, step: str) -> None:
        """Name the step that begins."""
        if self._bar:
            self._bar.update(self._task, description=f"{self._title}: {step}")

    def advance(self) -> None:
        """A step is done."""
        if self._bar:
            self._bar.advance(self._task)
