"""evenbench compare and evenbench baseline: what is held against what, the verdict on it, the gate, and kept runs."""

import json
import math
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from click.testing import Result
from fixtures.asv_results import COMMIT, ENV_NAME, MACHINE, NA, certificate, manifest, spread, write_run
from hypothesis import example, given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from reports import baselines, gate, pairs, stats
from reports.command import app
from reports.load import NoResultsError, load
from reports.metrics import BY_KEY, BY_SUFFIX
from reports.pairs import Figure
from reports.runs import UnknownNameError
from reports.sides import Side, sides

ROOT = Path(__file__).parent.parent
SCHEMA = json.loads((ROOT / "reports" / "comparison.schema.json").read_text())
SIZE = "224px-batch8"
LATENCY = "classification.Inference.track_latency"
MEMORY = "classification.Inference.track_peak_memory"
TOP1 = "classification.Accuracy.track_top1"
PYTORCH, TENSORFLOW = ("pytorch", "eager"), ("tensorflow", "graph")
UNITS = {LATENCY: "seconds", MEMORY: "bytes", TOP1: "fraction"}
OLD, NEW = "a" * 40, "b" * 40
LOAD = "other programs took 12% of the CPUs"
Figures = dict[str, dict[tuple[str, str], Any]]  # benchmark -> (framework, mode) -> figure


def add_run(
    folder: Path,
    figures: Figures,
    commit: str = COMMIT,
    env_name: str = ENV_NAME,
    machine: str = MACHINE,
    day: int = 20,
    **changes: Any,
) -> Path:
    """A run on one workload, net, at one size, on that day of a November; all certificates passed."""
    benchmarks = {
        name: (UNITS[name], {("net", *program, SIZE): figure for program, figure in mine.items()})
        for name, mine in figures.items()
    }
    programs = dict.fromkeys(program for mine in figures.values() for program in mine)
    about = {
        "certificates": [certificate("net", *program) for program in programs],
        **{"commit": commit, "env_name": env_name, "machine": machine},
        **{"started_at": f"2026-11-{day}T00:00:00+00:00", "run_id": f"run-{day}"},
        **changes,
    }
    return write_run(folder, benchmarks, manifest(**about), commit, env_name, machine)


def timed(latency: float, shift: int = 4) -> Figures:
    """PyTorch's latency in seconds; shift: so that two programs do not rise and fall together."""
    return {LATENCY: {PYTORCH: spread(latency, 9, shift)}}


def judge(folder: Path, first: str = "aaaa", second: str = "bbbb") -> list[Figure]:
    return pairs.compare(*sides(folder, first, second)).figures


def one(folder: Path, first: str = "aaaa", second: str = "bbbb") -> Figure:
    (figure,) = judge(folder, first, second)
    return figure


def run(*arguments: object) -> Result:
    """The commands, in this process."""
    return CliRunner().invoke(app(), [str(argument) for argument in arguments], env={"COLUMNS": "80"})


def complains(result: Result) -> str:
    """The one line that wrong usage is answered with."""
    assert (result.exit_code, result.stdout) == (2, ""), result.output
    (line,) = result.stderr.splitlines()
    assert line.startswith("evenbench: ")
    return line.removeprefix("evenbench: ")


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two commits: of the second PyTorch is 10 % slower in mode eager, as fast compiled, TensorFlow 10 % faster."""
    folder = tmp_path_factory.mktemp("pair")
    for commit, slower, faster, day in ((OLD, 1.0, 1.0, 20), (NEW, 1.1, 0.9, 21)):
        figures = {
            PYTORCH: spread(0.1 * slower, 9, day),
            ("pytorch", "compiled"): spread(0.05, 9, day),
            TENSORFLOW: spread(0.2 * faster, 9, day),
        }
        add_run(folder, {LATENCY: figures, MEMORY: {PYTORCH: 1e6, TENSORFLOW: NA}}, commit, day=day)
    return folder


# --- verdicts -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("benchmark", "first", "second", "verdict", "worsening"),
    [
        (LATENCY, 0.1, 0.11, "slower", 0.1),
        (LATENCY, 0.1, 0.09, "faster", -0.1),
        (MEMORY, 2e8, 3e8, "more", 0.5),
        (MEMORY, 2e8, 1e8, "less", -0.5),
        (TOP1, 0.5, 0.6, "better", -0.2),
        (TOP1, 0.5, 0.4, "worse", 0.2),
        (LATENCY, 0.1, 0.1005, "no difference detectable", 0.005),
        (TOP1, 0.5, 0.5025, "no difference detectable", -0.005),
    ],
)
def test_b_is_judged_in_the_direction_of_the_metric(
    tmp_path: Path, benchmark: str, first: float, second: float, verdict: str, worsening: float
) -> None:
    add_run(tmp_path, {benchmark: {PYTORCH: spread(first, 9)}}, OLD)
    add_run(tmp_path, {benchmark: {PYTORCH: spread(second, 9, 4)}}, NEW, day=21)
    figure = one(tmp_path)
    assert (figure.verdict, figure.reason) == (verdict, "")
    assert figure.worsening == pytest.approx(worsening)
    assert figure.is_worse == (verdict in ("slower", "more", "worse"))
    assert figure.ratio.value == pytest.approx(second / first)
    assert figure.ratio.low < second / first < figure.ratio.high
    assert figure.first["low"] < first < figure.first["high"]


@pytest.mark.parametrize(
    ("metric", "words"),
    [
        ("inference_throughput", ("faster", "slower")),
        ("forward_flop_rate", ("faster", "slower")),
        ("cold_start_import", ("faster", "slower")),
        ("inference_peak_vram", ("less", "more")),
        ("fit_quality", ("better", "worse")),
        ("inference_energy", ("less", "more")),
        ("largest_training_batch_batch_size", ("more", "less")),
    ],
)
def test_words_fit_the_metric(metric: str, words: tuple[str, str]) -> None:
    assert pairs.words(BY_KEY[metric]) == words


def test_samples_of_one_run_are_paired_and_those_of_two_are_not(tmp_path: Path) -> None:
    drift = [0.10, 0.19, 0.12, 0.17, 0.11, 0.15, 0.14]
    slow = [1.1 * sample for sample in drift for _ in range(2)]
    fast = [sample for sample in drift for _ in range(2)]
    add_run(tmp_path, {LATENCY: {PYTORCH: fast, TENSORFLOW: slow}}, OLD)
    add_run(tmp_path, {LATENCY: {PYTORCH: slow}}, NEW, day=19)
    assert one(tmp_path, "pytorch", "tensorflow").verdict == "slower"
    assert one(tmp_path).verdict == "no difference detectable"


def test_the_process_is_the_unit_where_there_are_several(tmp_path: Path) -> None:
    """Six processes, each steady in itself: the blocks alone would claim the difference."""
    levels = [0.9, 1.0, 1.1, 0.95, 1.05, 1.0]
    for commit, factor, order, day in ((OLD, 1.0, 1, 20), (NEW, 1.03, -1, 21)):
        samples = [0.1 * factor * level for level in levels[::order] for _ in range(20)]
        program = {"workload": "net", "framework": "pytorch", "mode": "eager", "size": SIZE}
        latencies = [{**program, "phase": "inference", "calls": [20] * 6}]
        add_run(tmp_path, {LATENCY: {PYTORCH: samples}}, commit, day=day, latencies=latencies)
    assert one(tmp_path).verdict == "no difference detectable"


# --- not comparable ---------------------------------------------------------------------------------------------------


def stage(*reasons: str) -> list[dict[str, Any]]:
    taints = [{"condition": "other load", "reason": reason} for reason in reasons]
    return [{"workload": "net", "stage": "inference", "size": SIZE, "verdict": "tainted", "taints": taints}]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"fingerprint": "ffffffffffff"}, "other fingerprint (A 0f1e2d3c4b5a, B ffffffffffff)"),
        ({"fingerprint": ""}, "other fingerprint (A 0f1e2d3c4b5a, B unknown)"),
        ({"profile": {"name": "standard", "calls_per_block": 2}}, "other profile (A quick, B standard)"),
        ({"threads": 4}, "other number of threads (A 2, B 4)"),
        (
            {"threads": 1, "precision": "bfloat16"},
            "other precision (A float32, B bfloat16); other number of threads (A 2, B 1)",
        ),
        ({"frameworks": {"pytorch": {"device": "cuda:0"}}}, "other device (A cpu, B cuda)"),
        ({"stage_conditions": stage(LOAD)}, f"tainted (B: {LOAD})"),
        ({"certificates": []}, "no proof (B: certificate of PyTorch (eager) missing (there is no certificate))"),
        (
            {"certificates": [certificate("net", *PYTORCH, 3.2e-3)]},
            "no proof (B: certificate of PyTorch (eager) failed "
            "(gradients, float64: stem.weight 3.2e-03 > 1e-10 and 4 more))",
        ),
    ],
)
def test_what_was_not_measured_alike_gets_no_verdict(tmp_path: Path, changes: dict[str, Any], reason: str) -> None:
    add_run(tmp_path, timed(0.1), OLD)
    add_run(tmp_path, timed(0.2, 0), NEW, day=21, **changes)
    figure = one(tmp_path)
    assert (figure.verdict, figure.reason) == ("not comparable", reason)
    assert not figure.is_worse
    # A ratio would be a ranking, which needs the proof.
    assert math.isnan(figure.ratio.value) if "certificate" in reason else figure.ratio.value == pytest.approx(2)


def test_what_was_not_measured_again_is_not_found_equal(tmp_path: Path) -> None:
    """asv keeps in one file what several runs of a commit measured, and a baseline is a copy of it."""
    again = {LATENCY: {PYTORCH: spread(0.1, 9), TENSORFLOW: spread(0.2, 9)}, TOP1: {PYTORCH: [0.9] * 18}}
    add_run(tmp_path, again, day=20)
    baselines.save(tmp_path, load(tmp_path).runs[0], "main")
    again[LATENCY][PYTORCH] = spread(0.1, 9, 4)
    add_run(tmp_path, again, day=21)
    found = {
        (figure.metric.unit, figure.first["framework"]): figure for figure in judge(tmp_path, "main", str(tmp_path))
    }
    assert {key: figure.verdict for key, figure in found.items()} == {
        ("s", "pytorch"): "no difference detectable",
        ("fraction", "pytorch"): "no difference detectable",  # scores may well agree
        ("s", "tensorflow"): "not comparable",
    }
    assert found["s", "tensorflow"].reason == "the same measurement"
    assert judge(tmp_path, "pytorch:eager", "pytorch")[-1].reason == "the same measurement"


def test_what_holds_for_both_sides_is_said_once(tmp_path: Path) -> None:
    add_run(tmp_path, timed(0.1), OLD, stage_conditions=stage(LOAD))
    add_run(tmp_path, timed(0.2, 0), NEW, day=21, stage_conditions=stage(LOAD))
    assert one(tmp_path).reason == f"tainted ({LOAD})"


@pytest.mark.parametrize(
    ("first", "second", "reason"),
    [
        (0.1, 0.2, "measured once"),
        (spread(0.1, 9), 0.2, "measured once"),
        (spread(0.1, 5), spread(0.2, 9), "too few processes or blocks for an interval"),
        (0.0, 5.0, "A is 0"),
        ([0.0] * 8 + [0.1] * 10, spread(0.2, 9), "A's samples hold 0"),
    ],
)
def test_without_an_interval_there_is_no_verdict(tmp_path: Path, first: Any, second: Any, reason: str) -> None:
    add_run(tmp_path, {MEMORY: {PYTORCH: first}}, OLD)
    add_run(tmp_path, {MEMORY: {PYTORCH: second}}, NEW, day=21)
    figure = one(tmp_path)
    assert (figure.verdict, figure.reason) == ("not comparable", reason)


def test_a_run_without_a_manifest(tmp_path: Path) -> None:
    add_run(tmp_path, timed(0.1), OLD)
    write_run(tmp_path, {LATENCY: ("seconds", {("net", *PYTORCH, SIZE): spread(0.1)})}, None, NEW)
    assert one(tmp_path).reason == "no manifest of B"


def test_another_version_of_the_benchmark_is_another_question(tmp_path: Path) -> None:
    for name, version in (("old", "1"), ("new", "2")):
        path = add_run(tmp_path / name, timed(0.1), day=20 + int(version))
        for file in (path, tmp_path / name / "results" / "benchmarks.json"):
            raw = json.loads(file.read_text())
            if file == path:
                raw["results"][LATENCY][raw["result_columns"].index("version")] = version
            else:
                raw[LATENCY]["version"] = version
            file.write_text(json.dumps(raw))
    assert one(tmp_path, str(tmp_path / "old"), str(tmp_path / "new")).reason == (
        "other version of the benchmark (A 1, B 2)"
    )


def test_failures_and_absences_are_not_passed_over(tmp_path: Path) -> None:
    failure = {
        **{"workload": "net", "framework": "pytorch", "mode": "eager", "size": SIZE, "phase": "inference"},
        **{"kind": "timeout", "message": "no answer for 900 s", "stderr": []},
    }
    several = {
        PYTORCH: spread(0.1),
        TENSORFLOW: spread(0.1),
        ("pytorch", "graph"): None,
        ("keras-torch", "eager"): None,
    }
    add_run(tmp_path, {LATENCY: several}, OLD)
    less = {PYTORCH: None, ("pytorch", "graph"): spread(0.1), ("keras-torch", "eager"): None, TENSORFLOW: NA}
    add_run(tmp_path, {LATENCY: less}, NEW, day=21, failures=[failure])
    found = pairs.compare(*sides(tmp_path, "aaaa", "bbbb"))
    # Where both failed there is no figure at all.
    assert [(figure.first["mode"], figure.reason) for figure in found.figures] == [
        ("eager", "failed (B: timeout: no answer for 900 s)"),
        ("graph", "failed (A: no reason recorded)"),
    ]
    assert (found.only_first, found.only_second) == (1, 0)


# --- sides ----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Runs of three commits, two machines, environments and profiles, two with uncommitted changes, and a baseline."""
    folder = tmp_path_factory.mktemp("many")
    day = 10
    for commit in (OLD, NEW):
        for machine, label in ((MACHINE, ""), ("box", "lab 3")):
            for env_name in ("py-torch2.12", "py-torch2.13"):
                day += 1
                about = {"label": label, "fingerprint": machine[:12], "threads": 2 + len(label)}
                add_run(folder, timed(0.1, day), commit, env_name, machine, day, **about)
    dirty = {"label": "", "fingerprint": MACHINE[:12], "dirty": True}
    add_run(folder, timed(0.1, 2), OLD, "py-torch2.13-dirty", day=20, **dirty)
    add_run(
        folder, timed(0.1), OLD, "py-torch2.13-dirty", "box", 21, **{**dirty, "label": "lab 3", "fingerprint": "box"}
    )
    add_run(folder, timed(0.1, 1), "c" * 40, "py-torch2.12", "box", 19, label="lab 3", fingerprint="box", threads=7)
    standard = {"profile": {"name": "standard", "calls_per_block": 2}, "fingerprint": MACHINE[:12]}
    add_run(folder, timed(0.1, 3), NEW, "py-torch2.13-standard", day=22, **standard)
    baselines.save(folder, next(one for one in load(folder).runs if one.run_id == "run-12"), "kept-1")
    return folder


def chosen(two: tuple[Side, Side]) -> list[tuple[str, str]]:
    return [(side.kind, side.run.run_id) for side in two]


@pytest.mark.parametrize(
    ("first", "second", "found"),
    [
        # The newest pair that is the same in all but what was asked; without uncommitted changes.
        ("aaaa", "bbbb", [("commit", "run-14"), ("commit", "run-18")]),
        ("aaaa", "cccc", [("commit", "run-13"), ("commit", "run-19")]),  # of which there is no torch 2.13
        ("BBBB", "aaaaaaaa", [("commit", "run-18"), ("commit", "run-14")]),
        ("torch2.12", "py-torch2.13", [("environment", "run-17"), ("environment", "run-18")]),
        (MACHINE, "box", [("machine", "run-16"), ("machine", "run-18")]),
        ("lab 3", MACHINE, [("machine", "run-18"), ("machine", "run-16")]),
        # A baseline and a commit: on the baseline's machine, the newest.
        ("kept-1", "bbbb", [("baseline", "run-12"), ("commit", "run-16")]),
        ("kept-1", "torch2.12", [("baseline", "run-12"), ("environment", "run-15")]),
    ],
)
def test_names_stand_for_the_runs_that_are_most_alike(
    many: Path, first: str, second: str, found: list[tuple[str, str]]
) -> None:
    assert chosen(sides(many, first, second)) == found


def test_a_folder_stands_for_its_newest_run_of_the_same_profile_and_machine(many: Path) -> None:
    assert chosen(sides(many, "kept-1", str(many))) == [("baseline", "run-12"), ("folder", "run-20")]
    # The run that the baseline is a copy of is no answer, not even where nothing else is as much alike.
    assert chosen(sides(many, str(many / "baselines" / "kept-1"), "aaaa"))[1] == ("commit", "run-11")


def test_a_name_of_one_thing_here_and_another_there_is_refused(
    pair: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_run(tmp_path / "pytorch", timed(0.1))
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UnknownNameError, match=r"'pytorch' is a folder and a framework: write .* \(\./pytorch\)"):
        sides(pair, "pytorch", "tensorflow")
    assert sides(pair, "./pytorch", "aaaa")[0].kind == "folder"


@pytest.mark.parametrize(
    ("names", "words"),
    [
        (
            ("jax", "pytorch"),
            f"unknown 'jax'; frameworks: pytorch, tensorflow; commits: aaaaaaaa, bbbbbbbb; environments: {ENV_NAME}; "
            f"machines: {MACHINE}; baselines: none",
        ),
        (("pytorch", "aaa"), "unknown 'aaa'"),
        (("pytorch", ""), "unknown ''"),
        (("pytorch", "x" * 300), "unknown 'xxx"),
        (("pytorch:turbo", "tensorflow"), "no figures of pytorch in mode 'turbo'; there are: compiled, eager"),
        (
            ("pytorch", "aaaa"),
            "compare a framework with a framework, or a commit, an environment, a machine, a folder or a baseline with "
            "another: pytorch is a framework and aaaa is a commit",
        ),
        (("aaaa", "aaaaaaaa"), "aaaa and aaaaaaaa are the same run, run-20"),
        (("aaaa", "./no/such"), "no results in no/such; `evenbench run` makes them"),
    ],
)
def test_names_that_cannot_be_compared_are_one_line(pair: Path, names: tuple[str, str], words: str) -> None:
    assert complains(run("compare", *names, "--results", pair)).startswith(words)


PIECES = [
    "pytorch",
    "tensorflow",
    ":",
    "eager",
    "aaaa",
    "b",
    ENV_NAME,
    "torch",
    MACHINE,
    "/",
    ".",
    "",
    " ",
    "\n",
    "\0",
    "é",
]
names = st.lists(st.sampled_from(PIECES), max_size=4).map("".join) | st.text(max_size=6)


@settings(max_examples=40, deadline=None)
@given(names, names)
def test_any_two_names_are_compared_or_refused(pair: Path, first: str, second: str) -> None:
    try:
        both = sides(pair, first, second)
    except (UnknownNameError, NoResultsError) as error:
        assert str(error)
    else:
        assert (both[0].kind == "framework") == (both[1].kind == "framework")


def test_what_a_name_may_mean_is_named(many: Path, tmp_path: Path) -> None:
    several = complains(run("compare", "torch2.13", "aaaa", "--results", many))
    assert (
        several
        == "'torch2.13' is a part of several environments: py-torch2.13, py-torch2.13-dirty, py-torch2.13-standard"
    )
    for digit in "12":
        add_run(tmp_path, timed(0.1), f"cccc{digit}" + "0" * 35, day=20 + int(digit))
    assert complains(run("compare", "cccc", "cccc1", "--results", tmp_path)) == (
        "several commits begin with 'cccc': cccc10000000 and cccc20000000"
    )


def test_a_framework_without_figures_in_the_newest_run(tmp_path: Path) -> None:
    add_run(tmp_path, timed(0.1) | {MEMORY: {TENSORFLOW: 1.0}}, OLD)
    add_run(tmp_path, timed(0.1) | {MEMORY: {TENSORFLOW: NA}}, NEW, day=21)
    said = complains(run("compare", "pytorch", "tensorflow", "--results", tmp_path))
    assert said == "the newest run has no figures of tensorflow"


def test_two_folders_need_no_third(pair: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    add_run(tmp_path / "other", timed(0.1), day=25)
    assert run("compare", pair, "./other").exit_code == 0
    assert complains(run("compare", "aaaa", pair)).startswith("unknown 'aaaa': no results in .asv")


def test_machines_are_compared_where_they_are_named(many: Path) -> None:
    figure = one(many, MACHINE, "box")
    assert (figure.reason, figure.verdict) == ("", "no difference detectable")
    result = run("compare", MACHINE, "lab 3", "--results", many)
    assert f"The machines differ: fingerprint {MACHINE[:12]} and box." in " ".join(result.stdout.split())
    assert f"The machines differ: fingerprint box and {MACHINE[:12]}." in " ".join(
        run("compare", "lab 3", MACHINE, "--results", many, "--markdown").stdout.split()
    )
    # A baseline is no machine: who made it elsewhere is not told that this machine is slower.
    baselines.save(many, next(run for run in load(many).runs if run.machine == "box"), "elsewhere")
    assert one(many, "elsewhere", MACHINE).reason.startswith("other fingerprint (A box, B machine")
    baselines.remove(many, "elsewhere")


def test_frameworks_go_by_their_fastest_mode_or_the_one_that_was_named(pair: Path) -> None:
    fastest, mode = (judge(pair, first, "tensorflow")[0] for first in ("pytorch", "pytorch:eager"))
    assert (fastest.first["mode"], mode.first["mode"]) == ("compiled", "eager")
    assert fastest.ratio.value == pytest.approx(3.6)
    assert mode.ratio.value == pytest.approx(0.18 / 0.11)


def test_frameworks_on_kernels(tmp_path: Path) -> None:
    programs = {
        ("k", *PYTORCH): spread(0.01),
        ("k", "pytorch", "compiled"): spread(0.02),
        ("k", *TENSORFLOW): spread(0.04),
    }
    slower = {program: [3 * sample for sample in samples] for program, samples in programs.items()}
    benchmarks = {
        "kernels.Forward.track_latency": ("seconds", programs),
        "kernels.GradientByWeight.track_latency": ("seconds", slower),
        "kernels.ColdStart.track_first_call": ("seconds", dict(zip(programs, (0.3, 9.0, 0.6), strict=True))),
    }
    write_run(tmp_path, benchmarks, manifest(certificates=[certificate(*program) for program in programs]))
    found = {figure.metric.key: figure for figure in judge(tmp_path, "pytorch", "tensorflow")}
    assert list(found) == ["forward_latency", "gradient_by_weight_latency", "cold_start_first_call"]
    assert found["forward_latency"].verdict == "slower"
    # The first call is the one of the mode that is the fastest in the forward pass.
    assert found["cold_start_first_call"].first["value"] == 0.3


# --- the gate ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "fraction"), [("5%", 0.05), ("0.05", 0.05), ("0 %", 0), ("0", 0), ("150%", 1.5), (" 2.5 % ", 0.025)]
)
def test_thresholds(text: str, fraction: float) -> None:
    assert gate.threshold(text) == pytest.approx(fraction)


@pytest.mark.parametrize("text", ["5", "1", "-1%", "nan", "inf%", "%", "5%%", "five", "5% or so", "--json", ""])
def test_a_threshold_that_is_none_is_refused(pair: Path, text: str) -> None:
    said = complains(run("compare", "aaaa", "bbbb", "--results", pair, f"--fail-on={text}"))
    assert said == f"--fail-on takes a share such as 5% or 0.05, not {text!r}"


@settings(deadline=None)
@given(st.text(max_size=8))
@example("1e309%")
@example("٣%")
def test_any_text_is_a_threshold_or_refused_in_one_line(text: str) -> None:
    try:
        value = gate.threshold(text)
    except ValueError as error:
        assert str(error).startswith("--fail-on takes")
    else:
        assert 0 <= value < math.inf


positive = st.floats(0.01, 100)


@settings(deadline=None)
@given(st.sampled_from(["inference_latency", "inference_peak_memory", "accuracy_top1"]), positive, positive, positive)
def test_a_verdict_and_its_reverse_contradict_and_a_stricter_gate_lets_less_through(
    metric: str, low: float, value: float, high: float
) -> None:
    low, value, high = sorted((low, value, high))
    row = {"metric": metric}
    one = Figure(row, row, stats.Ratio(value, low, high), "")
    other = Figure(row, row, stats.Ratio(1 / value, 1 / high, 1 / low), "")
    good, bad = pairs.words(BY_KEY[metric])
    opposite = {good: bad, bad: good, pairs.NO_DIFFERENCE: pairs.NO_DIFFERENCE}
    assert other.verdict == opposite[one.verdict]
    assert one.is_worse == (one.verdict == bad)
    passed = [not gate.is_regression(one, least) for least in (0.0, 0.05, 0.5, 5.0)]
    assert passed == sorted(passed)
    assert passed[0] == (one.verdict != bad)
    assert not gate.is_regression(Figure(row, row, one.ratio, "tainted"), 0)


def test_a_regression_exits_3_and_is_one_line(pair: Path) -> None:
    for least in ("5%", "0.05", "0%"):
        result = run("compare", "aaaa", "bbbb", "--results", pair, "--fail-on", least)
        assert result.exit_code == 3
        line, rest = result.stderr.splitlines()
        assert line.startswith(
            "evenbench: regression: net 224px-batch8 pytorch/eager inference_latency: B is slower, B / A 1.100 ["
        )
        assert rest == (
            "evenbench: not judged: 1 of 4 figures are not comparable: "
            "measured once: net 224px-batch8 pytorch/eager inference_peak_memory"
        )


@pytest.mark.parametrize(
    ("names", "least"), [(("aaaa", "bbbb"), "11%"), (("bbbb", "aaaa"), "12%"), (("tensorflow", "pytorch"), "0%")]
)
def test_less_than_the_threshold_or_a_gain_exits_0(pair: Path, names: tuple[str, str], least: str) -> None:
    result = run("compare", *names, "--results", pair, "--fail-on", least)
    assert result.exit_code == 0, result.output
    assert "regression" not in result.stderr


def test_what_an_interval_does_not_show_is_no_regression(tmp_path: Path) -> None:
    wide = [0.08] * 6 + [0.12] * 12
    add_run(tmp_path, {LATENCY: {PYTORCH: wide[::-1]}}, OLD)
    add_run(tmp_path, {LATENCY: {PYTORCH: [1.08 * sample for sample in wide[9:] + wide[:9]]}}, NEW, day=21)
    assert one(tmp_path).worsening == pytest.approx(0.08)
    assert run("compare", "aaaa", "bbbb", "--results", tmp_path, "--fail-on", "5%").exit_code == 0


def test_nothing_comparable_exits_4_only_where_somebody_relies_on_it(tmp_path: Path) -> None:
    add_run(tmp_path, timed(0.1), OLD)
    add_run(tmp_path, timed(0.2), NEW, day=21, threads=7)
    add_run(tmp_path, {MEMORY: {TENSORFLOW: 1.0}}, "c" * 40, day=22)
    asked = run("compare", "aaaa", "bbbb", "--results", tmp_path, "--fail-on", "5%")
    assert asked.exit_code == 4
    assert asked.stderr == (
        "evenbench: not judged: 1 of 1 figures are not comparable: other number of threads (A 2, B 7): "
        "net 224px-batch8 pytorch/eager inference_latency\n"
    )
    assert run("compare", "aaaa", "bbbb", "--results", tmp_path).exit_code == 0
    assert run("compare", "aaaa", "cccc", "--results", tmp_path, "--fail-on", "5%").exit_code == 4
    nothing = complains(run("compare", "aaaa", "cccc", "--results", tmp_path))
    assert nothing == "aaaa and cccc have no figure in common"


def test_the_front_door_hands_the_exit_code_on(pair: Path) -> None:
    command = [sys.executable, "-m", "suites.cli", "compare", "aaaa", "bbbb", "--fail-on", "5%", "--results", str(pair)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=120, check=False)
    assert done.returncode == 3
    assert "slower (1)" in done.stdout


# --- what is printed --------------------------------------------------------------------------------------------------


def test_the_table_fits_80_columns_and_the_worst_comes_first(pair: Path) -> None:
    shown = run("compare", "aaaa", "bbbb", "--results", pair).stdout
    assert max(map(len, shown.splitlines())) <= 80
    words = " ".join(shown.split())
    sections = ["slower (1)", "faster (1)", "no difference detectable (1)", "not comparable (1)"]
    places = [words.index(f" {section} A B B / A ") for section in sections]
    assert places == sorted(places)
    assert "A: aaaa, run run-20, commit aaaaaaaa, profile quick" in words
    assert "100 ms 110 ms 1.100 " in words
    assert "Inference: peak rss increment measured once" in words
    assert words.endswith("B: 1 slower, 1 faster, 1 no difference detectable, 1 not comparable.")


def test_worse_figures_are_sorted_by_how_much(tmp_path: Path) -> None:
    for commit, factors, day in ((OLD, (1, 1, 1), 20), (NEW, (1.2, 1.4, 0.5), 21)):
        programs = (PYTORCH, TENSORFLOW, ("keras-torch", "eager"))
        figures = {program: spread(0.1 * factor, 9, day) for program, factor in zip(programs, factors, strict=True)}
        add_run(tmp_path, {LATENCY: figures}, commit, day=day)
    assert [figure.first["framework"] for figure in judge(tmp_path)] == ["tensorflow", "pytorch", "keras-torch"]


def test_json_has_the_form_that_is_documented(pair: Path) -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    assert '"*.json"' in (ROOT / "pyproject.toml").read_text()  # it is shipped
    figure = SCHEMA["$defs"]["figure"]["properties"]
    assert set(figure["unit"]["enum"]) == {metric.unit for metric in BY_SUFFIX.values()}
    verdicts = {word for metric in BY_SUFFIX.values() for word in pairs.words(metric)}
    assert set(figure["verdict"]["enum"]) == verdicts | {pairs.NO_DIFFERENCE, pairs.NOT_COMPARABLE}
    result = run("compare", "aaaa", "bbbb", "--results", pair, "--json", "--fail-on", "5%")
    assert result.exit_code == 3
    found = json.loads(result.stdout, parse_constant=pytest.fail)
    jsonschema.validate(found, SCHEMA)
    assert (found["a"]["run_id"], found["b"]["commit"], found["a"]["kind"]) == ("run-20", NEW, "commit")
    assert (found["paired"], found["machines_differ"], found["fail_on"], found["regressions"]) == (
        False,
        False,
        0.05,
        1,
    )
    worst, *_, last = found["figures"]
    assert (worst["verdict"], worst["regression"], worst["reason"]) == ("slower", True, None)
    assert worst["b"]["value"] == pytest.approx(0.11)
    assert worst["ratio"]["low"] < worst["ratio"]["value"] < worst["ratio"]["high"]
    assert (last["verdict"], last["regression"], last["reason"]) == ("not comparable", False, "measured once")
    assert (last["a"]["low"], last["ratio"]["low"], last["ratio"]["value"]) == (None, None, 1.0)


def test_json_of_unknowns_and_failures(tmp_path: Path) -> None:
    add_run(tmp_path, timed(0.1), OLD, label="lab 3", fingerprint="", versions={})
    add_run(tmp_path, {LATENCY: {PYTORCH: None}}, NEW, day=21, threads=None)
    found = json.loads(run("compare", "aaaa", "bbbb", "--results", tmp_path, "--json").stdout)
    jsonschema.validate(found, SCHEMA)
    (figure,) = found["figures"]
    assert (found["a"]["label"], found["a"]["fingerprint"], found["fail_on"], figure["regression"]) == (
        "lab 3",
        *[None] * 3,
    )
    assert (figure["b"]["status"], figure["b"]["value"]) == ("failed", None)
    wrong = json.loads(json.dumps(found))
    wrong["figures"][0]["verdict"] = "quicker"
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(wrong, SCHEMA)


def test_markdown_is_a_table_whatever_the_names_hold(tmp_path: Path) -> None:
    for commit, latency, day in ((OLD, 0.1, 20), (NEW, 0.2, 21)):
        figures = {("a|b<script>", *PYTORCH, SIZE): spread(latency)}
        about = manifest(commit=commit, run_id=f"run-{day}", started_at=f"2026-11-{day}", certificates=[])
        write_run(tmp_path, {LATENCY: ("seconds", figures)}, about, commit)
    shown = run("compare", "aaaa", "bbbb", "--results", tmp_path, "--markdown").stdout
    lines = [line for line in shown.splitlines() if line.startswith("|")]
    assert [line.replace("\\|", "").count("|") for line in lines] == [6] * 3
    assert "<script" not in shown
    assert "not comparable: no proof (certificate of PyTorch (eager) missing" in lines[2]
    assert shown.startswith("- A: aaaa, run run-20")


def test_what_is_not_comparable_is_counted_by_its_kind(tmp_path: Path) -> None:
    """In full only where it is the same for all, for one line has to hold it."""
    sizes = ("224px-batch1", SIZE)
    for commit, day in ((OLD, 20), (NEW, 21)):
        stages = [{**stage(f"took {day}\n{size}")[0], "size": size} for size in sizes]
        figures = {("net", *PYTORCH, size): spread(0.1, 9, day) for size in sizes}
        about = manifest(
            commit=commit, run_id=f"run-{day}", stage_conditions=stages, certificates=[certificate("net", *PYTORCH)]
        )
        write_run(
            tmp_path, {LATENCY: ("seconds", figures), MEMORY: ("bytes", dict.fromkeys(figures, 1.0))}, about, commit
        )
    result = run("compare", "aaaa", "bbbb", "--results", tmp_path, "--fail-on", "0")
    assert (result.exit_code, result.stderr) == (
        4,
        "evenbench: not judged: 4 of 4 figures are not comparable: "
        "tainted: net 224px-batch1 pytorch/eager inference_latency and "
        "net 224px-batch8 pytorch/eager inference_latency; "
        "measured once: net 224px-batch1 pytorch/eager inference_peak_memory and "
        "net 224px-batch8 pytorch/eager inference_peak_memory\n",
    )
    figures = {("net", *PYTORCH, size): spread(0.1, 9) for size in sizes[:1]}
    write_run(tmp_path, {LATENCY: ("seconds", figures)}, about, NEW)
    (line,) = run("compare", "aaaa", "bbbb", "--results", tmp_path, "--fail-on", "0").stderr.splitlines()
    assert "tainted (A: took 20 224px-batch1; B: took 21 224px-batch1): net" in line


def test_a_name_of_several_lines_stays_one_line(tmp_path: Path) -> None:
    for commit, day in ((OLD, 20), (NEW, 21)):
        about = manifest(commit=commit, run_id=f"run-{day}", certificates=[])
        figures = {("a\nb", *PYTORCH, "c\n"): spread(0.1, 7, day)}
        write_run(tmp_path, {LATENCY: ("seconds", figures)}, about, commit)
    result = run("compare", "aaaa", "bbbb", "--results", tmp_path, "--fail-on", "0")
    (line,) = result.stderr.splitlines()
    assert line.endswith("(there is no certificate)): a b c pytorch/eager inference_latency")


def test_two_forms_at_once_are_refused(pair: Path) -> None:
    said = complains(run("compare", "aaaa", "bbbb", "--results", pair, "--json", "--markdown"))
    assert said == "choose one of --json and --markdown"


def test_broken_files_are_named_and_the_rest_is_compared(tmp_path: Path) -> None:
    add_run(tmp_path, timed(0.1), OLD)
    path = add_run(tmp_path, timed(0.2, 0), NEW, day=21)
    (path.parent / "cut.json").write_bytes(path.read_bytes()[:300])
    (path.parent / "newer.json").write_text(json.dumps({**json.loads(path.read_text()), "version": 3}))
    result = run("compare", "aaaa", "bbbb", "--results", tmp_path)
    assert (result.exit_code, result.stdout.count("slower (1)")) == (0, 1)
    (line,) = result.stderr.splitlines()
    assert line.startswith(f"skipped in {tmp_path}: results/{MACHINE}/cut.json: not JSON, or cut off")
    assert "newer.json: results format 3, this program reads 2" in line
    listed = json.loads(run("compare", "aaaa", "bbbb", "--results", tmp_path, "--json").stdout)["skipped"]
    assert [Path(entry["path"]).name for entry in listed] == ["cut.json", "newer.json"]
    (tmp_path / "results" / "benchmarks.json").write_text("{")
    without = run("compare", "aaaa", "bbbb", "--results", tmp_path)
    assert (without.exit_code, without.stdout) == (0, result.stdout)
    assert "results/benchmarks.json: not JSON" in without.stderr
    path.write_text("{")
    assert complains(run("compare", "aaaa", "bbbb", "--results", tmp_path)).startswith("unknown 'bbbb'")


def test_help_tells_exit_codes() -> None:
    words = " ".join(run("compare", "--help").stdout.replace("│", " ").split())
    assert "0 no regression" in words
    for code in ("2 wrong usage", "3 a regression", "4 nothing was comparable"):
        assert code in words
    for command in ("save", "list", "remove"):
        assert f"Example: evenbench baseline {command}" in " ".join(run("baseline", command, "--help").stdout.split())


# --- baselines --------------------------------------------------------------------------------------------------------


def test_a_baseline_outlives_the_run_that_it_is_a_copy_of(tmp_path: Path) -> None:
    """The same commit measured again overwrites asv's file."""
    add_run(tmp_path, timed(0.1), day=20)
    saved = run("baseline", "save", "before", "--results", tmp_path)
    assert (saved.exit_code, saved.stderr) == (0, "")
    assert saved.stdout == (f"{tmp_path}/baselines/before: run run-20, commit 1a2b3c4d, profile quick, {ENV_NAME}\n")
    add_run(tmp_path, timed(0.2, 0), day=21)
    for name in ("before", str(tmp_path / "baselines" / "before")):
        figure = one(tmp_path, name, str(tmp_path))
        assert (figure.verdict, figure.first["run_id"], figure.second["run_id"]) == ("slower", "run-20", "run-21")
    assert run("compare", "before", tmp_path, "--results", tmp_path, "--fail-on", "5%").exit_code == 3
    # No other file of the folder is in the way of a report, and none of the copy belongs to a temporary one.
    assert len(load(tmp_path).runs) == 1
    files = {file.relative_to(tmp_path / "baselines").as_posix() for file in (tmp_path / "baselines").rglob("*.json")}
    assert files == {
        f"before/results/{MACHINE}/1a2b3c4d-{ENV_NAME}.json",
        "before/results/benchmarks.json",
        "before/runs/run-20/manifest.json",
    }
    assert [file.name for file in (tmp_path / "baselines").iterdir()] == ["before"]


def test_a_baseline_is_of_the_newest_run_a_commit_or_a_run(pair: Path, tmp_path: Path) -> None:
    folder = tmp_path / "copy"
    shutil.copytree(pair, folder)
    for name, options in (("newest", []), ("commit", ["--run", "aaaa"]), ("run", ["--run", "run-20"])):
        assert run("baseline", "save", name, *options, "--results", folder).exit_code == 0
    found = {name: baselines.saved(folder, name).runs[0].run_id for name in baselines.names(folder)}
    assert found == {"commit": "run-20", "newest": "run-21", "run": "run-20"}
    said = complains(run("baseline", "save", "x", "--run", "run-2", "--results", folder))
    assert said == "no run 'run-2'; there are: run-21 and run-20"


def test_a_baseline_is_replaced_only_on_demand(tmp_path: Path) -> None:
    add_run(tmp_path, timed(0.1), day=20)
    assert run("baseline", "save", "main", "--results", tmp_path).exit_code == 0
    add_run(tmp_path, timed(0.1), day=21)
    said = complains(run("baseline", "save", "main", "--results", tmp_path))
    assert said == "there is a baseline 'main': --force replaces it"
    assert baselines.saved(tmp_path, "main").runs[0].run_id == "run-20"
    assert run("baseline", "save", "main", "--force", "--results", tmp_path).exit_code == 0
    assert baselines.saved(tmp_path, "main").runs[0].run_id == "run-21"
    assert [file.name for file in (tmp_path / "baselines").iterdir()] == ["main"]


def test_results_that_break_meanwhile_are_no_baseline(tmp_path: Path) -> None:
    path = add_run(tmp_path, timed(0.1), day=20)
    (newest,) = load(tmp_path).runs
    baselines.save(tmp_path, newest, "main")
    path.write_bytes(path.read_bytes()[:300])
    with pytest.raises(baselines.BaselineError, match="run run-20 cannot be read: no results"):
        baselines.save(tmp_path, newest, "main", force=True)
    assert baselines.saved(tmp_path, "main").runs[0].run_id == "run-20"


@pytest.mark.parametrize("name", ["", ".", "..", ".hidden", "a/b", "../x", "a b", "-x", "ä", "a\n", "x" * 101])
def test_names_that_a_baseline_cannot_have(tmp_path: Path, name: str) -> None:
    add_run(tmp_path, timed(0.1))
    said = complains(run("baseline", "save", "--results", tmp_path, "--", name))
    assert said.startswith("no name for a baseline")
    assert not (tmp_path / "baselines").exists()


@settings(deadline=None)
@given(st.text(st.sampled_from("aZ0.-_/\\~ \n\0%é"), max_size=5) | st.text(max_size=5))
def test_a_name_never_leads_out_of_the_folder(name: str) -> None:
    if baselines.is_name(name):
        folder = Path("/results/baselines")
        assert baselines.path(Path("/results"), name).resolve().parent == folder
        assert name.isascii() and not name.startswith((".", "-"))


def test_baselines_are_listed_and_removed(tmp_path: Path) -> None:
    add_run(tmp_path, timed(0.1), OLD)
    assert run("baseline", "list", "--results", tmp_path).stdout.startswith(f"no baselines in {tmp_path}; `evenbench")
    for name in ("one", "two"):
        assert run("baseline", "save", name, "--results", tmp_path).exit_code == 0
    (tmp_path / "baselines" / "one" / "results" / MACHINE / f"aaaaaaaa-{ENV_NAME}.json").write_text("{")
    shown = " ".join(run("baseline", "list", "--results", tmp_path).stdout.split())
    assert "two aaaaaaaa quick run-20 " in shown
    assert "no results in" in shown.split("two aaaa")[0]
    assert (
        complains(run("baseline", "remove", "tow", "--results", tmp_path)) == "no baseline 'tow'; there are: one, two"
    )
    assert complains(run("compare", "one", "aaaa", "--results", tmp_path)).startswith("no results in")
    for name in ("one", "two"):
        assert run("baseline", "remove", name, "--results", tmp_path).exit_code == 0
    assert list((tmp_path / "baselines").iterdir()) == []


def test_a_full_disk_leaves_the_baseline_that_was_there(tmp_path: Path) -> None:
    add_run(tmp_path, timed(0.1), day=20)
    baselines.save(tmp_path, load(tmp_path).runs[0], "main")
    add_run(tmp_path, timed(0.2), day=21)
    # Files may not grow beyond 2 KiB: the manifest does not fit.
    command = f'ulimit -f 2; exec "{sys.executable}" -m reports baseline save main --force --results "{tmp_path}"'
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, cwd=ROOT, timeout=120, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"evenbench: cannot write {tmp_path}/baselines/main: File too large\n"
    assert baselines.saved(tmp_path, "main").runs[0].run_id == "run-20"
    assert [file.name for file in (tmp_path / "baselines").iterdir()] == ["main"]


def test_an_interruption_while_replacing_leaves_the_old_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    add_run(tmp_path, timed(0.1), day=20)
    baselines.save(tmp_path, load(tmp_path).runs[0], "main")
    add_run(tmp_path, timed(0.2), day=21)
    rename = Path.rename

    def interrupted(self: Path, target: Path) -> Path:
        if self.name.endswith(".new"):
            raise KeyboardInterrupt
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", interrupted)
    with pytest.raises(KeyboardInterrupt):
        baselines.save(tmp_path, load(tmp_path).runs[0], "main", force=True)
    assert baselines.saved(tmp_path, "main").runs[0].run_id == "run-20"
    assert [file.name for file in (tmp_path / "baselines").iterdir()] == ["main"]


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    add_run(tmp_path, timed(0.1))
    (tmp_path / "baselines").write_text("a file")
    said = complains(run("baseline", "save", "main", "--results", tmp_path))
    assert said.startswith(f"cannot write {tmp_path}/baselines/main: ")
    assert complains(run("baseline", "save", "main", "--results", tmp_path / "none")).startswith("no results in")
