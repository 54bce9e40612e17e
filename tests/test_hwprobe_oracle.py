"""The oracle of hwprobe's ceilings: the program in C, turns of a framework, pairs that lose a member, what is said."""

import random
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import hwprobe
from suites import oracle, oracle_pair
from suites.oracle_pair import ORACLE, STREAMING, DeadError, Pair, Program

HERE = Path(__file__).parents[1]
SIZE = 32 << 20  # bytes of an array
needs_cc = pytest.mark.skipif(shutil.which("cc") is None, reason="cc is not installed: no oracle")

Start = Callable[..., Program]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts a program on one thread; all are ended afterwards."""
    started: list[Program] = []

    def start(name: str, *command: str | Path) -> Program:
        full = [str(part) for part in (*command, "1", SIZE)]
        started.append(Program(name, full, oracle_pair.environment(1), tmp_path / f"{name}.log"))
        return started[-1]

    yield start
    for program in started:
        program.end()


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return oracle.build(tmp_path_factory.mktemp("oracle"))


def page_faults(program: Program) -> int:
    """Pages that it was given for the first time."""
    return int(Path(f"/proc/{program._process.pid}/stat").read_text().rpartition(")")[2].split()[7])


# --- turns ----------------------------------------------------------------------------------------------------------


@needs_cc
def test_the_program_in_c_answers_turn_by_turn(start: Start, built: Path) -> None:
    program = start(ORACLE, built)
    for what in ("memory", "streaming", "product", "memory"):
        assert 10**8 < program.ask(what, 0.01) < 10**14, what


@needs_cc
@pytest.mark.parametrize("what", ["memory", "streaming"])
def test_a_wrong_sum_has_no_rate(start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str) -> None:
    broken = tmp_path / "oracle.c"
    broken.write_text(re.sub(r"3\.0f( \* c|\);)", r"4.0f\1", oracle.SOURCE.read_text()))
    monkeypatch.setattr(oracle, "SOURCE", broken)
    program = start(ORACLE, oracle.build(tmp_path))
    assert program.ask("product", 0) > 0
    with pytest.raises(DeadError, match=r"^C: ended with exit code 1$"):
        program.ask(what, 0)


def test_a_framework_answers_from_arrays_that_stay(start: Start) -> None:
    pytest.importorskip("torch")
    program = start("pytorch", sys.executable, "-m", "hwprobe.ceilings_turns", "pytorch")
    assert 10**8 < program.ask("memory", 0.01) < 10**13
    assert 10**8 < program.ask("product", 0) < 10**15
    if Path("/proc/self/stat").exists():
        before = page_faults(program)
        program.ask("memory", 0.01)
        assert page_faults(program) - before < 64  # three new arrays are 24576 pages, or 48 huge ones and their tables


FAKE = """
import sys, time, types
from hwprobe import ceilings_turns
now = [0.0]
time.perf_counter = lambda: now[0]
def taking(seconds):
    return lambda: now.__setitem__(0, now[0] + seconds)
twin = types.SimpleNamespace(
    configure=lambda threads: print("configured for", threads),
    triad=lambda elements: taking(elements / 1e5),
    gemm=lambda dtype, size: taking(0.2 if (dtype, size) == ("float32", 256) else 1e9),
)
sys.modules["hwprobe.ceilings_fake"] = twin
ceilings_turns.main("fake", *sys.argv[1:])
"""


def test_bytes_and_flops_of_a_turn_by_hand() -> None:
    """By a clock of its own a pass of 1000 elements takes 10 ms and a product of n = 256 takes 200 ms."""
    asked = "memory 0\nmemory 0.05\nproduct 0\n"
    command = [sys.executable, "-c", FAKE, "1", "4000"]
    done = subprocess.run(command, cwd=HERE, input=asked, capture_output=True, text=True, check=True)
    rates = [12 * 1000 / 0.01, 12 * 1000 / 0.01, 2 * 256**3 / 0.2]
    assert [float(line) for line in done.stdout.splitlines()] == pytest.approx(rates, rel=1e-5)
    assert "configured for 1" in done.stderr  # not among the answers


@needs_cc
def test_huge_pages_are_asked_for(start: Start, built: Path) -> None:
    choice = Path("/sys/kernel/mm/transparent_hugepage/enabled")
    if not choice.exists() or "[never]" in choice.read_text() or not shutil.which("getconf"):
        pytest.skip("this system gives no huge pages")
    version = subprocess.run(["getconf", "GNU_LIBC_VERSION"], capture_output=True, text=True, check=False).stdout
    if tuple(map(int, re.findall(r"\d+", version)[:2])) < (2, 35):
        pytest.skip("the C library cannot be told to ask for huge pages")
    program = start(ORACLE, built)
    program.ask("memory", 0)
    sizes = Path(f"/proc/{program._process.pid}/smaps_rollup").read_text()
    found = re.search(r"AnonHugePages:\s+(\d+) kB", sizes)
    assert found and int(found[1]) << 10 > SIZE


# --- pairs ----------------------------------------------------------------------------------------------------------


@needs_cc
def test_a_pair_is_measured_without_the_member_that_does_not_answer(
    built: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("torch")
    monkeypatch.setattr(oracle_pair, "ROUNDS", 2)
    monkeypatch.setattr(oracle_pair, "SECONDS", 0.01)
    monkeypatch.setattr(oracle, "_size", lambda *_: SIZE)
    monkeypatch.setattr(oracle_pair, "likwid", lambda *_: 5e9)
    [found] = oracle.ratios(oracle.compare(built, hwprobe.collect(paths={}), ["pytorch", "nosuch"], threads=1, pairs=1))
    assert set(found) == set(oracle.RATIOS)
    assert all(0.01 < ratio < 100 for ratio in found.values())
    rates, remark = capsys.readouterr().out.splitlines()
    assert re.fullmatch(
        r"pair 1: C [\d.e+]+, C with streaming stores [\d.e+]+, pytorch [\d.e+]+, likwid-bench 5 GB/s; .* GFLOP/s",
        rates,
    )
    assert remark == "n/a: nosuch: ModuleNotFoundError: No module named 'hwprobe.ceilings_nosuch'"


def test_without_the_oracle_or_any_framework_nothing_is_compared(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    false = Path(shutil.which("false") or pytest.skip("no program that only fails"))
    with pytest.raises(DeadError, match=r"^C: ended with exit code 1$"):
        oracle_pair.rounds(false, [], 1, SIZE, tmp_path, random.Random(0))
    monkeypatch.setattr(oracle_pair, "rounds", lambda *_: ([{ORACLE: 1.0}], {ORACLE: 1.0}, ["n/a: jax: no"]))
    with pytest.raises(DeadError, match=r"^n/a: jax: no$"):
        oracle.compare(false, hwprobe.collect(paths={}), ["jax"], threads=1, pairs=1)
    answers = iter([({ORACLE: 1.0, name: 1.0}, ORACLE, name) for name in ("pytorch", "jax")])
    monkeypatch.setattr(oracle_pair, "rounds", lambda *_: ([(one := next(answers))[0] | {STREAMING: 1.0}], one[0], []))
    with pytest.raises(DeadError, match=r"^no framework answers in every pair$"):
        oracle.ratios(oracle.compare(false, hwprobe.collect(paths={}), ["pytorch", "jax"], threads=1, pairs=2))


def test_who_is_silent_is_not_waited_for_without_end(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(oracle_pair, "PATIENCE_S", 0.1)
    program = start("sleeper", sys.executable, "-c", "import time; time.sleep(60)")
    with pytest.raises(DeadError, match=r"^sleeper: no answer within 0.1 s$"):
        program.ask("memory")


LIKWID = """#!/bin/sh
[ "$*" = "-t stream_sp_avx -w N:1610MB:2 -i 10" ] || exit 1
printf 'Data volume (Byte):\\t15360000000\\nMByte/s:\\t\\t4465.70\\nCycles per update:\\t13.1\\n'
"""


def test_likwid_bench_is_asked_where_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    size = 512 << 20
    assert oracle_pair.likwid(2, size, has_avx=True) is None
    program = tmp_path / "likwid-bench"
    program.write_text(LIKWID)
    program.chmod(0o755)
    assert oracle_pair.likwid(2, size, has_avx=True) == 4465.7e6
    assert oracle_pair.likwid(2, size, has_avx=False) is None  # it fails: another kernel


# --- what is said ---------------------------------------------------------------------------------------------------


def test_ratios_by_hand() -> None:
    """Of each framework the median over the rounds; of all pairs the one that is fastest over them, so for products."""
    memory = [
        {ORACLE: 10.0, STREAMING: 13.0, "pytorch": 9.0, "jax": 12.0},
        {ORACLE: 20.0, STREAMING: 28.0, "pytorch": 19.0, "jax": 8.0},
        {ORACLE: 10.0, STREAMING: 12.0, "pytorch": 9.8, "jax": 8.0},
    ]
    lucky = [{ORACLE: 10.0, STREAMING: 13.0, "pytorch": 9.6, "jax": 11.0}]
    products = {ORACLE: 100.0, "pytorch": 70.0, "jax": 80.0}
    slow = {ORACLE: 100.0, "pytorch": 72.0, "jax": 60.0, "tensorflow": 99.0}
    pairs = [Pair(memory, products, 9.0), Pair(lucky, slow, 8.0), Pair(memory, products, None)]
    first, second, third = oracle.ratios(pairs)
    assert first == pytest.approx({"memory": 0.95, "product": 0.8, "streaming": 1.3, "likwid": 9.8 / 9})
    assert second == pytest.approx({"memory": 0.96, "product": 0.6, "streaming": 1.3, "likwid": 9.6 / 8})
    assert "likwid" not in third


@pytest.mark.parametrize(
    ("memory", "is_close"),
    [([0.96, 1.0, 1.04], True), ([1.2, 0.951, 0.5], True), ([1.2, 1.06, 0.5], False), ([0.9, 0.94, 1.3], False)],
)
def test_the_median_over_the_pairs_decides(memory: list[float], is_close: bool) -> None:
    pairs: list[dict[str, Any]] = [{"memory": ratio, "product": 0.8, "streaming": 1.3} for ratio in memory]
    lines, found = oracle.summary(pairs)
    assert found == is_close
    assert (
        lines[0] == f"memory, a = b + 3 c: ceiling / C {sorted(memory)[1]:.2f} [{min(memory):.2f}, {max(memory):.2f}]"
    )
    assert len(lines) == 3  # likwid-bench was not there


def test_arrays_of_a_pair_leave_three_quarters_of_the_free_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(oracle, "array_bytes", lambda: 512 << 20)
    for free, size in ((24 << 30, 512 << 20), (12 << 30, 256 << 20), (None, 512 << 20)):
        assert oracle._size({"memory": {"available": {"value": free}}}, 4) == size


@pytest.mark.parametrize(("options", "says"), [((), "the oracle needs cc"), (("--pairs", "1"), "--pairs")])
def test_what_is_refused_says_why(tmp_path: Path, options: tuple[str, ...], says: str) -> None:
    command = [sys.executable, "-m", "suites.oracle", *options]
    done = subprocess.run(command, cwd=HERE, env={"PATH": str(tmp_path)}, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert says in done.stderr
