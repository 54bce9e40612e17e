"""A small checkout of its own: where asv really runs, is disturbed and killed, and nobody's results are at stake."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from suites.files import read_json
from suites.worker_process import ROOT

COPIED = ("suites", "impls", "hwprobe", "reports", "asv.conf.json")
OWN = ("HOME", "XDG_CACHE_HOME", "TMPDIR", "PYTHONPATH")
HIDE = """# The frameworks but PyTorch: to import them would take most of a run's time.
import importlib.machinery as machinery
find = machinery.PathFinder.find_spec
hidden = ("tensorflow", "keras", "jax")
machinery.PathFinder.find_spec = staticmethod(lambda name, *rest: None if name in hidden else find(name, *rest))
"""


class Checkout:
    """A git checkout with the suite in it, with a home folder, caches and temporary files of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.store = folder / ".asv"
        own = {name: str(folder / "own" / name) for name in OWN}
        self.variables = {**os.environ, **own, "EVENBENCH_PROFILE": "quick", "OMP_WAIT_POLICY": "PASSIVE"}

    def make(self) -> None:
        """Copy what is measured, and hide the other frameworks."""
        for name in OWN:
            Path(self.variables[name]).mkdir(parents=True)
        for name in COPIED:
            copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
            copy(ROOT / name, self.folder / name)
        Path(self.variables["PYTHONPATH"], "sitecustomize.py").write_text(HIDE)
        (self.folder / ".gitignore").write_text("/own/\n/.asv/\n__pycache__/\n")
        self._git("init", "--quiet")
        self._git("add", "--all")
        self.commit()

    def copy(self, folder: Path) -> "Checkout":
        """Another one like this, results and caches included."""
        shutil.copytree(self.folder, folder)
        return Checkout(folder)

    def commit(self) -> None:
        """Another commit of the same: its results are other results."""
        self._git("commit", "--quiet", "--allow-empty", "--message", "state")

    def start(self, *arguments: str) -> "subprocess.Popen[bytes]":
        """asv, in a process group of its own as a terminal would have it; what it prints is in the file `output`."""
        with (self.folder / "own" / "output").open("wb") as output:
            return subprocess.Popen(
                [sys.executable, "-m", "asv", *arguments],
                cwd=self.folder,
                env=self.variables,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @property
    def output(self) -> str:
        """What the latest asv has printed so far."""
        return (self.folder / "own" / "output").read_text(errors="replace")

    @property
    def run(self) -> Path | None:
        """The folder of the newest run of the commit that is checked out."""
        head = self._git("rev-parse", "HEAD")
        folders = sorted(self.store.glob("runs/*"), reverse=True)
        return next((one for one in folders if (read_json(one / "manifest.json") or {}).get("commit") == head), None)

    def _git(self, *arguments: str) -> str:
        command = ["git", "-c", "user.name=evenbench", "-c", "user.email=evenbench@localhost", *arguments]
        answer = subprocess.run(
            command, cwd=self.folder, env=self.variables, capture_output=True, text=True, check=True
        )
        return answer.stdout.strip()
