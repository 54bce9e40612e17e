"""`evenbench weights`: published checkpoints, and seeded initial weights, as files of canonical weights."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from impls.weights import Weights

app = typer.Typer(
    name="weights",
    help="Make files of weights: from published checkpoints, or to start training from.",
    no_args_is_help=True,
)
Workload = Annotated[str, typer.Argument(metavar="WORKLOAD", help="A model, as `evenbench workloads` lists it.")]
Out = Annotated[Path, typer.Option(help="File to write, .npz; what was there is replaced.")]
Width = Annotated[float, typer.Option(help="Factor of all channels.", min=0.01)]


@app.command("import")
def import_(
    workload: Workload,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The checkpoint, in its publisher's format.")],
    out: Out,
    source: Annotated[
        str,
        typer.Option("--from", metavar="SOURCE", help="Whose checkpoint: torchvision, keras, timm or darknet."),
    ],
    width: Width = 1.0,
) -> None:
    """Turn a published checkpoint into canonical weights, which every framework loads.

    The number of classes is the checkpoint's. A file that is not that model's, or not whole, is refused with the
    first tensor that does not fit. Nothing in a file is ever run.

    Example: evenbench weights import resnet50 --from torchvision resnet50-11ad3fa6.pth --out resnet50.npz
    """
    from impls.checkpoints import read

    _check(workload)
    _write(workload, out, read(workload, source, file, width), width)


@app.command()
def init(
    workload: Workload,
    out: Out,
    seed: Annotated[int, typer.Option(help="Another seed, other weights.", min=0)] = 0,
    classes: Annotated[int | None, typer.Option(help="Number of classes. Default: the paper's.", min=1)] = None,
    width: Width = 1.0,
) -> None:
    """Write the seeded weights that training starts from.

    Example: evenbench weights init resnet50 --classes 10 --out start.npz
    """
    import impls

    _check(workload)
    _write(workload, out, impls.initial_weights(workload, classes, seed, width), width)


def _check(workload: str) -> None:
    import impls

    models = [name for name, one in impls.WORKLOADS.items() if one.model]
    if workload not in models:
        raise ValueError(f"no such model: {workload} (there are {', '.join(models)})")


def _write(workload: str, out: Path, weights: "Weights", width: float) -> None:
    import impls
    from impls.checkpoints import num_classes
    from suites.files import write_npz

    write_npz(out, weights)
    classes = num_classes(impls.WORKLOADS[workload], {name: array.size for name, array in weights.items()}, width)
    values = sum(array.size for name, array in weights.items() if ".running_" not in name)
    print(f"{out}: {workload}, {classes:,} classes, {values:,} parameters")
