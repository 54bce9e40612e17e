"""Input pipelines: the reference by hand, every framework against it, what a defect looks like, the command."""

import ast
import json
import os
import subprocess
import sys
from dataclasses import asdict, replace
from pathlib import Path

import cv2
import numpy as np
import psutil
import pytest
import typer
from PIL import Image

import impls
from impls.pipelines import photographs, reference, spec
from suites import pipeline_stage, pipelines, plan, store
from suites.input_pipeline import InputPipeline
from suites.profiles import QUICK
from suites.session import MeasurementError, Session
from suites.worker_process import WorkerError, WorkerProcess, environment

ROOT = Path(__file__).parent.parent
FEW = 8  # files
BATCHES = 2  # of a pass, where it is not the point how many there are


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[str]]:
    """Format -> paths of a few files."""
    return {name: photographs.write(tmp_path_factory.mktemp(name), name, FEW) for name in spec.FORMATS}


# The reference and the files


def test_the_reference_by_hand(tmp_path: Path) -> None:
    rows, columns = np.mgrid[:256, :256].astype(np.uint8)
    path = tmp_path / "image.png"
    Image.fromarray(np.stack([rows, columns, np.full_like(rows, 7)], -1)).save(path)
    image = reference.read(str(path), 3, 20, flip=False)
    assert image.shape == (224, 224, 3)
    assert image[0, 0] == pytest.approx([(3 - 123.675) / 58.395, (20 - 116.28) / 57.12, (7 - 103.53) / 57.375])
    assert image[223, 1] == pytest.approx([(226 - 123.675) / 58.395, (21 - 116.28) / 57.12, (7 - 103.53) / 57.375])
    flipped = reference.read(str(path), 3, 20, flip=True)
    assert flipped[0, 0] == pytest.approx([(3 - 123.675) / 58.395, (243 - 116.28) / 57.12, (7 - 103.53) / 57.375])
    assert (flipped == image[:, ::-1]).all()


def test_the_reference_goes_through_a_pass_in_order(files: dict[str, list[str]]) -> None:
    images = spec.plan("png", files["png"], 2)
    batches = list(reference.batches(images))
    assert [batch.shape for batch in batches] == [(32, 224, 224, 3)] * 2
    for image in (0, 31, 32, 63):
        assert (batches[image // 32][image % 32] == reference.read(*images.row(image))).all()


@pytest.mark.parametrize("format", spec.FORMATS)
def test_another_decoder_sees_the_same_pixels(files: dict[str, list[str]], format: str) -> None:
    for path, piece in zip(files[format], photographs.pieces(FEW), strict=True):
        pixels = cv2.imread(path)[..., ::-1]
        assert pixels.shape == (256, 256, 3)
        assert (pixels == piece).all() if format == "png" else np.abs(pixels.astype(int) - piece).mean() < 6
        expected = (pixels[5:229, 9:233] - spec.MEAN) / spec.DEVIATION
        assert np.abs(reference.read(path, 5, 9, flip=False) - expected).max() < spec.TOLERANCE


def test_files_are_the_same_each_time_and_differ(files: dict[str, list[str]], tmp_path: Path) -> None:
    for name, paths in files.items():
        again = photographs.write(tmp_path, name, FEW)
        contents = [Path(path).read_bytes() for path in paths]
        assert [Path(path).read_bytes() for path in again] == contents
        assert len(set(contents)) == FEW


def test_other_photographs_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    photographs.photographs.cache_clear()
    monkeypatch.setattr(photographs, "SHA256", "0" * 64)
    with pytest.raises(ValueError, match="not those that this benchmark was made with"):
        photographs.photographs()


def test_a_pass_is_seeded_and_stays_within_the_files() -> None:
    files = ["a", "b", "c"]
    one, same, other = (spec.plan("png", files, 40, seed) for seed in (1, 1, 2))
    assert one.batches == 40
    assert one.paths[:4] == ["a", "b", "c", "a"]
    for values, again, others in zip(one[2:], same[2:], other[2:], strict=True):
        assert values.shape == (40 * 32,)
        assert (values == again).all()
        assert (values != others).any()
    for offsets in (one.tops, one.lefts):
        assert (offsets.min(), offsets.max()) == (0, 32)
    assert 0.4 < one.flips.mean() < 0.6


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("gif", ["a"], 1), "no such format: gif (there are jpeg, png)"),
        (("png", [], 1), "a pass needs files and batches, not 0 and 1"),
        (("png", ["a"], 0), "a pass needs files and batches, not 1 and 0"),
    ],
)
def test_a_pass_that_cannot_be_is_refused(arguments: tuple, said: str) -> None:
    with pytest.raises(ValueError) as error:
        spec.plan(*arguments)
    assert str(error.value) == said


def test_every_worker_has_as_many_batches() -> None:
    assert [spec.batches(workers) for workers in (1, 2, 3, 64)] == [16, 16, 24, 512]


# Every framework

PROVE = """
import json, sys
import impls
from impls.pipelines import Pipeline, spec
framework, files = sys.argv[1], json.loads(sys.argv[2])
impls.runtime(framework).configure(2)
found = {"png": Pipeline(framework, spec.plan("png", files["png"], 2), 2).prove()}
two = spec.plan("jpeg", files["jpeg"], 2)
pipeline = Pipeline(framework, two, 2)
found["jpeg"], found["pass"], found["again"] = pipeline.prove(), pipeline.measure(), pipeline.prove()
one = spec.plan("jpeg", files["jpeg"], 1)
defects = {
    "crop": (one._replace(tops=(one.tops + 1) % 33), one),
    "flip": (one._replace(flips=~one.flips), one),
    "order": (one._replace(paths=one.paths[::-1]), one),
    "missing": (one, two),
}
for name, (delivered, expected) in defects.items():
    pipeline = Pipeline(framework, delivered, 2)
    pipeline._images = expected
    found[name] = pipeline.prove()["check"]
try:
    pipeline.measure()
except RuntimeError as error:
    found["measured"] = str(error)
print(json.dumps(found))
"""


@pytest.mark.slow
@pytest.mark.parametrize("framework", impls.FRAMEWORKS)
def test_a_framework_delivers_what_the_reference_does(framework: str, files: dict[str, list[str]]) -> None:
    if reason := impls.missing(framework):
        pytest.skip(reason)
    command = [sys.executable, "-W", "ignore", "-c", PROVE, framework, json.dumps(files)]
    answer = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=300)
    assert answer.returncode == 0, answer.stderr
    found = json.loads(answer.stdout)
    for proof in (found["png"], found["jpeg"], found["again"]):
        assert proof["check"]["passed"], proof
        assert proof["check"]["error"] < 1e-6
        assert proof["check"]["tensor"].startswith("2 batches of ")
    assert 0 < found["pass"]["first_batch"] < found["pass"]["measured_s"]
    assert found["pass"]["samples"] == [found["pass"]["measured_s"] / 2]
    for defect in ("crop", "flip", "order"):
        assert not found[defect]["passed"]
        assert found[defect]["error"] > 0.1, defect
    assert not found["missing"]["passed"]
    assert found["missing"]["error"] is None
    assert found["measured"] == "1 batches were delivered, not 2"


def test_what_is_no_equal_batch_is_infinitely_off() -> None:
    batch = np.zeros((2, 3), np.float32)
    assert impls.pipelines._difference(batch, batch + 0.5) == 0.5
    for strange in (batch[:1], batch.astype(np.float64), np.full_like(batch, np.nan)):
        assert impls.pipelines._difference(strange, batch) == float("inf")
    assert impls.pipelines._difference(batch, None) == float("inf")


def test_twins_have_the_same_functions_in_the_same_order() -> None:
    def names(framework: str) -> list[str]:
        tree = ast.parse((ROOT / f"impls/pipelines/pipeline_{framework}.py").read_text())
        return [node.name for node in tree.body if isinstance(node, ast.FunctionDef)]

    assert names("pytorch") == names("tensorflow") == names("keras") == ["read", "build", "batches", "to_numpy"]


# In workers


@pytest.mark.slow
def test_a_worker_s_children_end_with_the_pipeline(files: dict[str, list[str]], tmp_path: Path) -> None:
    if reason := impls.missing("pytorch"):
        pytest.skip(reason)
    worker = WorkerProcess(sys.executable, "pipelines", tmp_path / "log", environment(2))
    try:
        worker.ask("import_framework", 120, framework="pytorch", threads=2)
        request = pipeline_stage.request("pytorch", "jpeg", files["jpeg"], 2)
        assert request["images"]["batches"] == 16
        request["images"]["batches"] = BATCHES
        # It hung here when the worker's own thread read sys.stdin while the DataLoader forked.
        assert worker.ask("load_pipeline", 120, key="one", **request)["check"]["passed"]
        process = psutil.Process(worker.pid)
        children = process.children()
        assert len(children) == 2
        assert len(worker.ask("measure_pass", 120, key="one")["samples"]) == 1
        assert process.children() == children  # they stay from pass to pass
        worker.ask("drop", 120, key="one")
        assert process.children() == []
        worker.ask("load_pipeline", 120, key="two", **request)
        children = process.children()
    finally:
        worker.close()
    psutil.wait_procs(children, timeout=10)
    assert not [child for child in children if child.is_running() and child.status() != psutil.STATUS_ZOMBIE]


@pytest.mark.slow
def test_a_broken_file_is_one_program_s_failure(files: dict[str, list[str]], tmp_path: Path) -> None:
    if reason := impls.missing("pytorch"):
        pytest.skip(reason)
    broken = tmp_path / "broken.jpeg"
    broken.write_bytes(Path(files["jpeg"][0]).read_bytes()[:-2000])
    worker = WorkerProcess(sys.executable, "pipelines", tmp_path / "log", environment(2))
    try:
        worker.ask("import_framework", 120, framework="pytorch", threads=2)
        with pytest.raises(WorkerError) as error:
            worker.ask("load_pipeline", 120, key="one", **pipeline_stage.request("pytorch", "jpeg", [str(broken)], 2))
        assert error.value.kind == "exception"
        assert error.value.message.startswith("OSError: Caught OSError in DataLoader worker process")
    finally:
        worker.close()


PIPELINES_ALONE = replace(QUICK, models=(), kernels=(), pipelines=("input_pipeline-jpeg",), blocks=2)


def in_a_run(tmp_path: Path, frameworks: list[str]) -> tuple[store.Run, Session]:
    """A run whose profile has nothing but the JPEG pipelines of these frameworks."""
    settings = {"frameworks": {name: {"reason": None} for name in frameworks}, "profile": asdict(PIPELINES_ALONE)}
    run = store.create(tmp_path, {"machine": "m", "commit": "c", "env_name": "e", "source": "s"}, settings)
    missing = {name: None if name in frameworks else "not wanted" for name in impls.FRAMEWORKS}
    return run, Session(run, PIPELINES_ALONE, plan.groups(PIPELINES_ALONE, missing), sys.executable, 2)


def case_of(framework: str) -> plan.Case:
    name = "input_pipeline-jpeg"
    return InputPipeline().case(name, framework, spec.MODES[framework], "224px-batch32")


@pytest.mark.slow
def test_in_a_run_they_take_turns_and_one_is_there_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spec, "FILES", FEW)
    monkeypatch.setattr(spec, "batches", lambda workers: BATCHES * workers)
    frameworks = [name for name in ("pytorch", "tensorflow") if not impls.missing(name)]
    run, session = in_a_run(tmp_path, frameworks)
    records = {framework: session.record(case_of(framework)) for framework in frameworks}
    (stage,) = run.group("input_pipeline-jpeg")["stages"]
    assert stage["failures"] == []
    for record in records.values():
        assert record["calls"] == [4]
        assert len(record["latency"]) == len(record["first_batch"]) == 4
        assert all(map(lambda first, batch: 0 < first < 4 * batch, record["first_batch"], record["latency"]))
    (pair,) = run.manifest["pairs"]
    assert (pair["workload"], pair["framework"]) == ("input_pipeline-jpeg", frameworks[0])
    certificates = run.manifest["certificates"]
    assert [one["passed"] for one in certificates] == [True] * len(frameworks)
    assert certificates[0]["sizes"] == "224 px batch 32, 4 batches of jpeg files"


def test_in_a_run_files_that_cannot_be_written_are_a_failure_of_each(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(photographs, "SHA256", "other")
    photographs.photographs.cache_clear()
    _, session = in_a_run(tmp_path, ["pytorch", "tensorflow"])
    for framework in ("pytorch", "tensorflow"):
        with pytest.raises(MeasurementError, match="exception: scikit-learn's photographs are not those"):
            session.record(case_of(framework))


# The command


def command(*arguments: str, **options: object) -> subprocess.CompletedProcess[str]:
    """Run it."""
    line = [sys.executable, "-m", "suites.pipelines", *arguments]
    return subprocess.run(line, cwd=ROOT, capture_output=True, text=True, check=False, timeout=400, **options)


@pytest.mark.slow
def test_the_command_prints_a_table() -> None:
    framework = next(name for name in impls.FRAMEWORKS if not impls.missing(name))
    answer = command("--framework", framework, "--processes", "2", "--passes", "1")
    assert answer.returncode == 0, answer.stderr
    header, _, row = answer.stdout.splitlines()
    assert header == "| Framework | Images/s | First batch of all | First batch of a pass |"
    assert row.startswith(f"| {framework} | ")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--format", "gif"], "no such format: gif (there are jpeg, png)"),
        (["--framework", "nosuch"], "no such framework: nosuch (there are pytorch"),
        (["--model", "nosuch"], "no such model: nosuch (there are resnet18"),
        (["--model", "yolov3"], "yolov3 takes images of 416 pixels, not of 224"),
    ],
)
def test_bad_input_is_one_line(arguments: list[str], said: str) -> None:
    answer = command(*arguments)
    assert (answer.returncode, answer.stdout) == (2, "")
    (line,) = answer.stderr.splitlines()
    assert line.startswith(f"evenbench: {said}")


def test_no_space_for_the_files_is_one_line(tmp_path: Path) -> None:
    resource = pytest.importorskip("resource")

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))

    answer = command("--framework", "pytorch", preexec_fn=limit, env={**os.environ, "TMPDIR": str(tmp_path)})
    assert (answer.returncode, answer.stdout) == (2, "")
    (line,) = answer.stderr.splitlines()
    assert line == "evenbench: [Errno 27] File too large"
    assert list(tmp_path.iterdir()) == []


def records(*seconds: float, **more: object) -> list[dict]:
    """Of processes with one pass each; seconds: of a batch."""
    return [{"latency": [s], "first_batch": [0.05], "cold_first_batch": [0.5], **more} for s in seconds]


def test_a_row_says_what_the_processes_say() -> None:
    assert pipelines.row("pytorch", records(0.32, 0.16, 0.2)) == "| pytorch | 160 [100, 200] | 500 ms | 50.0 ms |"
    found = records(0.32, 0.32, inference=0.02, training="too large")
    assert pipelines.row("x", found, ("inference", "training")).endswith("| 50, 2.0 times | n/a: too large |")


class Unequal:
    """A worker whose pipeline delivers something else."""

    def ask(self, *_: object, **__: object) -> dict:
        return {"first_batch": 0.5, "check": {"passed": False, "error": 0.25}}


def test_a_pipeline_that_is_not_equal_has_no_row(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    failed = pipelines._load(Unequal(), "pytorch", pipelines.Task("jpeg", ["a"], 1, None))  # type: ignore[arg-type]
    good = [{"framework": "tensorflow", **record} for record in records(0.32, 0.32)]
    monkeypatch.setattr(pipelines, "measure", lambda *_: iter([failed, *good]))
    monkeypatch.setattr(pipelines, "check", lambda *_: ["pytorch", "tensorflow"])
    with pytest.raises(typer.Exit) as end:
        pipelines.main()
    said = capsys.readouterr()
    assert end.value.exit_code == 3
    assert said.out.splitlines()[2:] == ["| tensorflow | 100 [100, 100] | 500 ms | 50.0 ms |"]
    assert said.err == "evenbench: pytorch: it is not equal: values are off by 2.5e-01\n"
