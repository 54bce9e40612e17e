"""`make kills`: kills real runs at random moments, and looks whether anything that was finished is lost.

In a copy of the checkout, with PyTorch alone, `asv run --skip-existing-successful` measures some kernels. At moments
drawn over the whole length of a run, either it or one of its children is killed (kill -9). Every file must be valid
then, and every number that stood in one before must be there with the same samples. A run that was killed is gone on
with; one that is complete is followed by one of another commit. As many copies as there are CPUs go on side by side.
"""

import random
import shutil
import sys
import time
from collections import Counter
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from subprocess import Popen, TimeoutExpired
from tempfile import TemporaryDirectory
from typing import Annotated, NamedTuple

import psutil
import typer

import hwprobe
from suites import ledger
from suites.checkout import Checkout
from suites.files import read_json
from suites.launch import problem
from suites.worker_process import ROOT

USAGE, LOST = 2, 3
KERNELS = "conv2d-1x[17]|dense-2048-1000|relu-256x56|hard_swish-240x14|(residual_add|concat|upsample_nearest)-\\w+"
BENCHMARKS = rf"kernels\.\w+\.track_(latency|first_call)\('({KERNELS})', 'pytorch', 'eager'"
RUN = ("run", "--skip-existing-successful", "--bench", BENCHMARKS)
GONE_S = 60  # within which all that a killed run had started must have ended
KEPT_COMMITS = 3  # whose results are read again and again; then they are deleted, or reading would take longest


class Lane:
    """Runs in one checkout, one after the other, and who kills them. lost: what should be otherwise, a line each."""

    def __init__(self, checkout: Checkout, model: "Undisturbed", dice: random.Random) -> None:
        self.checkout = checkout
        self.model = model
        self.dice = dice
        self.kills: Counter[tuple[str, str]] = Counter()  # who, when -> how often
        self.numbers = 0  # of complete runs, as asv has them
        self.lost: list[str] = []
        self._known: ledger.Numbers = {}
        self._commits = 0

    def kill(self, times: int) -> "Lane":
        """Kill so often, then have a run completed."""
        while self.kills.total() < times:
            process, before = self.checkout.start(*RUN), self.kills.total()
            while process.poll() is None and self.kills.total() < times:
                wait_s = self.dice.uniform(0, self.model.seconds)
                with suppress(TimeoutExpired):
                    process.wait(timeout=wait_s)
                if process.poll() is None:
                    who, moment = self._kill_one(process)
                    self.kills[who, moment] += 1
                    print(f"lane {self.checkout.folder.name}: after {wait_s:.1f} s {who}, {moment}", flush=True)
            self._end(process, disturbed=self.kills.total() > before)
        self._end(self.checkout.start(*RUN), disturbed=False)
        return self

    def _kill_one(self, process: "Popen[bytes]") -> tuple[str, str]:
        """Kill the run or a child, and look: who it was, and when."""
        runner = psutil.Process(process.pid)
        children = runner.children(recursive=True)
        victim = self.dice.choice(children) if children and self.dice.random() < 0.5 else runner
        moment = self._moment()
        self._look()
        with suppress(psutil.NoSuchProcess):  # it may have ended meanwhile
            victim.kill()
        if victim is runner:
            process.wait()
            alive = psutil.wait_procs(children, timeout=GONE_S)[1]
            self.lost += [f"process {one.pid} lives on, though its run was killed" for one in alive]
        self._look()
        return "the run" if victim is runner else "a child", moment

    def _moment(self) -> str:
        run = self.checkout.run
        stages = len((read_json(run / "measurements" / "kernels.json") or {"stages": []})["stages"]) if run else 0
        if not stages:
            return "before the first stage"
        return "between two stages" if stages < self.model.stages else "after the last stage"

    def _look(self) -> None:
        """Read all files: what stood there before must be there."""
        try:
            found = ledger.numbers(self.checkout.store)
        except ValueError as error:
            self.lost.append(str(error))
            return
        self.lost += [f"gone or changed: {key}" for key in ledger.missing(self._known, found)]
        self._known |= found

    def _end(self, process: "Popen[bytes]", disturbed: bool) -> None:
        """Wait for the end of a run. If it is complete then, all must be there, and another commit is next."""
        process.wait()
        self._look()
        run = self.checkout.run
        manifest = (read_json(run / "manifest.json") or {}) if run else {}
        if run is None or not manifest.get("finished_at"):
            if not disturbed:
                self.lost.append(f"a run that nobody killed ended early: {self.checkout.output[-500:]}")
            return
        stages = _count(self._known, f"runs/{run.name}/", " complete")
        told = _count(self._known, f"results/{manifest['machine']}/{manifest['commit'][:8]}-", " result")
        if stages != self.model.stages:
            self.lost.append(f"{run.name} is complete with {stages} of {self.model.stages} stages")
        if told != self.model.results and not manifest["failures"]:
            self.lost.append(f"{run.name} is complete and without failures, but asv has {told} of {self.model.results}")
        self.lost += [f"left over: {path}" for path in self.checkout.store.rglob(".*.tmp")]
        self.numbers += told
        self.checkout.commit()
        self._commits += 1
        if self._commits % KEPT_COMMITS == 0:
            shutil.rmtree(self.checkout.store)
            self._known = {}


class Undisturbed(NamedTuple):
    """A run that nobody kills: its seconds without the proofs, which later ones find, and what it leaves."""

    seconds: float
    stages: int
    results: int  # of asv


def undisturbed(checkout: Checkout) -> Undisturbed:
    """Have such a run. Raises RuntimeError where it fails."""
    start = time.monotonic()
    code = checkout.start(*RUN).wait()
    seconds = time.monotonic() - start
    manifest = read_json(checkout.run / "manifest.json") if checkout.run else None
    if code or not manifest:
        raise RuntimeError(f"a run that nobody kills ends with {code}: {checkout.output[-500:]}")
    found = ledger.numbers(checkout.store)
    counts = _count(found, "runs/", " complete"), _count(found, "results/", " result")
    return Undisturbed(seconds - manifest["time"]["verifying_s"], *counts)


def _count(keys: Iterable[str], beginning: str, ending: str) -> int:
    return sum(key.startswith(beginning) and key.endswith(ending) for key in keys)


def main(
    kills: Annotated[int, typer.Option(help="How often to kill.", min=1)] = 200,
    seed: Annotated[int, typer.Option(help="Of the moments and the victims.")] = 0,
) -> None:
    """Kill runs at random moments, and count what is lost.

    Exit codes: 0 nothing is lost or left over; 2 wrong usage; 3 something is, or a run fails by itself: it is named.

    Example: python -m suites.kills --kills 200
    """
    if why := problem(ROOT):
        print(f"evenbench: {why}", file=sys.stderr)
        raise typer.Exit(USAGE)
    start = time.monotonic()
    with TemporaryDirectory(prefix="evenbench-") as folder:
        first = Checkout(Path(folder, "0"))
        first.make()
        try:
            model = undisturbed(first)
        except RuntimeError as error:
            print(f"evenbench: {error}", file=sys.stderr)
            raise typer.Exit(LOST) from None
        first.commit()
        count = min(kills, hwprobe.usable_cpus())
        print(f"seed {seed}; a run takes {model.seconds:.0f} s; {count} of them side by side", flush=True)
        checkouts = [first, *(first.copy(Path(folder, str(number))) for number in range(1, count))]
        lanes = [Lane(one, model, random.Random(f"{seed}/{one.folder.name}")) for one in checkouts]
        shares = [kills // count + (number < kills % count) for number in range(count)]
        with ThreadPoolExecutor(count) as pool:
            list(pool.map(Lane.kill, lanes, shares))
    lost = [line for lane in lanes for line in lane.lost]
    for line in lost:
        print(f"evenbench: {line}", file=sys.stderr)
    print(summary(lanes, time.monotonic() - start))
    raise typer.Exit(LOST if lost else 0)


def summary(lanes: list[Lane], seconds: float) -> str:
    """One line."""
    kills = sum((lane.kills for lane in lanes), Counter[tuple[str, str]]())
    parts = [f"{count} of {who} {moment}" for (who, moment), count in sorted(kills.items())]
    kept, lost = sum(lane.numbers for lane in lanes), sum(len(lane.lost) for lane in lanes)
    return f"{kills.total()} kills in {seconds:.0f} s ({', '.join(parts)}): {kept} numbers kept, {lost} lost"


if __name__ == "__main__":
    typer.run(main)
