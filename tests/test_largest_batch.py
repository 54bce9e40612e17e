"""The largest batch that fits: the search, the guard that keeps the machine from swapping, and the command."""

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwprobe.facts import known, unknown
from suites import bisection, largest_batch, memory_guard
from suites.bisection import CAP, FAILURE, FITS, MEMORY, TIME, Attempt
from suites.memory_guard import MemoryGuard
from suites.worker_process import WorkerError

ROOT = Path(__file__).parents[1]
GIB = 2**30
MIB = 2**20
PROGRAM = {"workload": "mobilenet_v3_small", "framework": "pytorch", "mode": "eager"}


# --- the search -----------------------------------------------------------------------------------------------------


def asker(largest: int, otherwise: str = MEMORY) -> tuple[Callable[[int], Attempt], list[int]]:
    """What fits up to a size; and what was asked for."""
    asked: list[int] = []

    def ask(size: int) -> Attempt:
        asked.append(size)
        assert len(asked) < 100, "it goes on for ever"
        return Attempt(size, FITS if size <= largest else otherwise, None, None, None)

    return ask, asked


@given(st.integers(0, 5000), st.integers(1, 5000), st.integers(1, 4096), st.sampled_from([MEMORY, TIME]))
def test_the_largest_that_fits_is_found_within_a_sixteenth(largest: int, first: int, cap: int, otherwise: str) -> None:
    ask, asked = asker(largest, otherwise)
    found = bisection.find(ask, first, cap)
    assert [attempt.batch_size for attempt in found.attempts] == asked
    assert asked[0] == min(first, cap)
    assert len(set(asked)) == len(asked) <= 2 * cap.bit_length() + 2
    assert all(1 <= size <= cap for size in asked)
    if largest >= cap:
        assert (found.batch_size, found.limit, found.refused) == (cap, CAP, None)
        return
    assert found.refused and found.limit == found.refused.outcome == otherwise
    low, high = found.batch_size or 0, found.refused.batch_size
    assert low <= largest < high
    assert high - low <= max(1, low / 16)
    assert (found.batch_size is None) == (largest == 0)


@given(st.integers(1, 4000), st.floats(0.9, 1.1))
def test_a_good_guess_needs_few_attempts(largest: int, error: float) -> None:
    ask, asked = asker(largest)
    bisection.find(ask, max(1, round(largest * error)), 10_000)
    assert len(asked) <= 5


def test_from_one_it_doubles() -> None:
    ask, asked = asker(40)
    assert bisection.find(ask, 1, 4096).batch_size == 40
    assert asked == [1, 2, 4, 8, 16, 32, 64, 48, 40, 44, 42]


def test_a_failure_bounds_what_fits_but_is_not_repeated_where_nothing_does() -> None:
    ask, asked = asker(20, FAILURE)
    found = bisection.find(ask, 16, 4096)
    assert (found.batch_size, found.limit) == (20, FAILURE)
    ask, asked = asker(0, FAILURE)
    found = bisection.find(ask, 100, 4096)
    assert (found.batch_size, found.limit, asked) == (None, FAILURE, [100])


def test_the_limit_is_that_of_the_smallest_that_does_not_fit() -> None:
    outcomes = {10: FITS, 11: FITS, 13: TIME, 12: MEMORY}
    found = bisection.find(lambda size: Attempt(size, outcomes[size], None, None, None), 10, 64)
    assert (found.batch_size, found.refused.batch_size, found.limit) == (11, 12, MEMORY)  # type: ignore[union-attr]


def test_the_first_guess_is_where_the_needs_reach_the_room(monkeypatch: pytest.MonkeyPatch) -> None:
    needed = {1: 2 * GIB, 9: 4 * GIB}  # 0.25 GiB an image
    monkeypatch.setattr(largest_batch.needs, "image_size", lambda _: 224)
    monkeypatch.setattr(largest_batch.needs, "per_framework", lambda *key: {"pytorch": needed[key[3]]})
    assert largest_batch.guess(PROGRAM, "training", 224, 7 * GIB) == 21
    assert largest_batch.guess(PROGRAM, "training", 112, 7 * GIB) == 81
    assert largest_batch.guess(PROGRAM, "training", 224, GIB) == 1
    needed[9] = 2 * GIB  # noise: more images need no more
    assert largest_batch.guess(PROGRAM, "training", 224, 7 * GIB) == largest_batch.FIRST
    assert largest_batch.guess({**PROGRAM, "framework": "other"}, "training", 224, GIB) == largest_batch.FIRST
    monkeypatch.setattr(largest_batch.needs, "image_size", lambda _: None)
    assert largest_batch.guess(PROGRAM, "training", 224, 7 * GIB) == largest_batch.FIRST


# --- the guard ------------------------------------------------------------------------------------------------------

CHILD = "import time; kept = b'x' * (40 << 20); print(flush=True); time.sleep(600)"
GROW = f"""
import subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", {CHILD!r}], stdout=subprocess.PIPE, start_new_session=True)
child.stdout.readline()
print(child.pid, flush=True)
kept = []
while len(kept) < int(sys.argv[1]):
    kept.append(b"x" * (4 << 20))
    time.sleep(0.05)
time.sleep(600)
"""


@contextmanager
def growing(steps: int) -> Iterator[tuple[psutil.Process, psutil.Process]]:
    """A process that takes 4 MiB more in each of so many steps, then sleeps; and its child, with 40 MiB."""
    command = [sys.executable, "-c", GROW, str(steps)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True) as process:
        assert process.stdout
        child = psutil.Process(int(process.stdout.readline()))
        try:
            yield psutil.Process(process.pid), child
        finally:
            process.kill()
            if child.is_running():
                child.kill()


def wait_for(true: Callable[[], Any]) -> None:
    deadline = time.monotonic() + 60
    while not true() and time.monotonic() < deadline:
        time.sleep(0.02)


def has_ended(process: psutil.Process) -> bool:
    return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE


def ended(
    keep: int, allowance: int | None = None, steps: int = 100, meanwhile: Callable[[], Any] = bool
) -> MemoryGuard:
    """A guard that has ended a growing process, with its child."""
    with growing(steps) as (process, child):
        guard = MemoryGuard(process.pid, keep, allowance)
        with guard:
            meanwhile()
            wait_for(lambda: guard.error and has_ended(process) and has_ended(child))
            assert guard.error and has_ended(process) and has_ended(child)
    return guard


def test_the_guard_ends_a_process_and_its_children_at_the_reserve() -> None:
    guard = ended(keep=20 * MIB, allowance=100 * MIB)
    assert guard.error and guard.error.kind == "out of memory"
    assert "ended before the machine would swap: 0.0" in guard.error.message
    assert 20 * MIB < guard.peak < 60 * MIB  # of the process alone; its child counts for the allowance


def left(monkeypatch: pytest.MonkeyPatch, available: Any) -> None:
    monkeypatch.setattr(
        memory_guard, "collect", lambda: {"usable": known(8 * GIB, "/proc/meminfo", "bytes"), "available": available}
    )


def test_the_guard_leaves_a_process_alone_that_finds_room(monkeypatch: pytest.MonkeyPatch) -> None:
    left(monkeypatch, known(20 * MIB, "/proc/meminfo", "bytes"))  # the reserve itself
    with growing(5) as (process, child):
        with MemoryGuard(process.pid, 20 * MIB, 200 * MIB) as guard:
            wait_for(lambda: guard.peak > 25 * MIB)
        assert guard.error is None
        assert not has_ended(process) and not has_ended(child)
        assert 25 * MIB < guard.peak < 100 * MIB


def test_the_peak_is_what_it_was_in_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory_guard, "POLL_S", 600)
    with growing(10) as (process, _):
        with MemoryGuard(process.pid, 1) as guard:
            wait_for(lambda: process.memory_info().rss > 35 * MIB)
        assert guard.peak > 35 * MIB


def test_the_machine_s_memory_counts_whoever_takes_it(monkeypatch: pytest.MonkeyPatch) -> None:
    left(monkeypatch, known(GIB, "/proc/meminfo", "bytes"))
    guard = ended(GIB, meanwhile=lambda: left(monkeypatch, known(GIB - 1, "/proc/meminfo", "bytes")))
    assert guard.error and guard.error.kind == "out of memory"
    assert "1.00 GiB were left, less than the reserve of 1.00 GiB" in guard.error.message


def test_the_guard_ends_a_process_as_soon_as_the_machine_swaps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory_guard, "swapped_out", lambda: 7)
    guard = ended(1, meanwhile=lambda: monkeypatch.setattr(memory_guard, "swapped_out", lambda: 8))
    assert guard.error and (guard.error.kind, guard.error.message[-13:]) == ("out of memory", "began to swap")


def test_a_guard_that_cannot_see_ends_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    blind = unknown("cannot be read", "/proc/meminfo", "bytes")
    guard = ended(1, meanwhile=lambda: left(monkeypatch, blind))
    assert guard.error and guard.error.kind == "exception"
    assert guard.error.message.endswith("the memory that is left cannot be read")

    def fail() -> None:
        raise OSError(5, "no\nluck")

    guard = ended(1, meanwhile=lambda: monkeypatch.setattr(memory_guard, "collect", fail))
    assert guard.error and guard.error.message.endswith("the memory that is left cannot be read: [Errno 5] no luck")
    left(monkeypatch, blind)
    with pytest.raises(WorkerError, match="the memory that is left cannot be read"):
        memory_guard.room()


def test_the_reserve_is_a_part_of_what_is_usable_but_never_small() -> None:
    assert memory_guard.reserve(100 * GIB) == 5 * GIB
    assert memory_guard.reserve(GIB) == GIB // 2


def test_the_counter_of_swap_is_that_of_pages_written(monkeypatch: pytest.MonkeyPatch) -> None:
    for text, count in (("pswpin 3\npswpout 5\n", 5), ("nr_free_pages 3\n", None), (None, None)):
        monkeypatch.setattr(memory_guard, "read_text", {"/proc/vmstat": text}.get)
        assert memory_guard.swapped_out() == count


# --- real attempts --------------------------------------------------------------------------------------------------


@pytest.fixture
def on_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")


def search(folder: Path, cap: int, timeout_s: float, **options: Any) -> dict[str, Any]:
    found = largest_batch.largest_batch(
        sys.executable, PROGRAM, "inference", 64, 10, 2, folder, cap, timeout_s, **options
    )
    assert psutil.Process().children(recursive=True) == []
    return found


@pytest.mark.slow
@pytest.mark.usefixtures("on_cpu")
def test_the_largest_batch_is_really_found(tmp_path: Path) -> None:
    seen: list[Attempt] = []
    found = search(tmp_path, 100_000, 600, allowance=5 * GIB // 4, report=seen.append)
    assert found["attempts"] == [attempt._asdict() for attempt in seen]
    assert (found["limit"], found["is_lower_bound"], found["reserve_bytes"]) == ("memory", False, GIB // 2)
    assert found["swapped"] is (None if memory_guard.swapped_out() is None else False)
    refused, peaks = found["refused"], {one["batch_size"]: one["peak_bytes"] for one in found["attempts"]}
    assert "ended before the machine would swap" in refused["message"]
    assert 0 < refused["batch_size"] - found["batch_size"] <= found["batch_size"] / 16
    assert 100 * MIB < peaks[found["batch_size"]] < GIB
    assert all(
        one["outcome"] == (FITS if one["batch_size"] <= found["batch_size"] else MEMORY) for one in found["attempts"]
    )
    assert [path.name for path in tmp_path.iterdir()] == [
        "largest-batch-mobilenet_v3_small-pytorch-eager-inference.log"
    ]
    assert f"batch_size {found['batch_size']} fits (" in largest_batch.line(found)
    assert largest_batch.line(found).endswith(f"of 1.25 GiB), {refused['batch_size']} does not")


@pytest.mark.slow
@pytest.mark.usefixtures("on_cpu")
def test_an_attempt_that_takes_too_long_does_not_fit(tmp_path: Path) -> None:
    found = search(tmp_path, 1, 0.1)
    assert (found["batch_size"], found["limit"]) == (None, "time")
    assert found["refused"]["message"] == "takes more than 0.1 s"


def test_a_framework_that_fails_fails_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(PROGRAM, "framework", "nosuch")
    found = search(tmp_path, 4096, 60)
    assert (found["batch_size"], found["limit"], len(found["attempts"])) == (None, "failure", 1)
    assert "nosuch" in found["refused"]["message"]


def test_a_bound_by_time_or_failure_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def attempt(_worker: Any, _guard: Any, request: dict[str, Any], *_: Any) -> Attempt:
        size = request["size"]["batch_size"]
        return Attempt(size, FITS, None, None, None) if size <= 9 else Attempt(size, TIME, "takes long", None, None)

    monkeypatch.setattr(largest_batch, "_attempt", attempt)
    monkeypatch.setattr(largest_batch, "guess", lambda *_: 8)
    found = search(tmp_path, 64, 1)
    assert (found["batch_size"], found["limit"], found["is_lower_bound"]) == (9, "time", True)
    assert largest_batch.line(found).endswith("64 px: batch_size 9 fits, 10: takes long")
    found = search(tmp_path, 9, 1)
    assert (found["limit"], found["is_lower_bound"], found["refused"]) == ("cap", True, None)
    assert largest_batch.line(found).endswith("batch_size 9 fits; larger ones were not tried")


def test_swapping_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(largest_batch, "_attempt", lambda *_: Attempt(1, FITS, None, None, None))
    for counted, swapped in (([5, 5], False), ([5, 6], True), ([None, None], None)):
        readings = iter([counted[0], counted[0], counted[1]])  # the guard reads it once between
        monkeypatch.setattr(memory_guard, "swapped_out", lambda readings=readings: next(readings))
        assert search(tmp_path, 1, 1)["swapped"] is swapped


# --- the command ----------------------------------------------------------------------------------------------------


def command(*arguments: str) -> subprocess.CompletedProcess[str]:
    words = [sys.executable, "-m", "suites.largest_batch", *arguments]
    return subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False)


@pytest.mark.slow
@pytest.mark.usefixtures("on_cpu")
def test_the_command_answers_in_json() -> None:
    answer = command("mobilenet_v3_small", "--framework", "pytorch", "--cap", "1", "--json")
    assert answer.returncode == 0, answer.stderr
    found = json.loads(answer.stdout)
    assert (found["batch_size"], found["limit"], found["phase"], found["image_size"]) == (1, "cap", "inference", 224)
    assert answer.stderr == "batch_size 1: fits\n"


@pytest.mark.slow
def test_where_nothing_fits_the_command_exits_3() -> None:
    answer = command("mobilenet_v3_small", "--framework", "pytorch", "--train", "--memory", "0.51")
    assert (answer.returncode, answer.stdout) == (3, "")
    last = answer.stderr.splitlines()[-1]
    assert last.startswith("evenbench: mobilenet_v3_small, pytorch eager, training, 224 px, batch_size 1: ended before")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("nosuch", "--framework", "pytorch"), "no such model: nosuch (there are resnet18"),
        (("resnet50", "--framework", "nosuch"), "no such framework: nosuch (there are pytorch"),
        (("resnet50",), "'--framework'"),
        (("resnet50", "--framework", "pytorch", "--cap", "0"), "--cap"),
        (("resnet50", "--framework", "pytorch", "--memory", "0.5"), "--memory must be more than 0.5 GiB"),
        (("resnet50", "--framework", "pytorch", "--memory", "nan"), "--memory must be more than 0.5 GiB"),
        (("resnet50", "--framework", "pytorch", "--memory", "inf"), "--memory must be more than 0.5 GiB"),
    ],
)
def test_bad_input_is_one_line(arguments: tuple[str, ...], said: str) -> None:
    answer = command(*arguments)
    assert (answer.returncode, answer.stdout) == (2, "")
    (line,) = answer.stderr.splitlines()
    assert line.startswith("evenbench: ") and said in line
