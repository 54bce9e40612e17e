"""Wait until other programs leave the machine alone, but never for longer than one is told to."""

import time

from hwprobe import taints
from hwprobe.conditions import read
from hwprobe.own_time import OwnTime

STEP_S = 0.5
IDLE_S = 2.0  # so long in a row
_BUSY = ("other load", "steal")


def wait(limit_s: float, root: str = "/") -> str | None:
    """Why the machine is not idle after `limit_s` seconds; None as soon as it is."""
    deadline = time.monotonic() + limit_s
    own_time = OwnTime(root)
    before, idle_s, why = read(own_time, root), 0.0, f"it takes {IDLE_S:.0f} s to tell"
    while time.monotonic() + STEP_S <= deadline:
        time.sleep(STEP_S)
        after = read(own_time, root)
        if not taints.knows_other_load(before, after):
            return "this system does not tell what other programs do"
        busy = [taint["reason"] for taint in taints.compare(before, after) if taint["condition"] in _BUSY]
        idle_s, why = (0.0, ", ".join(busy)) if busy else (idle_s + STEP_S, why)
        if idle_s >= IDLE_S:
            return None
        before = after
    return why
