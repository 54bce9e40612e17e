"""Watch over a measurement: is its result clean, or what tainted it?"""

import time
from collections.abc import Sequence
from itertools import pairwise
from typing import TypedDict

from hwprobe import conditions_gpu, taints
from hwprobe.conditions import read
from hwprobe.facts import Room
from hwprobe.own_time import OwnTime
from hwprobe.taints import Spell, Taint

SPELL_S = 1.0  # seconds from one look to the next: over less, the ticks of /proc/stat say little


class Verdict(TypedDict):
    """`verdict`: clean, tainted, or unknown where the system does not tell what other programs do."""

    verdict: str
    taints: list[Taint]


class Watch:
    """Over this process and all that it starts, from the watch's making until its verdict.

    `look` in between, while nothing is timed: a short load would be lost in the average of a long measurement.
    """

    def __init__(self, root: str = "/") -> None:
        self._root = root
        self._own_time = OwnTime(root)
        self._readings = [self._read()]

    def look(self) -> None:
        """Read the conditions, unless the last reading was less than SPELL_S ago."""
        if time.monotonic() - _time(self._readings[-1]) >= SPELL_S:
            self._readings.append(self._read())

    def verdict(self, uses_gpu: bool = False) -> Verdict:
        """Read the conditions a last time and say what they were. uses_gpu: whether a GPU's count, too."""
        last = self._read()
        if len(self._readings) > 1 and _time(last) - _time(self._readings[-1]) < SPELL_S:
            self._readings.pop()
        self._readings.append(last)
        return judge(self._readings if uses_gpu else [_without_gpus(reading) for reading in self._readings])

    def _read(self) -> Room:
        reading = read(self._own_time, self._root)
        return reading | (conditions_gpu.collect(self._own_time.pids) if self._root == "/" else {})


def judge(readings: Sequence[Room]) -> Verdict:
    """The verdict on the time from the first of two or more readings to the last."""
    whole = taints.compare(readings[0], readings[-1])
    found = whole + _brief(readings, {taint["condition"] for taint in whole})
    clean = "clean" if taints.knows_other_load(readings[0], readings[-1]) else "unknown"
    return Verdict(verdict="tainted" if found else clean, taints=found)


def _brief(readings: Sequence[Room], known: set[str]) -> list[Taint]:
    """What tainted only a part of the time, and how much of it."""
    parts: dict[str, list[Spell]] = {}
    for spell in pairwise(readings):
        for taint in taints.judge([spell]):
            parts.setdefault(taint["condition"], []).append(spell)
    found = []
    for condition, spells in parts.items():
        share = f", in {taints.grown('time', spells):.0f} of {_time(readings[-1]) - _time(readings[0]):.0f} s"
        if condition not in known:
            found += [
                Taint(condition=condition, reason=taint["reason"] + share)
                for taint in taints.judge(spells)
                if taint["condition"] == condition
            ]
    return found


def _time(reading: Room) -> float:
    seconds = reading["time"]["value"]
    assert isinstance(seconds, float)  # of this process's own clock
    return seconds


def _without_gpus(reading: Room) -> Room:
    return {name: fact for name, fact in reading.items() if not name.startswith("gpu")}
