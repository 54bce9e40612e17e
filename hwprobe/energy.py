"""Energy by the counters that machines have: RAPL of processors of Intel and AMD (Linux), NVML of NVIDIA's GPUs.

A processor's counter ticks every millisecond, a GPU's some ten times a second: many calls are measured together, and
apart from their times. Where there is no counter the energy is unknown, and never 0.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from hwprobe.facts import Fact, Room, known, unknown
from hwprobe.files import names_in, parse_int, read_int, read_text, under
from hwprobe.gpu_nvidia import ask, library

_POWERCAP = "/sys/class/powercap"
_UNIT = "joules"


class _Counter(NamedTuple):
    joules: Fact  # since some start of its own
    turns_at: float | None  # joules at which it starts again from 0; None where it does not, or that is not told


def read(root: str = "/") -> Room:
    """Joules so far by domain, from whatever start: only differences mean something (`Meter`).

    `package0`: a processor with its cores, caches and graphics, whose own counters would count twice; so would the
    whole board's (psys). `package0_dram`: the memory behind it, which is no part of it. `gpu0`: a whole card, in NVML's
    order.
    """
    return {name: counter.joules for name, counter in _counters(root).items()}


def available(device: str = "cpu", root: str = "/") -> bool:
    """Whether `Meter.joules` can tell this device's energy: "cpu" or "cuda"."""
    return _together(device, read(root)) is not None


class Meter:
    """Joules from its making on. A turn of a counter between two readings is seen, two are not: a processor's takes
    some minutes at full load, so that who measures longer reads in between."""

    def __init__(self, root: str = "/") -> None:
        self._root = root
        self._last = _counters(root)
        self._since: Room = {name: known(0.0, counter.joules["source"], _UNIT) for name, counter in self._last.items()}

    def read(self) -> Room:
        """Joules since the start, by the domains of that time; unknown where a counter is missing or stands still."""
        now = _counters(self._root)
        for name, last in self._last.items():
            gone = _Counter(unknown("its counter is gone", last.joules["source"], _UNIT), None)
            self._last[name] = now.get(name, gone)
            self._since[name] = _sum(self._since[name], _grown(last, self._last[name]))
        still = "the counter stands still: too short a time, or none that counts here"  # as in some virtual machines
        return {
            name: fact if fact["value"] != 0 else unknown(still, fact["source"], _UNIT)
            for name, fact in self._since.items()
        }

    def joules(self, device: str = "cpu") -> float | None:
        """Since the start, of the device: "cpu" (all processors and their memory) or "cuda" (the one GPU; of several it
        is not known which one works). None where a part of that is unknown; `read` says why."""
        return _together(device, self.read())


def _together(device: str, room: Room) -> float | None:
    is_gpu = device.startswith("cuda")
    values = [fact["value"] for name, fact in room.items() if name.startswith("gpu") == is_gpu]
    amounts = [value for value in values if isinstance(value, float)]
    if not amounts or len(amounts) < len(values) or (is_gpu and len(amounts) > 1):
        return None
    return sum(amounts)


def _sum(so_far: Fact, grown: Fact) -> Fact:
    """Unknown, and for the first reason, where one of them is."""
    if so_far["value"] is None or grown["value"] is None:
        return so_far if so_far["value"] is None else grown
    return {**so_far, "value": so_far["value"] + grown["value"]}  # type: ignore[operator]


def _grown(before: _Counter, after: _Counter) -> Fact:
    first, last = before.joules["value"], after.joules["value"]
    if not isinstance(first, float) or not isinstance(last, float):
        return after.joules if first is not None else before.joules
    if last < first:
        if after.turns_at is None or after.turns_at < first:
            return unknown("the counter was set back", after.joules["source"], _UNIT)
        last += after.turns_at
    return {**after.joules, "value": last - first}


def _counters(root: str) -> dict[str, _Counter]:
    return dict(_of_processors(root)) | (_of_gpus() if root == "/" else {})


def _of_processors(root: str) -> Iterator[tuple[str, _Counter]]:
    """RAPL's domains lie flat in one folder: intel-rapl:0 holds intel-rapl:0:1, and their files say what they are. The
    same counters appear once more as intel-rapl-mmio on some machines."""
    packages = {}
    for zone in names_in(_POWERCAP, root):
        name = (read_text(f"{_POWERCAP}/{zone}/name", root) or "").strip()
        if re.fullmatch(r"intel-rapl:\d+", zone) and re.fullmatch(r"package-\d+(-die-\d+)?", name):
            packages[zone] = name.replace("-die-", "_die").replace("-", "")
    for zone, package in packages.items():
        yield package, _counter(zone, root)
        for part in names_in(_POWERCAP, root):
            is_dram = (read_text(f"{_POWERCAP}/{part}/name", root) or "").strip() == "dram"
            if re.fullmatch(rf"{zone}:\d+", part) and is_dram:
                yield f"{package}_dram", _counter(part, root)
    if not packages:
        yield "package0", _Counter(unknown("the system shows no counter of it", _POWERCAP, _UNIT), None)


def _counter(zone: str, root: str) -> _Counter:
    source, turns_at = f"{_POWERCAP}/{zone}", read_int(f"{_POWERCAP}/{zone}/max_energy_range_uj", root)
    try:
        text = Path(under(root, f"{source}/energy_uj")).read_text("ascii", "replace")
    except PermissionError:  # the rule since 2020: who reads it often can guess what others compute (PLATYPUS)
        return _Counter(unknown("only root may read it", source, _UNIT), None)
    except OSError:
        return _Counter(unknown("its counter cannot be read", source, _UNIT), None)
    count = parse_int(text)
    if count is None or count < 0:
        return _Counter(unknown("its counter cannot be read", source, _UNIT), None)
    return _Counter(known(count / 1e6, source, _UNIT), turns_at / 1e6 if turns_at and turns_at > 0 else None)


def _of_gpus() -> dict[str, _Counter]:
    """Of each GPU; none where none can be asked."""
    nvml, _ = library()
    count = ask("nvmlDeviceGetCount", nvml.nvmlDeviceGetCount)["value"] if nvml else 0
    return {f"gpu{index}": _of_gpu(nvml, index) for index in range(count if isinstance(count, int) else 0)}


def _of_gpu(nvml: Any, index: int) -> _Counter:
    """Since its driver was loaded; NVML counts in millijoules, and not at all on cards before Volta."""

    def joules() -> float:
        return nvml.nvmlDeviceGetTotalEnergyConsumption(nvml.nvmlDeviceGetHandleByIndex(index)) / 1e3

    return _Counter(ask("nvmlDeviceGetTotalEnergyConsumption", joules, _UNIT), None)
