"""asv's environment "prebuilt": an interpreter as it is, with its frameworks' versions as asv's requirements.

asv would build environments of its own and would not save results of an existing one. This one saves, and keeps apart
what must not be mixed: versions, profiles, and the results of a tree with uncommitted changes.
"""

import os
import shutil
import subprocess
import sys
from typing import Any

from asv import util
from asv.environment import Environment

from suites import interpreter, profiles


def git(*arguments: str) -> str:
    """What git prints about the checkout asv was started in. Raises asv's UserError, one line, where it cannot."""
    try:
        answer = subprocess.run(["git", *arguments], capture_output=True, text=True, check=False)
    except OSError as error:
        raise util.UserError(f"git is needed: {error.strerror}") from None
    if answer.returncode:
        raise util.UserError(f"git {arguments[0]}: {answer.stderr.strip().splitlines()[-1]}")
    return answer.stdout.strip()


class PrebuiltEnvironment(Environment):
    """An interpreter that has everything already. `pythons` of asv.conf.json: "same", or paths of interpreters."""

    tool_name = "prebuilt"
    matches_python_fallback = False

    def __init__(self, conf: Any, python: str, requirements: dict[str, str], tagged_env_vars: dict[Any, str]) -> None:
        self.executable = sys.executable if python == "same" else shutil.which(python) or python
        self.results_dir = conf.results_dir
        try:
            self.profile = profiles.current()
            self.interpreter = interpreter.ask(self.executable)
        except ValueError as error:
            raise util.UserError(str(error)) from None
        self.dirty = bool(git("status", "--porcelain"))
        versions = self.interpreter["versions"]
        ours = {name: versions[name] for name in ("torch", "tensorflow", "keras", "jax") if name in versions}
        ours["profile"] = self.profile.name
        if self.dirty:
            ours["tree"] = "dirty"
        self._requirements = {**requirements, **ours}  # asv's constructor asks for the name before it sets them
        super().__init__(conf, ".".join(versions["python"].split(".")[:2]), self._requirements, tagged_env_vars)

    @property
    def installed_commit_hash(self) -> None:
        """Unknown, so that asv asks to install, which is refused for any other commit."""
        return

    def check_presence(self) -> bool:
        """It is there."""
        return True

    def create(self) -> None:
        """Nothing to create."""

    def install_project(self, conf: Any, repo: Any, commit_hash: str) -> None:
        """Refuse any commit but the one that is checked out: today's code would be recorded under another's name."""
        head = git("rev-parse", "HEAD")
        if commit_hash != head:
            raise util.UserError(
                f"only the commit that is checked out ({head[:8]}) can be measured: check out {commit_hash[:8]} first"
            )

    def run(self, args: list[str], **options: Any) -> Any:
        """Call the interpreter."""
        # asv takes PYTHONPATH away; this is its own variable for what a benchmark has to find.
        variables = {**(options.pop("env", None) or os.environ), "ASV_PYTHONPATH": str(interpreter.ROOT)}
        return util.check_output([self.executable, *args], env=variables, **options)
