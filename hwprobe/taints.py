"""What tainted the time between readings of the conditions: what happened, in a few words that are true.

What a reading does not know taints not. Where not even other programs' load is known, nothing can be called clean.
"""

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import TypedDict

from hwprobe.facts import Fact, Value
from hwprobe.own_time import ticks_per_second

OTHER_LOAD = 0.05  # of all CPUs, above which other programs' work taints
STEAL = 0.01  # of all CPU time, above which the hypervisor's taking does
WAITING = 0.01  # of the time, above which waiting for memory does, and heat that slows a GPU
_TICKS = 5  # /proc/stat counts whole ticks, of 10 ms: fewer than these are rounding, whatever their share
_COUNTERS = (  # name, condition, what happened, what is counted
    ("throttled_periods", "quota throttling", "the CPU quota stopped this process {}", "time"),
    ("swapped_pages", "swap", "{} went to swap or came back", "page"),
    ("oom_kills", "out of memory", "the kernel ended {} for lack of memory", "program"),
    ("thermal_throttles", "thermal throttling", "heat slowed the CPU {}", "time"),
)

Reading = Mapping[str, Fact]
Spell = tuple[Reading, Reading]  # from one reading to the next


class Taint(TypedDict):
    """A condition that spoiled the time between two readings, and how that shows."""

    condition: str
    reason: str


def compare(before: Reading, after: Reading) -> list[Taint]:
    """What tainted the time between two readings of one process; empty for a clean one."""
    return judge([(before, after)])


def judge(spells: Sequence[Spell]) -> list[Taint]:
    """What tainted these spells, taken together."""
    return [Taint(condition=condition, reason=reason) for condition, reason in (*_of_cpu(spells), *_of_gpus(spells))]


def knows_other_load(before: Reading, after: Reading) -> bool:
    """Whether it can be told what other programs did between two readings."""
    return not math.isnan(_other_load([(before, after)]))


def grown(name: str, spells: Sequence[Spell]) -> float:
    """How much a counter grew in all; not a number where a reading does not know it, so that no comparison holds."""
    return sum(_number(after, name) - _number(before, name) for before, after in spells)


def _of_cpu(spells: Sequence[Spell]) -> Iterator[tuple[str, str]]:
    tick = _TICKS / ticks_per_second()
    time, total = grown("time", spells), grown("cpu_time", spells)
    other, steal = _other_load(spells), grown("steal_time", spells)
    if total > 0 and other > max(OTHER_LOAD * total, tick):
        yield "other load", f"other programs took {other / total:.0%} of the CPUs"
    if total > 0 and steal > max(STEAL * total, tick):
        yield "steal", f"the hypervisor took {steal / total:.1%} of the CPU time"
    for name, condition, says, what in _COUNTERS:
        if (count := grown(name, spells)) > 0:
            yield condition, says.format(_counted(count, what))
    waited = grown("pressure_memory", spells)
    if time > 0 and waited > WAITING * time:
        yield "memory pressure", f"programs waited for memory for {waited / time:.0%} of the time"
    if any(_value(before, "on_battery") is False and _value(after, "on_battery") is True for before, after in spells):
        yield "battery", "the charger was unplugged"


def _of_gpus(spells: Sequence[Spell]) -> Iterator[tuple[str, str]]:
    """Of the GPUs that this run's programs use; of all, where the driver does not list these programs (containers)."""
    readings = [reading for spell in spells for reading in spell]
    found = {match[1] for name in readings[0] if (match := re.fullmatch(r"gpu(\d+)_slowed_by", name))}
    used = [gpu for gpu in found if any(_number(reading, f"gpu{gpu}_own_programs") > 0 for reading in readings)]
    for gpu in sorted(used or found, key=int):
        name, time, slow = f"GPU {gpu}", grown("time", spells), grown(f"gpu{gpu}_thermal_time", spells)
        others = max((_number(reading, f"gpu{gpu}_other_programs") for reading in readings), key=_known_first)
        if time > 0 and slow > WAITING * time:
            yield "GPU heat", f"heat slowed {name} for {slow / time:.0%} of the time"
        elif causes := sorted({cause for reading in readings for cause in _texts(reading, f"gpu{gpu}_slowed_by")}):
            yield "GPU slowdown", f"{' and '.join(causes)} slowed {name}"
        if gpu in used and others > 0:
            yield "GPU shared", f"{_counted(others, 'other program')} ran on {name}"
        if (errors := grown(f"gpu{gpu}_memory_errors", spells)) > 0:
            yield "GPU memory errors", f"{name} counted {_counted(errors, 'uncorrected memory error')}"


def _other_load(spells: Sequence[Spell]) -> float:
    """Seconds of CPU time; not a number for readings of two processes, whose own times have nothing in common."""
    same_process = all(_value(before, "process_start") == _value(after, "process_start") for before, after in spells)
    return grown("busy_time", spells) - grown("own_time", spells) if same_process else math.nan


def _known_first(number: float) -> float:
    return -math.inf if math.isnan(number) else number


def _counted(count: float, what: str) -> str:
    return f"{count:.0f} {what}{'' if count == 1 else 's'}"


def _number(reading: Reading, name: str) -> float:
    value = _value(reading, name)
    return float(value) if isinstance(value, int | float) else math.nan


def _texts(reading: Reading, name: str) -> list[str]:
    value = _value(reading, name)
    return value if isinstance(value, list) else []


def _value(reading: Reading, name: str) -> Value:
    return reading[name]["value"] if name in reading else None
