"""The house's plan: who may import whom, and what stands at the top level."""

import ast
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
ROOMS = ("hwprobe", "impls", "reports", "suites")
ALLOWED = {"hwprobe": set(), "impls": set(), "reports": set(), "suites": {"impls", "hwprobe"}}
FRAMEWORKS = {"torch", "tensorflow", "keras", "jax"}
# The front door hands over to the rooms' own commands. What a run says of its noise is computed as the report does it.
FRONT_DOOR = {Path("suites/cli.py"): {"reports"}, Path("suites/noise.py"): {"reports"}}
TOP_LEVEL = {
    ".ci", ".gitignore", "CHANGELOG.md", "CONTRIBUTING.md", "LICENSE", "Makefile", "README.md", "asv.conf.json",
    "hwprobe", "impls", "pyproject.toml", "reports", "suites", "tests",
}  # fmt: skip
SOURCES = sorted(path.relative_to(ROOT) for room in ROOMS for path in (ROOT / room).rglob("*.py"))


def imported(path: Path) -> set[str]:
    """The packages that a file imports anywhere, by their first name."""
    found = set()
    for node in ast.walk(ast.parse((ROOT / path).read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            found.add(node.module.split(".")[0])
    return found


def is_twin(path: Path) -> bool:
    """Whether a file belongs to one framework: a twin, a runtime or the blocks that twins share."""
    return path.parent == Path("impls/frameworks") or path.stem.endswith(("_pytorch", "_tensorflow", "_keras", "_jax"))


@pytest.mark.parametrize("path", SOURCES, ids=str)
def test_imports_go_along_the_arrows(path: Path) -> None:
    room = path.parts[0]
    strangers = imported(path) & set(ROOMS) - {room} - ALLOWED[room] - FRONT_DOOR.get(path, set())
    assert not strangers, f"{path} imports {strangers}"


@pytest.mark.parametrize("path", SOURCES, ids=str)
def test_frameworks_stay_in_their_own_files(path: Path) -> None:
    if is_twin(path):
        other = {"pytorch": {"tensorflow", "keras", "jax"}, "tensorflow": {"torch", "keras", "jax"}}.get(
            path.stem.split("_")[-1], set()
        )
        assert not imported(path) & other, f"{path} belongs to one framework"
    else:
        assert not imported(path) & FRAMEWORKS, f"{path} imports a framework"


def test_asv_and_hardware_stay_in_their_rooms() -> None:
    for path in SOURCES:
        if path.parts[0] not in ("suites", "reports"):
            assert not imported(path) & {"asv", "asv_runner"}, path
        if path.parts[0] not in ("hwprobe", "suites"):  # suites asks psutil for processes, never for hardware
            assert not imported(path) & {"psutil"}, path
        if path.parts[0] != "hwprobe":
            assert not imported(path) & {"pynvml"}, path


def test_top_level_is_what_the_plan_says() -> None:
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    found = {line.split("/")[0] for line in listed.splitlines()}
    assert found == TOP_LEVEL


def test_twins_have_the_same_functions_in_the_same_order() -> None:
    def names(framework: str, model: bool = False) -> list[str]:
        body = ast.parse((ROOT / f"impls/frameworks/{framework}.py").read_text()).body
        if model:
            (body,) = (node.body for node in body if isinstance(node, ast.ClassDef) and node.name == "Model")
        found = [node.name for node in body if isinstance(node, ast.FunctionDef | ast.ClassDef)]
        return [name for name in found if not name.startswith("_")]

    assert names("pytorch") == names("tensorflow")
    # Keras takes the others from its engine.
    own = ("configure", "layout", "versions", "set_precision", "build", "Program", "Model", "Boxes")
    assert names("keras") == [name for name in names("pytorch") if name in own]
    assert names("keras_on_tensorflow") == names("keras_on_torch") == names("keras_on_jax")
    can = names("pytorch", model=True)
    assert can == names("tensorflow", model=True) == names("keras", model=True)[: len(can)]


def test_kernels_programs_can_do_the_same() -> None:
    def methods(framework: str) -> list[str]:
        tree = ast.parse((ROOT / f"impls/frameworks/kernels_{framework}.py").read_text())
        (kernel,) = (node for node in tree.body if isinstance(node, ast.ClassDef))
        names = [node.name for node in kernel.body if isinstance(node, ast.FunctionDef)]
        return [name for name in names if not name.startswith("_")]

    assert methods("pytorch") == methods("tensorflow") == methods("jax")


def test_a_kernel_s_twins_are_one_function() -> None:
    for folder in (ROOT / "impls/kernels").glob("*/"):
        for framework in ("pytorch", "tensorflow", "keras") if (folder / "cases.py").is_file() else ():
            tree = ast.parse((folder / f"{folder.name}_{framework}.py").read_text())
            public = [node.name for node in tree.body if isinstance(node, ast.FunctionDef) and node.name[0] != "_"]
            assert public[-1] == "compute", (folder.name, framework)
