"""What a manifest says of timed calls: how many of them each process made, and whether they were a steady state."""

from typing import Any

from reports.manifest import Manifest

Row = dict[str, Any]
Key = tuple[str, ...]  # workload, framework, mode, size, phase as rows have it, in small letters
Latencies = dict[Key, Row]


def latencies_of(manifest: Manifest) -> Latencies:
    """The manifest's entries, by the results that they belong to."""
    return {_key(entry, str(entry["phase"]).replace(" ", "")): entry for entry in manifest["latencies"]}


def per_process(row: Row, found: Latencies) -> list[int]:
    """How many of a row's samples each process gave; empty where that is not known, or not of these samples."""
    calls = found.get(_key(row, row["phase"]), {}).get("calls")
    if not isinstance(calls, list) or not all(type(count) is int and count > 0 for count in calls):
        return []
    return calls if sum(calls) == len(row["samples"]) else []


def unsteady(row: Row, found: Latencies) -> list[str]:
    """Why the calls that a row's samples come from were no steady state."""
    reasons = found.get(_key(row, row["phase"]), {}).get("unstable")
    of_calls = row["unit"] == "s" and row["samples"]
    return [f"unstable: {reason}" for reason in dict.fromkeys(map(str, reasons))] if of_calls and reasons else []


def _key(row: Row, phase: str) -> Key:
    return (*(str(row[axis]) for axis in ("workload", "framework", "mode", "size")), phase.lower())
