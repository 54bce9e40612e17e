"""`make setup` says plainly what is missing and how to get it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


def setup(extra: str = "cpu", **variables: str) -> subprocess.CompletedProcess[str]:
    """The script behind every make target, in this checkout."""
    command = ["sh", str(ROOT / ".ci/setup"), extra]
    environment = {**os.environ, "PYTHON": sys.executable, **variables}
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def interpreter(folder: Path, condition: str) -> str:
    """An interpreter that fails where its arguments hold `condition`, as one does that lacks what is asked for."""
    path = folder / "python"
    path.write_text(f'#!/bin/sh\ncase "$*" in *"{condition}"*) exit 1 ;; esac\nexec "{sys.executable}" "$@"\n')
    path.chmod(0o755)
    return str(path)


def test_no_python() -> None:
    answer = setup(PYTHON="nosuch-python")
    assert answer.returncode == 2
    assert "nosuch-python is missing" in answer.stderr
    assert "apt-get install python3 python3-venv" in answer.stderr


@pytest.mark.parametrize(
    ("lacks", "said"),
    [("ensurepip", "apt-get install python3-venv"), ("version_info", "is not supported. Name a Python 3.11 to 3.13")],
)
def test_a_python_that_will_not_do(tmp_path: Path, lacks: str, said: str) -> None:
    answer = setup(PYTHON=interpreter(tmp_path, lacks))
    assert answer.returncode == 2
    (line,) = answer.stderr.splitlines()
    assert said in line


def test_no_compiler_is_said_and_no_reason_to_stop(tmp_path: Path) -> None:
    for tool in ("sh", "dirname", "git", "cat", "cksum", "mktemp", "rm", "tail"):
        found = next(Path(folder) / tool for folder in os.get_exec_path() if (Path(folder) / tool).exists())
        (tmp_path / tool).symlink_to(found)
    # pip would fail at once: whatever happens, the checkout's .venv stays as it is.
    answer = setup(PATH=str(tmp_path), PIP_ARGS="--no-such-option")
    assert "no C++ compiler" in answer.stderr
    assert "apt-get install g++" in answer.stderr


def test_unknown_extra() -> None:
    answer = setup("gpu")
    assert answer.returncode == 2
    assert answer.stderr == "setup: EXTRA is cpu or cuda, not gpu\n"


def test_the_second_time_installs_nothing() -> None:
    if not stamped():
        pytest.skip("this .venv was not made by make setup")
    before = (ROOT / ".venv/installed").stat().st_mtime_ns
    answer = setup()
    assert (answer.returncode, answer.stderr) == (0, "")
    assert (ROOT / ".venv/installed").stat().st_mtime_ns == before


def stamped() -> bool:
    """Whether make setup has installed here."""
    return (ROOT / ".venv/installed").exists()
