"""A name that the user chooses for a machine, to tell his machines apart where results lie side by side. Nobody else
chooses one: without it a machine is only a fingerprint."""

import os

VARIABLE = "EVENBENCH_LABEL"
LONGEST = 40  # characters


def checked(text: str) -> str:
    """The label without blanks around it. Raises ValueError, one line, if it is none."""
    label = text.strip()
    if not label.isprintable() or not 1 <= len(label) <= LONGEST:
        raise ValueError(f"a label has 1 to {LONGEST} printable characters, not {text[: LONGEST + 1]!a}")
    return label


def current() -> str | None:
    """The label in the environment; None where none is set. Raises ValueError, one line, if it is none."""
    text = os.environ.get(VARIABLE)
    return checked(text) if text else None
