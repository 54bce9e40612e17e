"""asv's file of machines: what the user has there stays, and the real asv reads what we write."""

import json
import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from asv.util import UserError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import hwprobe
from hwprobe.fingerprint import fingerprint
from suites.plugins import machine

ROOT = Path(__file__).parents[1]
OURS = {"gpu", "vram", "usable_cores"}
MACHINE_YES = "import sys; sys.argv[1:] = ['machine', '--yes']; from asv.main import main; main()"
STANDARD = {"machine", "os", "arch", "cpu", "num_cpu", "ram"}


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty home folder; the machine's name is looked up afresh."""
    monkeypatch.setenv("HOME", str(tmp_path))
    machine.name.cache_clear()
    yield tmp_path
    machine.name.cache_clear()


@pytest.fixture(scope="module")
def own_name() -> str:
    return f"machine-{fingerprint(hwprobe.collect())['id']}"


def probe(*options: str, home: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "suites.cli", "probe", *options]
    return subprocess.run(command, cwd=ROOT, env={**os.environ, "HOME": str(home)}, capture_output=True, text=True)


def asv(code: str, home: Path) -> str:
    """What the real asv says, in another project of the user's, without our plugins."""
    (home / "asv.conf.json").write_text('{"version": 1, "project": "another", "repo": "."}')
    environment = {**os.environ, "HOME": str(home)}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=home, env=environment, capture_output=True, text=True, check=True
    )
    return done.stdout


def stored(home: Path) -> dict[str, Any]:
    machines: dict[str, Any] = json.loads((home / ".asv-machine.json").read_text())
    return machines


def write(home: Path, text: str | dict[str, Any]) -> Path:
    path = home / ".asv-machine.json"
    path.write_text(text if isinstance(text, str) else json.dumps(text))
    return path


def test_a_new_file_holds_this_machine(home: Path, own_name: str) -> None:
    done = probe("--write-asv-machine", "--json", home=home)
    facts = json.loads(done.stdout)["facts"]
    assert len(done.stderr.splitlines()) == 1
    assert list(stored(home)) == [own_name, "version"]
    entry = stored(home)[own_name]
    assert set(entry) == STANDARD | OURS
    assert entry["usable_cores"] == str(facts["cpu"]["cores"]["value"])
    assert all(isinstance(value, str) for value in entry.values())  # asv sorts and shows them as text


def test_it_is_the_exit_code_of_the_probe_all_the_same(home: Path) -> None:
    plain, writing = probe(home=home), probe("--write-asv-machine", home=home)
    assert plain.returncode == writing.returncode
    assert plain.stdout.count("\n") == writing.stdout.count("\n")


@pytest.mark.parametrize(
    "options",
    [
        ["--json", "--markdown"],
        ["--ignore", "weather"],
        ["--for", "nosuch"],
        ["--for", "resnet50", "--tier", "ideal"],
        ["--batch", "8"],
        ["--label", ""],
        ["--wait-idle", "1"],
    ],
    ids=" ".join,
)
def test_whoever_is_refused_finds_nothing_written(home: Path, options: list[str]) -> None:
    done = probe("--write-asv-machine", *options, home=home)
    assert (done.returncode, done.stdout, len(done.stderr.splitlines())) == (2, "", 1)
    assert not (home / ".asv-machine.json").exists()


def test_asv_reads_it_and_keeps_our_keys(home: Path, own_name: str) -> None:
    machine.write_facts()
    load = f"from asv.machine import Machine; m = Machine.load(machine_name={own_name!r}); print(m.gpu, m.cpu)"
    entry = stored(home)[own_name]
    assert asv(load, home).split() == f"{entry['gpu']} {entry['cpu']}".split()
    assert stored(home)[own_name] == entry  # asv has written it itself now
    asv(MACHINE_YES, home)
    assert stored(home)[own_name] == entry
    assert set(stored(home)[os.uname().nodename]) >= STANDARD


def test_what_asv_itself_has_asked_for_is_added_to_and_else_left(home: Path, own_name: str) -> None:
    asv(MACHINE_YES, home)
    before = stored(home)[os.uname().nodename]
    machine.write_facts()
    after = stored(home)
    assert {key: after[os.uname().nodename][key] for key in STANDARD} == before
    assert set(after[os.uname().nodename]) == set(after[own_name]) == STANDARD | OURS


def test_the_host_s_name_is_never_that_of_results(home: Path, own_name: str) -> None:
    host = os.uname().nodename
    for name in (host, host.upper(), f"{host}.example.org"):
        write(home, {name: {"machine": name}, "version": 1})
        machine.name.cache_clear()
        assert machine.name() == own_name


def test_a_name_and_values_of_the_user_s_own_stay(home: Path) -> None:
    mine = {"zeta": 1, "machine": "tower", "ram": "much", "cpu": "fast", "gpu": "an old one"}
    write(home, {"tower": mine, "machine-0123456789ab": {"machine": "machine-0123456789ab"}, "version": 1})
    assert machine.name() == "tower"
    machine.write_facts()
    entry = stored(home)["tower"]
    assert list(entry) == [*mine, "vram", "usable_cores"]
    assert {key: entry[key] for key in ("zeta", "machine", "ram", "cpu")} == {
        **{"zeta": 1, "machine": "tower"},
        **{"ram": "much", "cpu": "fast"},
    }
    assert entry["gpu"] != "an old one"
    assert stored(home)["machine-0123456789ab"] == {"machine": "machine-0123456789ab"}


LEAF = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()
VALUE = st.recursive(LEAF, lambda part: st.lists(part) | st.dictionaries(st.text(), part), max_leaves=5)
ENTRIES = st.dictionaries(st.text().filter(lambda name: name != "version"), st.dictionaries(st.text(), VALUE))


@given(ENTRIES, st.integers(0, 5))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_other_machines_unknown_keys_and_their_order_stay(
    home: Path, own_name: str, others: dict[str, Any], position: int
) -> None:
    others = {name: entry for name, entry in others.items() if not name.startswith("machine-")} | {"a": {}, "b": {}}
    rows = list(others.items())
    rows.insert(position, ("version", 1))
    write(home, dict(rows))
    machine.write_facts()
    after = stored(home)
    added = list(after.pop(own_name))
    assert set(added) >= OURS
    assert json.dumps(after) == json.dumps(dict(rows))


BROKEN = {
    "": "no JSON",
    "{": "no JSON",
    '{"a": {}}': "another format",
    '{"a": {}, "version": 2}': "another format",
    '{"a": {}, "version": 0}': "another format",
    '{"a": 5, "version": 1}': "no list of machines",
    "[]": "no list of machines",
    "[" * 100_000: "no JSON",
}


@pytest.mark.parametrize("text", BROKEN, ids=lambda text: text[:20])
def test_a_broken_file_is_refused_in_one_line_and_left(home: Path, text: str) -> None:
    path = write(home, text)
    done = probe("--write-asv-machine", home=home)
    assert (done.returncode, done.stdout) == (2, "")
    (line,) = done.stderr.splitlines()
    assert line.startswith("evenbench: ~/.asv-machine.json ")
    assert BROKEN[text] in line
    assert path.read_text() == text
    with pytest.raises(UserError, match=BROKEN[text]):
        machine.name()


def test_bytes_that_are_no_text_and_a_folder_are_refused(home: Path) -> None:
    path = home / ".asv-machine.json"
    path.write_bytes(b'{"\xff": {}, "version": 1}')
    with pytest.raises(UserError, match="no JSON"):
        machine.write_facts()
    assert path.read_bytes() == b'{"\xff": {}, "version": 1}'
    path.unlink()
    path.mkdir()
    with pytest.raises(UserError, match="Is a directory"):
        machine.write_facts()
    assert [entry.name for entry in home.iterdir()] == [".asv-machine.json"]


@pytest.mark.parametrize("mode", [0o600, 0o640])
def test_links_are_followed_and_permissions_stay(home: Path, own_name: str, mode: int) -> None:
    (home / "dotfiles").mkdir()
    target = home / "dotfiles" / "machines.json"
    target.write_text('{"a": {}, "b": {}, "version": 1}')
    target.chmod(mode)
    (home / ".asv-machine.json").symlink_to("dotfiles/machines.json")
    machine.write_facts()
    assert (home / ".asv-machine.json").is_symlink()
    assert own_name in json.loads(target.read_text())
    assert stat.S_IMODE(target.stat().st_mode) == mode
    assert [path.name for path in target.parent.iterdir()] == ["machines.json"]


def test_a_failure_while_writing_leaves_the_old_file(home: Path) -> None:
    """The real error of a full disk: no file may grow beyond a few bytes."""
    path = write(home, {"a": {}, "b": {}, "version": 1})
    before = path.read_text()
    code = "import resource, suites.machine_file; resource.setrlimit(resource.RLIMIT_FSIZE, (20, 20))\n"
    code += "from suites.cli import main; main()"
    command = [sys.executable, "-c", code, "probe", "--write-asv-machine"]
    done = subprocess.run(command, cwd=ROOT, env={**os.environ, "HOME": str(home)}, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.splitlines() == ["evenbench: ~/.asv-machine.json cannot be written: File too large"]
    assert path.read_text() == before
    assert [entry.name for entry in home.iterdir() if entry.is_file()] == [".asv-machine.json"]


@pytest.mark.parametrize(
    ("names", "count", "vram", "gpu", "size"),
    [
        (["A", "B"], 2, 80 << 30, "A, B", "80.0 GiB"),
        ([], 0, 0, "none", "none"),
        ([], None, None, "unknown", "unknown"),
    ],
)
def test_gpus_in_words(
    home: Path,
    monkeypatch: pytest.MonkeyPatch,
    names: list[str],
    count: int | None,
    vram: int | None,
    gpu: str,
    size: str,
) -> None:
    facts = hwprobe.collect()
    facts["gpu"] = {
        **facts["gpu"],
        "devices": [{"name": {"value": name}, "vram": {"value": vram}} for name in names],
        "count": {"value": count},
        "vram": {"value": vram},
    }
    monkeypatch.setattr(hwprobe, "collect", lambda: facts)
    machine.write_facts()
    (entry,) = (entry for name, entry in stored(home).items() if name != "version")
    assert (entry["gpu"], entry["vram"]) == (gpu, size)


def test_help_names_it() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "suites.cli", "probe", "--help"], cwd=ROOT, capture_output=True, text=True
    )
    assert "--write-asv-machine" in done.stdout
    hwprobe_alone = subprocess.run(
        [sys.executable, "-m", "hwprobe", "--help"], cwd=ROOT, capture_output=True, text=True
    )
    assert "--write-asv-machine" not in hwprobe_alone.stdout
    assert "--markdown" in hwprobe_alone.stdout
