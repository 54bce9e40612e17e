"""Writes memory_need.toml, the memory that `evenbench workloads` lists, from a report's results.csv.

python -m suites.memory_need [RESULTS.csv]
"""

import csv
import sys
from pathlib import Path

TARGET = Path(__file__).with_name("memory_need.toml")
HEADER = """\
# The largest rise of resident memory over all frameworks, in bytes: the need that `evenbench workloads` lists.
# Models: inference at 224 px batch 1, training at 32 px batch 32; kernels: forward, gradients; a machine with 2 cores,
# no GPU. Made with:
#   make bench && .venv/bin/python -m suites.memory_need
"""
# What stands in the table -> the phases of models and kernels, and the size of the models'.
PHASES = {
    "inference": (("Inference", "Forward"), "224px-batch1"),
    "training": (("Training", "GradientByInput", "GradientByWeight"), "32px-batch32"),
}


def main(results: Path) -> None:
    """Read the peaks and write the table."""
    with results.open(newline="") as lines:
        rows = [row for row in csv.DictReader(lines) if row["status"] == "ok"]
    text = HEADER
    for title, (phases, size) in PHASES.items():
        peaks: dict[str, int] = {}
        for row in rows:
            if row["phase"] in phases and row["metric"].endswith("_peak_memory") and row["size"] in (size, ""):
                peaks[row["workload"]] = max(peaks.get(row["workload"], 0), round(float(row["value"])))
        text += f"\n[{title}]\n" + "".join(f'"{name}" = {peak}\n' for name, peak in peaks.items())
    TARGET.write_text(text)


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else ".asv/report/results.csv"))
