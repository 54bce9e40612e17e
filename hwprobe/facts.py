"""A fact is a value with its unit and its source. Unknown is a value too: null with a reason.

Facts are plain dictionaries, so that what is collected, what is stored and what is read back later have one form.
"""

from typing import TypedDict

Value = bool | int | float | str | list[str] | None


class Fact(TypedDict):
    """`value` with a `reason` is a floor: the true value may be larger. No `value` with a `reason` is unknown."""

    value: Value
    unit: str | None
    source: str
    reason: str | None


Room = dict[str, Fact]


def known(value: Value, source: str, unit: str | None = None) -> Fact:
    """A measured value. Units in use: bytes, CPUs, MHz, watts, joules, seconds, degrees Celsius, count; None for text
    and for yes or no."""
    return Fact(value=value, unit=unit, source=source, reason=None)


def at_least(value: Value, source: str, reason: str, unit: str | None = None) -> Fact:
    """A floor: the true value is this or more, and `reason` says why it is not known better."""
    return Fact(value=value, unit=unit, source=source, reason=reason)


def unknown(reason: str, source: str, unit: str | None = None) -> Fact:
    """No value, and why."""
    return Fact(value=None, unit=unit, source=source, reason=reason)


def known_or(value: Value, reason: str, source: str, unit: str | None = None) -> Fact:
    """`known` if there is a value, else `unknown` for this reason."""
    return unknown(reason, source, unit) if value is None else known(value, source, unit)
