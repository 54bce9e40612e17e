"""`make power`: comparisons of runs are counted right, and one real run is measured as it says."""

import json
import random
import subprocess
import sys
from pathlib import Path
from statistics import median

import pytest
import typer

from suites import power
from suites.power import SLOWED, Figure, Series
from suites.profiles import STANDARD

ROOT = Path(__file__).parents[1]
CALLS = STANDARD.processes * STANDARD.blocks * STANDARD.calls_per_block
ONE, OTHER = Figure("resnet50", "pytorch"), Figure("resnet50", "tensorflow")


def run(level: float, slowdown: float, spread: float = 0.01, seed: int = 0) -> Series:
    """A run whose calls vary by a spread; each figure once as it is and once slowed."""
    order = random.Random(f"{level}/{seed}")
    samples = [level * order.gauss(1, spread) for _ in range(CALLS)]
    return {(ONE, ""): samples, (ONE, SLOWED): [value * (1 + slowdown) for value in samples]}


def test_equal_runs_are_no_alarms_and_what_is_slower_is_found() -> None:
    (outcome,) = power.judge([run(0.1, 0.05, seed=seed) for seed in range(5)])
    assert (outcome.figure, outcome.comparisons, outcome.false_alarms, outcome.found) == (ONE, 4, 0, 4)
    assert outcome.latency == pytest.approx(0.1, rel=0.01)
    assert 0 < outcome.noise < 0.01
    assert power.passes([outcome])


def test_runs_that_differ_are_alarms() -> None:
    (outcome,) = power.judge([run(level, 0.05) for level in (0.1, 0.11, 0.1)])
    assert outcome.false_alarms == 2
    assert outcome.found == 1  # from 0.11 to a slowed 0.1 it is faster: that is not what was to be found
    assert not power.passes([outcome])


def test_a_slowdown_within_the_noise_is_not_found() -> None:
    (outcome,) = power.judge([run(0.1, 0.001, spread=0.2, seed=seed) for seed in range(4)])
    assert outcome.found < 3
    assert not power.passes([outcome])


def test_the_bars_are_fewer_than_5_and_at_least_95_of_100() -> None:
    outcome = power.Outcome(ONE, 0.1, 0.01, comparisons=100, false_alarms=4, found=95)
    assert power.passes([outcome])
    assert not power.passes([outcome._replace(false_alarms=5)])
    assert not power.passes([outcome._replace(found=94)])
    lines = power.table([outcome, outcome._replace(figure=OTHER)], 0.05)
    assert "| resnet50, pytorch | 100.0 ms | ±1.0% | 100 | 4 | 95 |" in lines
    assert lines[-1].startswith("| all | | ±1.0% | 200 | 8 = 4.0% [1.7%, 7.7%] | 190 = 95.0% [")


@pytest.mark.slow
def test_a_run_times_every_figure_twice_and_the_slowed_one_is_slower(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(power, "MODELS", ("mobilenet_v3_small",))
    monkeypatch.setattr(power, "FRAMEWORKS", ("pytorch",))
    series = power.measure_run(0, slowdown=2.0, processes=1)
    figure = Figure("mobilenet_v3_small", "pytorch")
    assert set(series) == {(figure, ""), (figure, SLOWED)}
    assert {len(samples) for samples in series.values()} == {STANDARD.blocks * STANDARD.calls_per_block}
    assert median(series[figure, SLOWED]) > 2 * min(series[figure, ""])


def test_every_call_is_kept_run_by_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(power, "measure_run", lambda number, slowdown: run(0.1, slowdown, seed=number))
    with pytest.raises(typer.Exit) as ended:
        power.main(runs=3, slowdown=0.05, keep=tmp_path / "series.json")
    assert ended.value.exit_code == 0
    found = json.loads((tmp_path / "series.json").read_text())
    assert [len(one) for one in found] == [2, 2, 2]
    (first, slowed) = found[1]
    assert (first["workload"], first["framework"], first["kind"], slowed["kind"]) == (*ONE, "", SLOWED)
    assert first["seconds"] == run(0.1, 0.05, seed=1)[ONE, ""]


@pytest.mark.parametrize("arguments", [("--runs", "1"), ("--slowdown", "0"), ("--nosuch",)])
def test_wrong_usage_exits_2(arguments: tuple[str, ...]) -> None:
    command = [sys.executable, "-m", "suites.power", *arguments]
    answer = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (answer.returncode, answer.stdout) == (2, "")
