"""The README stays true: its commands exist and its output is what they print."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

import impls
from suites import profiles

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
COMMANDS = ("probe", "verify", "run", "run-model", "explain", "report", "compare", "train", "workloads")


def evenbench(*arguments: str) -> subprocess.CompletedProcess[str]:
    """The command in a process of its own."""
    command = [sys.executable, "-m", "suites.cli", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def shown(command: str) -> str:
    """What the README shows under a command."""
    found = re.search(rf"```console\n\$ {re.escape(command)}\n(.*?)```", README, re.S)
    assert found, f"the README does not show {command}"
    return found[1]


def test_make_targets_exist() -> None:
    makefile = (ROOT / "Makefile").read_text()
    named = {"bench", "test", "setup", "probe", "verify", "run", "report", "preview", "fairness", "lint", "clean"}
    assert named <= set(re.findall(r"^([a-z]+):", makefile, re.M))
    for target in re.findall(r"make ([a-z]+)", README):
        assert re.search(rf"^{target}:", makefile, re.M), target


def test_commands_of_the_readme_exist() -> None:
    assert set(re.findall(r"evenbench ([a-z-]+)", README)) - {"tells", "commit"} <= {
        *COMMANDS,
        "baseline",
        "data",
        "weights",
    }
    for command in COMMANDS:
        assert f"`evenbench {command}" in README


@pytest.mark.parametrize("command", COMMANDS)
def test_help_has_an_example_that_parses(command: str) -> None:
    answer = evenbench(command, "--help")
    assert answer.returncode == 0
    assert f"Example: evenbench {command}" in " ".join(answer.stdout.split())


@pytest.mark.parametrize("command", ["import", "init"])
def test_help_of_weights_has_an_example(command: str) -> None:
    assert f"Example: evenbench weights {command}" in " ".join(evenbench("weights", command, "--help").stdout.split())


def test_workloads_are_those_of_the_readme() -> None:
    assert shown("evenbench workloads").split() == evenbench("workloads").stdout.split()


def test_readme_shows_real_output_and_an_existing_picture() -> None:
    assert "@@" not in README
    assert "The report: " in shown("make bench")
    assert re.search(r"\d+ passed, \d+ skipped in ", shown("make test"))
    for picture in re.findall(r"!\[.*?\]\((.*?)\)", README):
        assert (ROOT / picture).stat().st_size > 10_000


def test_readme_names_every_profile_and_setting() -> None:
    for name in profiles.PROFILES:
        assert f"`{name}`" in README
    assert profiles.VARIABLE in README
    for model in profiles.QUICK.models:
        assert profiles.QUICK.training_sizes(model) == profiles.QUICK.fit_sizes(model) == (profiles.Size(32, 32),)
    assert "it trains at 32 px, batch 32" in README


def test_constraints_pin_what_pyproject_names() -> None:
    pins = dict(
        line.lower().replace("_", "-").split("==")
        for line in (ROOT / ".ci/constraints.txt").read_text().splitlines()
        if "==" in line
    )
    for package, version in {
        "torch": "2.13",
        "tensorflow-cpu": "2.21",
        "keras": "3.15",
        "asv": "0.6.6",
        "asv-runner": "0.3.2",
    }.items():
        assert pins[package].startswith(version)
    for package in (
        "nvidia-ml-py",
        "psutil",
        "pandas",
        "typer",
        "rich",
        "scipy",
        "scikit-learn",
        "pytest",
        "ruff",
        "mypy",
    ):
        assert package in pins


def test_folders_of_impls_tell_their_story() -> None:
    for workload in impls.WORKLOADS.values():
        folder = ROOT / Path(*workload.package.split(".")[:-1])
        assert "evenbench verify" in (folder / "README.md").read_text()
