"""`evenbench data`: what data sets there are, where each lies, and how to get it whole."""

import sys
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from impls.tasks.data import DataSet, Report, Skipped, Split
    from impls.tasks.data.verification import Counts

NOT_THERE = 3  # exit code
NAMED = 20  # of what is skipped for one reason

app = typer.Typer(
    name="data",
    help="Data sets: what there is, where it lies, how to get it whole.",
    no_args_is_help=True,
)
Name = Annotated[str, typer.Argument(metavar="NAME", help="A data set of `evenbench data list`.")]


@app.command("list")
def list_(
    as_json: Annotated[bool, typer.Option("--json", help="Print the table as JSON.")] = False,
) -> None:
    """List the data sets: what is in them, their licence, and whether they are here or what gets them here.

    They are looked for in EVENBENCH_DATA, by default in `data` of the cache folder.

    Example: evenbench data list
    """
    from impls.tasks.data.registry import DATA_SETS

    rows = [_row(one) for one in DATA_SETS.values()]
    if as_json:
        import json

        print(json.dumps(rows, indent=2))
    else:
        _show(rows)


@app.command()
def get(name: Name) -> None:
    """Download a data set if it is not here, then read every image and annotation of it.

    What is downloaded is kept only if its size and checksum are the publisher's. What is skipped is named, with the
    reason; what is broken ends the command with the name of the file.

    Exit codes: 0 it is here and whole; 2 it is not, or wrong usage.

    Example: evenbench data get nuclei
    """
    from impls.tasks.data import DataError
    from impls.tasks.data.registry import named
    from impls.tasks.data.verification import IMAGE_SIZE, verify

    data = named(name)
    with _progress() as report:
        if why := data.missing():
            if data.fetch is None:
                raise DataError(f"{name} cannot be downloaded: {why}")
            data.fetch(report)
        split = data.load(IMAGE_SIZE)
        counts = verify(data, split, report)
    _tell(data, split, counts)


@app.command()
def path(name: Name) -> None:
    """Print the folder of a data set: a folder that is somewhere else can be linked there.

    Exit codes: 0 it is here; 2 it has no folder, or wrong usage; 3 it is not here, the folder is where it belongs.

    Example: evenbench data path coco
    """
    from impls.tasks.data.registry import named

    data = named(name)
    if data.folder is None:
        raise ValueError(f"{name} has no folder: {data.how}")
    print(data.folder())
    if why := data.missing():
        print(f"evenbench: {why}", file=sys.stderr)
        raise typer.Exit(NOT_THERE)


def _row(data: "DataSet") -> dict[str, Any]:
    why = data.missing()
    classes, images = _size(data, here=why is None)
    return {
        "name": data.name,
        "task": data.task,
        "title": data.title,
        "classes": classes,
        "images": images and {"train": images[0], "held_out": images[1]},
        "origin": data.origin,
        "composited": data.composited,
        "licence": data.licence,
        "source": data.source,
        "folder": data.folder and str(data.folder()),
        "here": why is None,
        "missing": why,
        "how": data.how,
    }


def _size(data: "DataSet", here: bool) -> tuple[int | None, tuple[int, int] | None]:
    """Classes, and images of both parts; what is not stated is found out where the data are here."""
    from impls.tasks.data.verification import IMAGE_SIZE

    if here and (data.classes is None or data.images is None):
        split = data.load(IMAGE_SIZE)
        return len(split.classes), (len(split.train), len(split.held_out))
    return data.classes, data.images


def _show(rows: list[dict[str, Any]]) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table

    table = Table(
        caption=f"tiles and composited images: at {_image_size()} px",
        box=box.SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
        pad_edge=False,
    )
    table.add_column("Name", no_wrap=True)
    table.add_column("Task")
    for column in ("Classes", "Training", "Held out"):
        table.add_column(column, justify="right", no_wrap=True)
    for column in ("Origin", "Licence", "Here, or what helps"):
        table.add_column(column, overflow="fold")
    for row in rows:
        images = [f"{number:,}" for number in row["images"].values()] if row["images"] else ["", ""]
        classes = "" if row["classes"] is None else f"{row['classes']:,}"
        origin = "composited" if row["composited"] else row["origin"]
        here = "here" if row["here"] else row["how"]
        table.add_row(row["name"], row["task"], classes, *images, origin, row["licence"], here)
    Console(width=None if sys.stdout.isatty() else 120).print(table)


def _image_size() -> int:
    from impls.tasks.data.verification import IMAGE_SIZE

    return IMAGE_SIZE


def _tell(data: "DataSet", split: "Split", counts: "tuple[Counts, Counts]") -> None:
    """What was read, and what was skipped."""
    print(f"{data.name}: {data.task}, {len(split.classes):,} classes; every image was read")
    if data.folder:
        print(f"folder    {data.folder()}")
    for title, count in zip(("training", "held out"), counts, strict=True):
        boxes = f", {sum(count.of_class):,} boxes" if data.task == "detection" else ""
        print(f"{title:<9} {count.images:,} images{boxes}")
    print(f"SHA-256   {split.checksum}")
    for reason, skipped in _by_reason(split.skipped).items():
        print(f"skipped   {len(skipped):,} because {reason}:")
        for one in skipped[:NAMED]:
            print(f"          {one.where}")
        if len(skipped) > NAMED:
            print(f"          and {len(skipped) - NAMED:,} more")


def _by_reason(skipped: "tuple[Skipped, ...]") -> "dict[str, list[Skipped]]":
    found = defaultdict(list)
    for one in skipped:
        found[one.reason].append(one)
    return found


@contextmanager
def _progress() -> "Iterator[Report]":
    """What is being done and how far it is, on stderr; silent where that is no terminal."""
    if not sys.stderr.isatty():
        yield lambda _step, _done, _total: None
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("looking for it", total=None)
        yield lambda step, done, total: bar.update(task, description=step, completed=done, total=total)
