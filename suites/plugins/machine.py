"""A name for this machine that asv need not ask for, made from what the machine has and never from whose it is."""

from collections.abc import Iterable
from functools import cache

from asv import machine

import hwprobe
from hwprobe.fingerprint import fingerprint
from hwprobe.private import is_this_host
from suites import machine_file

PREFIX = "machine-"


def setup() -> None:
    """Called by asv when it loads the plugin: asv run on an unknown machine asks no questions."""
    machine.Machine.get_unique_machine_name = classmethod(lambda _: name())


@cache
def name() -> str:
    """The name under which asv keeps this machine's results; the machine is registered if it is new.

    A name that the user has chosen stays. The one that asv proposes is no such name: it is the host's, and would stand
    in every file of results. Raises asv's UserError, one line, where the file of machines cannot be read or written.
    """
    known = machine_file.read()
    if chosen := _chosen(known):
        return chosen
    facts = hwprobe.collect()
    ours = PREFIX + fingerprint(facts)["id"]
    if ours not in known:
        machine_file.describe(known, [ours], facts)
    return ours


def write_facts() -> None:
    """Tell asv's file of machines about this one's GPU, memory of the GPU and usable cores, under each of its names.

    Raises asv's UserError, one line, where the file cannot be read or written.
    """
    known, facts = machine_file.read(), hwprobe.collect()
    ours = _chosen(known) or PREFIX + fingerprint(facts)["id"]
    machine_file.describe(known, [ours, *filter(is_this_host, _given(known))], facts)


def _chosen(known: Iterable[str]) -> str | None:
    """The only name that the user has given to a machine, unless it is the host's."""
    given = _given(known)
    return given[0] if len(given) == 1 and not is_this_host(given[0]) else None


def _given(known: Iterable[str]) -> list[str]:
    return [one for one in known if one != "version" and not one.startswith(PREFIX)]
