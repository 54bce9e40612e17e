"""Nothing is lost: real runs that are interrupted, killed, short of memory or of disk; and what is refused."""

import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from types import SimpleNamespace
from typing import Any

import fault_makers
import psutil
import pytest

from suites import files, guard, interpreter, kills, ledger, profiles, store
from suites.checkout import HIDE, Checkout
from suites.plugins import run_command, run_store
from suites.worker_process import WorkerError, WorkerProcess, environment, kill_those_in

LINUX = pytest.mark.skipif(sys.platform != "linux", reason="Linux' own ways")
MODEL = kills.Undisturbed(seconds=20, stages=19, results=27)  # of kills.RUN
STDERR = "what the worker said last"
# Every worker says so, and starts two processes, of which one leaves its group.
IN_WORKERS = f"""
import subprocess, sys
if "suites.worker" in sys.orig_argv:
    print({STDERR!r}, file=sys.stderr, flush=True)
    for leaves in (False, True):
        subprocess.Popen(["sleep", "600"], start_new_session=leaves)
"""
LARGE: dict[str, Any] = {
    "key": "large",
    "phase": "inference",
    "program": {"workload": "resnet50", "framework": "pytorch", "mode": "eager"},
    "options": {"num_classes": 1000},
    "size": {"image_size": 224, "batch_size": 64},
    "seed": 0,
}


def nobody() -> int:
    """The number of a process that has ended."""
    process = subprocess.Popen(["true"])
    process.wait()
    return process.pid


def gone(processes: list[psutil.Process]) -> bool:
    return not psutil.wait_procs(processes, timeout=60)[1]


class TestFiles:
    def test_a_power_cut_leaves_the_newest_content(self, tmp_path: Path) -> None:
        """In folders that were made just before, too."""

        def write(disk: Path) -> None:
            files.write_json(disk / "known.json", {"version": 1})
            os.sync()
            files.write_json(disk / "known.json", {"version": 2})
            files.write_json(disk / "runs" / "one" / "manifest.json", {"version": 3})

        with fault_makers.after_a_power_cut(tmp_path, write) as disk:
            found = {path.name: files.read_json(path) for path in disk.rglob("*.json")}
        assert found == {"known.json": {"version": 2}, "manifest.json": {"version": 3}}

    def test_leftovers_of_killed_writers_are_deleted_and_no_others(self, tmp_path: Path) -> None:
        names = {
            "killed": f".manifest.json.{nobody()}.tmp",
            "own": f".kernels.json.{os.getpid()}.tmp",
            "at work": f".kernels.json.{os.getppid()}.tmp",
            "another's": ".cache.tmp",
            "results": "kernels.json",
        }
        for name in names.values():
            files.make_folder(tmp_path / "run" / "measurements")
            (tmp_path / "run" / "measurements" / name).write_text("{")
        files.remove_leftovers(tmp_path)
        left = {path.name for path in tmp_path.rglob("*") if path.is_file()}
        assert left == {names["at work"], names["another's"], names["results"]}

    @pytest.mark.parametrize(
        ("text", "version"),
        [
            ('{\n "schema_version": 3,\n "results": {"schema_version": 9}}', 3),
            ('{"params": {"schema_version": 9}, "schema_version": 4}\n', 4),
            ('{"a": 1, "schema_version": 5, "b": {"schema_version": 9}}', 5),
            ('{"a": {"schema_version": 9}}', None),
            ('{"schema_version": "6"}', "6"),
            ('{"schema_version": 7', 7),  # cut off: not for us to judge
            ("", None),
        ],
    )
    def test_a_version_is_read_wherever_it_stands(self, tmp_path: Path, text: str, version: Any) -> None:
        (tmp_path / "file.json").write_text(text)
        assert files.stated(tmp_path / "file.json", "schema_version") == version


class TestGoingOn:
    @pytest.fixture
    def open_run(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., store.Run]:
        """Open a run as asv's plugin does, told to skip what exists; whoever had the one before is no more."""
        named = {"name": "env", "profile": profiles.QUICK, "dirty": False}
        environment = SimpleNamespace(**named, interpreter=interpreter.describe())
        results = SimpleNamespace(params={"machine": "m"}, commit_hash="c")

        def open_run(*benchmarks: str) -> store.Run:
            monkeypatch.setattr(run_command, "resume", True)
            monkeypatch.setattr(run_command, "benchmarks", list(benchmarks))
            run = run_store.open_run(tmp_path, environment, results)
            run.manifest["owner"] = {"pid": nobody(), "started": 0}
            run.save()
            return run

        return open_run

    def test_a_run_of_other_benchmarks_is_left_and_named(
        self, open_run: Callable[..., store.Run], caplog: pytest.LogCaptureFixture
    ) -> None:
        first = open_run("resnet50")
        assert open_run("resnet50").folder == first.folder
        assert "was interrupted" not in caplog.text
        assert open_run("unet").folder != first.folder
        assert f"Run {first.folder.name} was interrupted, too, but of --bench resnet50: " in caplog.text

    def test_broken_measurements_are_refused_and_not_overwritten(self, open_run: Callable[..., store.Run]) -> None:
        run = open_run()
        path = run.folder / "measurements" / "kernels.json"
        files.make_folder(path.parent)
        path.write_text('{"schema_version": 1, "records": [')
        with pytest.raises(store.RefusedError, match=r"kernels\.json is broken: move it away"):
            open_run()
        assert path.read_text() == '{"schema_version": 1, "records": ['


class TestWorkers:
    @pytest.fixture
    def start(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., WorkerProcess]]:
        (tmp_path / "sitecustomize.py").write_text(IN_WORKERS)
        monkeypatch.setenv("PYTHONPATH", str(tmp_path))
        started = []

        def start(python: str = sys.executable) -> WorkerProcess:
            started.append(WorkerProcess(python, "test", tmp_path / "log", environment(threads=1)))
            return started[-1]

        yield start
        for process in started:
            process.close()

    def test_one_that_hangs_is_ended_by_the_clock_with_its_children(self, start: Callable[..., WorkerProcess]) -> None:
        worker = start()
        worker.ask("drop", 60, key="")
        children = psutil.Process(worker.pid).children()
        assert len(children) == 2
        assert os.getsid(children[0].pid) != os.getsid(children[1].pid)
        os.kill(worker.pid, signal.SIGSTOP)
        with pytest.raises(WorkerError, match="no answer within 1 s") as caught:
            worker.ask("drop", 1, key="")
        assert caught.value.kind == "timeout"
        assert caught.value.stderr == [STDERR]
        assert gone(children)
        assert not psutil.pid_exists(worker.pid)

    def test_one_that_is_killed_is_noticed_though_its_children_live_and_ends_with_them(
        self, start: Callable[..., WorkerProcess]
    ) -> None:
        worker = start()
        worker.ask("drop", 60, key="")
        children = psutil.Process(worker.pid).children()
        os.kill(worker.pid, signal.SIGKILL)
        with pytest.raises(WorkerError, match="ended by SIGKILL") as caught:
            worker.ask("drop", 60, key="")
        assert caught.value.kind == "signal"
        assert caught.value.stderr == [STDERR]
        assert gone(children)

    @LINUX
    def test_one_that_the_system_ends_for_its_memory_is_told_so(self, start: Callable[..., WorkerProcess]) -> None:
        worker = start()
        worker.ask("import_framework", 120, framework="pytorch", threads=1)
        with fault_makers.memory_group(64 << 20) as add:
            add(worker.pid)
            with pytest.raises(WorkerError, match="killed by the system for lack of memory") as caught:
                worker.ask("load", 120, **LARGE)
        assert caught.value.kind == "out of memory"
        assert caught.value.stderr == [STDERR]

    @LINUX
    def test_an_allocation_that_fails_is_out_of_memory_and_the_worker_goes_on(
        self, start: Callable[..., WorkerProcess]
    ) -> None:
        worker = start()
        worker.ask("import_framework", 120, framework="pytorch", threads=1)
        process = psutil.Process(worker.pid)
        room = process.memory_info().vms + (64 << 20)
        process.rlimit(resource.RLIMIT_AS, (room, room))
        with pytest.raises(WorkerError) as caught:
            worker.ask("load", 120, **LARGE)
        assert caught.value.kind == "out of memory"
        assert "Traceback (most recent call last):" in caught.value.stderr
        assert worker.ask("drop", 60, key="large") == {}

    def test_half_an_answer_is_a_death(self, start: Callable[..., WorkerProcess], tmp_path: Path) -> None:
        """As one leaves that is killed while it tells of a long training; the worker here is a script for that."""
        script = tmp_path / "half"
        script.write_text('#!/bin/sh\nread request\nprintf \'{"ok": {"loss": [0.1, 0.\'\nkill -9 $$\n')
        script.chmod(0o755)
        with pytest.raises(WorkerError, match="ended by SIGKILL"):
            start(str(script)).ask("drop", 60, key="")


class TestGuard:
    def test_two_runs_at_a_time_are_refused(self, tmp_path: Path) -> None:
        refused = pytest.raises(BlockingIOError, match="another run is measuring into")
        with guard.guarded(tmp_path), refused, guard.guarded(tmp_path):
            pass
        with guard.guarded(tmp_path):  # the lock is given back
            pass

    def test_temporary_files_are_in_one_folder_that_is_deleted(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """And that of a run that was killed, with what it had started."""
        monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
        old, new = (Path(tempfile.mkdtemp(prefix=guard.SCRATCH)) for _ in range(2))
        os.utime(old, (0, 0))
        orphan = psutil.Popen(["sleep", "600"], env={**os.environ, "TMPDIR": str(old / "worker")})
        with guard.guarded(tmp_path / "store"):
            inside = Path(tempfile.mkdtemp())
            assert inside.parent.parent == tmp_path
            assert os.environ["TMPDIR"] == str(inside.parent)
            os.utime(inside.parent, (0, 0))
            with guard.guarded(tmp_path / "another store"):
                assert inside.exists()  # in use, however old
        assert gone([orphan])
        assert not old.exists()
        assert {path.name for path in tmp_path.glob(f"{guard.SCRATCH}*")} == {new.name}
        assert tempfile.gettempdir() == str(tmp_path)


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Checkout]:
    """Where runs are disturbed, one test after the other; its results are on a small disk where that may be mounted."""
    made = Checkout(tmp_path_factory.mktemp("with a space") / "checkout")
    made.make()
    with Path(made.variables["PYTHONPATH"], "sitecustomize.py").open("a") as code:
        code.write(IN_WORKERS)
    ctrl_c = signal.signal(signal.SIGINT, signal.default_int_handler)  # one that is ignored would be so in children
    with fault_makers.small_disk(made.store, 64):
        yield made
        kill_those_in(made.variables["TMPDIR"])  # what a test that failed has left
    signal.signal(signal.SIGINT, ctrl_c)


def asv(checkout: Checkout, *arguments: str) -> tuple[int, str]:
    """asv's exit code, and all that it prints."""
    return checkout.start(*arguments).wait(timeout=300), checkout.output


def evenbench(checkout: Checkout, *arguments: str) -> tuple[int, str]:
    command = [sys.executable, "-m", "suites.cli", *arguments]
    answer = subprocess.run(command, cwd=checkout.folder, env=checkout.variables, capture_output=True, text=True)
    return answer.returncode, answer.stdout + answer.stderr


def stages(checkout: Checkout) -> list[dict[str, Any]]:
    """The complete stages of the newest run."""
    group = checkout.run and files.read_json(checkout.run / "measurements" / "kernels.json")
    return group["stages"] if group else []


def begin(checkout: Checkout) -> tuple["subprocess.Popen[bytes]", list[psutil.Process]]:
    """Go on with a run until it has one stage more, or begin one: its process, stopped, and all that it has started."""
    if len(stages(checkout)) > MODEL.stages - 5:  # some must be left
        checkout.commit()
    before = len(stages(checkout))
    process = checkout.start(*kills.RUN)
    while len(stages(checkout)) == before:
        assert process.poll() is None, checkout.output
        time.sleep(0.01)
    process.send_signal(signal.SIGSTOP)
    return process, psutil.Process(process.pid).children(recursive=True)


def last_line(output: str) -> str:
    assert "Traceback" not in output
    return output.splitlines()[-1]


@pytest.mark.slow
class TestRuns:
    """Each test goes on with the run that the one before has left, or begins one."""

    @pytest.mark.parametrize(("how", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGKILL, -9)])
    def test_a_signal_ends_all_processes_and_loses_nothing(self, checkout: Checkout, how: int, code: int) -> None:
        process, children = begin(checkout)
        before = ledger.numbers(checkout.store)
        assert len(children) >= 3  # the worker, and what it has started
        if how == signal.SIGINT:
            os.killpg(process.pid, how)  # a terminal sends it to the whole group
        else:
            process.send_signal(how)
        process.send_signal(signal.SIGCONT)
        assert process.wait(timeout=60) == code
        if how == signal.SIGKILL:  # who has left the worker's group is ended by the next run
            children = [child for child in children if child.is_running() and child.name() != "sleep"]
        else:
            assert last_line(checkout.output).startswith(f"evenbench: ended by {signal.Signals(how).name}; ")
            assert not list(Path(checkout.variables["TMPDIR"]).iterdir())
        assert gone(children)
        assert ledger.missing(before, ledger.numbers(checkout.store)) == []
        assert checkout.run
        manifest = files.read_json(checkout.run / "manifest.json")
        assert manifest and manifest["finished_at"] is None

    def test_a_signal_ends_make_bench_with_what_it_has_started(self, checkout: Checkout) -> None:
        """While it verifies: Ctrl-C and SIGTERM of the step that measures are tested above."""
        output = checkout.folder / "own" / "bench"
        with output.open("wb") as file:
            command = [sys.executable, "-m", "suites.bench"]
            process = subprocess.Popen(
                command, cwd=checkout.folder, env=checkout.variables, stdout=file, stderr=file, start_new_session=True
            )
        while "impls.certificate" not in str(
            children := [(one.pid, one.cmdline()) for one in psutil.Process(process.pid).children(recursive=True)]
        ):
            assert process.poll() is None, output.read_text()
            time.sleep(0.05)
        alive = [psutil.Process(pid) for pid, _ in children]
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=60) == 143
        assert "Traceback" not in output.read_text()
        assert "3/4" not in output.read_text()
        assert gone(alive)

    def test_a_full_disk_is_one_line_and_loses_nothing(self, checkout: Checkout) -> None:
        if not checkout.store.is_mount():
            pytest.skip("no small disk can be mounted here")
        process, children = begin(checkout)
        filler = fault_makers.fill(checkout.store)
        try:
            before = ledger.numbers(checkout.store)
            process.send_signal(signal.SIGCONT)
            assert process.wait(timeout=60) == 2
            assert last_line(checkout.output).startswith("evenbench: cannot keep the measurements: ")
            assert "No space left on device" in checkout.output
            assert gone(children)
            assert ledger.missing(before, ledger.numbers(checkout.store)) == []
            assert not list(checkout.store.rglob(".*.tmp"))
        finally:
            filler.unlink()

    def test_a_killed_worker_is_a_result_and_only_the_rest_is_run(self, checkout: Checkout) -> None:
        leftover = checkout.store / "results" / f".x.json.{nobody()}.tmp"
        files.make_folder(leftover.parent)
        leftover.write_text("{")
        process, children = begin(checkout)
        assert not leftover.exists()
        before = ledger.numbers(checkout.store)
        worker = next(child for child in children if "suites.worker" in child.cmdline())
        worker.kill()
        process.send_signal(signal.SIGCONT)
        assert process.wait(timeout=120) == 2, checkout.output
        assert ledger.missing(before, ledger.numbers(checkout.store)) == []
        found = stages(checkout)
        names = [(stage["workload"], stage["phase"]) for stage in found]
        assert len(names) == len(set(names)) == MODEL.stages
        failures = [failure for stage in found for failure in stage["failures"]]
        assert {failure["kind"] for failure in failures} == {"signal"}
        assert len({failure["stage"] for failure in failures}) == 1  # the next one has a new worker
        assert "signal: ended by SIGKILL" in checkout.output

        code, output = evenbench(checkout, "report")
        assert code == 0, output
        for name in ("index.html", "report.md"):
            text = (checkout.store / "report" / name).read_text()
            assert "signal: ended by SIGKILL" in text
        assert STDERR in (checkout.store / "report" / "index.html").read_text()

    def test_a_run_that_was_killed_at_its_very_end_is_completed_without_measuring(self, checkout: Checkout) -> None:
        """All results are there, and asv would skip them all: the run would be an interrupted one for ever."""
        if len(stages(checkout)) < MODEL.stages:
            asv(checkout, *kills.RUN)
        assert checkout.run
        path = checkout.run / "manifest.json"
        manifest = files.read_json(path)
        assert manifest and manifest["finished_at"]
        files.write_json(path, {**manifest, "finished_at": None})
        before = ledger.numbers(checkout.store)
        _, output = asv(checkout, *kills.RUN)
        assert f"Going on with run {checkout.run.name}" in output
        after = files.read_json(path)
        assert after and after["finished_at"]
        assert after["time"]["measured_s"] == manifest["time"]["measured_s"]
        assert ledger.numbers(checkout.store) == before

    def test_random_kills_lose_nothing(self, checkout: Checkout, tmp_path: Path) -> None:
        copy = checkout.copy(tmp_path / "copy")
        Path(copy.variables["PYTHONPATH"], "sitecustomize.py").write_text(HIDE)
        copy.commit()  # tests before this one have left failures, and asv measures benchmarks with one again as a whole
        lane = kills.Lane(copy, MODEL, Random(1)).kill(3)
        assert lane.lost == []
        assert lane.kills.total() == 3
        assert kills.summary([lane], 60).startswith("3 kills in 60 s (")
        assert lane.numbers > 0

    def test_a_loss_is_seen(self, checkout: Checkout, tmp_path: Path) -> None:
        """Else nothing of the above would mean anything."""
        if not checkout.run:
            asv(checkout, *kills.RUN)
        assert checkout.run
        shutil.copytree(checkout.store, tmp_path / "store")
        before = ledger.numbers(tmp_path / "store")
        path = tmp_path / "store" / "runs" / checkout.run.name / "measurements" / "kernels.json"
        group = files.read_json(path)
        assert group
        record = next(record for record in group["records"] if record.get("latency"))
        record["latency"][0] *= 2
        (changed,) = (f"runs/{checkout.run.name}/measurements/kernels.json {ledger.name_of(record)} latency",)
        files.write_json(path, group)
        assert ledger.missing(before, ledger.numbers(tmp_path / "store")) == [changed]
        record["latency"][0] /= 2
        record["latency"].append(1.0)  # another process may add its samples
        files.write_json(path, group)
        assert ledger.missing(before, ledger.numbers(tmp_path / "store")) == []
        group["records"].remove(record)
        files.write_json(path, group)
        assert changed in ledger.missing(before, ledger.numbers(tmp_path / "store"))
        path.write_text(path.read_text()[:-10])
        with pytest.raises(ValueError, match=r"kernels\.json is broken"):
            ledger.numbers(tmp_path / "store")


@pytest.mark.slow
class TestRefusals:
    """One line, exit code 2, and nothing is written."""

    def check(self, checkout: Checkout, told: str, *arguments: str) -> None:
        before = {path: path.read_bytes() for path in checkout.store.rglob("*.json")}
        code, output = asv(checkout, *(arguments or kills.RUN))
        assert code == 2
        assert told in last_line(output)
        assert last_line(output).startswith("evenbench: ")
        assert {path: path.read_bytes() for path in checkout.store.rglob("*.json")} == before

    @pytest.mark.parametrize("attribute", ["rounds=0", "repeat=3", "timeout=-1"])
    def test_attributes_of_asv_s(self, checkout: Checkout, attribute: str) -> None:
        name = attribute.partition("=")[0]
        told = f"attributes like {name} belong to the profile here: set EVENBENCH_PROFILE"
        self.check(checkout, told, *kills.RUN, "--attribute", attribute)

    def test_a_second_run_at_the_same_time(self, checkout: Checkout) -> None:
        with guard.guarded(checkout.store):
            self.check(checkout, f"another run is measuring into {checkout.store}: wait for it, or end it")

    def test_an_environment_that_cannot_run_the_suite(self, checkout: Checkout, tmp_path: Path) -> None:
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", tmp_path / "bare"], check=True)
        conf = checkout.folder / "asv.conf.json"
        text = conf.read_text()
        conf.write_text(text.replace('"same"', f'"{tmp_path}/bare/bin/python"'))
        try:
            self.check(checkout, "cannot run the suite: ModuleNotFoundError")
        finally:
            conf.write_text(text)

    @pytest.mark.parametrize(
        ("pattern", "key"),
        [
            ("runs/*/manifest.json", "schema_version"),
            ("runs/*/measurements/*.json", "schema_version"),
            ("results/*/*-prebuilt-*.json", "version"),
            ("results/*/machine.json", "version"),
            ("results/benchmarks.json", "version"),
        ],
    )
    def test_files_of_a_newer_program(self, checkout: Checkout, tmp_path: Path, pattern: str, key: str) -> None:
        if not list(checkout.store.glob(pattern)):
            asv(checkout, *kills.RUN)
        copy = checkout.copy(tmp_path / "copy")
        path = next(copy.store.glob(pattern))
        data = files.read_json(path)
        assert data
        path.write_text(json.dumps({**data, key: 99}))
        self.check(copy, f"{path} is of a newer evenbench or asv ({key} 99, known is ")
        if path.name == "manifest.json" or "-prebuilt-" in path.name:  # what a report reads
            _, output = evenbench(copy, "report")
            assert f"{path.relative_to(copy.store)}: " in output
            assert "Traceback" not in output
