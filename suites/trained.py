"""Where trained weights are kept between runs: the user's cache folder, under a hash of what they come from."""

import hashlib
import json
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from impls.equivalence import cache_folder

UNFINISHED = "unfinished"  # folder of the states of trainings that are to go on
ABANDONED_S = 30 * 24 * 3600  # after which nobody goes on with one


def path(workload: str, facts: dict[str, Any], folder: str = "trained") -> Path:
    """The file for what a training leaves. facts: all that it depends on, `recipe` and `versions` among it."""
    stem = f"{workload}-{facts['recipe']['steps']}steps-{_hash(facts['versions'])}"
    return cache_folder() / folder / f"{stem}-{_hash(facts)}.npz"


def discard_others(kept: Path) -> None:
    """Delete the weights that older code left for the same workload, steps and versions.

    Those of other versions stay: environments that are measured in turns would train anew each time.
    """
    stem = kept.name.rpartition("-")[0]
    for other in kept.parent.glob(f"{stem}-*.npz"):
        if other != kept:
            other.unlink(missing_ok=True)


def discard_abandoned() -> None:
    """Delete the states of trainings that were interrupted long ago; most are of older code, and none can go on."""
    for state in (cache_folder() / UNFINISHED).glob("*.npz"):
        with suppress(OSError):  # another process's, gone meanwhile
            if time.time() - state.stat().st_mtime > ABANDONED_S:
                state.unlink()


def _hash(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:16]
