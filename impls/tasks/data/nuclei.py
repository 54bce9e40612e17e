"""Nuclei of cells: one microscope image of 512 x 512 pixels, in which 125 are outlined by hand.

Source: Caicedo et al., "Nucleus segmentation across imaging experiments: the 2018 Data Science Bowl", Nature Methods
2019; the wheel of stardist (BSD-3-Clause) carries image and mask as TIFF files, and is read without being installed.

The upper 384 rows are trained on, the lower 128 are held out; no pixel is in both, and of the 125 nuclei the 5 that
the border cuts have a piece in each. The training part are 256 tiles at seeded places, the held-out part is a grid of
tiles: at 32, 64 and 128 pixels each of its pixels is in one, at other sizes what is left at the right and below is in
none.
Standardised by mean and deviation of the upper rows; the one channel is repeated three times.
"""

import hashlib
import subprocess
import sys
import zlib
from functools import partial
from io import BytesIO
from pathlib import Path
from zipfile import BadZipFile, ZipFile

import numpy as np

from impls.tasks.data import DataError, DataSet, Report, Split
from impls.tasks.data.arrays import Arrays
from impls.tasks.data.download import prepared
from impls.tasks.data.folder import data_folder

REQUIREMENT = "stardist==0.9.1"
# One and the same wheel, whatever Python and system this is: nothing in it is run.
WHEEL = ("--no-deps", "--only-binary=:all:", "--python-version=3.11", "--platform=manylinux2014_x86_64")
FILES = {  # SHA-256
    "stardist/data/images/img2d.tif": "f9ccc1571b92c861ff87e28463068b43f61bd47357ed0503f711e5cd1eb97750",
    "stardist/data/images/mask2d.tif": "59ad5e820b7982ca9d13e946fa6e7f64e2714899e00a2ae6c69aa79aad53d46f",
}
CLASSES = ("background", "nucleus")
TRAINED_ROWS = 384
TILES = 256  # of the training part
REMEDY = "evenbench data get nuclei"

folder = partial(data_folder, "nuclei")


def missing() -> str | None:
    """Why it cannot be loaded."""
    return None if _wheel(folder()) else f"{folder()} has no wheel of stardist: {REMEDY}"


def load(image_size: int) -> Split:
    """Tiles of both parts. Raises DataError if the wheel is not there or not what was tested; ValueError for a size
    above the held-out rows."""
    if why := missing():
        raise DataError(why)
    image, mask = read(folder())
    held_out_rows = len(image) - TRAINED_ROWS
    if not 0 < image_size <= held_out_rows:
        raise ValueError(f"tiles of the nuclei have 1 to {held_out_rows} pixels of a side, not {image_size}")
    upper = image[:TRAINED_ROWS]
    scaled = ((image - upper.mean()) / upper.std()).astype(np.float32)
    generator = np.random.default_rng(0)
    rows, columns = image.shape
    seeded = generator.integers(0, (TRAINED_ROWS - image_size + 1, columns - image_size + 1), (TILES, 2))
    grid = np.mgrid[TRAINED_ROWS : rows - image_size + 1 : image_size, 0 : columns - image_size + 1 : image_size]
    train, held_out = (_tiles(scaled, mask, places, image_size) for places in (seeded, grid.reshape(2, -1).T))
    return Split(train, held_out, CLASSES, hashlib.sha256("".join(FILES.values()).encode()).hexdigest())


def _tiles(image: np.ndarray, mask: np.ndarray, places: np.ndarray, image_size: int) -> Arrays:
    images, masks = (
        np.stack([array[top : top + image_size, left : left + image_size] for top, left in places])
        for array in (image, mask)
    )
    return Arrays(np.repeat(images[..., np.newaxis], 3, axis=-1), masks)


def _wheel(place: Path) -> Path | None:
    return next(iter(sorted(place.glob("stardist-*.whl"))), None)


def read(place: Path) -> tuple[np.ndarray, np.ndarray]:
    """The image (512, 512) float64 and its mask (512, 512) int64, 1 in nuclei, of the wheel in a folder.

    Raises DataError if there is none, or its files are not those that were tested.
    """
    from PIL import Image

    wheel = _wheel(place)
    if wheel is None:
        raise DataError(f"{place}: no wheel of stardist")
    found = []
    for name, sha256 in FILES.items():
        try:
            with ZipFile(wheel) as archive:
                content = archive.read(name)
        except (OSError, BadZipFile, KeyError, zlib.error) as error:
            raise DataError(f"{wheel}: {error.args[-1]}") from error
        if hashlib.sha256(content).hexdigest() != sha256:
            raise DataError(f"{wheel}: {name} is not the file that this benchmark was made with")
        found.append(np.asarray(Image.open(BytesIO(content))))
    return found[0].astype(np.float64), (found[1] > 0).astype(np.int64)


def fetch(report: Report) -> None:
    """Download the wheel with pip. Raises DataError where pip cannot, or it is not what was tested."""
    with prepared(folder()) as content:
        report(f"downloading {REQUIREMENT}", 0, None)
        command = [sys.executable, "-m", "pip", "download", *WHEEL, "--dest", str(content), REQUIREMENT]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            lines = [line for line in done.stderr.splitlines() if line.strip()]
            why = next((line for line in lines if line.startswith("ERROR")), lines[-1] if lines else "no reason given")
            raise DataError(f"pip download {REQUIREMENT}: {why.removeprefix('ERROR: ')}")
        read(content)


DATA_SETS = (
    DataSet(
        name="nuclei",
        task="segmentation",
        title="Nuclei of cells, tiles of one image with 125",
        licence="BSD-3-Clause (stardist's wheel)",
        source="Caicedo et al., 2018 Data Science Bowl, Nature Methods 2019; in the wheel of stardist",
        origin="download",
        how=REMEDY,
        missing=missing,
        load=load,
        classes=len(CLASSES),
        images=(TILES, 16),  # at 64 px
        folder=folder,
        fetch=fetch,
    ),
)
