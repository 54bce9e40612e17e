"""Several framework versions: two small environments, measured side by side by one run of asv."""

import json
import os
import subprocess
import sys
import time
import venv
from importlib.metadata import distribution, version
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from test_asv import Checkout

from impls import equivalence
from suites import interpreter, trained, worker_process
from suites.plugins.environment import unusable

ROOT = Path(__file__).parent.parent
OLD_KERAS = "3.14.1"
LEAST = ("numpy", "psutil", "scikit-learn")  # what a worker needs beside its frameworks, as README.md has it
KERNEL = r"kernels.Forward.track_latency\('conv2d-1x1', 'keras-torch', 'eager'"
pytestmark = pytest.mark.slow


def with_dependencies(names: tuple[str, ...]) -> set[str]:
    """These distributions, and those that they need."""
    found, todo = set[str](), list(names)
    while todo:
        if (name := todo.pop()) not in found:
            found.add(name)
            needs = map(Requirement, distribution(name).requires or ())
            todo += [one.name for one in needs if one.marker is None or one.marker.evaluate({"extra": ""})]
    return found


def make(folder: Path, *names: str) -> str:
    """An environment with these distributions and what they need, as they are installed here: its interpreter."""
    venv.create(folder, symlinks=True)
    (packages,) = folder.glob("lib/python*/site-packages")
    for name in with_dependencies(names):
        files = distribution(name).files or ()
        for top in {file.parts[0] for file in files} - {"..", "__pycache__"}:
            if not (packages / top).exists():
                (packages / top).symlink_to(distribution(name).locate_file(top))
    return str(folder / "bin" / "python")


@pytest.fixture(scope="session")
def current(tmp_path_factory: pytest.TempPathFactory) -> str:
    """PyTorch and this environment's Keras; no asv, and none of what the project needs for its reports."""
    return make(tmp_path_factory.mktemp("current") / "venv", *LEAST, "torch", "keras")


@pytest.fixture(scope="session")
def older(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The same with an older Keras, installed as README.md has it."""
    python = make(tmp_path_factory.mktemp("older") / "venv", *LEAST, "torch", "keras")
    (packages,) = Path(python).parents[1].glob("lib/python*/site-packages")
    for link in packages.glob("keras*"):
        link.unlink()
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--retries", "1", "--no-deps", "--target", packages]
    done = subprocess.run([*command, f"keras=={OLD_KERAS}"], capture_output=True, text=True, check=False)
    if "from versions: none" in done.stderr:
        pytest.skip("pip reaches no index, to install an older Keras from")
    assert done.returncode == 0, done.stderr
    return python


@pytest.fixture(scope="session")
def bare(tmp_path_factory: pytest.TempPathFactory) -> str:
    """An environment in which nothing is installed."""
    return make(tmp_path_factory.mktemp("bare") / "venv")


@pytest.fixture(scope="module")
def new_checkout(tmp_path_factory: pytest.TempPathFactory):
    """Make a checkout that names these interpreters."""

    def new(*pythons: str) -> Checkout:
        folder = tmp_path_factory.mktemp("versions")
        checkout = Checkout(folder / "checkout", folder / "cache")
        path = checkout.folder / "asv.conf.json"
        text = path.read_text()
        assert text.count('"pythons": ["same"]') == 1
        path.write_text(text.replace('["same"]', json.dumps(pythons)))
        checkout.commit()
        return checkout

    return new


@pytest.fixture(scope="module")
def measured(new_checkout, current: str, older: str, bare: str) -> tuple[Checkout, int, str]:
    """A checkout with one kernel measured in two environments, and asv's exit code and output; a third is empty."""
    checkout = new_checkout(current, bare, older)
    process = checkout.start("run", "--bench", KERNEL)
    output, _ = process.communicate(timeout=900)
    return checkout, process.returncode, output


def results(checkout: Checkout) -> dict[str, dict]:
    """Keras' version -> what asv has stored of its environment."""
    paths = (checkout.folder / ".asv/results").glob("*/*-prebuilt-*.json")
    return {raw["requirements"]["keras"]: raw for raw in (json.loads(path.read_text()) for path in paths)}


def manifests(checkout: Checkout) -> dict[str, dict]:
    return {manifest["versions"]["keras"]: manifest for manifest in checkout.manifests}


def evenbench(checkout: Checkout, *arguments: str) -> str:
    command = [sys.executable, "-m", "suites.cli", *arguments, "--results", str(checkout.folder / ".asv")]
    done = subprocess.run(command, cwd=ROOT, env=checkout.variables, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


BOTH = {OLD_KERAS, version("keras")}


class TestMeasured:
    def test_an_empty_environment_is_one_line_and_the_others_are_measured(self, measured, bare):
        _, code, output = measured
        assert code == 2
        (line,) = [line for line in output.splitlines() if bare in line]
        assert "left out: " in line
        assert "cannot run the suite: ModuleNotFoundError: No module named 'numpy' (README.md" in line
        assert "Traceback" not in output

    def test_each_environment_has_its_results_and_its_run(self, measured):
        checkout = measured[0]
        found, runs = results(checkout), manifests(checkout)
        assert found.keys() == runs.keys() == BOTH
        for keras, raw in found.items():
            assert f"keras{keras}" in raw["env_name"] == runs[keras]["env_name"]
            assert raw["requirements"]["torch"] == version("torch")
            (figure,) = [value for value in raw["results"]["kernels.Forward.track_latency"][0] if value == value]
            assert figure > 0
            assert runs[keras]["finished_at"]
            assert runs[keras]["failures"] == []
        assert len({manifest["run_id"] for manifest in runs.values()}) == 2

    def test_the_manifest_tells_of_the_environment_and_not_of_asv_s_own(self, measured):
        for keras, manifest in manifests(measured[0]).items():
            assert manifest["facts"]["software"]["keras"]["value"] == keras
            assert manifest["versions"].keys() == {"python", "torch", "keras", "numpy", "scikit-learn"}
            assert manifest["frameworks"]["tensorflow"]["reason"] == "tensorflow is not installed"

    def test_a_proof_of_one_version_is_none_of_the_other(self, measured, current, older, monkeypatch):
        checkout = measured[0]
        rows = {keras: row for keras, manifest in manifests(checkout).items() for row in manifest["certificates"]}
        assert all(row["passed"] for row in rows.values())
        assert len({row["code_hash"] for row in rows.values()}) == 2
        # Each is under its own hash in the cache, so that nothing is proven twice.
        monkeypatch.setenv("XDG_CACHE_HOME", checkout.variables["XDG_CACHE_HOME"])
        monkeypatch.setattr(equivalence, "_Child", None)
        name = equivalence.ProgramName("conv2d-1x1", "keras-torch", "eager")
        for keras, python in ((version("keras"), current), (OLD_KERAS, older)):
            precisions = tuple(manifests(checkout)[keras]["profile"]["precisions"])
            proven = equivalence.verify([name], precisions=precisions, interpreter=interpreter.proofs(python))
            assert [one["code_hash"] for one in proven] == [rows[keras]["code_hash"]]

    def test_publish_has_both_versions_to_choose_from(self, measured):
        checkout = measured[0]
        code, output = checkout.asv("publish")
        assert code == 0, output
        index = json.loads((checkout.folder / ".asv/html/index.json").read_text())
        assert set(index["params"]["keras"]) == BOTH
        assert {graph["keras"] for graph in index["graph_param_list"]} == BOTH

    def test_report_and_compare_work(self, measured, tmp_path):
        evenbench(measured[0], "report", "--out", str(tmp_path))
        text = (tmp_path / "report.md").read_text()
        assert f"keras {OLD_KERAS}" in text  # the newest run, and the other one is named
        assert "not shown: the run of " in text
        assert "conv2d-1x1" in evenbench(measured[0], "compare", *(f"keras{keras}" for keras in sorted(BOTH)))

    def test_what_is_there_is_not_measured_again(self, measured, older):
        checkout, before = measured[0], results(measured[0])
        code, output = checkout.asv(
            "run", "--bench", KERNEL, "--skip-existing-successful", "--environment", f"prebuilt:{older}"
        )
        assert code == 0, output
        assert results(checkout) == before
        assert len(checkout.manifests) == 2


class TestEnvironments:
    def test_an_interpreter_tells_what_it_has(self, current, older):
        for python, keras in ((current, version("keras")), (older, OLD_KERAS)):
            found = interpreter.ask(python)
            assert found["versions"]["keras"] == found["proofs"]["versions"]["keras"] == keras
            assert found["missing"]["keras-torch"] is None
            assert found["missing"]["keras-jax"] == "jax is not installed"
            assert "asv" not in found["versions"]

    def test_a_worker_runs_in_its_interpreter(self, older, tmp_path):
        process = worker_process.WorkerProcess(older, "test", tmp_path / "log", worker_process.environment(1))
        try:
            answer = process.ask("import_framework", 300, framework="keras-torch", threads=1)
        finally:
            process.close()
        assert answer["versions"]["keras"] == OLD_KERAS

    def test_the_least_that_is_needed_beside_the_frameworks(self, tmp_path):
        python = make(tmp_path / "venv", *LEAST)
        code = "import suites.worker, impls.certificate, impls.tasks.training, hwprobe.ceilings_worker"
        done = subprocess.run([python, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        with pytest.raises(ValueError, match=r"has none of the frameworks \(README.md"):
            interpreter.ask(python)

    def test_nothing_but_broken_environments_is_one_line_and_nothing_is_written(self, new_checkout, bare, tmp_path):
        absent = str(tmp_path / "python")
        checkout = new_checkout(absent, bare)
        code, output = checkout.asv("run")
        assert code == 2
        (line,) = output.strip().splitlines()
        assert f"{absent} cannot be run: No such file or directory; {bare} cannot run the suite: " in line
        assert not [name for name in ("results", "runs") if (checkout.folder / ".asv" / name).exists()]

    def test_a_broken_environment_that_is_not_asked_for_is_no_matter(self, new_checkout, bare, current):
        checkout = new_checkout(bare, current)
        code, output = checkout.asv("run", "--bench", "no such benchmark", "--environment", f"prebuilt:{current}")
        assert bare not in output
        assert "No benchmarks selected" in output
        assert code == 1

    def test_two_environments_of_one_name_would_overwrite_each_other(self, current, older, tmp_path):
        twin = make(tmp_path / "venv", *LEAST, "torch", "keras")
        assert unusable([current, older, current]) == {}
        (reason,) = unusable([current, older, twin]).values()
        assert reason.startswith(f"{twin} has the versions of {current}")

    @pytest.mark.parametrize(
        ("script", "reason"),
        [
            ("echo hello", "it is no Python or prints something else"),
            ("echo '1 2' >&2; exit 7", "1 2 (README.md"),
            ("exit 7", "exit code 7"),
            ("exec sleep 60", "no answer within 1 s"),
        ],
    )
    def test_what_is_no_interpreter_is_one_line(self, tmp_path, monkeypatch, script, reason):
        path = tmp_path / "python"
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)
        monkeypatch.setattr(interpreter, "TIMEOUT_S", 1)
        with pytest.raises(ValueError, match="cannot run the suite") as caught:
            interpreter.ask(str(path))
        assert str(path) in str(caught.value)
        assert reason in str(caught.value)
        assert "\n" not in str(caught.value)

    def test_a_path_is_the_same_from_every_folder_and_stays_in_its_venv(self, current, monkeypatch):
        folder = Path(current).parents[2]
        monkeypatch.chdir(folder)
        monkeypatch.setenv("HOME", str(folder))
        assert interpreter.path("same") == sys.executable
        assert interpreter.path("venv/bin/python") == interpreter.path("~/venv/bin/python") == current
        assert Path(interpreter.path("sh")).is_absolute()


def test_trained_weights_of_other_versions_stay_and_those_of_older_code_go(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))

    def path(keras: str, source: str) -> Path:
        return trained.path("resnet50", {"recipe": {"steps": 5}, "versions": {"keras": keras}, "source": source})

    paths = [path("3.14", "older"), path("3.15", "older"), path("3.15", "newer")]
    assert len(set(paths)) == 3
    paths[0].parent.mkdir(parents=True)
    for one in paths:
        one.write_bytes(b"weights")
    trained.discard_others(paths[2])
    assert [one.exists() for one in paths] == [True, False, True]


def test_states_of_trainings_that_nobody_went_on_with_go(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    facts = {"recipe": {"steps": 5}, "versions": {}}
    old, new = (trained.path("resnet50", {**facts, "of": of}, trained.UNFINISHED) for of in ("old", "new"))
    old.parent.mkdir(parents=True)
    for state, age_s in ((old, trained.ABANDONED_S + 60), (new, trained.ABANDONED_S - 60)):
        state.write_bytes(b"state")
        os.utime(state, (time.time() - age_s,) * 2)
    trained.discard_abandoned()
    assert (old.exists(), new.exists()) == (False, True)
