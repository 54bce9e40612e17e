"""Certificates: the proof that programs which are compared do the same work.

Each framework proves itself in a process of its own (impls/certificate.py). Kernels are compared with readable
NumPy, models with the first framework that is there. A certificate is kept under a hash of all that it proves.
"""

import hashlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from importlib.metadata import PackageNotFoundError, version
from itertools import chain
from pathlib import Path
from typing import Any

import impls
from impls.certificate import Sizes, full
from impls.comparison import TOLERANCES

Certificate = dict[str, Any]
VERSIONED = ("torch", "tensorflow", "tensorflow-cpu", "keras", "jax", "numpy")
SizesOf = Callable[[str], Sizes | None]  # workload -> the sizes of its proof


@dataclass(frozen=True)
class ProgramName:
    """One compared program. as_installed: with the settings that its framework is installed with."""

    workload: str
    framework: str
    mode: str
    as_installed: bool = False


@dataclass(frozen=True)
class Interpreter:
    """A Python whose frameworks are proven.

    versions: distribution -> version, of those in VERSIONED that are there. missing: as impls.missing has it.
    """

    executable: str
    versions: Mapping[str, str]
    missing: Mapping[str, str | None]


def this_interpreter() -> Interpreter:
    """The one that runs this."""
    versions = {}
    for distribution in VERSIONED:
        with suppress(PackageNotFoundError):
            versions[distribution] = version(distribution)
    return Interpreter(sys.executable, versions, {name: impls.missing(name) for name in impls.FRAMEWORKS})


@dataclass(frozen=True)
class Proof:
    """What is proven of a program."""

    program: ProgramName
    sizes: Sizes | None
    precisions: tuple[str, ...]
    interpreter: Interpreter = field(default_factory=this_interpreter)


def verify(
    programs: Iterable[ProgramName],
    progress: Callable[[ProgramName, Certificate | None], None] = lambda _name, _certificate: None,
    processes: int = 2,
    sizes_of: SizesOf = full,
    precisions: tuple[str, ...] = tuple(TOLERANCES),
    interpreter: Interpreter | None = None,
) -> list[Certificate]:
    """The certificate of every program, from the cache where its code and versions are unchanged.

    progress is called with None when a program's proof begins and with its certificate at the end, from several
    threads. interpreter: whose frameworks are proven; default: this one's. Raises OSError if there is no space for the
    reference results.
    """
    wanted = list(dict.fromkeys(programs))
    chosen = interpreter or this_interpreter()

    def proof_of(name: ProgramName) -> Proof:
        # As installed, a GPU may compute float32 with fewer digits: float64 tells whether it is the same computation.
        exact = tuple(precision for precision in precisions if precision == "float64" or not name.as_installed)
        return Proof(name, sizes_of(name.workload), exact, chosen)

    found = {name: certificate for name in wanted if (certificate := _cached(proof_of(name)))}
    for name, certificate in found.items():
        progress(name, certificate)
    todo = [name for name in wanted if name not in found]
    with tempfile.TemporaryDirectory(prefix="evenbench-") as folder:
        jobs = _Jobs(Path(folder), progress, proof_of)
        threads = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        models = [name.workload for name in todo if impls.WORKLOADS[name.workload].kind == "model"]
        references = [ProgramName(model, reference_framework(chosen), "eager") for model in dict.fromkeys(models)]
        for name, certificate in jobs.run(references, threads, write=True):
            found[name] = certificate
        with ThreadPoolExecutor(processes) as pool:
            rest = [name for name in todo if name not in references]
            groups: dict[tuple[str, bool], list[ProgramName]] = {}
            for name in rest:
                groups.setdefault((name.framework, name.as_installed), []).append(name)
            share = max(1, threads // processes)
            for results in pool.map(lambda group: jobs.run(group, share), groups.values()):
                found.update(results)
    return [found[name] for name in wanted]


def reference_framework(interpreter: Interpreter | None = None) -> str:
    """The first framework that is there: models are compared with its eager float64 results.

    Raises RuntimeError if there is none.
    """
    missing = (interpreter or this_interpreter()).missing
    for framework in impls.FRAMEWORKS:
        if missing[framework] is None:
            return framework
    raise RuntimeError("none of the frameworks is installed: " + ", ".join(impls.FRAMEWORKS))


class _Jobs:
    """Proofs in child processes, one a framework and its settings at a time."""

    def __init__(
        self,
        folder: Path,
        progress: Callable[[ProgramName, Certificate | None], None],
        proof_of: Callable[[ProgramName], Proof],
    ) -> None:
        self.folder = folder
        self.progress = progress
        self.proof_of = proof_of

    def run(self, names: list[ProgramName], threads: int, write: bool = False) -> list[tuple[ProgramName, Certificate]]:
        """Prove programs of one framework and settings, one after the other; a child that dies is replaced."""
        results: list[tuple[ProgramName, Certificate]] = []
        child: _Child | None = None
        try:
            for name in names:
                self.progress(name, None)
                proof = self.proof_of(name)
                child = child or _Child(proof, self.folder, threads)
                answer = child.ask(
                    {
                        "workload": name.workload,
                        "mode": name.mode,
                        "reference": str(self.folder / f"{name.workload}.npz"),
                        "write": write,
                        "sizes": asdict(proof.sizes) if proof.sizes else None,
                        "precisions": proof.precisions,
                    }
                )
                if answer is None:
                    answer = {"checks": [], "error": child.reason()}
                    child = None
                certificate = _certificate(proof, answer)
                results.append((name, certificate))
                self.progress(name, certificate)
        finally:
            if child:
                child.close()
        return results


class _Child:
    """One process of impls.certificate."""

    def __init__(self, proof: Proof, folder: Path, threads: int) -> None:
        self.log = tempfile.TemporaryFile("w+", dir=folder)  # noqa: SIM115
        settings = "as-installed" if proof.program.as_installed else str(threads)
        self.process = subprocess.Popen(
            [proof.interpreter.executable, "-m", "impls.certificate", proof.program.framework, settings],
            cwd=Path(__file__).parents[1],  # another interpreter need not have this project
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.log,
            text=True,
            # Nothing is timed here: threads that wait may sleep, so that two proofs at a time get on together; NumPy's
            # would fight for the cores, and take ten times as long.
            env={
                **os.environ,
                "TF_CPP_MIN_LOG_LEVEL": "2",
                "OMP_WAIT_POLICY": "PASSIVE",
                "OPENBLAS_NUM_THREADS": str(threads),
            },
        )

    def ask(self, request: dict[str, Any]) -> dict[str, Any] | None:
        """The answer, None if the process died over it."""
        assert self.process.stdin and self.process.stdout
        try:
            self.process.stdin.write(json.dumps(request) + "\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            return None
        line = self.process.stdout.readline()
        return json.loads(line) if line.endswith("\n") else None

    def reason(self) -> str:
        """Why it died: exit status and the last line that it wrote. Raises OSError if there was no space left."""
        status = self.process.wait()
        self.log.seek(0)
        lines = [line.strip() for line in self.log if line.strip()]
        if lines and lines[-1].startswith("OSError"):
            raise OSError(lines[-1].removeprefix("OSError: "))
        how = f"killed by signal {-status}" if status < 0 else f"exit status {status}"
        return f"{how}: {lines[-1] if lines else 'nothing on stderr'}"

    def close(self) -> None:
        """Let it end."""
        assert self.process.stdin
        self.process.stdin.close()
        self.process.wait()
        self.log.close()


def _certificate(proof: Proof, answer: dict[str, Any]) -> Certificate:
    name = proof.program
    kind = impls.WORKLOADS[name.workload].kind
    certificate = {
        "workload": name.workload,
        "framework": name.framework,
        "mode": name.mode,
        "as_installed": name.as_installed,
        "reference": "NumPy" if kind == "kernel" else f"{reference_framework(proof.interpreter)} eager float64",
        "sizes": str(proof.sizes) if proof.sizes else "the case's own",
        "code_hash": code_hash(proof),
        "passed": answer["error"] is None and all(check["passed"] for check in answer["checks"]),
        **answer,
    }
    if certificate["passed"]:  # a failure is looked at again each time
        _keep(certificate)
    return certificate


def code_hash(proof: Proof) -> str:
    """Hash of all that a certificate proves: the sources of impls, the versions, the reference, the program, sizes."""
    digest = hashlib.sha256()
    root = Path(__file__).parent
    work = impls.WORKLOADS[proof.program.workload]
    # A kernel may be made of other kernels.
    own = root.joinpath(*work.package.split(".")[1:-1]).glob("*.py") if work.model else root.glob("kernels/**/*.py")
    shared = (root.glob(pattern) for pattern in ("*.py", "frameworks/*.py", "tasks/*.py", "models/__init__.py"))
    for path in sorted([*chain.from_iterable(shared), *own]):
        digest.update(path.relative_to(root).as_posix().encode() + path.read_bytes())
    for distribution, installed in sorted(proof.interpreter.versions.items()):
        digest.update(f"{distribution} {installed}".encode())
    what = (proof.program, proof.sizes, proof.precisions, reference_framework(proof.interpreter))
    digest.update(str(what).encode())
    return digest.hexdigest()[:16]


def cache_folder() -> Path:
    """Where certificates and trained weights are kept."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "evenbench"


def _cached(proof: Proof) -> Certificate | None:
    path = cache_folder() / "certificates" / f"{code_hash(proof)}.json"
    try:
        certificate = json.loads(path.read_text())
    except (OSError, ValueError):  # absent or cut off: prove it again
        return None
    return certificate if certificate.get("passed") else None


def _keep(certificate: Certificate) -> None:
    folder = cache_folder() / "certificates"
    folder.mkdir(parents=True, exist_ok=True)
    temporary = folder / f".{certificate['code_hash']}.{os.getpid()}"
    temporary.write_text(json.dumps(certificate))
    temporary.replace(folder / f"{certificate['code_hash']}.json")
