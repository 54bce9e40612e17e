"""What a Python interpreter has to offer: its version, the packages' versions, the frameworks that are missing.

python -m suites.interpreter prints it, so that it can be asked of another interpreter too.
"""

import json
import platform
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

import impls

ROOT = Path(__file__).resolve().parent.parent
DISTRIBUTIONS = {  # a package may come from one of several distributions
    "torch": ("torch",),
    "tensorflow": ("tensorflow", "tensorflow-cpu", "tensorflow-intel"),
    "keras": ("keras",),
    "jax": ("jax",),
    "numpy": ("numpy",),
    "scikit-learn": ("scikit-learn",),
    "asv": ("asv",),
    "asv_runner": ("asv_runner",),
}


def describe() -> dict[str, Any]:
    """This interpreter: versions (of Python and the packages), missing (framework -> why, None if it is there)."""
    versions = {"python": platform.python_version()}
    for package, distributions in DISTRIBUTIONS.items():
        for distribution in distributions:
            try:
                versions[package] = metadata.version(distribution)
            except metadata.PackageNotFoundError:
                continue
            break
    return {"versions": versions, "missing": {name: impls.missing(name) for name in impls.FRAMEWORKS}}


def ask(executable: str) -> dict[str, Any]:
    """`describe` of another interpreter.

    Raises ValueError, whose message is one line, where it cannot be run or the project is not installed there.
    """
    try:
        answer = subprocess.run(
            [executable, "-m", "suites.interpreter"], cwd=ROOT, capture_output=True, text=True, check=False, timeout=60
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ValueError(f"{executable} cannot be run: {error}") from None
    if answer.returncode:
        last = (answer.stderr.strip().splitlines() or ["no message"])[-1]
        raise ValueError(f"{executable} cannot run the suite: {last}")
    return json.loads(answer.stdout)


if __name__ == "__main__":
    json.dump(describe(), sys.stdout)
