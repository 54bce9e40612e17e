"""The suite without asv: what is planned, how it is measured in real processes, what a failure leaves behind."""

import json
import math
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import psutil
import pytest

import impls
from hwprobe.watch import Watch
from impls import equivalence, kernels
from reports import stats
from suites import files, memory, noise, plan, profiles, steady, store, worker, worker_process
from suites import measure as measuring
from suites.crew import Crew
from suites.measure import measure
from suites.plan import Case, Program
from suites.plugins import run_store
from suites.profiles import QUICK
from suites.session import MeasurementError, Session

ROOT = Path(__file__).parent.parent
THERE = {name: impls.missing(name) for name in impls.FRAMEWORKS}
KERNEL = "conv2d-1x1"
TINY = replace(QUICK, name="tiny", kernel_blocks=3, calls_per_block=2, timeout_s=300)


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache of certificates for all tests of this file."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def run(tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> store.Run:
    """A new run."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(cache))
    monkeypatch.setenv("OMP_WAIT_POLICY", "PASSIVE")  # threads that spin make a busy machine crawl; nothing is compared
    return store.create(tmp_path / "runs", IDENTITY, SETTINGS)


IDENTITY = {"machine": "m", "commit": "c", "env_name": "e", "source": "s"}
SETTINGS = {
    "benchmarks": [],
    "profile": {"calls_per_block": 2},
    "versions": {},
    "ceilings": {"gemm": [], "bandwidth": []},  # measured already
    "frameworks": {name: {"reason": reason} for name, reason in THERE.items()},
}


STAGE = {
    **{"workload": "resnet50", "phase": "training", "size": "32px-batch32", "part": "", "process": 0},
    **{"failures": [], "curves": [], "conditions": {"verdict": "clean", "taints": [], "cpu_share": {}}},
}


def only(*programs: Program, phases: tuple[str, ...] = ("forward", "gradient by weight")):
    """What asv would ask for: these programs in these phases."""
    return lambda case: case.program in programs and case.phase in phases


def rows(group: dict, phase: str) -> dict[str, dict]:
    return {f"{row['framework']}/{row['mode']}": row for row in group["records"] if row["phase"] == phase}


class TestProfiles:
    def test_unknown_name_is_one_line_that_names_the_choices(self, monkeypatch):
        monkeypatch.setenv(profiles.VARIABLE, "fast")
        with pytest.raises(ValueError, match=r"^unknown profile 'fast': choose one of quick, standard, full$"):
            profiles.current()

    def test_quick_is_the_default(self, monkeypatch):
        monkeypatch.delenv(profiles.VARIABLE, raising=False)
        assert profiles.current().name == "quick"

    @pytest.mark.parametrize("profile", profiles.PROFILES.values(), ids=list(profiles.PROFILES))
    def test_asks_every_framework_for_modes_that_it_has(self, profile):
        for modes in (profile.modes, profile.kernel_modes):
            assert set(modes) == set(impls.FRAMEWORKS)
            assert all(set(modes[name]) <= set(impls.MODES[name]) for name in modes)
            left_out = [name for name in modes if not modes[name]]
            assert left_out == (["keras-jax"] if modes is QUICK.modes else [])
        assert {impls.WORKLOADS[model].kind for model in profile.models} == {"model"}
        # Fewer could never show a difference: of the only process blocks, else processes.
        assert profile.processes >= stats.MIN_UNITS or (profile.processes == 1 and profile.blocks >= 7)


class TestPlan:
    def test_quick_measures_each_model_and_all_kernels_together(self):
        groups = plan.groups(QUICK, dict.fromkeys(impls.FRAMEWORKS))
        evaluated = [name for name in QUICK.recipes if name not in QUICK.models]
        assert list(groups) == [*QUICK.models, *evaluated, "kernels"]
        assert [stage.phase for stage in groups["resnet50"].stages] == ["inference", "training", "fit", "accuracy"]
        phases = [phase for name in QUICK.kernels for phase in kernels.phases(impls.WORKLOADS[name].facts)]
        assert [stage.phase for stage in groups["kernels"].stages] == phases
        assert [program.label for program in groups["resnet50"].stages[0].programs] == [
            "pytorch/eager",
            "tensorflow/graph",
            "keras-tensorflow/graph",
            "keras-torch/eager",
            "pytorch/eager again",
        ]

    def test_models_have_a_process_each_and_kernels_share_their_frameworks(self):
        groups = plan.groups(profiles.STANDARD, dict.fromkeys(impls.FRAMEWORKS))
        eager, graph = (Program("resnet50", "tensorflow", mode) for mode in ("eager", "graph"))
        assert groups["resnet50"].worker(eager) != groups["resnet50"].worker(graph)
        eager, graph = (Program(KERNEL, "tensorflow", mode) for mode in ("eager", "graph"))
        assert groups["kernels"].worker(eager) == groups["kernels"].worker(graph)

    def test_an_input_pipeline_has_one_program_a_framework_and_a_pair(self):
        groups = plan.groups(profiles.STANDARD, dict.fromkeys(impls.FRAMEWORKS))
        (stage,) = groups["input_pipeline-jpeg"].stages
        assert (stage.phase, stage.label) == ("input pipeline", "224px-batch32")
        assert [program.label for program in stage.programs] == [
            "pytorch/eager",
            "tensorflow/graph",
            "keras-tensorflow/eager",
            "keras-torch/eager",
            "keras-jax/eager",
            "pytorch/eager again",
        ]
        assert len({groups["input_pipeline-jpeg"].worker(program) for program in stage.programs}) == 6
        for program in stage.programs[:-1]:
            assert plan.offered(Case(stage.phase, program, stage.label), profiles.STANDARD) is None
            assert "quick does not run" in plan.offered(Case(stage.phase, program, stage.label), QUICK)
        graph = Program("input_pipeline-png", "pytorch", "graph")
        assert "has no mode graph" in plan.offered(Case(stage.phase, graph, stage.label), profiles.STANDARD)

    def test_default_settings_are_proven_apart_and_a_pair_s_twin_is_not(self):
        group = plan.groups(profiles.STANDARD, dict.fromkeys(impls.FRAMEWORKS))["resnet50"]
        proven = [program.proven for program in group.programs if program.framework == "keras-torch"]
        assert [(one.mode, one.as_installed) for one in proven] == [("eager", False), ("eager", True)]
        twin = Program("resnet50", "pytorch", "eager", "again")
        assert twin.proven == twin._replace(lane="equalised").proven

    def test_a_model_with_a_recipe_is_evaluated_though_it_is_not_timed(self):
        groups = plan.groups(QUICK, dict.fromkeys(impls.FRAMEWORKS))
        fit, accuracy = groups["unet"].stages
        assert (fit.phase, accuracy.phase) == ("fit", "accuracy")
        assert fit.label == accuracy.label == "64px-batch8"
        case = Case("accuracy", accuracy.programs[0], accuracy.label)
        assert plan.offered(case, QUICK) is None
        assert "does not train unet" in plan.offered(case, replace(QUICK, recipes={}))
        assert "does not run unet" in plan.offered(case._replace(phase="training"), QUICK)
        assert "unet" not in {proof.workload for proof in plan.proofs(groups["unet"].programs, QUICK)}

    def test_each_training_of_the_full_profile_is_a_part_of_its_own(self):
        stages = plan.groups(profiles.FULL, dict.fromkeys(impls.FRAMEWORKS))["unet"].stages
        parts = [stage.part for stage in stages if stage.phase == "fit"]
        assert parts[:4] == ["pytorch/eager#0", "pytorch/eager#1", "pytorch/eager#2", "tensorflow/graph#0"]
        assert len(parts) == 15

    def test_a_missing_framework_is_left_out(self):
        missing = {**dict.fromkeys(impls.FRAMEWORKS), "tensorflow": "not installed"}
        programs = plan.groups(profiles.STANDARD, missing)["resnet50"].programs
        assert {program.framework for program in programs} == set(impls.FRAMEWORKS) - {"tensorflow"}

    def test_only_what_is_wanted(self):
        program = Program("resnet50", "pytorch", "eager")
        groups = plan.groups(QUICK, dict.fromkeys(impls.FRAMEWORKS), only(program, phases=("cold start",)))
        pair = (program, program._replace(lane="again"))
        assert [(stage.phase, stage.programs) for stage in groups["resnet50"].stages] == [("inference", pair)]
        assert not groups["kernels"].stages

    def test_accuracy_alone_brings_the_training_that_it_needs(self):
        program = Program("resnet50", "keras-torch", "eager")
        groups = plan.groups(QUICK, dict.fromkeys(impls.FRAMEWORKS), only(program, phases=("accuracy",)))
        assert [stage.phase for stage in groups["resnet50"].stages] == ["fit", "accuracy"]

    def test_a_detector_s_boxes_are_a_stage_wherever_they_run(self):
        stages = plan.groups(profiles.STANDARD, dict.fromkeys(impls.FRAMEWORKS))["yolov3"].stages
        phases = ["inference", "boxes", "training", "training", "largest inference batch", "largest training batch"]
        assert [stage.phase for stage in stages if stage.phase not in plan.LEARNING] == phases
        labels = [{program.label for program in stage.programs if program.lane == "equalised"} for stage in stages]
        assert labels[0] - labels[1] == {"pytorch/compiled"}
        compiled = Case("boxes", Program("yolov3", "pytorch", "compiled"), "416px-batch1")
        assert "torch.compile" in plan.offered(compiled, profiles.STANDARD)
        assert (
            plan.offered(Case("boxes", Program("yolov3", "pytorch", "eager"), "416px-batch1"), profiles.STANDARD)
            is None
        )

    @pytest.mark.parametrize(
        ("case", "why"),
        [
            (Case("inference", Program("resnet50", "keras-torch", "graph"), "224px-batch1"), "keras-torch has no mode"),
            (Case("inference", Program("resnet50", "pytorch", "compiled"), "224px-batch1"), "does not run pytorch in"),
            (Case("training", Program("resnet50", "pytorch", "eager"), "224px-batch8"), "no training at 224px-batch8"),
            (Case("training", Program("resnet50", "pytorch", "eager"), "32px-batch32"), None),
            (Case("forward", Program(KERNEL, "pytorch", "eager"), None), None),
            (Case("gradient by input", Program(KERNEL, "tensorflow", "eager"), None), "both gradients at once"),
            (Case("gradient by weight", Program("relu-256x56", "pytorch", "eager"), None), "learns nothing"),
            (Case("forward", Program("conv2d-alexnet-3", "pytorch", "eager"), None), "does not run conv2d-alexnet-3"),
        ],
    )
    def test_says_why_a_case_is_not_offered(self, case, why):
        found = plan.offered(case, QUICK)
        assert found is None if why is None else why in found


class TestMemory:
    @pytest.mark.skipif(sys.platform != "linux", reason="the kernel's high-water mark is Linux'")
    def test_counts_what_is_allocated_and_freed_meanwhile_but_nothing_from_before(self):
        code = """
            import numpy as np
            from suites import memory
            large = np.ones(60 * 2**20, np.uint8)
            small = [np.ones(2**16, np.uint8) for _ in range(640)]
            pin = small[-1]  # the C library keeps what is freed below it
            del large, small
            start = memory.start()
            kept = [np.ones(2**16, np.uint8) for _ in range(160)]
            gone = np.ones(30 * 2**20, np.uint8); del gone
            print(memory.increment(start))
        """
        code = "\n".join(line.strip() for line in code.splitlines())
        answer = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
        assert int(answer.stdout) == pytest.approx(40 * 2**20, rel=0.02)

    def test_unknown_where_the_system_does_not_count(self, monkeypatch, tmp_path):
        monkeypatch.setattr(memory, "_CLEAR_REFS", tmp_path / "none" / "clear_refs")
        assert memory.start() is None
        assert memory.increment(None) is None


class TestFiles:
    def test_a_write_that_fails_leaves_the_old_content_and_no_rest(self, tmp_path):
        path = tmp_path / "file.json"
        files.write_json(path, {"old": 1})

        def fail(stream):
            stream.write(b"half")
            raise OSError(28, "No space left on device")

        with pytest.raises(OSError, match="No space"):
            files.write_atomically(path, fail)
        assert files.read_json(path) == {"old": 1}
        assert list(tmp_path.iterdir()) == [path]

    def test_a_loss_that_is_not_a_number_is_null(self, tmp_path):
        files.write_json(tmp_path / "file.json", {"loss": [1.0, float("nan"), float("inf")]})
        assert files.read_json(tmp_path / "file.json") == {"loss": [1.0, None, None]}

    def test_a_broken_file_reads_as_none(self, tmp_path):
        (tmp_path / "file.json").write_text('{"cut')
        assert files.read_json(tmp_path / "file.json") is None
        assert files.read_json(tmp_path / "absent.json") is None


class TestSteadyState:
    CALM = (1.0, 1.02, 0.99, 1.01, 1.0, 0.98, 1.01, 1.0)

    def test_calls_without_a_trend_are_steady(self):
        assert steady.doubts([*self.CALM], 1, compilations=0) == []
        assert steady.doubts([1.0, 9.0, *self.CALM], 1, compilations=0) == []  # one slow call is no drift
        assert steady.doubts([2.0, 1.0] * 8, 2, compilations=0) == []  # within a block: the first call after a turn

    def test_compiling_meanwhile_is_no_steady_state(self):
        assert steady.doubts([*self.CALM], 1, compilations=3) == ["compiled 3 times while it was timed"]

    def test_a_steady_rise_or_fall_is_a_drift(self):
        rise = [1 + 0.02 * block for block in range(11)]
        assert steady.drift(rise, 1) == pytest.approx(0.2 / 1.1)
        assert steady.doubts(rise, 1, 0) == ["drifted by +18% while it was timed"]
        assert steady.doubts(rise[::-1], 1, 0) == ["drifted by -18% while it was timed"]
        assert steady.doubts([1 + 0.001 * block for block in range(11)], 1, 0) == []  # steady, but too small to matter
        assert steady.doubts(rise[:5], 1, 0) == []  # too few blocks to say


TIMED = {"workload": "w", "framework": "pytorch", "mode": "eager", "size": None, "stage": "inference"}


class TestPairs:
    def test_the_pair_s_interval_tells_what_can_be_detected(self):
        one = {**TIMED, "phase": "inference", "latency": [1.0] * 7, "calls": [7]}
        twin = {**one, "phase": "again inference", "latency": [1.0, 1.1, 0.9, 1.0, 1.0, 1.1, 0.9]}
        other = {**one, "framework": "tensorflow"}
        (pair,) = noise.pairs([one, other, twin], calls_per_block=1)
        assert (pair["framework"], pair["phase"], pair["ratio"]) == ("pytorch", "inference", 1.0)
        assert pair["low"] == pytest.approx(1 / 1.1)
        assert pair["high"] == pytest.approx(1 / 0.9)
        assert pair["smallest_detectable_effect"] == pytest.approx(1 / 0.9 - 1)

    def test_a_pair_without_its_other_half_is_none(self):
        twin = {**TIMED, "phase": "again inference", "latency": [1.0] * 7, "calls": [7]}
        assert noise.pairs([twin], 1) == []
        assert noise.pairs([{**twin, "phase": "inference"}, {**twin, "latency": []}], 1) == []

    def test_processes_are_the_unit_where_there_are_several(self):
        """Two processes of seven calls each are two units: too few, however many calls they have."""
        one = {**TIMED, "phase": "inference", "latency": [1.0] * 14, "calls": [7, 7]}
        (pair,) = noise.pairs([one, {**one, "phase": "again inference"}], 1)
        assert math.isnan(pair["smallest_detectable_effect"])


class TestStore:
    def test_an_interrupted_run_is_adopted_only_when_nobody_goes_on_with_it(self, run, tmp_path):
        assert store.adopt(tmp_path / "runs", IDENTITY, []) is None  # this process is alive
        run.manifest["owner"]["started"] -= 1000  # another process had this number once
        run.save()
        assert store.adopt(tmp_path / "runs", {**IDENTITY, "commit": "other"}, []) is None
        assert store.adopt(tmp_path / "runs", {**IDENTITY, "source": "edited"}, []) is None
        assert store.adopt(tmp_path / "runs", IDENTITY, ["another selection"]) is None
        adopted = store.adopt(tmp_path / "runs", IDENTITY, [])
        assert adopted is not None
        assert adopted.folder == run.folder

    def test_a_finished_run_is_not_adopted(self, run, tmp_path):
        run.manifest["owner"]["started"] -= 1000
        run.finish()
        assert store.adopt(tmp_path / "runs", IDENTITY, []) is None

    def test_a_rerun_keeps_what_is_known_of_other_workloads(self, run, tmp_path):
        failure = {"workload": "resnet50", "stage": "training", "message": "older"}
        run.manifest["failures"] = [failure, {**failure, "workload": "mobilenet_v2"}]
        run.certify({"workload": "resnet50", "framework": "pytorch", "mode": "eager", "passed": False})
        run.finish()
        time.sleep(1.1)  # run ids count seconds
        rerun = store.create(tmp_path / "runs", IDENTITY, SETTINGS)
        assert rerun.manifest["inherited_from"] == run.manifest["run_id"]
        rerun.certify({"workload": "resnet50", "framework": "pytorch", "mode": "eager", "passed": True})
        rerun.save_group({"group": "resnet50", "stages": [STAGE], "records": []})
        stored = files.read_json(rerun.folder / "manifest.json")
        assert [row["workload"] for row in stored["failures"]] == ["mobilenet_v2"]
        assert [row["passed"] for row in stored["certificates"]] == [True]

    def test_conditions_of_a_rerun_stand_in_place_of_the_older_ones(self, run, tmp_path):
        taints = [{"condition": "other load", "reason": "other programs took 12% of the CPUs"}]
        older = {**STAGE, "conditions": {**STAGE["conditions"], "verdict": "tainted", "taints": taints}}
        run.save_group({"group": "resnet50", "stages": [older, {**older, "phase": "inference"}], "records": []})
        run.finish()
        time.sleep(1.1)  # run ids count seconds
        rerun = store.create(tmp_path / "runs", IDENTITY, SETTINGS)
        rerun.save_group({"group": "resnet50", "stages": [STAGE], "records": []})
        where = {"workload": "resnet50", "size": "32px-batch32", "part": "", "process": 0}
        assert files.read_json(rerun.folder / "manifest.json")["stage_conditions"] == [
            {**where, "stage": "inference", "verdict": "tainted", "taints": taints},
            {**where, "stage": "training", "verdict": "clean", "taints": []},
        ]

    def test_what_tainted_a_run_is_counted_by_its_condition(self):
        load = [
            {"condition": "other load", "reason": f"other programs took {share}% of the CPUs"} for share in (12, 70)
        ]
        swap = {"condition": "swap", "reason": "5 pages went to swap or came back"}
        stages = [{"taints": []}, {"taints": [load[0], swap]}, {"taints": [load[1]]}]
        assert run_store.tainted(stages) == [
            "2 of 3 stages are tainted by other load (the first: other programs took 12% of the CPUs)",
            "1 of 3 stages are tainted by swap (the first: 5 pages went to swap or came back)",
        ]
        assert run_store.tainted(stages[:1]) == []

    def test_other_code_inherits_nothing(self, run, tmp_path):
        run.certify({"workload": "resnet50", "framework": "pytorch", "mode": "eager", "passed": True})
        run.finish()
        other = store.create(tmp_path / "runs", {**IDENTITY, "source": "edited"}, SETTINGS)
        assert other.manifest["certificates"] == []


class TestWorkerProcess:
    @pytest.fixture
    def process(self, tmp_path):
        process = worker_process.WorkerProcess(
            sys.executable, "test", tmp_path / "log", worker_process.environment(threads=1)
        )
        yield process
        process.close()

    def test_an_exception_is_told_in_one_line_and_the_worker_goes_on(self, process):
        for _ in range(2):
            with pytest.raises(worker_process.WorkerError, match=r"^KeyError: 'nothing'$") as caught:
                process.ask("import_framework", 60, framework="nothing", threads=1)
            assert caught.value.kind == "exception"
            assert caught.value.stderr[-1] == "KeyError: 'nothing'"

    def test_a_signal_is_named(self, process):
        os.kill(process.pid, signal.SIGSEGV)
        with pytest.raises(worker_process.WorkerError, match="ended by SIGSEGV") as caught:
            process.ask("drop", 60, key="")
        assert caught.value.kind == "signal"

    @pytest.mark.skipif(sys.platform != "linux", reason="the system's count is Linux'")
    def test_a_kill_by_the_system_is_out_of_memory(self, process, monkeypatch):
        kills = iter([worker_process._oom_kills() + 1])
        monkeypatch.setattr(worker_process, "_oom_kills", lambda: next(kills))
        os.kill(process.pid, signal.SIGKILL)
        with pytest.raises(worker_process.WorkerError) as caught:
            process.ask("drop", 60, key="")
        assert caught.value.kind == "out of memory"

    def test_a_request_that_takes_too_long_ends_the_process(self, process):
        with pytest.raises(worker_process.WorkerError, match="no answer within") as caught:
            process.ask("import_framework", 0.01, framework="pytorch", threads=1)
        assert caught.value.kind == "timeout"
        assert not psutil.pid_exists(process.pid)
        with pytest.raises(worker_process.WorkerError, match="no answer within"):
            process.ask("drop", 60, key="")

    def test_it_ends_with_its_children_when_its_parent_is_killed(self, tmp_path):
        code = f"""
import sys, time
from pathlib import Path
from suites.worker_process import WorkerProcess, environment
process = WorkerProcess(sys.executable, "test", Path({str(tmp_path / "log")!r}), environment(1))
print(process.pid, flush=True)
time.sleep(60)
"""
        parent = subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE, text=True)
        assert parent.stdout
        child = psutil.Process(int(parent.stdout.readline()))
        scratch = Path(child.environ()["TMPDIR"])
        assert scratch.is_dir()
        parent.kill()
        parent.wait()
        child.wait(timeout=30)  # raises if it lives on
        assert not scratch.exists()

    @pytest.mark.parametrize(
        ("error", "kind"),
        [
            (MemoryError(), "out of memory"),
            (RuntimeError("[enforce fail at alloc_cpu.cpp:121] DefaultCPUAllocator: can't allocate memory"), None),
            (type("ResourceExhaustedError", (Exception,), {})("OOM when allocating tensor"), "out of memory"),
            (ValueError("shapes do not match\nand more"), "exception"),
        ],
    )
    def test_kinds_of_exceptions(self, error, kind):
        found = worker.failure(error)
        assert found["kind"] == (kind or "out of memory")
        assert "\n" not in found["message"]


def go(run: store.Run, profile: profiles.Profile, wanted) -> dict:
    """Measure what is wanted of the kernels and give what is stored."""
    group = plan.groups(profile, THERE, wanted)["kernels"]
    measure(run, group, profile, sys.executable, threads=2)
    return run.group("kernels")


PYTORCH = Program(KERNEL, "pytorch", "eager")
GRAPH = Program(KERNEL, "tensorflow", "graph")


@pytest.mark.slow
class TestMeasure:
    def test_calls_are_interleaved_in_blocks_and_every_program_has_as_many(self, run):
        group = go(run, replace(TINY, kernel_blocks=40), only(PYTORCH, GRAPH))
        for stage, pair in zip(group["stages"], (["pytorch/eager again"], []), strict=True):
            turns = stage["turns"]
            assert sorted(turns, key=lambda turn: turn["started"]) == turns  # as they really happened
            orders = [[turn["program"] for turn in turns if turn["block"] == block] for block in range(40)]
            assert all(sorted(order) == sorted(["pytorch/eager", "tensorflow/graph", *pair]) for order in orders)
            assert len({tuple(order) for order in orders}) == (6 if pair else 2)  # a fixed order is no random one
            assert not sum(turn["compilations"] for turn in turns)
        for phase in ("forward", "gradient by weight"):
            for row in rows(group, phase).values():
                assert len(row["latency"]) == 40 * TINY.calls_per_block
                assert all(seconds > 0 for seconds in row["latency"])
        assert not [log.name for log in (run.folder / "logs").iterdir() if "Traceback" in log.read_text()]
        (pair,) = run.manifest["pairs"]
        assert (pair["workload"], pair["framework"], pair["phase"]) == (KERNEL, "pytorch", "forward")
        first, second = (rows(group, phase)["pytorch/eager"]["latency"] for phase in ("forward", "again forward"))
        assert first != second  # timed, not copied
        assert pair["ratio"] == pytest.approx(np.median(first) / np.median(second))
        assert pair["low"] <= pair["ratio"] <= pair["high"]
        assert pair["smallest_detectable_effect"] == max(pair["high"], 1 / pair["low"]) - 1
        calls = {(row["framework"], row["phase"]): row["calls"] for row in run.manifest["latencies"]}
        assert calls["tensorflow", "forward"] == [80]

    def test_what_is_complete_is_kept_and_only_the_rest_is_measured(self, run):
        before = go(run, TINY, only(PYTORCH, phases=("forward",)))
        cold = rows(before, "cold start")["pytorch/eager"]
        assert all(cold[part][0] > 0 for part in ("import", "build", "first_call"))
        if sys.platform == "linux":
            copies = 4 * 256 * (64 + 56 * 56)  # float32 weights and inputs: the framework has its own of both
            assert rows(before, "forward")["pytorch/eager"]["peak_memory"][0] > 0.5 * copies
        manifest = files.read_json(run.folder / "manifest.json")
        assert [(row["workload"], row["passed"]) for row in manifest["certificates"]] == [(KERNEL, True)]
        spent = manifest["time"]
        assert 0 < spent["measured_s"] + spent["verifying_s"] <= spent["wall_s"]
        assert manifest["frameworks"]["pytorch"]["layout"] == "NCHW"

        after = go(run, TINY, only(PYTORCH))
        assert json.dumps(after["records"]).startswith(json.dumps(before["records"])[:-1])
        assert [stage["phase"] for stage in after["stages"]] == ["forward", "gradient by weight"]

    def test_every_stage_says_whether_it_was_disturbed(self, run, monkeypatch):
        """By what, depends on this machine now; that the workers' calls are own work does not."""
        watches, during = [], []

        class Noted(Watch):
            def __init__(self):
                super().__init__()
                watches.append(self)

            def look(self):
                super().look()
                during.append((self, self._read()))

        monkeypatch.setattr(measuring, "Watch", Noted)
        group = go(run, replace(TINY, kernel_blocks=40), only(PYTORCH, GRAPH))
        assert len(watches) == len(group["stages"]) == 2
        for stage, watch in zip(group["stages"], watches, strict=True):
            conditions = stage["conditions"]
            assert conditions["verdict"] in ("clean", "tainted", "unknown")
            assert (conditions["verdict"] == "tainted") == bool(conditions["taints"])
            assert set(conditions["cpu_share"]) >= {"pytorch/eager", "tensorflow/graph"}
            assert all(0 < share <= 1.5 for share in conditions["cpu_share"].values())
            if sys.platform == "linux":
                assert sum(one is watch for one, _ in during) >= 40  # after each block
                own = [reading["own_time"]["value"] for one, reading in during if one is watch]
                timed = sum(sum(row["latency"]) for row in rows(group, stage["phase"]).values())
                assert own[-1] - own[0] > 0.3 * timed  # of the workers, which live on
        kept = {(row["workload"], row["stage"], row["verdict"]) for row in run.manifest["stage_conditions"]}
        assert kept == {(KERNEL, stage["phase"], stage["conditions"]["verdict"]) for stage in group["stages"]}

    def test_several_processes_add_their_samples(self, run):
        group = go(run, replace(TINY, processes=2), only(PYTORCH, phases=("forward",)))
        row = rows(group, "forward")["pytorch/eager"]
        assert len(row["latency"]) == 2 * TINY.kernel_blocks * TINY.calls_per_block
        assert row["calls"] == 2 * [TINY.kernel_blocks * TINY.calls_per_block]
        assert len(set(rows(group, "cold start")["pytorch/eager"]["import"])) == 2

    def test_boxes_are_timed_without_their_network(self, run, monkeypatch):
        monkeypatch.setattr(equivalence, "verify", lambda *_, **__: [])  # of the network, tested elsewhere
        programs = [Program("yolov3", *name) for name in (("pytorch", "eager"), ("tensorflow", "graph"))]
        profile = replace(TINY, models=("yolov3",), blocks=7)
        group = plan.groups(profile, THERE, only(*programs, phases=("boxes",)))["yolov3"]
        measure(run, group, profile, sys.executable, threads=2)
        stored = run.group("yolov3")
        assert not run.manifest["failures"]
        found = rows(stored, "boxes")
        assert set(found) == {"pytorch/eager", "tensorflow/graph"}
        for row in found.values():
            assert row["size"] == "416px-batch1"
            assert len(row["latency"]) == 7 * profile.calls_per_block
            # Far below the network, whose 62 million weights alone are 248 MB.
            assert row["peak_memory"][0] < 4 * impls.WORKLOADS["yolov3"].parameters()

    def test_a_killed_worker_fails_what_it_ran_and_the_others_go_on(self, run, monkeypatch):
        turns = []
        ask_loaded = Crew.ask_loaded

        def kill_after_the_second_turn(crew, key, do, /, **request):
            answer = ask_loaded(crew, key, do, **request)
            if do == "measure" and "pytorch" in key and "again" not in key:
                turns.append(answer)
                if len(turns) == 2:
                    os.kill(crew._homes[key].pid, signal.SIGKILL)
            return answer

        monkeypatch.setattr(Crew, "ask_loaded", kill_after_the_second_turn)
        group = go(run, TINY, only(PYTORCH, GRAPH))
        (failure,) = run.manifest["failures"]
        assert {key: failure[key] for key in ("framework", "phase", "kind", "message")} == {
            "framework": "pytorch",
            "phase": "forward",
            "kind": "signal",
            "message": "ended by SIGKILL",
        }
        assert list(rows(group, "forward")) == ["tensorflow/graph"]
        assert len(rows(group, "forward")["tensorflow/graph"]["latency"]) == 3 * TINY.calls_per_block
        assert set(rows(group, "gradient by weight")) == {"pytorch/eager", "tensorflow/graph"}  # in a new process
        session = Session(run, TINY, plan.groups(TINY, THERE, only(PYTORCH, GRAPH)), sys.executable, 2)
        with pytest.raises(MeasurementError, match="signal: ended by SIGKILL"):
            session.record(Case("forward", PYTORCH, None))
        assert session.record(Case("gradient by weight", PYTORCH, None))["latency"]

    def test_a_framework_that_cannot_be_imported_fails_alone(self, run, monkeypatch, tmp_path):
        (tmp_path / "torch").mkdir()
        (tmp_path / "torch" / "__init__.py").write_text("raise ImportError('libtorch.so is broken')")
        monkeypatch.setenv("PYTHONPATH", str(tmp_path))
        group = go(run, TINY, only(PYTORCH, GRAPH))
        assert set(rows(group, "gradient by weight")) == {"tensorflow/graph"}
        messages = {(row["phase"], row["message"]) for row in run.manifest["failures"]}
        broken = "ImportError: libtorch.so is broken"
        phases = ("forward", "again forward", "cold start", "gradient by weight")
        assert messages == {(phase, broken) for phase in phases}

    def test_a_framework_that_is_missing_has_its_reason(self, run):
        reason = "torch is not installed"
        run.manifest["frameworks"]["pytorch"]["reason"] = reason
        session = Session(run, TINY, plan.groups(TINY, {**THERE, "pytorch": reason}), sys.executable, 2)
        with pytest.raises(NotImplementedError, match=reason):
            session.record(Case("forward", PYTORCH, None))

    def test_a_model_s_way_from_its_cold_start_to_its_accuracy(self, run, tmp_path, monkeypatch):
        """Every stage of calls in fresh processes; the same weights, trained once, evaluated in both programs."""
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
        monkeypatch.setattr(equivalence, "verify", lambda *_, **__: [])  # minutes, and tested elsewhere
        homes = {}
        ask_loaded = Crew.ask_loaded

        def note_process(crew, key, do, /, **request):
            homes[key] = crew._homes[key].pid
            return ask_loaded(crew, key, do, **request)

        monkeypatch.setattr(Crew, "ask_loaded", note_process)
        recipe = replace(QUICK.recipes["mobilenet_v2"], steps=3, batch_size=16, evaluations=1)
        profile = replace(TINY, blocks=7, small_training_batch=16, recipes={"mobilenet_v2": recipe}, trained=())
        programs = [Program("mobilenet_v2", name, "eager") for name in ("pytorch", "keras-torch")]
        phases = ("cold start", "inference", "training", "accuracy", "fit")
        group = plan.groups(profile, THERE, only(*programs, phases=phases))["mobilenet_v2"]
        measure(run, group, profile, sys.executable, threads=2)
        stored = run.group("mobilenet_v2")
        assert len(homes) == len(set(homes.values())) == 5  # two programs, two stages of calls, and the A/A pair
        assert (
            set(rows(stored, "cold start")) == set(rows(stored, "training")) == {"pytorch/eager", "keras-torch/eager"}
        )
        if sys.platform == "linux":
            weights = 4 * impls.WORKLOADS["mobilenet_v2"].parameters(num_classes=10)
            for row in rows(stored, "training").values():
                assert row["peak_memory"][0] > 3 * weights  # weights, gradients and momenta at least

        scores = [row for row in stored["records"] if row["phase"] == "accuracy"]
        assert len(scores) == 2
        for metric in ("top1", "precision", "recall", "f1"):
            assert scores[0][metric] == pytest.approx(scores[1][metric], abs=0.01)
        (fit,) = (row for row in stored["records"] if row["phase"] == "fit")
        (curve,) = run.manifest["curves"]
        assert len(curve["loss"]) == len(curve["seconds"]) == 3
        assert fit["seconds"] == [curve["seconds"][-1]]
        assert fit["quality"] == pytest.approx([scores[0]["top1"]], abs=0.01)
        assert 0 < scores[0]["distance"] + scores[1]["distance"] < 1e-3
        assert len(list((tmp_path / "cache" / "evenbench" / "trained").glob("mobilenet_v2-3steps-*.npz"))) == 1
        assert [row["message"] for row in run.manifest["failures"]] == ["one program trains for all"]
