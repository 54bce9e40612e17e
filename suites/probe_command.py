"""hwprobe's command, and one option more for asv, of which hwprobe itself knows nothing."""

import inspect
import sys
from collections.abc import Callable
from functools import wraps
from typing import Annotated, Any

import typer

from hwprobe.__main__ import check_usage
from hwprobe.__main__ import probe as probe_of_hwprobe

Option = Annotated[
    bool, typer.Option("--write-asv-machine", help="Also write GPU, VRAM and usable cores to ~/.asv-machine.json.")
]


def _with_option(command: Callable[..., None]) -> Callable[..., None]:
    @wraps(command)
    def with_option(write_asv_machine: bool, **options: Any) -> None:
        if write_asv_machine:
            from suites import machine_file
            from suites.plugins import machine

            check_usage(**options)  # whoever is refused finds nothing written
            machine.write_facts()
            print(f"evenbench: {machine_file.SHOWN} knows this machine's GPU, VRAM and usable cores", file=sys.stderr)
        command(**options)

    # Typer reads a command's options from its signature.
    own = inspect.signature(command, eval_str=True)
    option = inspect.Parameter("write_asv_machine", inspect.Parameter.KEYWORD_ONLY, default=False, annotation=Option)
    with_option.__signature__ = own.replace(parameters=[*own.parameters.values(), option])  # type: ignore[attr-defined]
    return with_option


probe = _with_option(probe_of_hwprobe)
