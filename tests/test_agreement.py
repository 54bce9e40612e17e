"""`make agreement`: all time the same call, the tables say what the samples say, and the overhead is the loop's own."""

import os
import re
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

import impls
from suites import agreement, command, overhead, worker
from suites.agreement import Agreement, Overhead

ROOT = Path(__file__).parent.parent
CELL = re.compile(r"(?:\*\*)?([\d.]+) \[([\d.]+), ([\d.]+)\](?:\*\*)?, ([\d.]+) ms")
OTHERS = ["evenbench, again", "torch.utils.benchmark", "pyperf", "timm's method"]
# Everyone times a program that sleeps for 5 ms. The script does what that of timm offers, which is in no package.
SLEEPER = """
import sys, time
from pathlib import Path
import impls
from suites import agreement_pytorch as others, worker

class Sleeper:
    calls = 0
    def predict(self):
        Sleeper.calls += 1
        time.sleep(0.005)

worker.runtime = impls.runtime("pytorch")
worker.programs[others.KEY] = (Sleeper(), ())
call = Sleeper().predict
turns = {
    "ours": others.ours,
    "torch": others.torch_benchmark(call, 2),
    "pyperf": others.pyperf_worker(call),
    "timm": lambda: others.timm_method(call),
    "script": others.timm_benchmark(call, Path(sys.argv[1]), "mobilenet_v2", 1),
}
for name in (*turns, "pyperf"):
    before = Sleeper.calls
    seconds = turns[name]()
    print("answer", name, seconds, Sleeper.calls - before)
"""
SCRIPT = """
import time
class InferenceBenchmarkRunner:
    def __init__(self, model_name, device, batch_size, num_warm_iter, num_bench_iter):
        assert model_name == "mobilenetv2_100"
        self.warm, self.count = num_warm_iter, num_bench_iter
    def run(self):
        for _ in range(self.warm):
            self.model(None)
        start = time.perf_counter()
        for _ in range(self.count):
            self.model(None)
        return {"step_time": (time.perf_counter() - start) / self.count * 1e3}
"""


def python(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """A process whose threads do not spin while other tests run."""
    environment = {**os.environ, "OMP_WAIT_POLICY": "PASSIVE"}
    line = [sys.executable, *arguments]
    return subprocess.run(line, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)


def cells(line: str) -> list[str]:
    """A line of a Markdown table."""
    return [cell.strip() for cell in line.strip("|").split("|")]


@pytest.mark.slow
def test_the_smallest_comparison_is_a_real_one() -> None:
    answer = python("-m", "suites.agreement", "mobilenet_v2", "--processes", "1", "--blocks", "2")
    assert answer.returncode in (0, 3), answer.stderr
    models, frameworks = (part.splitlines() for part in answer.stdout.split("\n\n"))
    header, _, row = map(cells, models)
    assert header == ["Model", "evenbench, ms", *OTHERS]
    name, ours, *others = row
    assert name == "mobilenet_v2" and float(ours) > 0
    for cell in others:
        ratio, low, high, theirs = map(float, CELL.fullmatch(cell).groups())
        assert 0 < low <= ratio <= high
        assert theirs > 0
    rows = [cells(line) for line in frameworks[2:] if line.startswith("|")]
    assert [row[0] for row in rows] == list(impls.FRAMEWORKS)
    assert all(float(figure.strip("*").removesuffix(" µs")) > 0 for row in rows for figure in row[1:4])
    assert answer.returncode == (3 if "**" in answer.stdout else 0)


@pytest.mark.slow
def test_all_time_the_same_call(tmp_path: Path) -> None:
    script = tmp_path / "benchmark.py"
    script.write_text(SCRIPT)
    answer = python("-c", SLEEPER, script)
    assert answer.returncode == 0, answer.stderr
    found = [line.split()[1:] for line in answer.stdout.splitlines() if line.startswith("answer")]
    assert [name for name, *_ in found] == ["ours", "torch", "pyperf", "timm", "script", "pyperf"]
    assert all(0.005 <= float(seconds) < 1 for _, seconds, _ in found)  # no one can sleep for less; ms would be 5
    # Ten are timed; before them come two, pyperf's as many as one of its values is the mean of.
    assert [int(calls) for *_, calls in found] == [12, 12, 15, 12, 12, 15]


def test_ratios_are_of_each_process_s_medians() -> None:
    ours = [[1.00, 1.00, 9.00], [1.02, 1.02, 1.02], [1.04, 0.50, 1.04]]
    found = agreement.agreements([{"evenbench": seconds, "pyperf": [1.0, 1.0, 5.0]} for seconds in ours])
    assert found.keys() == {"pyperf"}
    assert found["pyperf"] == Agreement(1.0, 1.02, 1.00, 1.04)
    assert str(found["pyperf"]) == "1.020 [1.000, 1.040], 1000 ms"
    # One process has its blocks for units.
    (one,) = agreement.agreements([{"evenbench": [0.0030, 0.0033, 0.0036], "pyperf": [0.003] * 3}]).values()
    assert (one.ratio, one.low, one.high) == pytest.approx((1.1, 1.0, 1.2))
    assert str(one) == "**1.100 [1.000, 1.200]**, 3.00 ms"


@pytest.mark.parametrize(
    ("ratio", "low", "high", "holds"),
    [
        (1.0, 0.9, 1.1, True),
        (1.019, 1.015, 1.03, True),
        (0.981, 0.9, 0.985, True),
        (1.021, 0.9, 1.1, False),
        (0.979, 0.9, 1.1, False),
        (1.01, 1.021, 1.03, False),
        (0.99, 0.9, 0.979, False),
    ],
)
def test_agreement_is_within_two_per_cent(ratio: float, low: float, high: float, holds: bool) -> None:
    assert Agreement(1.0, ratio, low, high).holds is holds


def test_overhead_is_below_a_microsecond_or_a_thousandth() -> None:
    assert Overhead("pytorch", 0.9e-6, 0.5e-6, 5e-6).holds
    assert Overhead("tensorflow", 3e-6, 2e-6, 4e-3).holds
    slow = Overhead("keras-jax", 3e-6, 2e-6, 5e-6)
    assert not slow.holds
    assert str(slow) == "| keras-jax | **3.00 µs** | 2.00 µs | 5.00 µs | 60.00% |"


def test_overhead_counts_the_wait_for_the_device(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(overhead, "CALLS", 20)
    monkeypatch.setattr(worker, "programs", {overhead.KEY: (overhead.Nothing(), ())})
    runtime = SimpleNamespace(synchronize=lambda: time.sleep(0.001), compilations=lambda: 0)
    monkeypatch.setattr(worker, "runtime", runtime)
    loop, sample = overhead.turn(overhead.KEY)
    assert loop >= 0.001 and sample >= 0.001


def test_a_process_that_fails_is_one_line() -> None:
    with pytest.raises(RuntimeError, match=r"^suites\.overhead: KeyError: 'nosuch'$"):
        agreement.ask("suites.overhead", 1, framework="nosuch", mode="eager")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["yolov3"], "no such model to compare: yolov3 (there are resnet50, mobilenet_v2)"),
        (["--processes", "0"], "Invalid value for '--processes': Input should be greater than or equal to 1"),
        (["--blocks", "1"], "'--blocks'"),
        (["--batch-size", "x"], "'--batch-size'"),
        (["--timm-script", "/nosuch"], "'/nosuch' does not exist"),
        (["--nosuch"], "No such option: --nosuch"),
    ],
)
def test_bad_input_is_one_line(
    arguments: list[str], said: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["agreement", *arguments])
    with pytest.raises(SystemExit) as end:
        command.main(agreement.agreement, "agreement")
    printed = capsys.readouterr()
    assert (end.value.code, printed.out) == (2, "")
    (line,) = printed.err.splitlines()
    assert line.startswith("evenbench: ") and said in line
