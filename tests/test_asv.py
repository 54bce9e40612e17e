"""asv itself, in a checkout of its own: real runs, real workers, real kills."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from itertools import product
from pathlib import Path

import psutil
import pytest
from identities import identifiers, told

import impls

ROOT = Path(__file__).parent.parent
TORCH_ONLY = r"kernels\..*\('conv2d-(1x1|1x7)', 'pytorch'"
MODELS = ("classification", "segmentation", "detection")
STEPS = ("Training", "DefaultTraining")
OF_CALLS = {"track_latency": "seconds", "track_peak_memory": "bytes", "track_peak_vram": "bytes"}
OF_PROCESSES = {"track_process_vram": "bytes", "track_energy": "joules"}
BENCHMARKS = {
    "kernels.ColdStart.track_first_call": "seconds",
    **{
        f"{suite}.{phase}.{metric}": unit
        for suite, phase in (
            *product(("kernels",), ("Forward", "GradientByInput", "GradientByWeight")),
            *product(MODELS, ("Inference", "DefaultInference", *STEPS)),
            ("detection", "Boxes"),
        )
        for metric, unit in (OF_CALLS if suite == "kernels" else {**OF_CALLS, **OF_PROCESSES}).items()
    },
    **{
        f"{suite}.{phase}.track_{part}": "seconds"
        for suite, phase, part in product(MODELS, STEPS, ("forward", "gradient", "first_call"))
    },
    **{
        f"{suite}.Largest{phase}Batch.track_batch_size": "images"
        for suite in MODELS
        for phase in ("Inference", "Training")
    },
    **{f"{suite}.ColdStart.track_{part}": "seconds" for suite in MODELS for part in ("import", "build", "first_call")},
    **{
        f"{suite}.Accuracy.track_{score}": "fraction"
        for suite, scores in (
            ("classification", ("top1", "precision", "recall", "f1")),
            ("segmentation", ("foreground_iou", "miou", "dice")),
            ("detection", ("map50", "map")),
        )
        for score in (*scores, "distance")
    },
    **{f"{suite}.Fit.track_quality": "fraction" for suite in MODELS},
    **{f"{suite}.Fit.track_{time}": "seconds" for suite, time in product(MODELS, ("seconds", "epoch", "to_target"))},
    **{
        f"input_pipeline.InputPipeline.track_{one}": "seconds" for one in ("latency", "first_batch", "cold_first_batch")
    },
}
USER, HOST = "zquser", "zqhost"  # as the environment has them, beside the real ones
pytestmark = pytest.mark.slow


class Checkout:
    """A git checkout with the suite in it, its own home folder and caches."""

    def __init__(self, folder: Path, cache: Path) -> None:
        self.folder = folder
        self.home = folder / "home" / USER
        self.home.mkdir(parents=True)
        for package in ("suites", "impls", "hwprobe"):
            shutil.copytree(ROOT / package, folder / package, ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copy(ROOT / "asv.conf.json", folder)
        (folder / ".gitignore").write_text("/home/\n/.asv/\n__pycache__/\n")
        self.variables = {**os.environ, "HOME": str(self.home), "XDG_CACHE_HOME": str(cache)}
        self.variables |= {"USER": USER, "LOGNAME": USER, "HOSTNAME": HOST}
        self.variables["OMP_WAIT_POLICY"] = "PASSIVE"  # threads that spin make a busy machine crawl
        for name in ("EVENBENCH_PROFILE", "PYTHONPATH"):
            self.variables.pop(name, None)
        self.git("init", "--quiet")
        self.commit()

    def git(self, *arguments: str) -> str:
        name = ("-c", "user.name=test", "-c", "user.email=test@localhost")
        return subprocess.run(
            ["git", *name, *arguments], cwd=self.folder, env=self.variables, capture_output=True, text=True, check=True
        ).stdout.strip()

    def commit(self) -> None:
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "--message", "state")

    def start(self, *arguments: str, **variables: str) -> "subprocess.Popen[str]":
        """asv, in a process group of its own as a terminal would have it."""
        return subprocess.Popen(
            [sys.executable, "-m", "asv", *arguments],
            cwd=self.folder,
            env={**self.variables, **variables},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
            # Where the tests run in the background, Ctrl-C is ignored, and children would inherit that.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )

    def asv(self, *arguments: str, **variables: str) -> tuple[int, str]:
        process = self.start(*arguments, **variables)
        output, _ = process.communicate(timeout=300)
        return process.returncode, output

    @property
    def results(self) -> dict:
        """asv's one file of results."""
        (path,) = (self.folder / ".asv" / "results").glob("*/*-prebuilt-*.json")
        return json.loads(path.read_text())

    @property
    def manifests(self) -> list[dict]:
        return [json.loads(path.read_text()) for path in sorted(self.folder.glob(".asv/runs/*/manifest.json"))]

    @property
    def measurements(self) -> dict:
        """The measurements of the only run's kernels, empty before the first stage is complete."""
        paths = list(self.folder.glob(".asv/runs/*/measurements/kernels.json"))
        return json.loads(paths[0].read_text()) if paths else {"stages": [], "records": []}


@pytest.fixture(scope="module")
def new_checkout(tmp_path_factory: pytest.TempPathFactory) -> Callable[[], Checkout]:
    """Make a checkout; certificates are proved once for all of them."""
    cache = tmp_path_factory.mktemp("cache")
    return lambda: Checkout(tmp_path_factory.mktemp("with a space") / "checkout", cache)


@pytest.fixture(scope="module")
def ran(new_checkout: Callable[[], Checkout]) -> tuple[Checkout, str]:
    """A checkout with a complete tiny run, and what asv printed."""
    checkout = new_checkout()
    code, output = checkout.asv("run", "--bench", TORCH_ONLY)
    assert code == 0, output
    return checkout, output


def values(results: dict, name: str) -> list:
    return [value for value in results["results"][name][0] if value is None or value == value]


class TestPlainRun:
    def test_saves_with_versions_and_profile_as_requirements(self, ran):
        results = ran[0].results
        assert results["commit_hash"] == ran[0].git("rev-parse", "HEAD")
        assert results["requirements"]["profile"] == "quick"
        assert "tree" not in results["requirements"]
        assert set(results["requirements"]) == {"torch", "tensorflow", "keras", "jax", "profile"}

    def test_prints_what_was_measured_and_only_counts_what_is_not_applicable(self, ran):
        rows = [line.split() for line in ran[1].splitlines() if line.split()[:1] in (["conv2d-1x1"], ["conv2d-1x7"])]
        assert {row[1] for row in rows} == {"pytorch"}
        assert "n/a" not in {row[-1] for row in rows}
        measured = sum(len(values(ran[0].results, name)) for name in ran[0].results["results"])
        assert len(rows) == measured > 0
        # Of all kernels, 5 frameworks and 3 modes; 2 were measured.
        assert f"{15 * len(impls.KERNELS) - 2} combinations are n/a" in ran[1]

    def test_keeps_the_samples_of_every_block(self, ran):
        results = ran[0].results
        row = dict(zip(results["result_columns"], results["results"]["kernels.Forward.track_latency"], strict=False))
        samples = [samples for samples in row["samples"] if samples]
        profile = ran[0].manifests[0]["profile"]
        assert [len(one) for one in samples] == 2 * [profile["kernel_blocks"] * profile["calls_per_block"]]
        assert len(values(results, "kernels.ColdStart.track_first_call")) == 2

    def test_the_machine_has_a_name_without_the_host_s(self, ran):
        (manifest,) = ran[0].manifests
        assert manifest["machine"] == f"machine-{manifest['fingerprint']}" == ran[0].results["params"]["machine"]
        registered = (ran[0].home / ".asv-machine.json").read_text()
        assert os.uname().nodename not in registered

    def test_no_file_of_the_run_or_its_report_tells_whose_machine_this_is(self, ran):
        store = ran[0].folder / ".asv"
        report = [sys.executable, "-m", "suites.cli", "report", "--results", str(store), "--out", str(store / "report")]
        subprocess.run(report, cwd=ROOT, env=ran[0].variables, capture_output=True, check=True)
        words = {*identifiers(), str(ran[0].home), USER, HOST}
        assert len(words) > 4
        files = [path for path in store.rglob("*") if path.is_file()]
        names = {path.name for path in files} | {path.suffix for path in files}
        expected = {"benchmarks.json", "machine.json", "manifest.json", "kernels.json", ".log"}
        assert expected | {"index.html", "report.md", "results.csv", "results.parquet"} <= names
        assert not {path.name: found for path in files if (found := told(path, words))}

    def test_the_label_is_in_the_manifest_only_if_it_is_set(self, ran, new_checkout):
        assert ran[0].manifests[0]["label"] is None
        checkout = new_checkout()
        one = r"kernels.Forward.track_latency\('conv2d-1x1', 'pytorch'"
        code, output = checkout.asv("run", "--bench", one, EVENBENCH_LABEL="x" * 41)
        assert code == 2
        assert "a label has 1 to 40 printable characters, not " in output.strip().splitlines()[-1]
        assert "Traceback" not in output
        assert not checkout.manifests
        code, output = checkout.asv("run", "--bench", one, EVENBENCH_LABEL="lab 3")
        assert code == 0, output
        assert [manifest["label"] for manifest in checkout.manifests] == ["lab 3"]
        report = [sys.executable, "-m", "suites.cli", "report", "--results", str(checkout.folder / ".asv")]
        out = checkout.folder / "home" / "report"
        subprocess.run([*report, "--out", str(out)], cwd=ROOT, capture_output=True, check=True)
        assert "lab 3: " in (out / "report.md").read_text()
        assert "lab 3: " in (out / "index.html").read_text()

    def test_the_manifest_belongs_to_the_results(self, ran):
        (manifest,) = ran[0].manifests
        assert manifest["env_name"] == ran[0].results["env_name"]
        assert manifest["commit"] == ran[0].results["commit_hash"]
        assert manifest["finished_at"]
        assert manifest["conditions"]["before"]
        assert manifest["conditions"]["after"]
        assert manifest["readiness"]["tiers"]
        assert all(row["passed"] for row in manifest["certificates"])
        assert {(row["workload"], row["framework"], row["mode"]) for row in manifest["certificates"]} == {
            ("conv2d-1x1", "pytorch", "eager"),
            ("conv2d-1x7", "pytorch", "eager"),
        }

    def test_prints_the_measured_share(self, ran):
        assert "Measured " in ran[1]
        assert str(ran[0].folder / ".asv" / "runs") in ran[1]

    def test_is_quiet_where_stderr_is_no_terminal(self, ran):
        assert "starting" not in ran[1]
        assert "\x1b" not in ran[1]

    def test_discovers_what_the_report_reads_and_nothing_else(self, ran):
        found = json.loads((ran[0].folder / ".asv" / "results" / "benchmarks.json").read_text())
        assert {name: row["unit"] for name, row in found.items() if name != "version"} == BENCHMARKS

    @pytest.mark.parametrize(
        "command", [("check",), ("publish",), ("compare", "HEAD", "HEAD"), ("show", "HEAD")], ids=str
    )
    def test_asv_s_other_commands_work(self, ran, command):
        code, output = ran[0].asv(*command)
        assert code == 0, output
        assert "rror" not in output.replace("No error", "")

    def test_a_second_environment_s_results_stand_beside_the_first(self, ran):
        checkout = ran[0]
        code, output = checkout.asv("run", "--bench", "no such benchmark", EVENBENCH_PROFILE="standard")
        assert code == 1
        assert "No benchmarks selected" in output
        assert checkout.results["requirements"]["profile"] == "quick"


class TestInterruptions:
    @pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM], ids=lambda how: how.name)
    def test_finished_results_survive_and_only_the_rest_is_run(self, new_checkout, how):
        checkout = new_checkout()
        process = checkout.start("run", "--bench", TORCH_ONLY)
        while len(checkout.measurements["stages"]) < 2:
            assert process.poll() is None, process.communicate()[0]
            time.sleep(0.01)
        children = psutil.Process(process.pid).children(recursive=True)
        assert children
        if how == signal.SIGINT:
            os.killpg(process.pid, how)  # a terminal sends it to the whole group
        else:
            process.send_signal(how)
        process.communicate(timeout=60)
        assert process.returncode != 0
        _, alive = psutil.wait_procs(children, timeout=60)
        assert not alive
        before = checkout.measurements
        assert checkout.manifests[0]["finished_at"] is None

        code, output = checkout.asv("run", "--bench", TORCH_ONLY, "--skip-existing-successful")
        assert code == 0, output
        after = checkout.measurements
        assert json.dumps(after["records"]).startswith(json.dumps(before["records"])[:-1])
        assert json.dumps(after["stages"]).startswith(json.dumps(before["stages"])[:-1])
        assert len(after["stages"]) == 6
        (manifest,) = checkout.manifests
        assert manifest["finished_at"]
        assert len(values(checkout.results, "kernels.GradientByWeight.track_latency")) == 2

    def test_a_file_of_results_is_never_half_written(self, new_checkout):
        """asv writes in place; here a reader finds the old file or the new one, whatever moment it looks at."""
        checkout = new_checkout()
        code = """
            import json, os, threading
            from pathlib import Path
            from asv import util
            from suites.plugins import autosave
            autosave.setup()
            path = Path("big.json")
            util.write_json(str(path), {"rows": list(range(200000))}, 2)
            stop = threading.Event()
            def write():
                while not stop.is_set():
                    util.write_json(str(path), {"rows": list(range(200000))}, 2)
            thread = threading.Thread(target=write, daemon=True)  # ends with a failed assertion, too
            thread.start()
            for _ in range(100):
                assert len(json.loads(path.read_bytes())["rows"]) == 200000
            stop.set()
            thread.join()
        """
        code = "\n".join(line.removeprefix(" " * 12) for line in code.splitlines())
        subprocess.run([sys.executable, "-c", code], cwd=checkout.folder, env=checkout.variables, check=True)


class TestHonesty:
    def test_a_dirty_tree_is_marked_and_a_missing_framework_reads_not_applicable(self, new_checkout, tmp_path):
        checkout = new_checkout()
        (checkout.folder / "suites" / "common.py").open("a").write("# edited\n")
        hide = "import importlib.machinery as m; f = m.PathFinder.find_spec\n"
        hide += "m.PathFinder.find_spec = staticmethod(lambda n, *a: None if n == 'tensorflow' else f(n, *a))\n"
        (tmp_path / "sitecustomize.py").write_text(hide)
        code, output = checkout.asv(
            "run", "--bench", r"kernels.Forward.track_latency\('conv2d-1x1', '(py|tensor)", PYTHONPATH=str(tmp_path)
        )
        assert code == 0, output
        assert output.count("uncommitted changes: its results are marked tree=dirty") == 1
        assert checkout.results["requirements"]["tree"] == "dirty"
        (manifest,) = checkout.manifests
        assert manifest["dirty"] is True
        assert "treedirty" in manifest["env_name"] == checkout.results["env_name"]
        assert manifest["frameworks"]["tensorflow"]["reason"] == "tensorflow is not installed"
        assert manifest["frameworks"]["pytorch"]["reason"] is None
        assert len(values(checkout.results, "kernels.Forward.track_latency")) == 1  # PyTorch's; the others are NaN
        assert manifest["failures"] == []

    def test_another_commit_than_the_one_that_is_checked_out_is_refused(self, ran):
        checkout = ran[0]
        before = checkout.results
        checkout.commit()
        code, output = checkout.asv("run", "HEAD~1^!", "--bench", TORCH_ONLY)
        assert code == 2
        assert "only the commit that is checked out" in output
        assert "Traceback" not in output
        assert checkout.results == before

    def test_rounds_of_asv_s_own_would_be_no_repetitions(self, ran):
        code, output = ran[0].asv("run", "--bench", TORCH_ONLY, "-a", "rounds=3")
        assert code == 2
        assert output.strip().splitlines()[-1].endswith("rounds belong to the profile here: set EVENBENCH_PROFILE")


class TestBadInput:
    def test_an_unknown_profile_is_one_line(self, new_checkout):
        code, output = new_checkout().asv("run", EVENBENCH_PROFILE="fast")
        assert code == 2
        assert output.strip() == "evenbench: unknown profile 'fast': choose one of quick, standard, full"

    def test_a_folder_that_cannot_be_written_is_one_line(self, new_checkout):
        checkout = new_checkout()
        (checkout.folder / ".asv").write_text("a file where the folder should be")
        code, output = checkout.asv("run", "--bench", TORCH_ONLY)
        assert code == 2
        assert output.strip().splitlines()[-1].startswith("evenbench: cannot write")
        assert "Traceback" not in output

    def test_no_space_is_one_line_and_leaves_no_rest(self, ran, new_checkout):
        """No file may grow to the size of asv's list of benchmarks, but its temporary files, not indented, may."""
        listed = (ran[0].folder / ".asv" / "results" / "benchmarks.json").read_text()
        size = (len(listed) + len(json.dumps(json.loads(listed)))) // 2
        checkout = new_checkout()
        limited = f"import resource, runpy, sys; resource.setrlimit(resource.RLIMIT_FSIZE, ({size}, {size}));"
        limited += "sys.argv = ['asv', 'run']; runpy.run_module('asv', run_name='__main__')"
        answer = subprocess.run(
            [sys.executable, "-c", limited], cwd=checkout.folder, env=checkout.variables, capture_output=True, text=True
        )
        assert answer.returncode == 2
        assert answer.stderr.strip().splitlines()[-1].startswith("evenbench: cannot write")
        assert "Traceback" not in answer.stdout + answer.stderr
        written = [path.name for path in (checkout.folder / ".asv").rglob("*") if path.is_file()]
        assert written == ["machine.json"]


def test_discovery_imports_no_framework():
    code = """
import sys
from asv_runner.discovery import disc_benchmarks
assert len(list(disc_benchmarks("suites"))) == int(sys.argv[1])
print([name for name in ("torch", "tensorflow", "keras", "jax") if name in sys.modules])
"""
    answer = subprocess.run(
        [sys.executable, "-c", code, str(len(BENCHMARKS))], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert answer.stdout.strip() == "[]"


def test_parameters_are_the_same_whatever_the_profile():
    """asv lays results side by side by their parameters."""
    from suites import classification, kernels

    assert kernels.Forward.params[0] == list(impls.KERNELS)
    sizes = [f"{size}px-batch{batch}" for batch, pixels in ((32, (32, 80)), (8, (224, 299))) for size in pixels]
    assert set(sizes) <= set(classification.Training.params[3])
