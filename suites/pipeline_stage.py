"""Input pipelines in a run: each is proven in its first pass, then all deliver passes in turns."""

import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from impls.pipelines import photographs, spec
from suites import steady
from suites.latency import blocks_of
from suites.plan import Program
from suites.stages import Record, StageRun
from suites.worker_process import WorkerError


@contextmanager
def files(format: str) -> Iterator[list[str]]:
    """Paths of the files that all pipelines read, gone afterwards. Raises OSError where there is no space for them."""
    with tempfile.TemporaryDirectory(prefix="evenbench-") as folder:
        yield photographs.write(Path(folder), format, spec.FILES)


def request(framework: str, format: str, paths: list[str], workers: int, seed: int = 0) -> Record:
    """What a worker has to know to build a framework's pipeline: the arguments of load_pipeline."""
    images = {"format": format, "files": paths, "batches": spec.batches(workers), "seed": seed}
    return {"framework": framework, "images": images, "workers": workers}


def record(answer: Record) -> Record:
    """What is known once a pipeline is loaded; add puts to it what a pass took.

    latency: seconds a batch, one figure a pass. first_batch: seconds from a pass's start to its first batch;
    cold_first_batch: in the first pass.
    """
    return {"latency": [], "first_batch": [], "cold_first_batch": [answer["first_batch"]]}


def add(known: Record, answer: Record) -> None:
    """Add a pass."""
    known["latency"] += answer["samples"]
    known["first_batch"].append(answer["first_batch"])


def certificate(program: Program, check: Record) -> Record:
    """The proof as it stands in a manifest."""
    return {
        **program.names,
        "as_installed": False,
        "reference": "NumPy",
        "sizes": f"{spec.IMAGE_SIZE} px batch {spec.BATCH_SIZE}, {check['tensor']}",
        "passed": check["passed"],
        "checks": [check],
        "error": None,
    }


def measure(run: StageRun) -> None:
    """Prove each pipeline and warm it up; then passes of all of them in blocks, in random order.

    A pipeline that delivers something else is measured all the same: the report withholds its ranking.
    """
    format = spec.WORKLOADS[run.stage.workload]
    with ExitStack() as stack:
        try:
            paths = stack.enter_context(files(format))
        except (OSError, ValueError) as error:  # no space, other photographs
            _fail(run, str(error))
            return
        _measure(run, format, paths)


def _fail(run: StageRun, why: str) -> None:
    for program in run.stage.programs:
        with run.attempt(program):
            raise WorkerError("exception", why, [])
        run.progress.advance()
    run.progress.advance()


def _measure(run: StageRun, format: str, paths: list[str]) -> None:
    loaded, seconds = _load(run, format, paths)
    run.watch.look()
    blocks = blocks_of(run, seconds)
    for block in range(blocks):
        run.say(f"block {block + 1} of {blocks}")
        for program in run.shuffled(loaded):
            with run.attempt(program, loaded):
                for _ in range(run.profile.calls_per_block):
                    add(loaded[program], run.crew.ask(program, "measure_pass", key=run.key(program)))
        run.watch.look()
    for program in loaded:
        with suppress(WorkerError):  # it has died, with the worker
            run.crew.ask(program, "drop", key=run.key(program))
    run.progress.advance()
    for program, known in loaded.items():
        row = {**run.stage.row(program), "stage": run.stage.phase}
        doubts = steady.doubts(known["latency"], run.profile.calls_per_block, 0)
        run.records.append({**row, **known, "calls": [len(known["latency"])], "unstable": doubts})


def _load(run: StageRun, format: str, paths: list[str]) -> tuple[dict[Program, Record], float]:
    """What is known of each pipeline that delivers, and the seconds of a pass of all of them."""
    loaded, seconds = {}, 0.0
    for program in run.shuffled(run.stage.programs):
        run.say(f"starting {program.label}")
        with run.attempt(program):
            arguments: Record = request(program.framework, format, paths, run.crew.threads, run.profile.seed)
            answer = run.crew.ask(program, "load_pipeline", key=run.key(program), **arguments)
            run.crew.run.certify(certificate(program, answer["check"]))
            (batch,) = run.crew.ask(program, "measure_pass", key=run.key(program))["samples"]
            seconds += batch * spec.batches(run.crew.threads)
            loaded[program] = record(answer)
        run.progress.advance()
    return loaded, seconds
