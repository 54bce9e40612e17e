"""A name for this machine that asv need not ask for, made from what the machine has and never from whose it is."""

from functools import cache
from typing import Any

from asv import machine

import hwprobe
from hwprobe.fingerprint import fingerprint
from suites.plugins import autosave

PREFIX = "machine-"


def setup() -> None:
    """Called by asv when it loads the plugin: asv run on an unknown machine asks no questions."""
    machine.Machine.get_unique_machine_name = classmethod(lambda _: name())


@cache
def name() -> str:
    """The name under which asv keeps this machine's results; the machine is registered if it is new.

    A machine that the user has registered with asv keeps its name. Raises asv's UserError, one line, where the file
    of machines in the home folder cannot be read or written.
    """
    known = _known()
    host = machine._get_unique_machine_name()
    given = [one for one in known if not one.startswith(PREFIX)]
    if host in known:
        return host
    if len(given) == 1:
        return given[0]
    facts = hwprobe.collect()
    ours = PREFIX + fingerprint(facts)["id"]
    if ours not in known:
        autosave.setup()  # asv's own way of writing is not atomic
        machine.MachineCollection.save(ours, {"machine": ours, **_fields(facts)})
    return ours


def _known() -> dict[str, Any]:
    path = machine.MachineCollection.get_machine_file_path()
    try:
        return machine.util.load_json(path, machine.MachineCollection.api_version)
    except OSError:
        return {}


def _fields(facts: dict[str, Any]) -> dict[str, str]:
    """What asv wants to know of a machine; everything is text."""

    def text(fact: dict[str, Any]) -> str:
        return "unknown" if fact["value"] is None else str(fact["value"])

    return {
        "os": text(facts["software"]["os"]),
        "arch": text(facts["software"]["architecture"]),
        "cpu": text(facts["cpu"]["model"]),
        "num_cpu": text(facts["cpu"]["usable"]),
        "ram": text(facts["memory"]["usable"]),
        "gpu": ", ".join(text(device["name"]) for device in facts["gpu"]["devices"]) or "none",
    }
