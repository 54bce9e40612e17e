"""What was chosen on the command line, against what there is: ValueError, one line that names what there is."""

from collections.abc import Iterable

import impls


def one_of(what: str, name: str, offered: Iterable[str]) -> str:
    """The name, if it is offered."""
    if name not in offered:
        raise ValueError(f"no such {what}: {name} (there are {', '.join(offered)})")
    return name


def mode_of(framework: str, mode: str, default: str) -> str:
    """A mode that the framework has; the default if none is named."""
    mode, offered = mode or default, impls.MODES[framework]
    if mode not in offered:
        raise ValueError(f"{framework} has no mode {mode} (it has {', '.join(offered)})")
    return mode


def check_installed(framework: str) -> None:
    """Refuse a framework that cannot run here, with the reason."""
    if reason := impls.missing(framework):
        raise ValueError(f"{framework} cannot run here: {reason}")
