"""asv's command `run`: what it is asked for, what it refuses, and how it ends.

What the user can mend is one line on stderr and exit code 2, like everywhere here; asv has 1 for it.
"""

import re
import sys
from pathlib import Path
from typing import Any

from asv import util
from asv.benchmarks import Benchmarks
from asv.commands.run import Run
from asv.console import log
from asv.machine import Machine
from asv.results import Results

from suites import guard, store, worker_process

USAGE = 2
VERSIONS = {  # files in .asv -> the key under which they state their version, and the newest that is known here
    "runs/*/manifest.json": ("schema_version", store.SCHEMA_VERSION),
    "runs/*/measurements/*.json": ("schema_version", store.SCHEMA_VERSION),
    "results/benchmarks.json": ("version", Benchmarks.api_version),
    "results/*/machine.json": ("version", Machine.api_version),
    "results/*/*-*.json": ("version", Results.api_version),
}
run_of_asv = Run.run_from_conf_args.__func__
get_result_keys_of_asv = Results.get_result_keys
resume = False  # skip what exists
benchmarks: list[str] = []  # those that were asked for
runs = Path()  # the folder of all runs


def setup() -> None:
    """Called once, when asv loads the plugins."""
    Run.run_from_conf_args = classmethod(run)
    Results.get_result_keys = get_result_keys


def run(cls: Any, conf: Any, args: Any, **options: Any) -> Any:
    """`asv run`, refused or guarded."""
    global resume, benchmarks, runs
    resume = (args.skip_existing or args.skip_existing_successful) and not args.dry_run
    benchmarks = args.bench or []
    folder = Path(conf.results_dir).resolve().parent
    runs = folder / "runs"
    try:
        if args.attribute:
            what = f"attributes like {min(args.attribute)}"
            raise util.UserError(f"{what} belong to the profile here: set EVENBENCH_PROFILE")
        with guard.guarded(folder):
            store.refuse_newer(folder, VERSIONS)
            return run_of_asv(cls, conf, args, **options)
    except (util.UserError, store.RefusedError, OSError, re.error) as error:
        log.flush()
        print(f"evenbench: {_line(error)}", file=sys.stderr)
        sys.exit(USAGE)


def get_result_keys(found: Results, known: Any) -> set[str]:
    """asv's method of this name: which benchmarks have results, so that asv may skip them.

    None, where a run was interrupted that it is told to go on with: what is measured is looked up there again. It would
    not be complete otherwise, and older results of the same commit would pass for its own.
    """
    left = resume and store.interrupted(runs, identity(found.params["machine"], found.commit_hash, found.env_name))
    return set() if left and left["benchmarks"] == benchmarks else get_result_keys_of_asv(found, known)


def identity(machine: str, commit: str, env_name: str) -> store.Record:
    """What makes two runs the same, so that one may go on with the other."""
    source = store.source_hash(worker_process.ROOT)
    return {"machine": machine, "commit": commit, "env_name": env_name, "source": source}


def _line(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    return " ".join(str(error).split())
