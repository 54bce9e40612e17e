"""Save asv's results after each benchmark, with their samples, and never half a file.

asv saves once, at the end, and overwrites in place: Ctrl-C would lose a run, kill -9 at the wrong moment the file too.
"""

import json
from pathlib import Path
from typing import Any

from asv import util
from asv.results import Results

from suites.files import write_atomically


def setup() -> None:
    """Called by asv when it loads the plugin."""
    if getattr(Results, "saves_itself", False):
        return
    Results.saves_itself = True
    load_data, add_result = Results.load_data, Results.add_result

    def load_data_and_remember(self: Results, result_dir: str) -> None:
        self.result_dir = result_dir  # asv calls this only where it is going to save
        load_data(self, result_dir)

    def add_result_and_save(self: Results, *args: Any, **options: Any) -> None:
        add_result(self, *args, **{**options, "record_samples": True})
        if hasattr(self, "result_dir"):
            self.save(self.result_dir)

    Results.load_data = load_data_and_remember
    Results.add_result = add_result_and_save
    util.write_json = write_json


def write_json(path: str, data: Any, api_version: int | None = None, compact: bool = False) -> None:
    """asv.util.write_json, atomic, and with one line for the user where it is impossible."""
    if api_version is not None:
        data = {**data, "version": api_version}
    style = {} if compact else {"indent": 4, "sort_keys": True}
    text = json.dumps(data, **style)  # type: ignore[arg-type]
    try:
        write_atomically(Path(path), lambda stream: stream.write(text.encode()))
    except OSError as error:
        raise util.UserError(f"cannot write {path}: {error.strerror}") from None
