"""reports: asv's files to tables, verdicts and the written report, against figures computed by hand."""

import io
import json
import math
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from asv.results import Results as AsvResults
from fixtures.asv_results import (
    COMMIT,
    ENV_NAME,
    MACHINE,
    NA,
    certificate,
    manifest,
    quick_run,
    spread,
    write_run,
)

from reports import stats
from reports.certificates import certificates
from reports.compare import Verdict, break_even, noise, verdicts
from reports.familiar import familiar_tables
from reports.headline import machine_line, marks, readiness
from reports.learning import distance, learning_sections
from reports.load import NoResultsError, Results, load
from reports.manifest import in_shape
from reports.metrics import metric_key
from reports.site import report_files
from reports.tables import enrich, records

SIZE = "224px-batch8"
LATENCY = "classification.Inference.track_latency"
PAGE = Path(__file__).parent.parent


def small_run(folder: Path, timed: dict[tuple[str, str], Any], **changes: Any) -> Path:
    """One workload, net, timed in some programs (seconds, 2 calls a block), all with a passed certificate."""
    figures = {("net", framework, mode, SIZE): figure for (framework, mode), figure in timed.items()}
    proofs = [certificate("net", framework, mode) for framework, mode in timed]
    return write_run(folder, {LATENCY: ("seconds", figures)}, manifest(**{"certificates": proofs, **changes}))


def judge(folder: Path) -> Verdict:
    loaded = load(folder)
    (verdict,) = verdicts(enrich(loaded.of(loaded.runs[0])), certificates(loaded.runs[0].manifest))
    return verdict


def row(loaded: Results, **wanted: str) -> dict[str, Any]:
    found = [one for one in records(loaded.frame) if all(one[key] == value for key, value in wanted.items())]
    assert len(found) == 1, found
    return found[0]


@pytest.fixture(scope="module")
def quick(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("quick")
    quick_run(folder)
    return folder


# --- statistics -----------------------------------------------------------------------------------------------------


def test_samples_become_blocks_in_order_and_an_incomplete_one_is_left_out() -> None:
    assert stats.units([1.0, 2.0, 3.0, 4.0, 5.0], 2).tolist() == [[1.0, 2.0], [3.0, 4.0]]
    assert stats.units([1.0, 2.0], 9).tolist() == [[1.0], [2.0]]
    assert stats.units([1.0, 2.0, 3.0, 4.0], 2, [4]).tolist() == [[1.0, 2.0], [3.0, 4.0]]  # one process


def test_of_several_processes_each_is_a_unit() -> None:
    assert stats.units([1.0, 2.0, 3.0, 4.0, 5.0, 6.0], 1, [2, 2, 2]).tolist() == [[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]
    assert stats.units([1.0, 2.0, 3.0, 4.0, 5.0], 1, [3, 2]).tolist() == [[1.0, 2.0], [4.0, 5.0]]
    assert len(stats.units([1.0, 2.0, 3.0], 1, [2, 2])) == 3  # the counts are not of these samples


def test_what_differs_from_process_to_process_is_in_the_interval() -> None:
    """Each process is steady within 1 %, but they lie 10 % apart: blocks would say that this is known to 1 %."""
    means = [1.0, 1.1, 0.9, 1.05, 0.95, 1.0]
    samples = [mean * (1 + 0.01 * (call % 2)) for mean in means for call in range(8)]
    over_blocks = stats.median_interval(stats.units(samples, 1))
    over_processes = stats.median_interval(stats.units(samples, 1, [8] * 6))
    assert over_processes[1] - over_processes[0] > 1.5 * (over_blocks[1] - over_blocks[0])


def test_interval_of_the_median_by_hand() -> None:
    constant = stats.units([3.0] * 14, 2)
    assert stats.median_interval(constant) == (3.0, 3.0)
    low, high = stats.median_interval(stats.units([float(value) for value in range(1, 42)], 1))
    assert 8 < low < 21 < high < 34  # binomial order statistics put the 95 % interval at the 15th and the 27th value
    assert all(math.isnan(end) for end in stats.median_interval(stats.units([1.0] * 10, 2)))


def test_difference_of_medians_by_hand() -> None:
    less = np.array([[1.0], [1.9], [1.2], [1.7], [1.1], [1.5], [1.4]])
    assert stats.difference_of_medians(less + 0.5, less) == pytest.approx((0.5, 0.5, 0.5))  # the drift is in both
    value, low, high = stats.difference_of_medians(less[:3], less[:3])
    assert value == 0
    assert math.isnan(low)
    assert math.isnan(high)


def test_smallest_detectable_effect_by_hand() -> None:
    assert stats.smallest_detectable_effect(stats.Ratio(1.0, 0.98, 1.01)) == pytest.approx(1 / 0.98 - 1)
    assert stats.smallest_detectable_effect(stats.Ratio(1.0, 0.99, 1.03)) == pytest.approx(0.03)
    assert math.isnan(stats.smallest_detectable_effect(stats.Ratio(1.0, math.nan, math.nan)))


def test_confidence_level_is_expanded_for_few_blocks_by_hand() -> None:
    # t(0.975, 6) = 2.4469; times sqrt(7 / 6) = 2.6430; the normal tail beyond that is 0.00411.
    assert stats._expanded(7) == pytest.approx(1 - 2 * 0.00411, abs=2e-5)
    assert stats._expanded(10_000) == pytest.approx(0.95, abs=1e-3)


def test_paired_ratio_cancels_what_happened_to_both_in_a_block() -> None:
    drift = np.array([1.0, 1.9, 1.2, 1.7, 1.1, 1.5, 1.4])
    candidate = np.stack([drift, drift], axis=1)
    paired = stats.ratio_of_medians(1.1 * candidate, candidate, paired=True)
    assert (paired.value, paired.low, paired.high) == pytest.approx((1.1, 1.1, 1.1))
    assert paired.excludes_one
    apart = stats.ratio_of_medians(1.1 * candidate, candidate, paired=False)
    assert apart.low < 1 < apart.high
    assert not apart.excludes_one


def test_equal_programs_are_rarely_called_different() -> None:
    generator = np.random.default_rng(1)
    alarms = 0
    for _ in range(200):
        first, second = generator.lognormal(0, 0.05, (2, 7, 2))
        alarms += stats.ratio_of_medians(first, second, paired=True).excludes_one
    assert alarms <= 16  # 5 % of 200 and three standard deviations; a plain percentile interval gives 20 and more


def test_percentiles() -> None:
    assert stats.percentile([float(value) for value in range(1, 102)], 95) == 96
    assert math.isnan(stats.percentile([], 95))


# --- loading --------------------------------------------------------------------------------------------------------


def test_table_holds_what_asv_holds(quick: Path) -> None:
    path = next((quick / "results" / MACHINE).glob("1a2b*.json"))
    stored = AsvResults.load(str(path))
    frame = load(quick).frame
    for name in stored.get_all_result_keys():
        key = metric_key(name.split(".")[1], name.split(".track_")[1])
        mine = frame[(frame["metric"] == key) & (frame["suite"] == name.split(".")[0])]
        theirs = [value for value in stored.get_result_value(name, stored.get_result_params(name)) if value is not None]
        finite = sorted(value for value in theirs if not math.isnan(value))
        assert sorted(mine["value"].dropna()) == finite
        assert (mine["status"] == "n/a").sum() == sum(math.isnan(value) for value in theirs)
        samples = (
            stored.get_result_samples(name, stored.get_result_params(name)) if mine["samples"].map(len).any() else []
        )
        assert sorted(sample for one in mine["samples"] for sample in one) == sorted(
            sample for one in samples if one for sample in one
        )


def test_a_row_is_named_measured_and_explained(tmp_path: Path) -> None:
    failure = {
        **{"workload": "net", "framework": "tensorflow", "mode": "graph", "size": SIZE, "phase": "inference"},
        **{"kind": "timeout", "message": "no answer for 900 s", "stderr": ["last words"]},
    }
    small_run(
        tmp_path,
        {
            ("pytorch", "eager"): [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8],
            ("pytorch", "graph"): NA,
            ("tensorflow", "eager"): 0.5,
            ("tensorflow", "graph"): None,
            ("keras-torch", "eager"): NA,
            ("keras-torch", "graph"): NA,
        },
        failures=[failure],
        frameworks={"keras-torch": {"reason": "keras is not installed"}},
    )
    loaded = load(tmp_path)
    sampled = row(loaded, framework="pytorch", mode="eager")
    assert sampled["value"] == pytest.approx(0.45)
    assert (sampled["q25"], sampled["q75"]) == pytest.approx((0.275, 0.625))
    assert sampled["samples"] == [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8]
    known = ("unit", "status", "phase", "metric", "size", "profile", "machine", "commit", "run_id", "dirty")
    assert [sampled[key] for key in known] == [
        *("s", "ok", "Inference", "inference_latency", SIZE, "quick", MACHINE, COMMIT),
        *("20261122T061500Z-1a2b3c4d", False),
    ]
    assert row(loaded, framework="tensorflow", mode="eager")["samples"] == []
    assert row(loaded, framework="tensorflow", mode="graph")["reason"] == "timeout: no answer for 900 s"
    assert row(loaded, framework="pytorch", mode="graph")["reason"] == "not in the quick profile"
    assert row(loaded, framework="keras-torch", mode="eager")["reason"] == "keras is not installed"
    assert list(loaded.frame.groupby("status").size().items()) == [("failed", 1), ("n/a", 3), ("ok", 2)]


def test_throughput_is_batch_size_over_latency_and_its_interval_is_turned_round(tmp_path: Path) -> None:
    small_run(tmp_path, {("pytorch", "eager"): spread(0.2)})
    loaded = load(tmp_path)
    latency, rate = records(enrich(loaded.frame))
    assert (rate["metric"], rate["unit"]) == ("inference_throughput", "images/s")
    assert rate["value"] == pytest.approx(8 / 0.2)
    assert (rate["low"], rate["high"]) == pytest.approx((8 / latency["high"], 8 / latency["low"]))
    assert (latency["low"], latency["high"]) == pytest.approx((0.2, 0.2), rel=0.035)
    # 14 calls: the 95th percentile is 0.35 of the way from the 13th (1.026) to the 14th (1.034).
    assert latency["p95"] == pytest.approx(0.2 * (1.026 + 0.35 * 0.008))


def test_broken_files_are_named_and_the_others_read(tmp_path: Path) -> None:
    good = small_run(tmp_path, {("pytorch", "eager"): spread(0.2)})
    content = json.loads(good.read_text())

    def variant(name: str, **changes: Any) -> None:
        (good.parent / name).write_text(json.dumps({**content, **changes}))

    (good.parent / "cut.json").write_bytes(good.read_bytes()[:300])
    (good.parent / "foreign.json").write_text('{"answer": 42}')
    (good.parent / "binary.json").write_bytes(b"\xff\xfe\x00")
    (good.parent / "deep.json").write_text("[" * 100_000)
    variant("newer.json", version=3)
    variant("other.json", params={"machine": "elsewhere"})
    variant("again.json")
    huge = [["x"] * 1000] * 4
    variant("huge.json", env_name="huge", results={LATENCY: [[0.1], huge, "1"]})
    variant("types.json", env_name="types", results={LATENCY: 7})
    broken = tmp_path / "runs" / "broken"
    broken.mkdir()
    (broken / "manifest.json").write_text('{"schema_version": 1')
    (tmp_path / "runs" / "newer").mkdir()
    (tmp_path / "runs" / "newer" / "manifest.json").write_text('{"schema_version": 2}')

    loaded = load(tmp_path)
    assert len(loaded.frame) == 1
    reasons = {Path(one.path).name if "runs" not in one.path else one.path: one.reason for one in loaded.skipped}
    assert len(reasons) == len(loaded.skipped) == 11
    assert "not JSON, or cut off" in reasons["cut.json"]
    assert reasons["foreign.json"] == "not one of asv's results files"
    assert "not JSON" in reasons["binary.json"]
    assert reasons["deep.json"] == "nested too deeply"
    assert "format 3" in reasons["newer.json"]
    assert "'elsewhere'" in reasons["other.json"]
    assert "second file" in reasons["again.json"]
    assert "1000000000000 parameter combinations" in reasons["huge.json"]
    assert "is no list" in reasons["types.json"]
    assert "cut off" in reasons["runs/broken/manifest.json"]
    assert "schema_version is 2" in reasons["runs/newer/manifest.json"]


def test_figures_that_are_none_and_strange_benchmarks(tmp_path: Path) -> None:
    path = small_run(
        tmp_path, {("pytorch", "eager"): spread(0.2), ("pytorch", "graph"): 0.3, ("tensorflow", "eager"): 0.4}
    )
    content = json.loads(path.read_text())
    content["results"][LATENCY][0] = [math.inf, -1.0, "fast", None]
    content["results"]["classification.Inference.track_peak_memory"] = [[1.0] * 4, content["results"][LATENCY][1], "9"]
    content["results"]["classification.Inference.track_colour"] = [[1.0] * 4, content["results"][LATENCY][1], "1"]
    path.write_text(json.dumps(content))
    benchmarks = json.loads((tmp_path / "results" / "benchmarks.json").read_text())
    benchmarks["classification.Inference.track_peak_memory"] = {**benchmarks[LATENCY], "unit": "bytes"}
    (tmp_path / "results" / "benchmarks.json").write_text(json.dumps(benchmarks))
    loaded = load(tmp_path)
    assert list(loaded.frame["status"]) == ["failed"] * 4
    assert sum("is no figure in s" in reason for reason in loaded.frame["reason"]) == 3
    assert {one.path.split(".track_")[1]: one.reason for one in loaded.skipped} == {
        "peak_memory": "measured by another version of the benchmark",
        "colour": "no metric of this name",
    }


def test_a_wrong_unit_is_left_out(tmp_path: Path) -> None:
    write_run(tmp_path, {LATENCY: ("milliseconds", {("net", "pytorch", "eager", SIZE): 200.0})}, manifest())
    with pytest.raises(NoResultsError, match="unit 'milliseconds', expected 's'"):
        load(tmp_path)


def test_newest_manifest_belongs_to_the_results_and_newest_run_is_first(tmp_path: Path) -> None:
    small_run(tmp_path, {("pytorch", "eager"): spread(0.2)})
    small_run(tmp_path, {("pytorch", "eager"): spread(0.2)}, run_id="later", started_at="2026-11-23T00:00:00+00:00")
    write_run(tmp_path, {LATENCY: ("seconds", {("net", "pytorch", "eager", SIZE): 0.1})}, None, commit="f" * 40)
    loaded = load(tmp_path)
    # The one without a manifest was started when asv says so.
    assert [run.run_id for run in loaded.runs] == ["later", f"ffffffff-{ENV_NAME}"]
    assert loaded.runs[1].started_at == "2026-11-22T06:15:00Z"
    assert {run.run_id: run.has_manifest for run in loaded.runs} == {"later": True, f"ffffffff-{ENV_NAME}": False}


@pytest.mark.parametrize("content", ["nothing", "empty folder", "only broken"])
def test_nothing_to_report_names_the_command_that_makes_results(tmp_path: Path, content: str) -> None:
    folder = tmp_path / "results" / "box"
    if content != "nothing":
        folder.mkdir(parents=True)
    if content == "only broken":
        (folder / "bad.json").write_text("{")
    with pytest.raises(NoResultsError, match="`evenbench run` makes them") as caught:
        load(tmp_path)
    assert ("bad.json" in str(caught.value)) == (content == "only broken")


# --- verdicts -------------------------------------------------------------------------------------------------------


def test_a_clear_difference_is_claimed_with_its_ratio(tmp_path: Path) -> None:
    small_run(tmp_path, {("pytorch", "eager"): spread(0.100), ("tensorflow", "graph"): spread(0.131, shift=3)})
    verdict = judge(tmp_path)
    ratio = verdict.entries[1].ratio
    assert ratio.value == pytest.approx(1.31)
    assert 1.2 < ratio.low < 1.31 < ratio.high < 1.4
    assert verdict.sentence == (
        f"PyTorch (eager) is 1.31x faster [{ratio.low:.2f}, {ratio.high:.2f}] than TensorFlow (graph)."
    )


def test_no_difference_is_claimed_where_the_interval_holds_1(tmp_path: Path) -> None:
    up = [0.1, 0.1, 0.2, 0.2] * 3 + [0.14, 0.16]
    small_run(tmp_path, {("pytorch", "eager"): up, ("tensorflow", "graph"): [1.01 * value for value in up[::-1]]})
    verdict = judge(tmp_path)
    assert verdict.entries[1].ratio.value == pytest.approx(1.01)
    assert verdict.sentence == ("PyTorch (eager) and TensorFlow (graph): no difference detectable on this machine.")


def test_fastest_mode_of_each_framework_is_ranked_and_a_tie_at_the_top_is_said(tmp_path: Path) -> None:
    wide = [0.085] * 6 + [0.092] * 2 + [0.115] * 6
    small_run(
        tmp_path,
        {
            ("pytorch", "eager"): spread(0.100),
            ("pytorch", "compiled"): spread(0.090),
            ("tensorflow", "graph"): wide,
            ("keras-torch", "eager"): spread(0.180, shift=3),
        },
    )
    verdict = judge(tmp_path)
    assert [entry.title for entry in verdict.entries] == [
        *("PyTorch (compiled)", "TensorFlow (graph)", "PyTorch (eager)", "Keras on torch (eager)"),
    ]
    assert re.fullmatch(
        r"PyTorch \(compiled\) and TensorFlow \(graph\): no difference detectable on this machine; "
        r"PyTorch \(compiled\) is 2\.00x faster \[1\.9\d, 2\.0\d\] than Keras on torch \(eager\)\.",
        verdict.sentence,
    ), verdict.sentence


def test_too_few_blocks_give_no_verdict(tmp_path: Path) -> None:
    small_run(tmp_path, {("pytorch", "eager"): spread(0.1, 5), ("tensorflow", "graph"): spread(0.2, 5)})
    assert judge(tmp_path).sentence == "No verdict: an interval needs 6 processes, or blocks of one process, at least."


TWO = {("pytorch", "eager"): spread(0.100), ("tensorflow", "graph"): spread(0.131, shift=3)}
PROVEN = certificate("net", "pytorch", "eager")


@pytest.mark.parametrize(
    ("other", "words"),
    [
        (None, "missing (there is no certificate)"),
        (certificate("net", "tensorflow", "graph", 3.2e-3), "float64: stem.weight 3.2e-03 > 1e-10 and 4 more"),
        ({**certificate("net", "tensorflow", "graph"), "error": "ValueError: shapes"}, "computed: ValueError: shapes"),
        ({**certificate("net", "tensorflow", "graph"), "checks": []}, "it holds no checks"),
        ({**certificate("net", "tensorflow", "graph"), "passed": False}, "it is marked as failed"),
        (
            {
                **certificate("net", "tensorflow", "graph"),
                "checks": [
                    {"name": "loss", "dtype": "float64", "tensor": "l", "error": None, "tolerance": 1, "passed": False}
                ],
            },
            "loss, float64: l not finite > 1",
        ),
        # Says that it passed, and its own figures say otherwise.
        (
            {
                **certificate("net", "tensorflow", "graph"),
                "checks": [
                    {
                        "name": "loss",
                        "dtype": "float32",
                        "tensor": "l",
                        "error": 2e-4,
                        "tolerance": 1e-4,
                        "passed": True,
                    }
                ],
            },
            "loss, float32: l 2e-04 > 1e-04",
        ),
    ],
)
def test_ranking_is_withheld_without_proof(tmp_path: Path, other: dict[str, Any] | None, words: str) -> None:
    small_run(tmp_path, TWO, certificates=[PROVEN, *([other] if other else [])])
    verdict = judge(tmp_path)
    assert verdict.state == "withheld"
    assert verdict.sentence.startswith("Ranking withheld: certificate of TensorFlow (graph) ")
    assert words in verdict.sentence
    page = report_files(load(tmp_path))["index.html"].decode()
    assert "faster [" not in page.split('id="workload-1"')[1].split('id="certificates"')[0]
    assert "100 ms" in page
    assert "Rankings withheld:" in page


def test_a_ranking_stands_with_all_certificates(tmp_path: Path) -> None:
    small_run(tmp_path, TWO, certificates=[PROVEN, certificate("net", "tensorflow", "graph")])
    assert judge(tmp_path).state == "faster"


@pytest.mark.parametrize(
    ("phase", "metrics"),
    [
        ("ColdStart", ("cold_start_first_call", "inference_latency")),
        ("Training", ("training_first_call", "training_latency")),
    ],
)
def test_break_even_by_hand(phase: str, metrics: tuple[str, str]) -> None:
    figures = {
        ("pytorch", "eager"): (0.5, 0.010),
        ("pytorch", "compiled"): (20.5, 0.008),  # 20 s more, 2 ms saved a call
        ("tensorflow", "eager"): (0.5, 0.010),
        ("tensorflow", "graph"): (0.9, 0.012),  # never
    }
    rows = [
        {"framework": framework, "mode": mode, "metric": metric, "value": value}
        for (framework, mode), values in figures.items()
        for metric, value in zip(metrics, values, strict=True)
    ]
    assert break_even(rows, phase) == {("pytorch", "compiled"): 10_000}
    assert break_even(rows, "Boxes") == {}


def test_noise_counts_programs_that_are_known_badly(tmp_path: Path) -> None:
    calm, wild = spread(0.1), [0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2]
    small_run(tmp_path, {("pytorch", "eager"): calm, ("tensorflow", "graph"): wild})
    measured = noise([judge(tmp_path)], [])
    assert (measured.timed, measured.pairs, measured.sentence) == (2, 0, "unknown")
    assert measured.unstable == ("TensorFlow (graph), net, inference",)


PAIR = {"workload": "net", "framework": "pytorch", "mode": "eager", "phase": "inference", "size": SIZE}


def test_a_a_pairs_tell_what_a_run_can_detect(tmp_path: Path) -> None:
    calm, wild = {**PAIR, "ratio": 1.0, "low": 0.98, "high": 1.01}, {**PAIR, "ratio": 1.1, "low": 1.05, "high": 1.2}
    broken = [{**PAIR, "ratio": 1.0, "low": None, "high": None}, {**PAIR, "ratio": "1", "low": -1, "high": 2}]
    measured = noise([], [calm, wild, *broken])
    assert (measured.pairs, measured.false_alarms) == (2, 1)
    assert measured.smallest == pytest.approx((1 / 0.98 - 1 + 0.2) / 2)
    assert measured.largest == pytest.approx(0.2)
    small_run(tmp_path, TWO, pairs=[calm, *broken])
    files = report_files(load(tmp_path))
    assert "<dt>Smallest detectable effect</dt><dd>2.0% (A/A pairs: 1)</dd>" in files["index.html"].decode()
    assert b"smallest detectable effect 2.0% (A/A pairs: 1)" in files["report.md"]


def called(samples: int, processes: int, **changes: Any) -> dict[str, Any]:
    """An entry of the manifest's latencies."""
    return {**PAIR, "stage": "inference", "calls": [samples // processes] * processes, "unstable": [], **changes}


def test_intervals_are_over_processes_where_the_manifest_names_several(tmp_path: Path) -> None:
    figures = {("pytorch", "eager"): spread(0.1, 9), ("tensorflow", "graph"): spread(0.2, 9)}
    small_run(tmp_path, figures, latencies=[called(18, 6), called(18, 2, framework="tensorflow", mode="graph")])
    loaded = load(tmp_path)
    assert row(loaded, framework="pytorch", mode="eager")["per_process"] == [3] * 6
    pytorch, tensorflow = (
        one for one in records(enrich(loaded.frame)) if (one["metric"], one["status"]) == ("inference_latency", "ok")
    )
    assert math.isfinite(pytorch["low"])
    assert math.isnan(tensorflow["low"])  # two processes are too few
    assert "6 processes" in judge(tmp_path).sentence
    assert b"intervals over processes" in report_files(loaded)["index.html"]


@pytest.mark.parametrize("calls", [7, [], ["18"], [18, 0], [9, 8], [True] * 18])
def test_counts_that_cannot_be_are_none(tmp_path: Path, calls: Any) -> None:
    small_run(tmp_path, {("pytorch", "eager"): spread(0.1, 9)}, latencies=[called(18, 1, calls=calls), 7])
    assert row(load(tmp_path))["per_process"] == []


def test_what_was_no_steady_state_is_marked(tmp_path: Path) -> None:
    stages = [{"workload": "net", "stage": "inference", "size": SIZE, "part": "", "verdict": "clean", "taints": []}]
    drifts = called(14, 1, unstable=["drifted by <b>+18%</b> while it was timed"])
    small_run(tmp_path, TWO, latencies=[drifts], stage_conditions=stages)
    loaded = load(tmp_path)
    assert (
        row(loaded, framework="pytorch", mode="eager")["conditions"]
        == "unstable: drifted by <b>+18%</b> while it was timed"
    )
    assert row(loaded, framework="tensorflow", mode="graph")["conditions"] == "clean"
    page = report_files(loaded)["index.html"].decode()
    assert 'title="Tainted: unstable: drifted by &lt;b&gt;+18%&lt;/b&gt; while it was timed"' in page


def test_default_settings_stand_beside_the_equalised_ones(tmp_path: Path) -> None:
    programs = {("net", *program, SIZE): figure for program, figure in TWO.items()}
    slower = {program: [1.2 * value for value in figure] for program, figure in programs.items()}
    name = LATENCY.replace("Inference", "DefaultInference")
    proofs = [certificate("net", *program) for program in TWO]
    benchmarks = {LATENCY: ("seconds", programs), name: ("seconds", slower)}
    write_run(tmp_path, benchmarks, manifest(certificates=proofs))
    files = report_files(load(tmp_path))
    text = files["report.md"].decode()
    table = text.split("### Inference with default settings")[1]
    assert table.count(r"1.20x \[1.20, 1.20\]") == 2
    assert "Against equalised" in table
    assert "Against equalised" not in text.split("### Inference with default settings")[0]


def test_an_input_pipeline_is_ranked_by_its_images_a_second(tmp_path: Path) -> None:
    name, size = "input_pipeline-jpeg", "224px-batch32"
    programs = {(name, *program, size): figure for program, figure in TWO.items()}
    benchmarks = {
        "input_pipeline.InputPipeline.track_latency": ("seconds", programs),
        "input_pipeline.InputPipeline.track_cold_first_batch": ("seconds", dict.fromkeys(programs, 0.5)),
    }
    write_run(tmp_path, benchmarks, manifest(certificates=[certificate(name, *program) for program in TWO]))
    enriched = enrich(load(tmp_path).frame)
    found = {(one["framework"], one["metric"]): one for one in records(enriched[enriched["status"] == "ok"])}
    latency = found["pytorch", "input_pipeline_latency"]["value"]
    assert found["pytorch", "input_pipeline_throughput"]["value"] == pytest.approx(32 / latency)
    text = report_files(load(tmp_path))["report.md"].decode()
    section = text.split("### Input pipeline")[1]
    assert "faster" in text.split("### Input pipeline")[0]  # the verdicts stand first
    assert all(f"| {title} " in section for title in ("Time of a batch, p50", "Throughput", "First batch"))


def test_a_largest_batch_where_the_search_ended_may_be_larger(tmp_path: Path) -> None:
    for most, told in ((64, True), (128, False)):
        benchmarks = {
            "classification.LargestInferenceBatch.track_batch_size": (
                "images",
                {("net", "pytorch", "eager", SIZE): 64.0, ("net", "tensorflow", "graph", SIZE): 48.0},
            )
        }
        folder = tmp_path / str(most)
        write_run(folder, benchmarks, manifest(profile={"name": "standard", "largest_batch": most}))
        files = report_files(load(folder))
        for page in ("report.md", "index.html"):
            assert (b"Larger ones than 64 were not tried: more may fit." in files[page]) == told


def test_trainings_from_several_seeds_are_held_against_the_frameworks(tmp_path: Path) -> None:
    def curve(framework: str, seed: int, shift: float, **further: Any) -> dict[str, Any]:
        loss = [2.0 + shift, 1.0 + shift, 0.5 + shift]
        program = {"workload": "net", "framework": framework, "mode": "eager", "size": SIZE, "stage": "fit"}
        return {**program, "seed": seed, "loss": loss, "seconds": [1.0, 2.0, 3.0], "target": 0.9, **further}

    curves = [
        curve("pytorch", 0, 0.0, quality=0.95, to_target=2.0),
        curve("pytorch", 1, 0.5, quality=0.85, to_target=None),
        curve("tensorflow", 0, 0.01, quality=0.94, to_target=3.0),
    ]
    program = ("net", "pytorch", "eager", SIZE)
    benchmarks = {
        "classification.Fit.track_quality": ("fraction", {program: [0.95, 0.85]}),
        "classification.Fit.track_seconds": ("seconds", {program: [3.0, 3.5]}),
    }
    write_run(tmp_path, benchmarks, manifest(curves=curves))
    (section,) = learning_sections(load(tmp_path).runs[0])
    assert "PyTorch (eager), seed 1 85.0 % in 3 s" in section["caption"]
    assert (
        "Time until 90.0 %, the target, was first found: PyTorch (eager) 2 s and TensorFlow (eager) 3 s."
        in (section["caption"])
    )
    # Apart by 0.01 of 1.172, and by 0.5 of 1.417.
    assert "between programs with one seed 0.853 %" in section["caption"]
    assert "between seeds of one program 35.3 %" in section["caption"]
    assert distance(curves[0], curves[0]) == 0
    text = report_files(load(tmp_path))["report.md"].decode()
    assert r"85.0 % to 95.0 %, 2 seeds" in text


def test_the_usual_tables_have_their_setting_and_their_command(tmp_path: Path) -> None:
    program = ("net", "pytorch", "eager", SIZE)
    scores = {f"classification.Accuracy.track_{name}": ("fraction", {program: 0.9}) for name in ("top1", "f1")}
    recipe = {"data": "digits", "width": 0.25, "steps": 60}
    changes = manifest(profile={"name": "quick", "calls_per_block": 2, "recipes": {"net": recipe}})
    write_run(tmp_path, {**scores, LATENCY: ("seconds", {program: spread(0.1)})}, changes)
    results = load(tmp_path)
    tables = {table.title: table for table in familiar_tables(enrich(results.frame), results.runs[0])}
    accuracy = tables["Accuracy of classification models"]
    assert accuracy.command == "evenbench run --bench classification.Accuracy"
    (rows,) = accuracy.rows
    assert rows.setting == "224 px, batch_size 8, digits, width 0.25, 60 steps"
    assert [cell.text for cell in rows.lines[0].cells] == ["90.0 %", "", "", "90.0 %"]
    assert tables["Training time of segmentation models"].rows == ()
    assert tables["Memory of inference"].rows == ()
    text = report_files(results)["report.md"].decode().replace("\\", "")
    assert "## Accuracy of classification models\n\nMade by `evenbench run --bench classification.Accuracy`.\n" in text
    assert f"| net | {rows.setting} | PyTorch eager | 90.0 % |  |  | 90.0 % |\n" in text
    assert "## Memory of inference" not in text


def test_parts_of_a_step_are_differences(tmp_path: Path) -> None:
    program = ("net", "pytorch", "eager", SIZE)
    parts = {"forward": spread(0.1), "gradient": spread(0.3), "latency": spread(0.35)}
    benchmarks = {
        f"classification.Training.track_{key}": ("seconds", {program: values}) for key, values in parts.items()
    }
    write_run(tmp_path, benchmarks, manifest(certificates=[certificate("net", "pytorch", "eager")]))
    found = {one["metric"]: one for one in records(enrich(load(tmp_path).frame))}
    assert found["training_backward"]["value"] == pytest.approx(0.2)
    assert found["training_update"]["value"] == pytest.approx(0.05)
    assert found["training_backward"]["low"] <= 0.2 <= found["training_backward"]["high"]
    text = report_files(load(tmp_path))["report.md"].decode()
    assert all(f"| {title} " in text for title in ("Forward and loss", "Backward", "Update"))


# --- what the page says -----------------------------------------------------------------------------------------------


def test_headline_and_readiness_in_words(quick: Path) -> None:
    (run,) = load(quick).runs
    assert (
        machine_line(run) == "Intel(R) Xeon(R) Processor, 2 cores, 23.5 GiB RAM, no GPU, Debian GNU/Linux 12 (bookworm)"
    )
    verdict = readiness(run)
    assert [sentence for _, _, sentence in verdict.tiers] == [
        "minimum tier not met: CPU cores 2 of 4, VRAM 0 GiB of 2 GiB",
        "ideal tier not met: CPU cores 2 of 8, VRAM 0 GiB of 8 GiB, disk 274.9 GB of 512 GB",
    ]
    assert [requirement.check for requirement in verdict.requirements] == ["CPU cores", "VRAM", "RAM", "disk"]


def test_missing_facts_are_unknown(tmp_path: Path) -> None:
    small_run(tmp_path, TWO, facts={}, readiness={}, versions={}, time={}, conditions={"before": None}, frameworks={})
    loaded = load(tmp_path)
    assert (
        machine_line(loaded.runs[0]) == "CPU unknown, unknown cores, unknown RAM, GPU unknown, operating system unknown"
    )
    assert [words for _, words, _ in readiness(loaded.runs[0]).tiers] == ["unknown", "unknown"]
    assert b"Minimum tier cannot be told" in report_files(loaded)["index.html"]


def test_what_cannot_be_measured_is_named(tmp_path: Path) -> None:
    program = ("net", "pytorch", "eager", SIZE)
    vram = "classification.Inference.track_peak_vram"
    write_run(tmp_path, {LATENCY: ("seconds", {program: spread(0.1)}), vram: ("bytes", {program: NA})}, manifest())
    loaded = load(tmp_path)
    assert row(loaded, metric="inference_peak_vram")["reason"] == "Peak VRAM cannot be measured here"
    assert b"n/a, Peak VRAM cannot be measured here: PyTorch (eager)" in report_files(loaded)["index.html"]


def test_marks_that_a_reader_must_see(tmp_path: Path) -> None:
    small_run(
        tmp_path,
        {("pytorch", "eager"): spread(0.1)},
        dirty=True,
        finished_at=None,
        conditions={"before": {}, "after": {}, "taints": [{"condition": "steal", "reason": "the hypervisor took 3 %"}]},
        readiness={"tiers": {}, "forced": ["vram"]},
    )
    (tmp_path / "results" / MACHINE / "bad.json").write_text("{")
    loaded = load(tmp_path)
    titles = [mark.title for mark in marks(loaded.runs[0], loaded, [], noise([], []))]
    assert titles == ["Interrupted run", "Uncommitted changes", "Tainted conditions", "Forced", "1 skipped"]
    page = report_files(loaded)["index.html"].decode()
    assert all(f"<strong>{title}:</strong>" in page for title in titles)
    assert "the hypervisor took 3 %" in page
    assert "bad.json" in page


# --- conditions -------------------------------------------------------------------------------------------------------

LOAD = "other programs took 12% of the CPUs"


def stage(
    *reasons: str,
    phase: str = "inference",
    workload: str = "net",
    size: str | None = SIZE,
    condition: str = "other load",
    **changes: Any,
) -> Any:
    """An entry of the manifest: a stage and what tainted it."""
    taints = [{"condition": condition, "reason": reason} for reason in reasons]
    where = {"workload": workload, "stage": phase, "size": size, "part": ""}
    return {**where, "verdict": "tainted" if reasons else "clean", "taints": taints, **changes}


@pytest.mark.parametrize(
    ("stages", "conditions"),
    [
        ([], "unknown"),
        ([stage()], "clean"),
        ([stage(LOAD)], LOAD),
        ([stage(LOAD, "1 page <went> to swap")], f"{LOAD}; 1 page <went> to swap"),
        ([stage(), stage(LOAD, process=1), stage(LOAD, process=2)], LOAD),  # of several processes
        ([stage(verdict="unknown"), stage(process=1)], "unknown"),
        ([stage(LOAD, phase="training")], "unknown"),
        ([stage(LOAD, size="64px-batch1")], "unknown"),
        ([stage(LOAD, workload="other"), stage()], "clean"),
        ([stage(LOAD, part="tensorflow/graph"), stage(part="pytorch/eager")], "clean"),  # each program in its own part
        ([stage(LOAD, condition="swap")], LOAD),
        ([stage(verdict=7, taints="no", stage=None), {"workload": "net"}, 5], "unknown"),
    ],
)
def test_a_result_has_the_conditions_of_its_stage(tmp_path: Path, stages: list[Any], conditions: str) -> None:
    small_run(tmp_path, {("pytorch", "eager"): spread(0.1), ("pytorch", "graph"): None}, stage_conditions=stages)
    loaded = load(tmp_path)
    assert row(loaded, mode="eager")["conditions"] == conditions
    assert row(loaded, mode="graph")["conditions"] == ""  # it failed: there is no result to be tainted
    table = pd.read_csv(io.BytesIO(report_files(loaded)["results.csv"]))
    assert table["conditions"].dropna().tolist() == [conditions] * 2  # latency, and the throughput derived from it


@pytest.mark.parametrize(
    ("suite", "phase", "of_stage", "size"),
    [
        ("classification", "ColdStart.track_first_call", "inference", SIZE),
        ("kernels", "ColdStart.track_first_call", "forward", None),
        ("kernels", "GradientByInput.track_latency", "gradient by input", None),
        ("kernels", "GradientByWeight.track_latency", "gradient by weight", None),
        ("classification", "Fit.track_seconds", "fit", SIZE),
    ],
)
def test_every_phase_finds_its_stage(tmp_path: Path, suite: str, phase: str, of_stage: str, size: str | None) -> None:
    program = ("net", "pytorch", "eager", *([size] if size else []))
    stages = [stage(LOAD, phase=of_stage, size=size)]
    write_run(tmp_path, {f"{suite}.{phase}": ("seconds", {program: 0.5})}, manifest(stage_conditions=stages))
    assert load(tmp_path).frame["conditions"].tolist() == [LOAD]


@pytest.mark.parametrize(
    ("metric", "of_stage", "unit", "condition", "conditions"),
    [
        ("Accuracy.track_top1", "accuracy", "fraction", "other load", "clean"),
        ("Accuracy.track_top1", "accuracy", "fraction", "GPU memory errors", LOAD),
        ("Inference.track_peak_memory", "inference", "bytes", "steal", "clean"),
        ("Inference.track_peak_memory", "inference", "bytes", "swap", LOAD),
    ],
)
def test_only_what_spoils_a_figure_taints_it(
    tmp_path: Path, metric: str, of_stage: str, unit: str, condition: str, conditions: str
) -> None:
    stages = [stage(LOAD, phase=of_stage, condition=condition)]
    figures = {("net", "pytorch", "eager", SIZE): 0.5}
    write_run(tmp_path, {f"classification.{metric}": (unit, figures)}, manifest(stage_conditions=stages))
    assert load(tmp_path).frame["conditions"].tolist() == [conditions]


def test_tainted_results_are_counted_at_the_top_and_marked_with_the_reason(tmp_path: Path) -> None:
    stages = [stage(LOAD), stage(phase="training")]
    training = "classification.Training.track_latency"
    figures = {("net", *program, SIZE): spread(0.1) for program in TWO}
    proofs = [certificate("net", *program) for program in TWO]
    about = manifest(certificates=proofs, stage_conditions=stages)
    write_run(tmp_path, {LATENCY: ("seconds", figures), training: ("seconds", figures)}, about)
    loaded = load(tmp_path)
    found = marks(loaded.runs[0], loaded, [], noise([], []))
    assert [(mark.title, mark.detail) for mark in found] == [("Tainted results", f"2 of 4: {LOAD}")]
    files = report_files(loaded)
    page = files["index.html"].decode()
    assert "<dt>Conditions</dt><dd>2 of 4 results tainted</dd>" in page
    inference, step = re.findall(r"<h3>.*?</table>.*?(?=<h3>|</section>)", page.split('id="workload-1"')[1], re.S)[:2]
    mark = f'<abbr class="taint" title="Tainted: {LOAD}">!</abbr>'
    assert inference.count(mark) == 4  # two programs, latency and throughput
    assert f"Tainted: {LOAD}." in inference
    assert "taint" not in step
    verdicts_ = page.split('id="verdicts"')[1].split("</section>")[0]
    assert verdicts_.count(mark) == 1
    markdown = files["report.md"].decode().replace("\\", "")
    assert markdown.count("100 ms! [") == 2
    assert markdown.count("100 ms [") == 2
    assert f"\n! Tainted: {LOAD}.\n" in markdown


def test_a_tainted_kernel_is_marked_with_its_reason(tmp_path: Path) -> None:
    figures = {(name, "pytorch", "eager"): spread(0.1) for name in ("relu-256", "conv2d-1x1")}
    stages = [stage(LOAD, phase="forward", workload="relu-256", size=None)]
    stages += [stage(phase="forward", workload="conv2d-1x1", size=None)]
    proofs = [certificate(name, "pytorch", "eager") for name in ("relu-256", "conv2d-1x1")]
    about = manifest(certificates=proofs, stage_conditions=stages)
    write_run(tmp_path, {"kernels.Forward.track_latency": ("seconds", figures)}, about)
    files = report_files(load(tmp_path))
    section = files["index.html"].decode().split('<section id="kernels">')[1].split("</section>")[0]
    every = section.split("Every kernel</h3>")[1].split("</details>")[0]
    assert every.count('<abbr class="taint"') == 1
    assert re.search(rf"Tainted: relu-256 \({LOAD}\)\.</p>", every)
    assert f"; tainted: {LOAD}" in section  # where the heat map is pointed at
    assert f"\n! Tainted: relu-256 ({LOAD})." in files["report.md"].decode().replace("\\", "")


def test_states_of_the_machine_stand_once_apart_from_taints(tmp_path: Path) -> None:
    advice = [{"condition": "governor", "reason": "the CPU governor is powersave", "remedy": "x"}, {"reason": "<b>"}, 3]
    small_run(tmp_path, TWO, conditions={"advice": advice}, stage_conditions=[stage()])
    loaded = load(tmp_path)
    page = report_files(loaded)["index.html"].decode().split('id="manifest"')[0]
    assert page.count("the CPU governor is powersave; &lt;b&gt;") == page.count("the CPU governor") == 1
    assert "Tainted results" not in page
    assert "<dt>Conditions</dt><dd>0 of 2 results tainted</dd>" in page


def test_the_page_tells_the_limits_that_are_applied(quick: Path, files: dict[str, bytes]) -> None:
    from hwprobe import conditions

    said = f"more than {conditions.OTHER_LOAD:.0%} of the CPUs or the hypervisor more than {conditions.STEAL:.0%}"
    assert said.replace("%", " %") in files["index.html"].decode()
    assert set(load(quick).frame["conditions"]) == {"unknown", ""}  # of a run from before they were kept
    assert "<dt>Conditions</dt><dd>unknown</dd>" in files["index.html"].decode()


@pytest.fixture(scope="module")
def files(quick: Path) -> dict[str, bytes]:
    return report_files(load(quick))


def test_page_is_complete_in_this_order(files: dict[str, bytes]) -> None:
    page = files["index.html"].decode()
    sections = re.findall(r'<section id="([^"]+)">', page)
    assert sections == [
        *("readiness", "verdicts", "workload-1", "workload-2", "kernels", "familiar", "curves", "certificates"),
        *("failures", "method", "manifest", "downloads"),
    ]
    assert len(files["index.html"]) < 1.5e6
    assert "killed by signal 9 at step 3 of 14" in page
    assert "Allocation of 411041792 exceeds" in page
    assert page.count("7,436 calls") == 1
    for title in ("Inference, 224 px, batch_size 1", "Cold start", "Precision (macro)", "Held-out quality", "p95"):
        assert title in page


def test_page_loads_nothing_and_its_policy_allows_nothing_else(files: dict[str, bytes]) -> None:
    page = files["index.html"].decode()
    policy = re.search(r'Content-Security-Policy" content="([^"]+)"', page)
    assert policy is not None
    assert policy[1].startswith("default-src 'none'; script-src 'sha256-")
    assert "unsafe" not in policy[1]
    markup = re.sub(r"<script.*?</script>", "", page, flags=re.S)
    assert re.findall(r'(?:src|href)="(?!#)([^"]*)"', markup) == ["results.csv", "results.parquet", "report.md"]
    assert "style=" not in markup
    assert "://" not in markup


def test_charts_are_valid_json_with_one_colour_for_each_framework(files: dict[str, bytes]) -> None:
    def reject(constant: str) -> None:
        raise AssertionError(constant)

    text = re.search(r'id="charts">(.*?)</script>', files["index.html"].decode(), flags=re.S)
    assert text is not None
    specs = json.loads(text[1], parse_constant=reject)
    assert len(specs) == 4 + 2 * 3 + 2
    colours: dict[str, set[str]] = {}
    for scale in _scales(specs):
        for title, colour in zip(scale["domain"], scale["range"], strict=True):
            colours.setdefault(title, set()).add(colour)
    assert colours == {
        "PyTorch": {"#D55E00"},
        "TensorFlow": {"#0072B2"},
        "Keras on TF": {"#009E73"},
        "Keras on torch": {"#CC79A7"},
    }


def _scales(node: Any) -> list[dict[str, Any]]:
    """Every colour scale in a specification."""
    if isinstance(node, list):
        return [scale for entry in node for scale in _scales(entry)]
    if not isinstance(node, dict):
        return []
    own = [node["color"]["scale"]] if isinstance(node.get("color"), dict) and "scale" in node["color"] else []
    return own + [scale for entry in node.values() for scale in _scales(entry)]


def test_tables_agree_and_keep_every_figure(quick: Path, files: dict[str, bytes]) -> None:
    table = pd.read_csv(io.BytesIO(files["results.csv"]), keep_default_na=False, na_values=[""])
    parquet = pd.read_parquet(io.BytesIO(files["results.parquet"]))
    assert list(table.columns) == list(parquet.columns)
    for column in ("samples", "per_process"):
        table[column] = table[column].map(json.loads)
        parquet[column] = parquet[column].map(list)
    texts = ["mode", "size", "reason", "conditions"]
    table[texts] = table[texts].fillna("")
    pd.testing.assert_frame_equal(table, parquet, check_dtype=False, check_exact=True)
    loaded = load(quick)
    assert (parquet["status"] == "ok").sum() > (loaded.frame["status"] == "ok").sum()  # throughput is added
    measured = parquet[parquet["metric"] == "inference_latency"]["value"].dropna()
    assert sorted(measured) == sorted(loaded.frame[loaded.frame["metric"] == "inference_latency"]["value"].dropna())


def test_text_of_results_is_never_markup(tmp_path: Path) -> None:
    script = "<script>alert(1)</script>"
    hostile = f"\"'>{script}<!--|`*x*`"
    proof = {**certificate(hostile, hostile, hostile, 1.0), "reference": hostile, "sizes": hostile}
    proof["checks"] = [{**check, "name": hostile, "tensor": hostile} for check in proof["checks"]]
    texts = dict.fromkeys(("workload", "framework", "mode", "size", "phase", "kind", "message"), hostile)
    failed = {**texts, "stderr": [hostile]}
    known = dict.fromkeys(("kernel", "title", "group", "framework", "device", "size", "operation"), hostile)
    known["dtype"] = "float32"
    said = {"failures": [hostile], "taints": [{"reason": hostile}]}
    curve = {**texts, "loss": [2.0, 1.0], "seconds": [1.0, 2.0], "quality": 0.9}
    changes = manifest(
        certificates=[proof],
        failures=[failed],
        curves=[curve],
        versions={hostile: hostile},
        environment={hostile: hostile},
        profile={"name": hostile, "calls_per_block": 2, hostile: hostile},
        frameworks={hostile: {"reason": None, "device": hostile, "layout": hostile}},
        precision=hostile,
        readiness={"tiers": {"minimum": {"verdict": hostile, "checks": [{"check": hostile, "reason": hostile}]}}},
        conditions={"taints": [{"condition": hostile, "reason": hostile}], "advice": [{"reason": hostile}]},
        stage_conditions=[
            stage(hostile, phase=phase, workload=hostile, size=size)
            for phase, size in (("inference", hostile), ("forward", None))
        ],
        facts={"cpu": {"model": {"value": hostile}}},
        kernels={hostile: {**known, "phases": {"Forward": {"operations": 1e9, "bytes": 1e6}}, "models": {hostile: 2}}},
        ceilings={"gemm": [{**known, "flops_per_s": 1e12}], "bandwidth": [{**known, "bytes_per_s": 1e11}], **said},
        env_name=ENV_NAME,
    )
    changes["started_at"] = changes["run_id"] = hostile.replace("/", "")
    figures = {(hostile, hostile, hostile, hostile): spread(0.1), (hostile, hostile, "b", hostile): None}
    write_run(
        tmp_path,
        {
            LATENCY: ("seconds", figures),
            "kernels.Forward.track_latency": ("seconds", {(hostile, hostile, hostile): spread(0.1)}),
        },
        {**changes, "run_id": "x"},
    )
    (tmp_path / "results" / MACHINE / "<script>alert(1)<.json").write_text("{")
    files = report_files(load(tmp_path))
    page = files["index.html"].decode()
    # Our own three elements, and the words "<script" within the bundle of libraries are none of them.
    outside = re.sub(r"<script>.*?</script>", "", page, flags=re.S)
    assert script not in outside
    assert "alert(1)" in outside
    assert outside.lower().count("<script") == outside.count('<script type="application/json"') == 1
    assert "<!--" not in outside
    markdown = files["report.md"].decode()
    assert "<script" not in markdown
    assert not re.search(r"(?<!\\)\|`", markdown)


def test_a_framework_that_is_absent_has_a_row_with_its_reason(tmp_path: Path) -> None:
    small_run(
        tmp_path,
        {**TWO, ("keras-torch", "eager"): NA, ("keras-torch", "graph"): NA},
        frameworks={"keras-torch": {"reason": "keras is not installed"}},
    )
    page = report_files(load(tmp_path))["index.html"].decode()
    rows = re.findall(r"<tr><th scope=\"row\">.*?</tr>", page.split('id="workload-1"')[1].split("</section>")[0], re.S)
    absent = [one for one in rows if "n/a: keras is not installed" in one]
    assert len(rows) == 3
    assert len(absent) == 1


def test_sizes_that_the_run_had_nothing_to_do_with_are_no_rows(tmp_path: Path) -> None:
    figures = {("net", "pytorch", "eager", SIZE): spread(0.1), ("net", "pytorch", "eager", "512px-batch64"): NA}
    write_run(tmp_path, {LATENCY: ("seconds", figures)}, manifest())
    files = report_files(load(tmp_path))
    assert b"224 px, batch_size 8" in files["index.html"]
    assert b"512 px" not in files["index.html"]
    assert b"512px" not in files["results.csv"]


def test_a_size_that_was_left_out_for_a_reason_of_its_own_has_it(tmp_path: Path) -> None:
    figures = {("net", "pytorch", "eager", SIZE): spread(0.1), ("net", "pytorch", "eager", "512px-batch64"): NA}
    program = {"workload": "net", "framework": "pytorch", "mode": "eager", "size": "512px-batch64"}
    reason = {**program, "phase": "inference", "kind": "n/a", "message": "needs 90.0 GiB of memory", "stderr": []}
    write_run(tmp_path, {LATENCY: ("seconds", figures)}, manifest(failures=[reason]))
    page = report_files(load(tmp_path))["index.html"].decode()
    assert "512 px" not in page.split('id="failures"')[0]
    assert "needs 90.0 GiB of memory" in page.split('id="failures"')[1]
    assert "512 px, batch_size 64" in page.split('id="failures"')[1]


def test_a_model_that_no_program_ran_has_no_section(tmp_path: Path) -> None:
    figures = {("net", "pytorch", "eager", SIZE): spread(0.1), ("other", "pytorch", "eager", SIZE): NA}
    write_run(tmp_path, {LATENCY: ("seconds", figures)}, manifest())
    page = report_files(load(tmp_path))["index.html"].decode()
    before, failures = page.split('id="failures"')
    assert 'id="workload-1"' in before and 'id="workload-2"' not in before
    assert "n/a, not in the quick profile: whole workloads</summary>\n<ul><li>whole workloads: other</li>" in failures


@pytest.mark.parametrize(
    ("second", "note"),
    [(0.9 + 1e-9, "All programs score the same."), (0.8972, "The programs&#39; scores differ by up to 0.280 %")],
)
def test_scores_of_the_same_weights_are_compared(tmp_path: Path, second: float, note: str) -> None:
    scores = {("net", "pytorch", "eager", SIZE): 0.9, ("net", "tensorflow", "graph", SIZE): second}
    write_run(tmp_path, {"classification.Accuracy.track_top1": ("fraction", scores)}, manifest())
    assert note in report_files(load(tmp_path))["index.html"].decode()


def test_other_runs_are_named(tmp_path: Path) -> None:
    small_run(tmp_path, TWO)
    small_run(tmp_path, TWO, run_id="older", started_at="2026-11-21T06:15:00+00:00", commit="0" * 40)
    write_run(
        tmp_path,
        {LATENCY: ("seconds", {("net", "pytorch", "eager", SIZE): 0.1})},
        manifest(run_id="older", started_at="2026-11-21T06:15:00+00:00", commit="0" * 40),
        commit="0" * 40,
    )
    page = report_files(load(tmp_path))["index.html"].decode()
    assert "Other runs in this folder" in page
    assert "2026-11-21 06:15 UTC" in page


def test_manifests_of_wrong_types_are_read_as_not_recorded(tmp_path: Path) -> None:
    wrong = {key: 7 for key in in_shape({}) if key not in ("run_id", "machine", "commit", "env_name")}
    small_run(
        tmp_path, TWO, **{**wrong, "certificates": [1, {"workload": 3, "checks": "no"}], "curves": [{"loss": "x"}]}
    )
    loaded = load(tmp_path)
    assert loaded.runs[0].profile == "quick"  # from asv's own file
    assert judge(tmp_path).state == "withheld"
    assert report_files(loaded)["index.html"]


# --- the commands -----------------------------------------------------------------------------------------------------


def reports(*arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "reports", *map(str, arguments)]
    return subprocess.run(
        command, capture_output=True, text=True, timeout=120, cwd=PAGE, env={**os.environ, **environment}, check=False
    )


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two commits of one small workload; the second is 10 % slower in PyTorch."""
    folder = tmp_path_factory.mktemp("pair")
    for commit, factor, day in (("a" * 40, 1.0, 20), ("b" * 40, 1.1, 21)):
        figures = {
            ("net", "pytorch", "eager", SIZE): spread(0.1 * factor, 9, shift=int(factor * 10) % 10 * 4),
            ("net", "pytorch", "compiled", SIZE): spread(0.05, 9),
            ("net", "tensorflow", "graph", SIZE): spread(0.2, 9),
        }
        proofs = [certificate("net", framework, mode) for _, framework, mode, _ in figures]
        about = {"commit": commit, "started_at": f"2026-11-{day}T00:00:00+00:00", "run_id": f"run-{day}"}
        write_run(folder, {LATENCY: ("seconds", figures)}, manifest(certificates=proofs, **about), commit=commit)
    return folder


def test_report_writes_the_same_bytes_every_time_and_says_what_it_skipped(pair: Path, tmp_path: Path) -> None:
    folder, out = tmp_path / "copy", tmp_path / "new" / "report"
    shutil.copytree(pair, folder)
    (folder / "results" / MACHINE / "bad.json").write_text("{")
    done = reports("report", "--results", folder, "--out", out, PYTHONHASHSEED="1")
    assert (done.returncode, done.stdout) == (0, f"{out}/index.html\n")
    assert re.fullmatch(rf"skipped results/{MACHINE}/bad\.json: not JSON.*\n", done.stderr)
    written = {path.name: path.read_bytes() for path in out.iterdir()}
    assert written == report_files(load(folder))


def test_report_with_a_full_disk_leaves_the_old_one(pair: Path, tmp_path: Path) -> None:
    (tmp_path / "index.html").write_text("old")
    (tmp_path / "results.csv").write_text("old")
    # Files may not grow beyond 100 KiB: the small tables fit, the page does not.
    command = f'ulimit -f 100; exec "{sys.executable}" -m reports report --results "{pair}" --out "{tmp_path}"'
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, cwd=PAGE, timeout=120, check=False)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert done.stderr.startswith(f"evenbench: cannot write {tmp_path}: ")
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {"index.html": "old", "results.csv": "old"}


def test_report_on_nothing_and_to_nowhere(pair: Path, tmp_path: Path) -> None:
    nothing = reports("report", "--results", tmp_path / "none")
    assert nothing.returncode == 2
    assert nothing.stderr == f"evenbench: no results in {tmp_path / 'none'}; `evenbench run` makes them\n"
    (tmp_path / "file").touch()
    nowhere = reports("report", "--results", pair, "--out", tmp_path / "file" / "report")
    assert nowhere.returncode == 2
    assert nowhere.stderr == f"evenbench: cannot write {tmp_path / 'file' / 'report'}: Not a directory\n"
    assert reports("report", "--nonsense").returncode == 2


def test_importing_the_commands_imports_nothing_heavy() -> None:
    heavy = "{'pandas', 'numpy', 'scipy', 'altair', 'vl_convert', 'jinja2', 'asv', 'rich.table'}"
    code = f"import sys, reports.command; print(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=PAGE, check=True)
    assert done.stdout == "[]\n"


def test_help_shows_an_example() -> None:
    for command in ("report", "compare"):
        done = reports(command, "--help", COLUMNS="200")
        assert done.returncode == 0
        assert f"Example: evenbench {command}" in done.stdout
