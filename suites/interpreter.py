"""What a Python interpreter has to offer: its version, the packages' versions, the frameworks that are missing.

python -m suites.interpreter prints it, so that it can be asked of another interpreter too. That one runs this checkout,
which need not be installed there: beside the frameworks, NumPy, psutil and scikit-learn are enough.
"""

import json
import platform
import shutil
import subprocess
import sys
from dataclasses import asdict
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

import impls
from hwprobe import software
from impls import equivalence

ROOT = Path(__file__).resolve().parent.parent
TIMEOUT_S = 60
ADVICE = "README.md tells what to install: Framework versions over time"
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
    """This interpreter: versions (of Python and the packages), missing (framework -> why, None if it is there).

    proofs: what its certificates depend on (impls.equivalence.Interpreter). software: hwprobe's facts of this name.
    """
    versions = {"python": platform.python_version()}
    for package, distributions in DISTRIBUTIONS.items():
        for distribution in distributions:
            try:
                versions[package] = metadata.version(distribution)
            except metadata.PackageNotFoundError:
                continue
            break
    return {
        "versions": versions,
        "missing": {name: impls.missing(name) for name in impls.FRAMEWORKS},
        "proofs": asdict(equivalence.this_interpreter()),
        "software": software.collect(),
    }


def path(python: str) -> str:
    """The interpreter that asv.conf.json or asv's --environment names: "same" is the one that runs this."""
    if python == "same":
        return sys.executable
    # Not Path.resolve: the interpreter of a venv is a link, and what it points to has not the venv's packages.
    return str(Path(shutil.which(python) or python).expanduser().absolute())


@cache
def ask(executable: str) -> dict[str, Any]:
    """`describe` of another interpreter.

    Raises ValueError, whose message is one line, where it cannot be run, lacks what the suite needs or has none of the
    frameworks.
    """
    try:
        answer = subprocess.run(
            [executable, "-m", "suites.interpreter"],
            cwd=ROOT,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
            timeout=TIMEOUT_S,
        )
    except OSError as error:
        raise ValueError(f"{executable} cannot be run: {error.strerror}") from None
    except subprocess.TimeoutExpired:
        raise ValueError(f"{executable} cannot run the suite: no answer within {TIMEOUT_S} s") from None
    if answer.returncode:
        last = (answer.stderr.strip().splitlines() or [f"exit code {answer.returncode}"])[-1]
        raise ValueError(f"{executable} cannot run the suite: {last} ({ADVICE})")
    try:
        found = json.loads(answer.stdout.strip().splitlines()[-1])  # a sitecustomize may print something before
    except (ValueError, IndexError):
        raise ValueError(f"{executable} cannot run the suite: it is no Python or prints something else") from None
    if all(found["missing"].values()):
        raise ValueError(f"{executable} has none of the frameworks ({ADVICE})")
    return found


def proofs(executable: str) -> equivalence.Interpreter:
    """The interpreter as its certificates depend on it. Raises ValueError as `ask` does."""
    return equivalence.Interpreter(**{**ask(executable)["proofs"], "executable": executable})


if __name__ == "__main__":
    json.dump(describe(), sys.stdout)
