"""`evenbench train`: one training by its recipe, which goes on where the same command was interrupted."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import hwprobe
import impls
from impls.tasks.data.registry import named
from impls.tasks.recipes import QUALITY, RECIPES, Recipe
from suites import store, trained
from suites.choices import check_installed, mode_of, one_of
from suites.files import make_folder
from suites.profiles import STANDARD
from suites.worker_process import ROOT, imported

PATIENCE_S = 7 * 24 * 3600  # a training takes as long as it takes
Report = Callable[[int, int], None]
Found = dict[str, Any]


def chosen(model: str, framework: str, mode: str, recipes: str) -> tuple[str, Recipe]:
    """The mode and the recipe. Raises ValueError, one line that names what there is, or what helps to get the data."""
    found = RECIPES[one_of("table of recipes", recipes, RECIPES)]
    recipe = found[one_of("model with a recipe", model, found)]
    if why := named(recipe.data).missing():
        raise ValueError(why)
    check_installed(one_of("framework", framework, impls.FRAMEWORKS))
    return mode_of(framework, mode, STANDARD.training_modes[framework][0]), recipe


def train(
    model: str, framework: str, mode: str, recipe: Recipe, seed: int, out: Path | None, report: Report | None
) -> Found:
    """Train, and save the weights if `out` is a path: what the worker says of it.

    Raises WorkerError if the framework fails, OSError where nothing can be written.
    """
    program = {"workload": model, "framework": framework, "mode": mode}
    if out:
        make_folder(out.resolve().parent)  # before hours of work
    with imported("train", framework, hwprobe.usable_cpus(), STANDARD.timeout_s) as (worker, here):
        request = {"recipe": asdict(recipe), "seed": seed, "save": str(out.resolve()) if out else ""}
        request["checkpoint"] = str(checkpoint(program, request, here["versions"]))
        return worker.ask("fit", PATIENCE_S, report, program=program, **request)


def checkpoint(program: Found, request: Found, versions: Found) -> Path:
    """Where an interrupted training is kept: under all that it depends on."""
    facts = {"program": program, **request, "versions": versions, "source": store.source_hash(ROOT)}
    return trained.path(program["workload"], facts, trained.UNFINISHED)


@contextmanager
def progress(model: str) -> Iterator[Report | None]:
    """Says on a terminal how many steps are done; quiet elsewhere."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(f"training {model}", total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def lines(model: str, found: Found, recipe: Recipe) -> list[str]:
    """What a training came to, a line for each evaluation."""
    facts = impls.WORKLOADS[model].model
    assert facts
    name = QUALITY[facts.task]
    table = [
        f"step {one['step']:>6}  {one['seconds']:8.1f} s  loss {found['loss'][one['step'] - 1]:.4f}  "
        f"{name} {one['scores'][name]:.4f}"
        for one in found["scored"]
    ]
    reached = found["to_target"]
    until = f"reached after {reached:.1f} s" if reached is not None else "not reached"
    return [*table, f"target {name} {recipe.target:g} {until}; an epoch takes {found['epoch']:.1f} s"]
