"""Input pipelines: from files to batches that a model takes, in every framework. Importing this imports no framework.

spec.py states what is done, reference.py does it readably, and the twins do it as each framework's users would.
"""

import gc
from importlib import import_module
from time import perf_counter
from typing import Any

import numpy as np

import impls
from impls import comparison
from impls.pipelines import reference
from impls.pipelines.spec import TOLERANCE, Pass

PROVEN_BATCHES = 16  # of a pass are compared: on many cores a pass is long, and the reference reads one by one


class Pipeline:
    """One framework's input pipeline over the images of a pass, again and again."""

    def __init__(self, framework: str, images: Pass, workers: int) -> None:
        """Build it. workers: how many processes or threads read. Raises what impls.runtime raises."""
        self._runtime = impls.runtime(framework)
        name = "keras" if framework.startswith("keras") else framework
        self._twin = import_module(f"impls.pipelines.pipeline_{name}")
        self._images = images
        self._built = self._twin.build(images, workers)

    def prove(self) -> dict[str, Any]:
        """The first pass, whose batches are compared with the reference's.

        `first_batch`: seconds until the first one is on the device, with all that happens only once. `check`: one line
        of a certificate; the error is the largest absolute difference, infinite for another shape or number of batches.
        """
        errors: list[float] = []
        expected = reference.batches(self._images)
        first_batch, count = 0.0, 0
        start = perf_counter()
        for count, batch in enumerate(self._twin.batches(self._built), start=1):
            if count == 1:
                self._runtime.synchronize()
                first_batch = perf_counter() - start
            if count <= PROVEN_BATCHES:
                errors.append(_difference(self._twin.to_numpy(batch), next(expected, None)))
        if count != self._images.batches:
            errors.append(float("inf"))
        what = f"{count} batches of {self._images.format} files"
        return {
            "first_batch": first_batch,
            "check": comparison.check("batches in order", "float32", what, max(errors), TOLERANCE),
        }

    def measure(self) -> dict[str, Any]:
        """One pass. `samples`: seconds a batch, the mean over the pass, as a list of one; `first_batch`: seconds.

        The clock runs from the pass's start until its last batch is on the device. What a framework does after that is
        no delivery: Keras waits a tenth of a second for its queue. Raises RuntimeError if batches are missing.
        """
        gc.collect()
        start = perf_counter()
        batches = self._twin.batches(self._built)
        first_batch = 0.0
        for number in range(self._images.batches):
            if next(batches, None) is None:
                raise RuntimeError(f"{number} batches were delivered, not {self._images.batches}")
            if number == 0:
                self._runtime.synchronize()
                first_batch = perf_counter() - start
        self._runtime.synchronize()
        seconds = perf_counter() - start
        batches.close()
        return {"samples": [seconds / self._images.batches], "first_batch": first_batch, "measured_s": seconds}


def _difference(found: np.ndarray, expected: np.ndarray | None) -> float:
    """Largest absolute difference; infinite for another shape or type, and for what is not finite."""
    if expected is None or found.shape != expected.shape or found.dtype != np.float32 or not np.isfinite(found).all():
        return float("inf")
    return float(np.abs(found - expected).max())
