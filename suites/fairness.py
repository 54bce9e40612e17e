"""`make fairness`: our implementations against the frameworks' own, in turns in one process, as a Markdown table.

python -m suites.fairness [MODEL…] [--framework F…] [--blocks N] [--out TABLE.md]

A row is one model in one framework, at the paper's image size, in one phase and batch size. Both programs are called in
blocks, in random order; the ratio is the median over the blocks of ours / reference, each block's own, with the 95 %
bootstrap interval of that median. Where the two networks do not have the same multiply-accumulates (Keras' ResNet50 is
version 1) both times are divided by their own, and the row says so.
"""

import argparse
import random
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from scipy import stats

import hwprobe
import impls
from impls import references
from suites.plan import Program
from suites.profiles import QUICK
from suites.worker_process import WorkerError, WorkerProcess, environment

LIMIT = 1.03
BATCHES = (1, 8)
PHASES = ("inference", "training")
SECONDS = 20.0  # of calls of one row beyond which there are fewer blocks
LEAST_BLOCKS, CALLS = 7, 2
HEADER = "| Model | Framework | Reference | Phase | Batch | Ours | Reference | Ours / reference (95 %) | |"


@dataclass(frozen=True)
class Row:
    """One comparison; latencies in seconds."""

    workload: str
    framework: str
    mode: str
    phase: str
    batch_size: int
    ours: float
    reference: float
    ratio: float
    low: float
    high: float
    per_mac: bool

    def __str__(self) -> str:
        verdict = "" if self.low <= LIMIT else f"slower than {LIMIT}"
        note = "; ".join(filter(None, ("per MAC" if self.per_mac else "", verdict)))
        figures = f"{self.ours * 1e3:.1f} ms | {self.reference * 1e3:.1f} ms"
        ratio = f"{self.ratio:.3f} [{self.low:.3f}, {self.high:.3f}]"
        title = references.title(self.workload, self.framework)
        program = f"{self.workload} | {self.framework} {self.mode} | {title}"
        return f"| {program} | {self.phase} | {self.batch_size} | {figures} | {ratio} | {note} |"


def compare(program: Program, phase: str, batch_size: int, blocks: int, worker: WorkerProcess) -> Row:
    """Measure one row in a worker that has imported the framework. Raises WorkerError."""
    work = impls.WORKLOADS[program.workload]
    assert work.model
    size = {"image_size": work.model.image_size, "batch_size": batch_size}
    classes = {"num_classes": work.model.num_classes}

    def ask(do: str, **request: Any) -> dict[str, Any]:
        return worker.ask(do, QUICK.timeout_s, **request)

    common = {"phase": phase, "program": program._asdict(), "seed": 0}
    ask("load", key="ours", options=classes, size=size, **common)
    macs = sum(work.macs())
    public = ask("load_reference", key="reference", **classes, **size, **common)["macs"]
    warm = [ask("warm_up", key=key, phase=phase, calls=2)["seconds"] for key in ("ours", "reference")]
    blocks = max(LEAST_BLOCKS, min(blocks, int(SECONDS / (sum(warm) * CALLS))))
    order = random.Random(f"{program}/{phase}/{batch_size}")
    samples: dict[str, list[float]] = {"ours": [], "reference": []}
    for _ in range(blocks):
        for key in order.sample(list(samples), 2):
            answer = ask("measure", key=key, phase=phase, calls=CALLS, settle_calls=1)
            samples[key].append(float(np.median(answer["samples"])))
    for key in samples:
        ask("drop", key=key)
    ours, reference = (np.array(samples[key]) for key in ("ours", "reference"))
    ratios = ours / reference * (public / macs)
    interval = stats.bootstrap((ratios,), np.median, rng=np.random.default_rng(0)).confidence_interval
    return Row(
        *program,
        phase,
        batch_size,
        float(np.median(ours)),
        float(np.median(reference)),
        float(np.median(ratios)),
        float(interval.low),
        float(interval.high),
        public != macs,
    )


def rows(models: list[str], frameworks: list[str], blocks: int) -> Iterator[Row | str]:
    """Every row, or why there is none."""
    threads = hwprobe.usable_cpus()
    with tempfile.TemporaryDirectory(prefix="evenbench-") as folder:
        for workload in models:
            for framework in frameworks:
                if reason := references.missing(workload, framework):
                    yield f"{workload}, {framework}: n/a, {reason}"
                    continue
                program = Program(workload, framework, QUICK.modes[framework][0])
                for phase in PHASES:
                    worker = WorkerProcess(sys.executable, "fairness", Path(folder) / "log", environment(threads))
                    try:
                        worker.ask("import_framework", QUICK.timeout_s, framework=framework, threads=threads)
                        for batch_size in BATCHES:
                            yield compare(program, phase, batch_size, blocks, worker)
                    except WorkerError as error:
                        yield f"{workload}, {framework}, {phase}: failed, {error.message}"
                    finally:
                        worker.close()


def main() -> int:
    """Print the table row by row; 0 if no row is slower than the limit with its whole interval, 3 if one is."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    names = [name for name, work in impls.WORKLOADS.items() if work.model]
    parser.add_argument("models", nargs="*", metavar="MODEL", help="default: all that have a reference")
    parser.add_argument("--framework", action="append", choices=impls.FRAMEWORKS)
    parser.add_argument("--blocks", type=int, default=15)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    if strangers := [name for name in options.models if name not in names]:
        parser.error(f"no such model: {', '.join(strangers)} (there are {', '.join(names)})")
    known = {name for models, _ in references.REFERENCES.values() for name in models}
    models = options.models or [name for name in names if name in known]
    lines = [HEADER, "|---|---|---|---|---|---|---|---|---|"]
    print("\n".join(lines), flush=True)
    remarks, slow = [], 0
    for found in rows(models, options.framework or list(impls.FRAMEWORKS), options.blocks):
        if isinstance(found, str):
            remarks.append(found)
            continue
        slow += found.low > LIMIT
        lines.append(str(found))
        print(found, flush=True)
    text = "\n".join([*lines, "", *(f"- {remark}" for remark in remarks)])
    print("\n".join(["", *(f"- {remark}" for remark in remarks)]))
    if options.out:
        options.out.write_text(text + "\n")
    return 3 if slow else 0


if __name__ == "__main__":
    sys.exit(main())
