"""`make oracle`: hwprobe's ceilings against a program in C that knows no framework (suites/oracle.c).

Compared is the ceiling of memory: STREAM's triad, a = b + 3 c, on arrays of one size, in the fastest framework and in
C. Both have plain stores, as a compiler makes them of such a line; stores that pass the caches by are faster on many
processors, but no framework has them, and they are shown apart. Of matrix products the share of the peak is shown: the
rate of multiply-adds in registers, which none can pass. A turn's rate is the best of its runs, as a ceiling is.

How fast memory is changes from process to process and from moment to moment: where the arrays lie, which cores the
hypervisor gives, what its other guests do. So a pair is one process in C and one of each framework (suites/
oracle_pair.py), and a ratio is of two turns of one round. All get their pages by one rule: the C library asks for huge
ones where the system gives them on demand, for with pages of 4 KiB it is chance how far they lie apart. (The ceilings
of `evenbench probe` are measured with the pages that any program gets.) The pair is the unit of the intervals.

Where likwid-bench is on PATH, its triad is a second oracle: a process of its own beside each pair; its rate is a mean.
"""

import random
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Annotated, Any, NoReturn

import typer

import hwprobe
from hwprobe import ceilings, conditions
from hwprobe.ceilings_worker import array_bytes
from suites import intervals, oracle_pair
from suites.oracle_pair import LIKWID, ORACLE, STREAMING, DeadError, Pair, Rates

SOURCE = Path(__file__).with_name("oracle.c")
LIMIT = 0.05  # by which the ceiling of memory may differ
RATIOS = {
    "memory": "memory, a = b + 3 c: ceiling / C",
    "likwid": f"memory, a = b + 3 c: ceiling / {LIKWID}",
    "streaming": "memory, in C: streaming / plain stores",
    "product": "float32 product: ceiling / peak",
}


def build(folder: Path) -> Path:
    """Compile the oracle. Raises OSError without a C compiler, subprocess.CalledProcessError where it fails."""
    program = folder / "oracle"
    command = ["cc", "-O3", "-march=native", "-fopenmp", str(SOURCE), "-o", str(program)]
    subprocess.run(command, check=True, capture_output=True, text=True)
    return program


def ratios(pairs: Sequence[Pair]) -> list[Rates]:
    """What each pair says, by the keys of RATIOS: of one framework, the fastest of all pairs together.

    The fastest of each pair could be another one each time, and so by luck alone. Raises DeadError where no framework
    answers in every pair.
    """
    names = [name for name in pairs[0].products if all(name in pair.products for pair in pairs) and name != ORACLE]
    if not names:
        raise DeadError("no framework answers in every pair")
    shares = {name: [_over_rounds(pair, name) for pair in pairs] for name in names}
    products = {name: [pair.products[name] / pair.products[ORACLE] for pair in pairs] for name in names}
    best, best_product = _fastest(shares), _fastest(products)
    found = []
    for number, pair in enumerate(pairs):
        one = {"memory": shares[best][number], "product": products[best_product][number]}
        one["streaming"] = _over_rounds(pair, STREAMING)
        likwid = {"likwid": median(rates[best] for rates in pair.memory) / pair.likwid} if pair.likwid else {}
        found.append(one | likwid)
    return found


def _over_rounds(pair: Pair, name: str) -> float:
    return median(rates[name] / rates[ORACLE] for rates in pair.memory)


def _fastest(shares: Mapping[str, Sequence[float]]) -> str:
    return max(shares, key=lambda name: median(shares[name]))


def summary(found: Sequence[Rates]) -> tuple[list[str], bool]:
    """What the pairs say together, and whether the ceiling of memory is within the limit of the oracle's."""
    lines = []
    for key, title in RATIOS.items():
        values = [one[key] for one in found if key in one]
        if len(values) == len(found):
            low, high = intervals.of_median(values)
            lines.append(f"{title} {median(values):.2f} [{low:.2f}, {high:.2f}]")
    return lines, abs(median(one["memory"] for one in found) - 1) <= LIMIT


def compare(oracle: Path, facts: Mapping[str, Any], frameworks: Sequence[str], threads: int, pairs: int) -> list[Pair]:
    """What each pair measures; its rates, and who does not answer, are printed. Raises DeadError."""
    order, size = random.Random(0), _size(facts, len(frameworks) + 1)
    has_avx = "avx2" in (facts["cpu"]["instruction_sets"]["value"] or [])
    found = []
    for number in range(1, pairs + 1):
        with tempfile.TemporaryDirectory(prefix="evenbench-") as folder:
            memory, products, remarks = oracle_pair.rounds(oracle, frameworks, threads, size, Path(folder), order)
        if len(products) == 1:
            raise DeadError("; ".join(remarks))
        likwid = oracle_pair.likwid(threads, size, has_avx)
        rates = {name: median(rates[name] for rates in memory) for name in sorted(memory[0])}
        rates |= {LIKWID: likwid} if likwid else {}
        print(f"pair {number}: {_told(rates)} GB/s; {_told(products)} GFLOP/s", *remarks, sep="\n", flush=True)
        found.append(Pair(memory, products, likwid))
    return found


def _size(facts: Mapping[str, Any], processes: int) -> int:
    """Bytes of an array: as the ceilings have it, but all of a pair take no more than a quarter of what is free."""
    free = facts["memory"]["available"]["value"]
    return min(array_bytes(), free // (4 * 3 * processes)) if isinstance(free, int) else array_bytes()


def _told(rates: Rates) -> str:
    return ", ".join(f"{name} {rate / 1e9:.3g}" for name, rate in rates.items())


def main(pairs: Annotated[int, typer.Option(help="Pairs of new processes.", min=2)] = 6) -> None:
    """Hold the ceilings against a program in C, in turns, and print the ratios with their 95 % intervals.

    Exit codes: 0 memory is within 5 %; 1 a program ended; 2 no C compiler with OpenMP, or no framework; 3 it is not.

    Example: python -m suites.oracle --pairs 12
    """
    facts, threads = hwprobe.collect(), hwprobe.usable_cpus()
    frameworks = [name for name, package in ceilings.PACKAGES.items() if facts["software"][package]["value"]]
    if not frameworks:
        _leave("no framework is installed here", 2)
    with tempfile.TemporaryDirectory(prefix="evenbench-") as folder:
        try:
            oracle = build(Path(folder))
        except (OSError, subprocess.CalledProcessError):
            _leave("the oracle needs cc with -fopenmp (Debian, Ubuntu: apt-get install gcc)", 2)
        before = conditions.collect()
        try:
            found = ratios(compare(oracle, facts, frameworks, threads, pairs))
        except DeadError as error:
            _leave(str(error), 1)
        taints = conditions.compare(before, conditions.collect())
    lines, is_close = summary(found)
    print("\n".join([f"{threads} threads, {pairs} pairs; 95 % bootstrap intervals of the medians", *lines]))
    print("\n".join(f"tainted: {taint['reason']}" for taint in taints), end="\n" if taints else "")
    raise typer.Exit(0 if is_close else 3)


def _leave(why: str, code: int) -> NoReturn:
    print(f"evenbench: {why}", file=sys.stderr)
    raise typer.Exit(code)


if __name__ == "__main__":
    typer.run(main)
