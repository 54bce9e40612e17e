"""asv's file of machines, ~/.asv-machine.json. It is the user's and serves all his projects, so what stands there
stays: other machines, values of his own, keys that nobody here knows, and their order.
"""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from asv import util
from asv.machine import MachineCollection

from hwprobe.facts import Fact
from suites.files import write_atomically

FORMAT = MachineCollection.api_version
SHOWN = "~/.asv-machine.json"
_GIB = 2**30


def read() -> dict[str, Any]:
    """The file's machines by name, and its format under "version"; empty where there is no file.

    Raises asv's UserError, one line, where it cannot be read or is none that this version of asv reads.
    """
    try:
        machines = json.loads(_path().read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise util.UserError(f"{SHOWN}: {error.strerror}") from None
    except (ValueError, RecursionError) as error:
        raise util.UserError(f"{SHOWN} is no JSON and is left as it is: {error}") from None
    if not isinstance(machines, dict) or not all(
        isinstance(entry, dict) for name, entry in machines.items() if name != "version"
    ):
        raise util.UserError(f"{SHOWN} is no list of machines and is left as it is")
    if machines.get("version") != FORMAT:
        raise util.UserError(f"{SHOWN} has another format than {FORMAT} and is left as it is; see `asv update`")
    return machines


def describe(machines: Mapping[str, Any], names: Iterable[str], facts: Mapping[str, Any]) -> None:
    """Write the file with what `hwprobe.collect` found under these names; a machine that is new there is added.

    Raises asv's UserError, one line, where it cannot be written.
    """
    ours = _ours(facts)
    changed = {name: {**machines.get(name, {"machine": name, **_standard(facts)}), **ours} for name in names}
    text = json.dumps({**machines, **changed, "version": FORMAT}, indent=4) + "\n"
    try:
        write_atomically(_path(), lambda stream: stream.write(text.encode()))
    except OSError as error:
        raise util.UserError(f"{SHOWN} cannot be written: {error.strerror}") from None


def _path() -> Path:
    return Path(MachineCollection.get_machine_file_path())


def _standard(facts: Mapping[str, Any]) -> dict[str, str]:
    """What asv wants to know of a machine; everything is text."""
    return {
        "os": _text(facts["software"]["os"]),
        "arch": _text(facts["software"]["architecture"]),
        "cpu": _text(facts["cpu"]["model"]),
        "num_cpu": _text(facts["cpu"]["usable"]),
        "ram": _text(facts["memory"]["usable"]),
    }


def _ours(facts: Mapping[str, Any]) -> dict[str, str]:
    """What it does not ask for: `vram` is the largest single GPU's, `usable_cores` may be a fraction in a container."""
    gpu = facts["gpu"]
    names = ", ".join(_text(device["name"]) for device in gpu["devices"])
    vram = gpu["vram"]["value"]
    return {
        "gpu": names or ("none" if gpu["count"]["value"] == 0 else "unknown"),
        "vram": (f"{vram / _GIB:.1f} GiB" if vram else "none") if isinstance(vram, int) else "unknown",
        "usable_cores": _text(facts["cpu"]["cores"]),
    }


def _text(fact: Fact) -> str:
    return "unknown" if fact["value"] is None else str(fact["value"])
