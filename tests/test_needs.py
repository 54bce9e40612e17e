"""What workloads need: the measured table, its verdicts, the programs that a run leaves out, and how it is measured."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hwprobe_tree import machine

import hwprobe
import impls
from hwprobe import needs
from hwprobe.facts import Fact, known, unknown
from hwprobe.needs import Need
from impls import equivalence
from suites import fits, plan, store
from suites import needs as measuring
from suites.measure import measure
from suites.plan import Program
from suites.profiles import QUICK, Size

ROOT = Path(__file__).parents[1]
GIB = 2**30


def table(monkeypatch: pytest.MonkeyPatch, *rows: Need) -> None:
    monkeypatch.setattr(needs, "load", lambda: list(rows))


def need(framework: str, batch_size: int, gib: float, **changes: Any) -> Need:
    mode = QUICK.first_mode(framework)
    row = Need("resnet50", "inference", framework, mode, "float32", 224, batch_size, round(gib * GIB), None, None)
    return row._replace(**changes)


PROOF = need("pytorch", 1, 3, phase=needs.VERIFICATION, precision="float64", disk_bytes=2 * GIB)
ROWS = (need("pytorch", 1, 1), need("pytorch", 8, 8), need("tensorflow", 1, 2), need("tensorflow", 8, 4), PROOF)


# --- the table ------------------------------------------------------------------------------------------------------


def test_every_model_is_measured_in_every_framework_but_the_one_that_takes_longest() -> None:
    rows = needs.load()
    assert len({row.key for row in rows}) == len(rows)
    assert set(needs.models()) == set(impls.MODELS)
    first = [
        key for key in measuring.wanted(list(impls.MODELS)) if key[3] != "bfloat16" and key[2] not in measuring.LAST
    ]
    assert set(first) <= {row.key for row in rows}
    for row in rows:
        model = impls.WORKLOADS[row.workload].model
        assert model
        assert row.image_size == model.image_size
        assert row.mode in impls.MODES[row.framework]
        # More than the weights alone, and no more than any machine that measured it.
        for peak in (row.ram_bytes, row.vram_bytes):
            assert peak is None or 4 * impls.WORKLOADS[row.workload].parameters() < peak < 256 * GIB
        assert row.ram_bytes or (row.vram_bytes and row.precision == "bfloat16")


def test_training_and_larger_batches_need_more() -> None:
    amounts = {row.key: row.ram_bytes or 0 for row in needs.load()}
    for (model, phase, framework, precision, batch_size), amount in amounts.items():
        more = amounts.get((model, phase, framework, precision, 8)) if batch_size == 1 else None
        if phase != needs.VERIFICATION and more:
            assert more > 0.95 * amount, (model, phase, framework, precision)


@pytest.mark.parametrize(
    ("batch_size", "pytorch", "tensorflow"),
    [(1, 1, 2), (8, 8, 4), (4, 4, 2 + 2 * 3 / 7), (15, 15, 6)],
)
def test_between_and_beyond_what_was_measured_a_need_grows_in_a_straight_line(
    monkeypatch: pytest.MonkeyPatch, batch_size: int, pytorch: float, tensorflow: float
) -> None:
    table(monkeypatch, *ROWS)
    found = needs.per_framework("resnet50", "inference", "float32", batch_size)
    assert {name: round(amount / GIB, 6) for name, amount in found.items()} == pytest.approx(
        {"pytorch": pytorch, "tensorflow": tensorflow}
    )
    assert list(found.values()) == sorted(found.values())


def test_a_need_never_falls_below_what_was_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    table(monkeypatch, need("pytorch", 4, 2), need("pytorch", 8, 6))
    assert needs.per_framework("resnet50", "inference", "float32", 1) == {"pytorch": 2 * GIB}
    assert needs.per_framework("resnet50", "training", "float32", 1) == {}


def test_beyond_a_single_measured_batch_nothing_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    table(monkeypatch, need("pytorch", 4, 2))
    assert needs.per_framework("resnet50", "inference", "float32", 4) == {"pytorch": 2 * GIB}
    assert needs.per_framework("resnet50", "inference", "float32", 5) == {}


# --- verdicts -------------------------------------------------------------------------------------------------------


@pytest.fixture
def facts(tmp_path: Path) -> dict[str, Any]:
    return hwprobe.collect(machine(tmp_path), {"current folder": "/", needs.TEMPORARY_FILES: "/"})


def judged(facts: dict[str, Any], free: Fact, batch_size: int = 8, **options: Any) -> dict[str, tuple[str, Any]]:
    facts = {**facts, "memory": {**facts["memory"], "available": free}}
    found = needs.judge(facts, "resnet50", "inference", "float32", batch_size, **options)
    assert found["verdict"] in {row["verdict"] for row in found["checks"]}
    return {row["check"]: (row["verdict"], row["reason"]) for row in found["checks"]}


def bytes_free(gib: float) -> Fact:
    return known(round(gib * GIB), "/proc/meminfo", "bytes")


@pytest.mark.parametrize(
    ("gib", "verdict", "reason"),
    [
        (8, "pass", None),
        (7.99, "warn", "enough only for tensorflow"),  # no tolerance: what is free is no nominal size
        (4, "warn", "enough only for tensorflow"),
        (3.99, "fail", "the least is tensorflow's"),
    ],
)
def test_what_is_free_is_held_against_every_framework_s_need(
    facts: dict[str, Any], monkeypatch: pytest.MonkeyPatch, gib: float, verdict: str, reason: str | None
) -> None:
    table(monkeypatch, *ROWS)
    assert judged(facts, bytes_free(gib))["ram"] == (verdict, reason)


def test_what_is_not_known_is_unknown(facts: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    table(monkeypatch, *ROWS)
    assert judged(facts, unknown("cannot be read", "/proc/meminfo", "bytes"))["ram"] == ("unknown", "cannot be read")
    found = judged(facts, bytes_free(100), ignore=["ram"])
    assert found["ram"] == ("skipped", "ignored on demand")
    table(monkeypatch, *ROWS[:-1])
    assert judged(facts, bytes_free(100))["disk"] == ("unknown", "never measured")
    with pytest.raises(KeyError):
        needs.judge(facts, "resnet18", "inference", "float32", 1)


@pytest.mark.parametrize(("gib", "verdict"), [(2, "pass"), (1.99, "fail")])
def test_the_disk_of_the_temporary_files_is_judged_wherever_it_stands(
    facts: dict[str, Any], monkeypatch: pytest.MonkeyPatch, gib: float, verdict: str
) -> None:
    table(monkeypatch, *ROWS)
    others = {"free": bytes_free(0 if verdict == "pass" else 100)}
    facts["disk"] = {"current folder": others, needs.TEMPORARY_FILES: {"free": bytes_free(gib)}, "results": others}
    assert judged(facts, bytes_free(100))["disk"][0] == verdict


def test_a_gpu_is_judged_only_where_there_is_one(facts: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    table(monkeypatch, *ROWS)
    facts["gpu"] = {**facts["gpu"], "count": known(0, "NVML"), "devices": []}
    assert judged(facts, bytes_free(100))["vram"] == ("skipped", "no GPU: it runs on the CPU")
    room = {"vram": bytes_free(8), "vram_free": bytes_free(3)}
    facts["gpu"] = {**facts["gpu"], "count": known(1, "NVML"), "devices": [room]}
    assert judged(facts, bytes_free(100))["vram"] == ("unknown", "never measured")
    table(monkeypatch, *(row._replace(vram_bytes=row.ram_bytes) for row in ROWS))
    assert judged(facts, bytes_free(100))["vram"] == ("fail", "the least is tensorflow's")
    assert judged(facts, bytes_free(100), batch_size=1)["vram"] == ("pass", None)


def probe(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "hwprobe", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def test_the_command_answers_for_a_workload() -> None:
    answer = probe("--for", "mobilenet_v3_small", "--batch", "2", "--train", "--json")
    found = json.loads(answer.stdout)["workload"]
    assert (found["phase"], found["batch_size"], found["image_size"]) == ("training", 2, 224)
    expected = {"pass": 0, "warn": 0, "skipped": 0, "unknown": 0, "fail": 3}[found["verdict"]]
    assert answer.returncode == expected
    shown = probe("--for", "mobilenet_v3_small", "--batch", "2", "--train")
    assert "mobilenet_v3_small, training, float32, 224 px, batch_size 2" in shown.stdout
    assert "Minimum tier" not in shown.stdout


def test_a_workload_without_room_exits_3() -> None:
    answer = probe("--for", "resnet50", "--batch", "1000000", "--train")
    assert answer.returncode == 3
    assert "fail" in answer.stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--for", "nosuch"), "no such model: nosuch (there are resnet18"),
        (("--for", "resnet50", "--tier", "ideal"), "--for judges no tier"),
        (("--for", "resnet50", "--batch", "0"), "greater than or equal to 1"),
        (("--for", "resnet50", "--precision", "float16"), "float16"),
        (("--batch", "8"), "go with --for"),
        (("--train",), "go with --for"),
    ],
)
def test_bad_input_is_one_line(arguments: tuple[str, ...], said: str) -> None:
    answer = probe(*arguments)
    assert (answer.returncode, answer.stdout) == (2, "")
    (line,) = answer.stderr.splitlines()
    assert said in line


# --- a run leaves out what finds no room ----------------------------------------------------------------------------

MISSING = {name: impls.missing(name) for name in impls.FRAMEWORKS}
SETTINGS: dict[str, Any] = {
    "benchmarks": [],
    "versions": {},
    "ceilings": None,
    "profile": {"calls_per_block": 2},
    "frameworks": {name: {"reason": reason} for name, reason in MISSING.items()},
}
PYTORCH, TENSORFLOW = (Program("resnet50", name, QUICK.first_mode(name)) for name in ("pytorch", "tensorflow"))


@pytest.mark.parametrize(
    ("gib", "why", "parts"),
    [
        (12, [], [[PYTORCH, TENSORFLOW]]),
        (11, [], [[PYTORCH], [TENSORFLOW]]),
        (7, [PYTORCH], [[TENSORFLOW]]),
        (2, [PYTORCH, TENSORFLOW], []),
    ],
)
def test_what_finds_room_together_is_one_part(
    monkeypatch: pytest.MonkeyPatch, gib: float, why: list[Program], parts: list[list[Program]]
) -> None:
    table(monkeypatch, *ROWS)
    monkeypatch.setattr(fits.memory, "collect", lambda: {"available": bytes_free(gib)})
    programs, size = [PYTORCH, TENSORFLOW], Size(224, 8)
    found = fits.left_out(programs, "inference", size)
    needed = {PYTORCH: 8, TENSORFLOW: 4}
    assert found == {one: f"needs {needed[one]:.1f} GiB of memory; {gib:.1f} GiB are free" for one in why}
    assert fits.parts([one for one in programs if one not in found], "inference", size) == parts


def test_what_was_not_measured_is_loaded_come_what_may(monkeypatch: pytest.MonkeyPatch) -> None:
    table(monkeypatch, *ROWS)
    monkeypatch.setattr(fits.memory, "collect", lambda: {"available": bytes_free(0)})
    stranger = Program("resnet50", "keras-jax", "compiled")
    assert fits.left_out([stranger], "inference", Size(224, 8)) == {}
    assert fits.left_out([PYTORCH], "training", Size(224, 8)) == {}
    assert fits.left_out([PYTORCH], "inference", Size(32, 8)) == {}
    assert fits.left_out([PYTORCH], "forward", None) == {}
    assert fits.parts([stranger, PYTORCH], "forward", None) == [[stranger, PYTORCH]]


def test_a_stage_says_what_found_no_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(equivalence, "verify", lambda *_, **__: [])  # minutes, and tested elsewhere
    monkeypatch.setattr(fits.memory, "collect", lambda: {"available": bytes_free(0)})
    run = store.create(tmp_path / "runs", {"machine": "m", "commit": "c", "env_name": "e", "source": "s"}, SETTINGS)
    profile = replace(QUICK, name="tiny", timeout_s=100)
    wanted = plan.groups(profile, MISSING, lambda case: case.phase in ("cold start", "inference"))
    measure(run, wanted["resnet50"], profile, sys.executable, threads=2)
    (stage,) = run.group("resnet50")["stages"]
    failures = {(row["framework"], row["phase"]): (row["kind"], row["message"]) for row in stage["failures"]}
    programs = [program for program in wanted["resnet50"].programs if program.lane == plan.EQUALISED]
    assert len(failures) == 2 * len(programs) + 1 > 1
    assert {phase for _, phase in failures} == {"inference", "cold start", "again inference"}
    assert all(kind == "n/a" and "of memory; 0.0 GiB are free" in message for kind, message in failures.values())
    assert run.group("resnet50")["records"] == []


@pytest.mark.slow
def test_parts_are_measured_one_after_the_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(equivalence, "verify", lambda *_, **__: [])  # minutes, and tested elsewhere
    monkeypatch.setattr(fits, "parts", lambda programs, *_: [[program] for program in programs])
    run = store.create(tmp_path / "runs", {"machine": "m", "commit": "c", "env_name": "e", "source": "s"}, SETTINGS)
    profile = replace(QUICK, name="tiny", blocks=7, calls_per_block=1, timeout_s=300)
    mine = Program("mobilenet_v3_small", "pytorch", "eager")
    profile = replace(profile, models=(mine.workload,))
    wanted = plan.groups(profile, MISSING, lambda case: case.program == mine and case.phase == "inference")
    measure(run, wanted[mine.workload], profile, sys.executable, threads=2)
    (stage,) = run.group(mine.workload)["stages"]
    assert [turn["program"] for turn in stage["turns"]] == ["pytorch/eager"] * 7 + ["pytorch/eager again"] * 7
    assert {row["phase"] for row in run.group(mine.workload)["records"]} == {
        "inference",
        "cold start",
        "again inference",
    }


# --- measured -------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_need_is_really_measured() -> None:
    found = measuring.measure(("mobilenet_v3_small", "training", "pytorch", "float32", 8))
    again = next(row for row in needs.load() if row.key == found.key)
    assert (found.mode, found.image_size, found.vram_bytes, found.disk_bytes) == ("eager", 224, None, None)
    # Threads, an allocator and the libraries' pages differ a little from one machine to the next.
    assert found.ram_bytes == pytest.approx(again.ram_bytes, rel=0.3)
    one = next(row for row in needs.load() if row.key == (*found.key[:-1], 1))
    assert found.ram_bytes > 1.1 * (one.ram_bytes or 0)


@pytest.mark.slow
def test_a_proof_s_need_is_really_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measuring, "POLL_S", 0.02)
    found = measuring.measure(("mobilenet_v3_small", needs.VERIFICATION, "pytorch", "float64", 1))
    weights = 8 * impls.WORKLOADS["mobilenet_v3_small"].parameters()
    assert 3 * weights < (found.disk_bytes or 0) < 100 * weights  # gradients, and weights after both optimisers
    assert found.ram_bytes and found.ram_bytes > 200 << 20


def test_the_table_is_written_in_order_and_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(needs, "TABLE", tmp_path / "needs.csv")
    needs.load.cache_clear()
    try:
        assert needs.load() == []
        measuring.save([PROOF, *reversed(ROWS[:-1])])
        needs.load.cache_clear()
        assert needs.load() == list(ROWS)
    finally:
        needs.load.cache_clear()
    assert [path.name for path in tmp_path.iterdir()] == ["needs.csv"]


def test_a_row_has_the_ram_of_one_machine_and_the_gpus_memory_of_another() -> None:
    everything, known = set(measuring.wanted(["resnet50"])), {row.key for row in ROWS}
    assert set(measuring.missing(["resnet50"], ROWS, on_gpu=False)) == everything - known
    on_gpu = set(measuring.missing(["resnet50"], ROWS, on_gpu=True))
    assert everything - on_gpu == {key for key in everything if key[1] == needs.VERIFICATION} == {PROOF.key}
    new = ROWS[1]._replace(ram_bytes=None, vram_bytes=5)
    both = ROWS[1]._replace(vram_bytes=5)
    for found in (measuring.added(ROWS, new), measuring.added([*set(ROWS) - {ROWS[1]}, new], ROWS[1])):
        assert {*found} == {*ROWS, both} - {ROWS[1]} and len(found) == len(ROWS)
        assert set(measuring.missing(["resnet50"], found, on_gpu=True)) == on_gpu - {new.key}
    assert measuring.added([], new) == [new]
    assert new.key in measuring.missing(["resnet50"], [new], on_gpu=False)


def test_what_no_framework_can_do_is_not_wanted() -> None:
    assert {key[4] for key in measuring.wanted(["inception_v3_aux"]) if key[1] == "training"} == {8}


def test_a_stranger_is_not_measured() -> None:
    command = [sys.executable, "-m", "suites.needs", "nosuch"]
    answer = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (answer.returncode, answer.stdout) == (2, "")
    assert answer.stderr.startswith("evenbench: no such model: nosuch (there are resnet18")
