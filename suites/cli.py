"""The command `evenbench`: the front door, which knows every room's command and nothing of what it does.

Rooms are imported inside the commands: --help must not wait for pandas, let alone for a framework.
"""

import os
import sys
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

from reports import baseline_command
from reports.command import compare, report
from suites import data_command, weights_command
from suites.probe_command import probe

INTERNAL, USAGE, FAILED = 1, 2, 3

app = typer.Typer(
    name="evenbench",
    help="Is this machine ready for deep learning, and which framework runs your model best on it?",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command()(probe)


@app.command()
def verify(
    workloads: Annotated[list[str] | None, typer.Argument(metavar="[WORKLOAD]...", help="Default: all.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the certificates as JSON.")] = False,
) -> None:
    """Prove that the programs of a workload do the same work, in every mode that the profile times.

    The profile is EVENBENCH_PROFILE (quick, standard, full; default quick); from standard on, bfloat16 is proven too.
    What was proven before, for the same code and versions, is read from the cache.

    Exit codes: 0 proven; 2 wrong usage; 3 a proof failed.

    Example: evenbench verify resnet50 conv2d-3x3
    """
    import impls
    from impls.equivalence import verify as prove
    from suites import certificates, profiles

    chosen = workloads or []
    if strangers := [name for name in chosen if name not in impls.WORKLOADS]:
        _fail(f"no such workload: {', '.join(strangers)} (there are {', '.join(impls.WORKLOADS)})")
    profile = profiles.current()
    programs = certificates.programs(chosen, profile)
    if not programs:
        _fail("none of the frameworks is installed: " + "; ".join(filter(None, map(impls.missing, impls.FRAMEWORKS))))
    with certificates.progress(len(programs)) as progress:
        found = prove(programs, progress, precisions=profile.precisions)
    if as_json:
        import json

        print(json.dumps(found, indent=2, allow_nan=False))
    else:
        certificates.show(found)
    raise typer.Exit(0 if all(certificate["passed"] for certificate in found) else FAILED)


@app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def run(
    context: typer.Context,
    profile: Annotated[str, typer.Option(help="quick, standard or full. Default: EVENBENCH_PROFILE, else quick.")] = "",
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with an interrupted run: only what is missing.")
    ] = False,
) -> None:
    """Measure: hand over to `asv run`, with all further arguments.

    Exit codes: 0 all done; 2 some benchmarks failed (the report names them) or wrong usage; 130, 143 interrupted.

    Example: evenbench run --profile standard --bench resnet50
    """
    from suites import launch, profiles

    if problem := launch.problem(Path.cwd()):
        _fail(problem)
    environment = launch.environment(profile or os.environ.get(profiles.VARIABLE) or profiles.QUICK.name)
    command = launch.command(context.args, resume)
    sys.stdout.flush()
    os.execve(command[0], command, environment)


@app.command("run-model")
def run_model(
    workload: Annotated[str, typer.Argument(help="A model of `evenbench workloads`.")],
    framework: Annotated[str, typer.Option(help="pytorch, tensorflow, keras-tensorflow, keras-torch or keras-jax.")],
    images: Annotated[Path, typer.Option("--input", help="Images: .npy, float32, (batch, height, width, 3).")],
    out: Annotated[Path, typer.Option(help="Where the outputs go: .npz, channels last, under the spec's names.")],
    weights: Annotated[Path | None, typer.Option(help=".npz under canonical names. Default: the seeded ones.")] = None,
    mode: Annotated[str, typer.Option(help="eager, graph or compiled. Default: the framework's first.")] = "",
    precision: Annotated[str, typer.Option(help="float32, bfloat16 or float64.")] = "float32",
    gradients: Annotated[bool, typer.Option("--gradients", help="Write the loss and its gradients, too.")] = False,
    targets: Annotated[
        Path | None, typer.Option(help="Labels or masks for the loss: .npy of integers. Default: class 0.")
    ] = None,
    classes: Annotated[int | None, typer.Option(help="Number of classes. Default: the weights', else 1000.")] = None,
    width: Annotated[float, typer.Option(help="Factor of all channels.")] = 1.0,
) -> None:
    """Run one program on your own images and write what comes out: to check it from outside.

    Weights: `evenbench weights init` and `evenbench weights import` write them.

    Exit codes: 0 done; 2 wrong usage or input.

    Example: evenbench run-model resnet50 --framework tensorflow --input x.npy --out y.npz --gradients
    """
    from suites.run_model import run as run_program

    names = run_program(workload, framework, mode, precision, images, weights, targets, gradients, classes, width, out)
    print(f"{out}: {len(names)} arrays ({', '.join(names[:3])}{', …' if len(names) > 3 else ''})")


@app.command()
def explain(
    model: Annotated[str, typer.Argument(help="A model of `evenbench workloads`.")],
    framework: Annotated[str, typer.Option(help="pytorch, tensorflow, keras-tensorflow, keras-torch or keras-jax.")],
    mode: Annotated[str, typer.Option(help="eager, graph or compiled. Default: the mode that quick measures.")] = "",
    image_size: Annotated[int | None, typer.Option(help="Pixels of a side. Default: the paper's.")] = None,
    batch_size: Annotated[int, typer.Option(help="Images of a call.", min=1)] = 1,
    as_json: Annotated[bool, typer.Option("--json", help="Print the account as JSON, every layer in it.")] = False,
) -> None:
    """Explain a model's inference time by its kernels: predicted against measured, layer by layer.

    Each distinct layer is measured as a kernel, in turns with the model; what their sum leaves of the model's time is
    the overhead. The framework's own profiler is asked, too.

    Exit codes: 0 done; 2 wrong usage; 3 the framework failed.

    Example: evenbench explain resnet50 --framework pytorch
    """
    from suites import explain as explaining
    from suites.worker_process import WorkerError

    chosen = explaining.check(model, framework, mode, image_size)
    try:
        found = explaining.explain(*chosen, batch_size)
    except WorkerError as error:
        print(f"evenbench: {error.kind}: {' '.join(error.message.split())}", file=sys.stderr)
        raise typer.Exit(FAILED) from None
    if as_json:
        import json

        print(json.dumps(found, indent=2))
    else:
        explaining.show(found)


@app.command()
def train(
    model: Annotated[str, typer.Argument(help="A model of `evenbench workloads`.")],
    framework: Annotated[str, typer.Option(help="pytorch, tensorflow, keras-tensorflow, keras-torch or keras-jax.")],
    mode: Annotated[str, typer.Option(help="eager, graph or compiled. Default: the one that runs train in.")] = "",
    seed: Annotated[int, typer.Option(help="Of the initial weights and of the order of the images.", min=0)] = 0,
    recipes: Annotated[str, typer.Option(help="Table of recipes: quick, standard or nuclei.")] = "standard",
    out: Annotated[Path | None, typer.Option(help="Where the trained weights go: .npz.")] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the loss of every step and all scores as JSON.")
    ] = False,
) -> None:
    """Train a model by its recipe, as a run does, and score the held-out part.

    If it is interrupted, the same command goes on where it was, to the same curve.

    Exit codes: 0 done, whatever the quality; 2 wrong usage; 3 the training failed.

    Example: evenbench train mobilenet_v2 --framework pytorch --out trained.npz
    """
    from suites import train as training
    from suites.worker_process import WorkerError

    mode, recipe = training.chosen(model, framework, mode, recipes)
    try:
        with training.progress(model) as report:
            found = training.train(model, framework, mode, recipe, seed, out, report)
    except WorkerError as error:
        print(f"evenbench: {error.kind}: {' '.join(error.message.split())}", file=sys.stderr)
        raise typer.Exit(FAILED) from None
    if as_json:
        import json

        print(json.dumps(found))
    else:
        print(*training.lines(model, found, recipe), sep="\n")


app.add_typer(weights_command.app)
app.add_typer(data_command.app)
app.command()(report)
app.command()(compare)
app.add_typer(baseline_command.app)


@app.command()
def workloads(
    as_json: Annotated[bool, typer.Option("--json", help="Print the table as JSON.")] = False,
) -> None:
    """List what there is to run: parameters, MACs, and the memory that it needed where it was measured.

    Example: evenbench workloads
    """
    from suites import catalogue

    if as_json:
        import json

        print(json.dumps(catalogue.rows(), indent=2))
    else:
        catalogue.show(catalogue.rows())


def _fail(message: str) -> NoReturn:
    print(f"evenbench: {' '.join(message.split())}", file=sys.stderr)
    raise typer.Exit(USAGE)


def main() -> NoReturn:
    """Run the command. What the user can mend is one line on stderr and exit code 2, never a traceback."""
    try:
        result: Any = app(standalone_mode=False)
        sys.exit(result if isinstance(result, int) else 0)
    except (OSError, ValueError) as error:  # no space, no permission, an unknown profile
        print(f"evenbench: {_line(error)}", file=sys.stderr)
        sys.exit(USAGE)
    except KeyboardInterrupt:
        sys.exit(130)
    except Exception as error:
        # Typer's and asv's own errors for the user; neither package exports a name for it that lasts.
        known = {kind.__name__ for kind in type(error).__mro__} & {"UsageError", "UserError", "Abort"}
        print(f"evenbench: {_line(error)}", file=sys.stderr)
        if not known and os.environ.get("EVENBENCH_DEBUG"):
            raise
        sys.exit(USAGE if known else INTERNAL)


def _line(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        place = f"{error.filename}: " if error.filename else ""
        return f"{place}{error.strerror}"
    text = error.format_message() if hasattr(error, "format_message") else str(error)
    return " ".join(text.split()) or type(error).__name__


if __name__ == "__main__":
    main()
