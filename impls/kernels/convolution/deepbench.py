"""DeepBench's convolutions (Baidu Research, 2016 to 2018): its training, server and device lists, named fields."""

import csv
from collections.abc import Iterator
from pathlib import Path

from impls.kernels.convolution.cases import Case, conv

FILE = Path(__file__).with_name("deepbench.csv")


def cases() -> Iterator[Case]:
    """Every problem of the lists, once, at every batch size that they name."""
    with FILE.open(newline="") as stream:
        for row in csv.DictReader(stream):
            size, kernel_size, stride, padding = (
                (int(row[f"{prefix}height"]), int(row[f"{prefix}width"]))
                for prefix in ("", "kernel_", "stride_", "padding_")
            )
            channels = int(row["in_channels"]), int(row["out_channels"])
            for batch_size in map(int, row["batch_sizes"].split()):
                yield conv(*channels, size, kernel_size, stride, padding, batch_size=batch_size)
