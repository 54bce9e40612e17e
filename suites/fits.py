"""Which programs of a stage find room in memory together: those that take turns are all loaded at once."""

from collections.abc import Iterable

from hwprobe import memory, needs
from hwprobe.readiness import GIB
from suites.plan import Program
from suites.profiles import Size

MEASURED = "float32"


def left_out(programs: Iterable[Program], phase: str, size: Size | None) -> dict[Program, str]:
    """Programs without room -> why, by their measured needs (hwprobe/needs.csv); the smallest come first.

    Whose need was not measured at this size is loaded, come what may.
    """
    free = memory.collect()["available"]["value"]
    if size is None or not isinstance(free, int):
        return {}
    wanted = {program: need for program in programs if (need := _need(program, phase, size)) is not None}
    found, taken = {}, 0
    for program, need in sorted(wanted.items(), key=lambda item: item[1]):
        if taken + need <= free:
            taken += need
        else:
            beside = f", of which {taken / GIB:.1f} are others'" if need <= free else ""
            found[program] = f"needs {need / GIB:.1f} GiB of memory; {free / GIB:.1f} GiB are free{beside}"
    return found


def _need(program: Program, phase: str, size: Size) -> int | None:
    if size.image_size != needs.image_size(program.workload):
        return None
    return needs.per_framework(program.workload, phase, MEASURED, size.batch_size).get(program.framework)
