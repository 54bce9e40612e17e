"""reports, the kernels' part: derived rates, roofline, heat map, shapes and the 60 % line, against figures by hand."""

import json
import math
import re
from pathlib import Path
from typing import Any

import pytest
from fixtures.asv_results import ceilings, certificate, manifest, spread, write_run

from reports.ceilings import yardstick
from reports.certificates import certificates
from reports.compare import Verdict, verdicts
from reports.heat import HeatCell, heat_map
from reports.load import Results, load
from reports.roofline import Roofline, roofline
from reports.shapes import geometric_mean, shape_table
from reports.site import report_files
from reports.tables import enrich, records
from reports.work import Facts, facts_of, group_order

Program = tuple[str, str, str]  # workload, framework, mode
PYTORCH, TENSORFLOW = ("pytorch", "eager"), ("tensorflow", "graph")
# 10 GFLOP and 0.1 GB in a call: 100 FLOP/byte. Under 400 GFLOP/s and 20 GB/s, whose ridge is at 20 FLOP/byte, the
# matrix product is the limit.
ARITHMETIC = {"operations": 10_000_000_000, "macs": 5_000_000_000, "bytes": 100_000_000}
# 1 FLOP/byte: the memory is the limit, 20 GFLOP/s.
TRAFFIC = {"operations": 100_000_000, "macs": 50_000_000, "bytes": 100_000_000}
MOVEMENT = {"operations": 0, "macs": 0, "bytes": 100_000_000}


def entry(work: dict[str, int], group: str = "3x3", title: str = "a kernel") -> dict[str, Any]:
    phases = dict.fromkeys(("Forward", "GradientByInput", "GradientByWeight"), work)
    return {"kernel": "conv2d", "title": title, "group": group, "phases": phases, "models": {}}


def kernel_run(folder: Path, figures: dict[Program, Any], phase: str = "Forward", **changes: Any) -> None:
    """Kernels that were timed in one phase, all with a passed certificate unless `changes` say otherwise."""
    whole = {
        "certificates": [certificate(*program) for program in figures],
        "kernels": {workload: entry(ARITHMETIC) for workload, _, _ in figures},
        "ceilings": ceilings(4e11, 2e10),
        **changes,
    }
    write_run(folder, {f"kernels.{phase}.track_latency": ("seconds", figures)}, manifest(**whole))


def judged(folder: Path) -> tuple[Results, list[Verdict], Facts]:
    loaded = load(folder)
    (run,) = loaded.runs
    return loaded, verdicts(enrich(loaded.frame), certificates(run.manifest)), facts_of(run.manifest)


def derived(folder: Path) -> dict[str, dict[str, Any]]:
    """The rows of a run with one program, by metric."""
    loaded, _, facts = judged(folder)
    return {row["metric"]: row for row in records(enrich(loaded.frame, facts.work))}


# --- derived figures ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("work", "flop_rate", "byte_rate", "intensity", "share"),
    [
        (ARITHMETIC, 2e11, 2e9, 100.0, 0.5),  # 200 of 400 GFLOP/s
        (TRAFFIC, 2e9, 2e9, 1.0, 0.1),  # 2 of 1 x 20 GFLOP/s
        (MOVEMENT, 0.0, 2e9, 0.0, 0.1),  # 2 of 20 GB/s
    ],
)
def test_rates_and_the_share_of_the_roofline(
    tmp_path: Path, work: dict[str, int], flop_rate: float, byte_rate: float, intensity: float, share: float
) -> None:
    kernel_run(tmp_path, {("k", *PYTORCH): spread(0.05)}, phase="GradientByInput", kernels={"k": entry(work)})
    rows = derived(tmp_path)
    assert list(rows) == [
        f"gradient_by_input_{name}" for name in ("latency", "flop_rate", "byte_rate", "ceiling_share")
    ]
    latency, flops, traffic, ceiling = rows.values()
    assert [row["unit"] for row in rows.values()] == ["s", "FLOP/s", "bytes/s", "fraction"]
    assert (flops["value"], traffic["value"], ceiling["value"]) == pytest.approx((flop_rate, byte_rate, share))
    facts = [work["operations"], work["bytes"], intensity]
    assert all([row["operations"], row["bytes_moved"], row["intensity"]] == facts for row in rows.values())
    assert (traffic["low"], traffic["high"]) == pytest.approx((1e8 / latency["high"], 1e8 / latency["low"]))
    assert traffic["low"] < traffic["value"] < traffic["high"]
    assert traffic["samples"] == pytest.approx([1e8 / sample for sample in latency["samples"]])


@pytest.mark.parametrize(
    ("changes", "known"),
    [
        ({"ceilings": {}}, {"flop_rate", "byte_rate"}),
        ({"ceilings": {**ceilings(), "bandwidth": []}}, {"flop_rate", "byte_rate"}),
        ({"kernels": {}}, set()),
        ({"kernels": {"k": entry({"operations": True, "bytes": -1})}}, set()),
        ({"kernels": {"k": {"phases": {"Forward": [1]}, "models": 3, "title": 4, "group": None}}}, set()),
        ({"kernels": {"k": 7}, "ceilings": {"gemm": 3, "bandwidth": [4]}}, set()),
        (
            {"ceilings": {**ceilings(), "gemm": [{"dtype": "float32", "flops_per_s": "fast"}]}},
            {"flop_rate", "byte_rate"},
        ),
    ],
)
def test_what_is_not_recorded_is_unknown(tmp_path: Path, changes: dict[str, Any], known: set[str]) -> None:
    kernel_run(tmp_path, {("k", *PYTORCH): spread(0.05)}, **changes)
    assert derived(tmp_path).keys() == {"forward_latency"} | {f"forward_{name}" for name in known}
    page = report_files(load(tmp_path))["index.html"].decode()
    assert ("no ceiling was measured" in page) == bool(known)
    assert ("operations and bytes are not recorded" in page) != bool(known)


def test_ceilings_are_the_highest_of_the_device_in_float32(tmp_path: Path) -> None:
    gemm = [
        {"framework": "tensorflow", "device": "cpu", "dtype": "float32", "size": 512, "flops_per_s": 3e11},
        {"framework": "pytorch", "device": "cpu", "dtype": "float32", "size": 1024, "flops_per_s": 4e11},
        {"framework": "pytorch", "device": "cpu", "dtype": "bfloat16", "size": 1024, "flops_per_s": 9e11},
        {"framework": "pytorch", "device": "cuda:0", "dtype": "float32", "size": 8192, "flops_per_s": 5e13},
    ]
    bandwidth = [
        {"framework": "pytorch", "operation": "a = b + 3 c", "bytes_per_s": 2e10},
        {"framework": "pytorch", "device": "cuda:0", "operation": "a = b + 3 c", "bytes_per_s": 2e12},
    ]
    changes = {
        "ceilings": {"gemm": gemm, "bandwidth": bandwidth, "taints": [{"reason": "a busy neighbour"}]},
        "frameworks": {"pytorch": {"device": "cpu"}, "tensorflow": {"device": "cuda:0"}},
    }
    kernel_run(tmp_path, {("k", *PYTORCH): spread(0.05), ("k", *TENSORFLOW): spread(0.05)}, **changes)
    loaded, _, facts = judged(tmp_path)
    shares = {
        row["framework"]: row["value"]
        for row in records(enrich(loaded.frame, facts.work))
        if row["metric"] == "forward_ceiling_share" and row["status"] == "ok"
    }
    # 200 GFLOP/s of 400, and of 50,000: 100 FLOP/byte is beyond the ridge of both.
    assert shares == pytest.approx({"pytorch": 0.5, "tensorflow": 0.004})
    page = report_files(loaded)["index.html"].decode()
    assert "Ceilings of cpu: matrix product 400 GFLOP/s (PyTorch, 1024 x 1024), memory 20.0 GB/s" in page
    assert "Ceilings of cuda:0: matrix product 50.0 TFLOP/s (PyTorch, 8192 x 8192), memory 2.00 TB/s" in page
    assert "Doubt about the ceilings: a busy neighbour." in page


def test_details_show_the_rates_beside_the_latency(tmp_path: Path) -> None:
    kernel_run(
        tmp_path,
        {("arithmetic", *PYTORCH): spread(0.05), ("movement", *PYTORCH): spread(0.05), ("broken", *PYTORCH): None},
        kernels={"arithmetic": entry(ARITHMETIC), "movement": entry(MOVEMENT)},
    )
    page = report_files(load(tmp_path))["index.html"].decode()
    details = re.sub(r"<[^>]*>|\s+", " ", page.split("Every program of every kernel")[1].split("</table>")[0])
    plain = re.sub(r" +", " ", details)
    assert "arithmetic 50.0 ms" in plain
    assert "200 GFLOP/s 2.00 GB/s, 100 FLOP/byte 50.0 % of the ceiling" in plain
    assert "no arithmetic 2.00 GB/s, 0 FLOP/byte 10.0 % of the ceiling" in plain
    assert "failed: no reason recorded" in plain
    assert "images/s" not in plain


# --- heat map -------------------------------------------------------------------------------------------------------


def cells_of(folder: Path) -> dict[str, tuple[HeatCell, ...]]:
    loaded, found, facts = judged(folder)
    heat = heat_map(loaded.frame, found, facts)
    return {row.workload: row.cells for _, rows in heat.groups for row in rows}


def test_heat_map_holds_the_ratio_to_the_fastest_program(tmp_path: Path) -> None:
    kernel_run(
        tmp_path,
        {
            ("clear", *PYTORCH): spread(0.01),
            ("clear", "pytorch", "compiled"): spread(0.02),
            ("clear", *TENSORFLOW): spread(0.0131, shift=3),
            ("level", *PYTORCH): spread(0.01),
            ("level", *TENSORFLOW): spread(0.01, shift=3),
            ("slow", *PYTORCH): spread(0.01),
            ("slow", *TENSORFLOW): spread(0.1234),
        },
    )
    cells = cells_of(tmp_path)
    first, second = cells["clear"]
    assert (first.text, first.css, first.fastest) == ("1.00", "heat-0", True)
    assert (second.text, second.css, second.fastest) == ("1.31", "heat-2", False)
    assert re.fullmatch(r"TensorFlow \(graph\): 13\.1 ms \[.*\], 1\.31x \[1\.2\d, 1\.3\d\]", second.hint)
    assert [(cell.text, cell.css, cell.fastest) for cell in cells["level"]] == [("≈1.00", "heat-0", False)] * 2
    assert (cells["slow"][1].text, cells["slow"][1].css) == ("12.3", "heat-5")


def test_heat_map_says_why_there_is_no_ratio(tmp_path: Path) -> None:
    failure = {"workload": "lost", "framework": "tensorflow", "mode": "graph", "size": "", "phase": "forward"}
    figures = {
        ("unproven", *PYTORCH): spread(0.01),
        ("unproven", *TENSORFLOW): spread(0.02),
        ("lost", *PYTORCH): spread(0.01),
        ("lost", *TENSORFLOW): None,
        ("left out", *PYTORCH): spread(0.01),
        ("left out", *TENSORFLOW): math.nan,
    }
    proofs = [certificate(*program, 1.0 if program == ("unproven", *TENSORFLOW) else 0.0) for program in figures]
    failures = [{**failure, "kind": "timeout", "message": "no answer", "stderr": []}]
    kernel_run(tmp_path, figures, certificates=proofs, failures=failures)
    cells = cells_of(tmp_path)
    assert [(cell.text, cell.css) for cell in cells["unproven"]] == [("?", "heat-none")] * 2
    assert "10.0 ms" in cells["unproven"][0].hint
    assert "Ranking withheld: certificate of TensorFlow (graph) failed" in cells["unproven"][0].hint
    assert (cells["lost"][1].text, cells["lost"][1].css) == ("×", "heat-none")
    assert cells["lost"][1].hint == "TensorFlow (graph) failed: timeout: no answer"
    assert cells["left out"][1].text == "–"
    assert cells["left out"][1].hint == "TensorFlow (graph) n/a: not in the quick profile"


# --- shapes ---------------------------------------------------------------------------------------------------------


def test_shapes_count_wins_ties_and_mean_ratios(tmp_path: Path) -> None:
    kernel_run(
        tmp_path,
        {
            ("a", *PYTORCH): spread(0.01),
            ("a", *TENSORFLOW): spread(0.04),
            ("b", *PYTORCH): spread(0.09),
            ("b", *TENSORFLOW): spread(0.01),
            ("c", *PYTORCH): spread(0.01),
            ("c", *TENSORFLOW): spread(0.01, shift=3),
            ("d", *PYTORCH): spread(0.01),
        },
        kernels={
            **{name: entry(ARITHMETIC, "3x3") for name in ("a", "b", "c")},
            "d": {**entry(ARITHMETIC), "group": 5},
        },
    )
    _, found, facts = judged(tmp_path)
    table = shape_table(found, facts, by_phase=True)
    assert [title for title, _ in table.frameworks] == ["PyTorch", "TensorFlow"]
    line, other = table.lines
    assert (line.group, line.phase, line.cases, line.ties, line.unjudged) == ("3x3", "Forward", 3, 1, 0)
    # Ratios 1, 9, 1 and 4, 1, 1: their third roots.
    assert [(cell.text, cell.interval) for cell in line.cells] == [("1", "2.08x"), ("1", "1.59x")]
    assert (other.group, other.unjudged, other.cells[0].text) == ("other", 1, "")
    assert [one.phase for one in shape_table(found, facts, by_phase=False).lines] == ["", ""]
    markdown = report_files(load(tmp_path))["report.md"].decode()
    assert "| 3x3 | 3 | 1; 2.08x | 1; 1.59x | 1 | 0 |" in markdown


def test_geometric_mean() -> None:
    assert geometric_mean([1.0, 4.0]) == pytest.approx(2.0)
    assert math.isnan(geometric_mean([]))


def test_groups_have_a_fixed_order_and_strangers_follow() -> None:
    assert sorted(["other", "zebra", "dense", "1x1", "ant"], key=group_order) == [
        "1x1",
        "dense",
        "ant",
        "zebra",
        "other",
    ]


# --- roofline -------------------------------------------------------------------------------------------------------


def layers(one: Roofline) -> list[list[dict[str, Any]]]:
    """The data of each layer of the chart: roofs, programs, then the texts."""
    assert one.spec is not None
    return [layer["data"]["values"] for layer in one.spec["layer"]]


def test_roofline_draws_kernels_under_the_measured_ceilings(tmp_path: Path) -> None:
    kernel_run(
        tmp_path,
        {
            ("arithmetic", *PYTORCH): spread(0.05),
            ("arithmetic", *TENSORFLOW): spread(0.1),
            ("traffic", *PYTORCH): spread(0.05),
            ("movement", *PYTORCH): spread(0.05),
            ("unproven", *PYTORCH): spread(0.05),
            ("stranger", *PYTORCH): spread(0.05),
        },
        kernels={
            "arithmetic": entry(ARITHMETIC, title="conv2d 3x3"),
            "traffic": entry(TRAFFIC),
            "movement": entry(MOVEMENT),
            "unproven": entry(TRAFFIC),
        },
        certificates=[certificate(name, *PYTORCH) for name in ("arithmetic", "traffic", "movement", "stranger")]
        + [certificate("arithmetic", *TENSORFLOW)],
    )
    _, found, facts = judged(tmp_path)
    one = roofline(tuple(found), facts)
    assert one.left_out == (
        "1 kernel without arithmetic, 1 kernel of unknown work and 1 kernel without proof of equal work"
    )
    roof, programs, product, memory = layers(one)
    # 20 GB/s at 1 FLOP/byte; the ridge, 400 / 20; and the matrix product up to the last kernel.
    assert [(corner["x"], corner["y"]) for corner in roof] == [(1, 20), (20, 400), (100, 400)]
    assert (product[0]["x"], product[0]["y"], product[0]["text"]) == (100, 400, "matrix product 400 GFLOP/s")
    assert memory[0]["text"] == "memory 20.0 GB/s"
    assert memory[0]["y"] == pytest.approx(20 * memory[0]["x"], rel=1e-4)
    first, second = programs
    assert (first["kernel"], first["x"], first["y"]) == ("conv2d 3x3", 100, [200, 100])
    assert (first["framework"], first["mode"]) == (["PyTorch", "TensorFlow"], ["eager", "graph"])
    assert (first["share"], second["share"]) == (["50.0 %", "25.0 %"], ["10.0 %"])
    assert first["text"][0].startswith("50.0 ms [")
    assert (second["x"], second["y"]) == (1, [2])


@pytest.mark.parametrize(
    ("known", "corners", "texts"),
    [
        ({}, [], []),
        ({**ceilings(4e11), "bandwidth": []}, [(100, 400), (100, 400)], ["matrix product 400 GFLOP/s"]),
        ({**ceilings(bandwidth=2e10), "gemm": []}, [(100, 2000), (100, 2000)], ["memory 20.0 GB/s"]),
    ],
)
def test_roofline_with_what_was_measured(
    tmp_path: Path, known: dict[str, Any], corners: list[tuple[float, float]], texts: list[str]
) -> None:
    kernel_run(tmp_path, {("k", *PYTORCH): spread(0.05)}, ceilings=known)
    _, found, facts = judged(tmp_path)
    roof, programs, *labels = layers(roofline(tuple(found), facts))
    assert [(corner["x"], corner["y"]) for corner in roof] == corners
    assert [label[0]["text"] for label in labels] == texts
    assert programs[0]["share"] == ["unknown"]


def test_roofline_of_nothing(tmp_path: Path) -> None:
    kernel_run(tmp_path, {("k", *PYTORCH): spread(0.05)}, kernels={})
    assert "Nothing to draw: 1 kernel of unknown work." in report_files(load(tmp_path))["index.html"].decode()


# --- the 60 % line --------------------------------------------------------------------------------------------------

LINE = "A 3x3 convolution with 256 channels at 60 % of the matrix product's FLOP/s"


@pytest.mark.parametrize(
    ("latency", "changes", "answer"),
    [
        (
            0.04,
            {},
            r"reached\. PyTorch \(eager\) computes 250 GFLOP/s \[2\d\d, 2\d\d\], 62\.5 % of 400 .*",
        ),
        (0.05, {}, r"not reached\. PyTorch \(eager\) computes 200 .*, 50\.0 % of 400 .*"),
        (0.0417, {}, r"cannot be told, the interval holds it\. .*, 60\.0 % of .*"),
        (0.04, {"ceilings": {}}, r"unknown, PyTorch \(eager\) computes 250 .*, but no matrix product was measured\."),
        (0.04, {"kernels": {}}, r"unknown, how many operations it has is not recorded\."),
        (0.04, {"certificates": []}, r"not said\. Ranking withheld: .*"),
    ],
)
def test_whether_a_large_convolution_reaches_its_share_of_the_matrix_product(
    tmp_path: Path, latency: float, changes: dict[str, Any], answer: str
) -> None:
    samples = spread(latency) if "cannot" in answer else [latency * (1 + side) for side in (-0.001, 0.001)] * 7
    slower = [2 * sample for sample in samples]
    kernel_run(tmp_path, {("conv2d-3x3-256", *PYTORCH): samples, ("conv2d-3x3-256", *TENSORFLOW): slower}, **changes)
    _, found, facts = judged(tmp_path)
    assert re.fullmatch(f"{re.escape(LINE)}: {answer}", yardstick(found, facts)), yardstick(found, facts)
    files = report_files(load(tmp_path))
    assert f"{LINE}: ".replace("'", "&#39;") in files["index.html"].decode()
    assert LINE in files["report.md"].decode()


def test_a_convolution_that_was_not_measured(tmp_path: Path) -> None:
    kernel_run(tmp_path, {("k", *PYTORCH): spread(0.05)})
    _, found, facts = judged(tmp_path)
    assert yardstick(found, facts) == f"{LINE}: conv2d-3x3-256 was not measured."


# --- the page and the command ---------------------------------------------------------------------------------------


def test_many_kernels_have_no_chart_and_no_list_of_programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kernel_run(tmp_path, {(name, *PYTORCH): spread(0.05) for name in ("a", "b")})
    few = report_files(load(tmp_path))["index.html"].decode()
    for module in ("kernels", "site"):
        monkeypatch.setattr(f"reports.{module}.MANY", 1)
    many = report_files(load(tmp_path))["index.html"].decode()
    for text in ('"kernels-1":', "Every program of every kernel"):
        assert text in few and text not in many
    assert "Rates, memory and first calls of every program are in" in many
    assert 'class="scroll tall"' in many and 'class="scroll tall"' not in few


def test_a_chart_of_very_many_calls_holds_medians_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kernel_run(tmp_path, {("k", *PYTORCH): spread(0.05)})

    def chart() -> dict[str, Any]:
        page = report_files(load(tmp_path))["index.html"].decode()
        text = re.search(r'id="charts">(.*?)</script>', page, flags=re.S)
        assert text is not None
        found: dict[str, Any] = json.loads(text[1])["kernels-1"]
        return found

    (program,) = chart()["data"]["values"]
    assert len(program["calls"]) == 14
    monkeypatch.setattr("reports.charts.MANY_POINTS", 13)
    assert "calls" not in json.dumps(chart())


def test_certificates_of_kernels_are_one_line_each_unless_one_failed(tmp_path: Path) -> None:
    figures = {(name, *PYTORCH): spread(0.05) for name in ("good", "bad")}
    kernel_run(tmp_path, figures, certificates=[certificate("good", *PYTORCH), certificate("bad", *PYTORCH, 1.0)])
    files = report_files(load(tmp_path))
    proof = files["index.html"].decode().split('<section id="certificates">')[1].split("</section>")[0]
    assert "<strong>bad</strong>" in proof and "<strong>good</strong>" not in proof
    assert "<strong>1 kernel</strong>" in proof and "all 1 certificates passed" in proof
    markdown = files["report.md"].decode().split("## Certificates")[1]
    assert "- bad: 0 of 1 passed" in markdown and "- 1 kernel: all 1 certificates passed" in markdown


def test_kernels_that_a_run_had_nothing_to_do_with_are_left_out(tmp_path: Path) -> None:
    figures = {("timed", *PYTORCH): spread(0.05), ("timed", *TENSORFLOW): math.nan, ("unknown", *PYTORCH): math.nan}
    kernel_run(tmp_path, figures)
    found = {(row["workload"], row["framework"], row["status"]) for row in records(load(tmp_path).frame)}
    assert {("timed", "pytorch", "ok"), ("timed", "tensorflow", "n/a")} <= found
    assert "unknown" not in {workload for workload, _, _ in found}
