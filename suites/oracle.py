"""`make oracle`: hwprobe's ceilings against a program in C that knows no framework (suites/oracle.c), in turns.

STREAM's triad is held against the ceiling of memory: both read two arrays and write one, of the same size. The rate of
multiply-adds in registers is the peak that no matrix product can pass; the product's share of it is shown.
"""

import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median
from typing import Annotated, NamedTuple

import typer

import hwprobe
from hwprobe import ceilings, conditions
from hwprobe.ceilings_worker import array_bytes
from suites import intervals

SOURCE = Path(__file__).with_name("oracle.c")
SECONDS = 3.0  # of a turn of the oracle, and of each operation of a framework
LIMIT = 0.05  # by which the ceiling of memory may differ


class Rates(NamedTuple):
    """The best of a turn."""

    multiply_adds: float  # FLOP/s
    triad: float  # bytes/s


def build(folder: Path) -> Path:
    """Compile the oracle. Raises OSError without a C compiler, subprocess.CalledProcessError where it fails."""
    program = folder / "oracle"
    command = ["cc", "-O3", "-march=native", "-fopenmp", str(SOURCE), "-o", str(program)]
    subprocess.run(command, check=True, capture_output=True, text=True)
    return program


def ask(program: Path, threads: int, seconds: float = SECONDS, size: int | None = None) -> Rates:
    """One turn of the oracle, on arrays of `size` bytes (default: those of the ceilings)."""
    arguments = [str(threads), str(size or array_bytes()), str(seconds)]
    answer = subprocess.run([program, *arguments], check=True, capture_output=True, text=True).stdout.split()
    return Rates(float(answer[0]), float(answer[1]))


def compare(program: Path, threads: int, turns: int) -> list[tuple[Rates, Rates]]:
    """In each turn the ceilings of all frameworks, and the oracle before and after them: (ceilings, oracle)."""
    found = []
    for number in range(turns):
        before = ask(program, threads)
        report = ceilings.measure(threads, budget_s=SECONDS)
        after = ask(program, threads)
        flops, passes = ceilings.peak_flops(report, "float32"), ceilings.peak_bandwidth(report)
        if flops is None or passes is None:
            raise RuntimeError("; ".join(f"{row['framework']}: {row['message']}" for row in report["failures"]))
        best = Rates(*(max(pair) for pair in zip(before, after, strict=True)))
        found.append((Rates(flops["flops_per_s"], passes["bytes_per_s"]), best))
        print(f"turn {number + 1}: {_told(*found[-1])}", flush=True)
    return found


def _told(ours: Rates, theirs: Rates) -> str:
    products = f"{ours.multiply_adds / 1e9:.0f} of {theirs.multiply_adds / 1e9:.0f} GFLOP/s"
    return f"{products}, {ours.triad / 1e9:.1f} of {theirs.triad / 1e9:.1f} GB/s"


def summary(found: list[tuple[Rates, Rates]]) -> tuple[list[str], bool]:
    """What the turns say together, and whether the ceiling of memory is within the limit of the oracle's."""
    lines, medians = [], {}
    for name, title in (("triad", "memory, a = b + 3 c"), ("multiply_adds", "float32 product, of the peak")):
        ratios = [getattr(ours, name) / getattr(theirs, name) for ours, theirs in found]
        low, high = intervals.of_median(ratios)
        medians[name] = median(ratios)
        lines.append(f"{title}: ceiling / oracle {medians[name]:.2f} [{low:.2f}, {high:.2f}]")
    return lines, abs(medians["triad"] - 1) <= LIMIT


def main(turns: Annotated[int, typer.Option(help="Turns of both.", min=2)] = 5) -> None:
    """Hold the ceilings against a program in C, in turns, and print the ratios with their 95 % intervals.

    Exit codes: 0 memory is within 5 %; 2 no C compiler with OpenMP; 3 it is not.

    Example: python -m suites.oracle --turns 7
    """
    threads = hwprobe.usable_cpus()
    with tempfile.TemporaryDirectory(prefix="evenbench-") as folder:
        try:
            program = build(Path(folder))
        except (OSError, subprocess.CalledProcessError):
            print("evenbench: the oracle needs cc with -fopenmp (Debian, Ubuntu: apt-get install gcc)", file=sys.stderr)
            raise typer.Exit(2) from None
        before = conditions.collect()
        lines, is_close = summary(compare(program, threads, turns))
        taints = conditions.compare(before, conditions.collect())
    print("\n".join([f"{threads} threads, {turns} turns; 95 % bootstrap intervals of the medians", *lines]))
    print("\n".join(f"tainted: {taint['reason']}" for taint in taints), end="\n" if taints else "")
    raise typer.Exit(0 if is_close else 3)


if __name__ == "__main__":
    typer.run(main)
