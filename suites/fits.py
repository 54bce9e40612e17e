"""Which programs of a stage find room in memory, and which of them together: those that take turns are all loaded."""

from collections.abc import Iterable

from hwprobe import memory, needs
from hwprobe.readiness import GIB
from suites.plan import Program
from suites.profiles import Size

MEASURED = "float32"


def left_out(programs: Iterable[Program], phase: str, size: Size | None) -> dict[Program, str]:
    """Programs that would find no room even alone -> why, by their measured needs (hwprobe/needs.csv).

    Whose need was not measured at this size is loaded, come what may.
    """
    free = _free()
    found = {}
    for program in programs:
        need = _need(program, phase, size)
        if free is not None and need is not None and need > free:
            found[program] = f"needs {need / GIB:.1f} GiB of memory; {free / GIB:.1f} GiB are free"
    return found


def parts(programs: Iterable[Program], phase: str, size: Size | None) -> list[list[Program]]:
    """Programs in their order, in as few parts as find room one after the other; one part if all are held at once."""
    free = _free()
    found: list[list[Program]] = [[]]
    taken = 0
    for program in programs:
        need = _need(program, phase, size) or 0
        if free is not None and found[-1] and taken + need > free:
            found.append([])
            taken = 0
        found[-1].append(program)
        taken += need
    return [part for part in found if part]


def _free() -> int | None:
    free = memory.collect()["available"]["value"]
    return free if isinstance(free, int) else None


def _need(program: Program, phase: str, size: Size | None) -> int | None:
    if size is None or size.image_size != needs.image_size(program.workload):
        return None
    return needs.per_framework(program.workload, phase, MEASURED, size.batch_size).get(program.framework)
