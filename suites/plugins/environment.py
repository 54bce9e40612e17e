"""asv's environment "prebuilt": an interpreter as it is, with its frameworks' versions as asv's requirements.

asv would build environments of its own and would not save results of an existing one. This one saves, and keeps apart
what must not be mixed: versions, profiles, and the results of a tree with uncommitted changes.
"""

import os
import subprocess
import sys
from collections.abc import Iterable
from typing import Any

from asv import util
from asv.commands.run import Run
from asv.console import log
from asv.environment import Environment

from suites import interpreter, profiles

LEFT_OUT = 2  # exit code of asv run, as after a benchmark that failed
PREFIX = "prebuilt:"  # of an interpreter after asv's --environment
run_of_asv = Run.run.__func__


def setup() -> None:
    """Called by asv when it loads the plugin."""
    Run.run = classmethod(run)


def run(cls: Any, conf: Any, env_spec: list[str] | None = None, **options: Any) -> int | None:
    """asv's Run.run: what cannot be measured is left out, and the rest measured.

    Raises asv's UserError, one line, if nothing is left.
    """
    broken = unusable(conf.pythons)
    conf.pythons = chosen = [python for python in conf.pythons if python not in broken]
    if env_spec:
        broken = unusable(spec for spec in env_spec if spec.startswith(PREFIX))
        env_spec = chosen = [spec for spec in env_spec if spec not in broken]
    if broken and not chosen:
        raise util.UserError("; ".join(broken.values()))
    for reason in broken.values():
        log.warning(f"left out: {reason}")
    code = run_of_asv(cls, conf, env_spec=env_spec, **options)
    return LEFT_OUT if broken else code


def unusable(pythons: Iterable[str]) -> dict[str, str]:
    """Of these interpreters those that cannot be measured, each with the reason in one line."""
    reasons: dict[str, str] = {}
    seen: dict[str, str] = {}
    for python in pythons:
        executable = interpreter.path(python.removeprefix(PREFIX))
        try:
            versions = interpreter.ask(executable)["versions"]
        except ValueError as error:
            reasons[python] = str(error)
            continue
        twin = seen.setdefault(f"{minor(versions)} {named(versions)}", executable)
        if twin != executable:
            reasons[python] = f"{executable} has the versions of {twin}: its results would overwrite the other's"
    return reasons


def minor(versions: dict[str, str]) -> str:
    """Python's version without its last number, as asv has it."""
    return ".".join(versions["python"].split(".")[:2])


def named(versions: dict[str, str]) -> dict[str, str]:
    """The versions that are part of an environment's name."""
    return {name: versions[name] for name in ("torch", "tensorflow", "keras", "jax") if name in versions}


def git(*arguments: str) -> str:
    """What git prints about the checkout asv was started in. Raises asv's UserError, one line, where it cannot."""
    try:
        # Killed while it refreshes its index, git would leave a lock that stops the user's next commit.
        command = ["git", "--no-optional-locks", *arguments]
        answer = subprocess.run(command, capture_output=True, text=True, check=False)
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
        self.executable = interpreter.path(python)
        self.results_dir = conf.results_dir
        try:
            self.profile = profiles.current()
            self.interpreter = interpreter.ask(self.executable)
        except ValueError as error:
            raise util.UserError(str(error)) from None
        self.dirty = bool(git("status", "--porcelain"))
        versions = self.interpreter["versions"]
        ours = {**named(versions), "profile": self.profile.name}
        if self.dirty:
            ours["tree"] = "dirty"
        self._requirements = {**requirements, **ours}  # asv's constructor asks for the name before it sets them
        super().__init__(conf, minor(versions), self._requirements, tagged_env_vars)

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
        """Call the interpreter; of what asv has to do before it measures, its own, so that this one needs no asv."""
        executable = sys.executable if args[1:2] in (["discover"], ["check"]) else self.executable
        # asv takes PYTHONPATH away; this is its own variable for what a benchmark has to find.
        variables = {**(options.pop("env", None) or os.environ), "ASV_PYTHONPATH": str(interpreter.ROOT)}
        return util.check_output([executable, *args], env=variables, **options)
