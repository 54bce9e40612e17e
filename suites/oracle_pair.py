"""The processes that suites.oracle compares: a program in C, one of each framework, and likwid-bench if there is one.

Those of a pair are new, live side by side, keep their arrays and take short turns in random order.
"""

import os
import random
import re
import select
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import NamedTuple

from hwprobe.files import one_line

ROOT = Path(__file__).parents[1]
ORACLE, STREAMING, LIKWID = "C", "C with streaming stores", "likwid-bench"
ROUNDS, SECONDS = 5, 0.25  # of a pair; of a turn at least
PATIENCE_S = 120  # for a framework's import and a machine that is busy
Rates = dict[str, float]  # by program, of one turn each


class Pair(NamedTuple):
    """What a pair measures: bytes/s of each round in memory, FLOP/s of products, bytes/s of likwid-bench or None."""

    memory: list[Rates]
    products: Rates
    likwid: float | None


class DeadError(Exception):
    """A program that ended or does not answer; its message is one line."""


class Program:
    """A process that answers turns; `log` takes what else it says."""

    def __init__(self, name: str, command: Sequence[str], variables: Mapping[str, str], log: Path) -> None:
        self._name, self._log = name, log
        with log.open("wb") as errors:
            pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": errors}
            self._process = subprocess.Popen(command, cwd=ROOT, env=variables, text=True, **pipes)  # type: ignore[call-overload]

    def ask(self, what: str, seconds: float = SECONDS) -> float:
        """The best rate of a turn of "memory" or "product"; for C also "streaming". Raises DeadError."""
        with suppress(OSError):  # it has ended: so has its output
            print(what, seconds, file=self._process.stdin, flush=True)
        if not select.select([self._process.stdout], [], [], PATIENCE_S)[0]:
            raise DeadError(f"{self._name}: no answer within {PATIENCE_S} s")
        if not (answer := self._process.stdout.readline()):
            code, said = self._process.wait(), self._log.read_text(errors="replace").strip()
            why = one_line(said.rpartition("\n")[2]) or f"ended with exit code {code}"
            raise DeadError(f"{self._name}: {why}")
        return float(answer)

    def end(self) -> None:
        """At once: what it had to tell has been told."""
        self._process.kill()
        self._process.communicate()


def environment(threads: int) -> dict[str, str]:
    """Of all of them: one number of threads, huge pages where the system gives them on demand, no GPU."""
    numbers = {"OMP_NUM_THREADS": str(threads), "TF_CPP_MIN_LOG_LEVEL": "2"}
    no_gpu = {"CUDA_VISIBLE_DEVICES": "", "JAX_PLATFORMS": "cpu"}
    return {**os.environ, **numbers, **no_gpu, "GLIBC_TUNABLES": "glibc.malloc.hugetlb=1"}


def rounds(
    oracle: Path, frameworks: Sequence[str], threads: int, size: int, folder: Path, order: random.Random
) -> tuple[list[Rates], Rates, list[str]]:
    """Of new processes with arrays of `size` bytes: the rounds in memory (bytes/s), a round of products (FLOP/s), and
    what to say of a framework that does not answer. Raises DeadError where the oracle does not."""
    commands: dict[str, list[str]] = {ORACLE: [str(oracle)]}
    commands |= {name: [sys.executable, "-m", "hwprobe.ceilings_turns", name] for name in frameworks}
    with ExitStack() as stack:
        programs, remarks = {}, []
        for name, command in commands.items():
            programs[name] = Program(name, [*command, str(threads), str(size)], environment(threads), folder / name)
            stack.callback(programs[name].end)
        for name in commands:
            try:
                programs[name].ask("memory", 0)  # answered once its framework is imported and its arrays are filled
            except DeadError as error:
                if name == ORACLE:
                    raise
                remarks.append(f"n/a: {error}")
                del programs[name]
        return [_memory(programs, order) for _ in range(ROUNDS)], _products(programs, order), remarks


def _memory(programs: Mapping[str, Program], order: random.Random) -> Rates:
    turns = {name: (program, "memory") for name, program in programs.items()}
    turns[STREAMING] = programs[ORACLE], "streaming"
    return {name: turns[name][0].ask(turns[name][1]) for name in order.sample(list(turns), len(turns))}


def _products(programs: Mapping[str, Program], order: random.Random) -> Rates:
    return {name: programs[name].ask("product") for name in order.sample(list(programs), len(programs))}


def likwid(threads: int, size: int, has_avx: bool) -> float | None:
    """Bytes/s of likwid-bench's triad in float32 with plain stores, the mean of some runs; None where it is not on PATH
    or does not run here."""
    if not shutil.which(LIKWID):
        return None
    kernel = "stream_sp_avx" if has_avx else "stream_sp"
    command = [LIKWID, "-t", kernel, "-w", f"N:{3 * size // 10**6}MB:{threads}", "-i", "10"]
    done = subprocess.run(command, env=environment(threads), capture_output=True, text=True, check=False)
    rate = re.search(r"MByte/s:\s+([\d.]+)", done.stdout)
    return float(rate[1]) * 1e6 if rate else None
