"""`python -m hwprobe`: its JSON and its Markdown, the label, and what goes wrong; in processes of its own."""

import html
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hwprobe_tree import CGROUP_2, machine
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

import hwprobe
from hwprobe import ceilings, label, markdown, needs
from hwprobe.fingerprint import fingerprint

HERE = Path(__file__).parents[1]
SCHEMA = json.loads((HERE / "hwprobe" / "schema.json").read_text())
GIB = 2**30
# Where output is not buffered, nothing is left to be written at Python's end.
BUFFERED = {name: text for name, text in os.environ.items() if name != "PYTHONUNBUFFERED"}
TREES: dict[str, dict[str, str]] = {
    "healthy": {},
    "no memory": {"proc/meminfo": ""},
    "half a core": {"sys/fs/cgroup/cpu.max": "50000 100000"},
    "no disk": {"proc/self/mountinfo": f"{CGROUP_2}\n21 1 0:30 / / rw - overlay overlay rw"},
    "nothing at all": dict.fromkeys(
        ("proc/cpuinfo", "proc/meminfo", "proc/self/mountinfo", "proc/self/status", "etc/os-release"), ""
    ),
}


def run(*options: str, cwd: Path = HERE, code: str = "", **variables: str) -> subprocess.CompletedProcess[str]:
    """The command; `code` runs in its process first."""
    start = ["-c", f"{code}\nfrom hwprobe.__main__ import main; main()"] if code else ["-m", "hwprobe"]
    environment = {**os.environ, "COLUMNS": "80", "EVENBENCH_LABEL": "", **variables}
    return subprocess.run(
        [sys.executable, *start, *options], cwd=cwd, env=environment, capture_output=True, text=True, errors="replace"
    )


def on_the_tree(root: str) -> str:
    """Code that shows the command another machine."""
    return f"import hwprobe; facts = hwprobe.collect({root!r}); hwprobe.collect = lambda **_: facts"


def report(*options: str, **settings: Any) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(run("--json", *options, **settings).stdout)
    return found


def valid(found: dict[str, Any]) -> None:
    jsonschema.Draft202012Validator(SCHEMA).validate(found)


# --- JSON -----------------------------------------------------------------------------------------------------------


def test_the_schema_is_one_and_is_shipped() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    assert SCHEMA["$defs"]["schema_version"]["const"] == hwprobe.SCHEMA_VERSION
    assert '"schema.json"' in (HERE / "pyproject.toml").read_text()


@pytest.mark.parametrize("options", [[], ["--tier", "ideal", "--ignore", "vram"], ["--label", "lab 3"]], ids=str)
def test_this_machine_s_report_is_valid_and_every_key_is_described(options: list[str]) -> None:
    found = report(*options)
    valid(found)
    assert set(found) <= set(SCHEMA["properties"])
    assert set(found["facts"]) <= set(SCHEMA["$defs"]["facts"]["properties"])


@pytest.mark.parametrize("name", TREES)
def test_other_machines_reports_are_valid(tmp_path: Path, name: str) -> None:
    valid(report(code=on_the_tree(machine(tmp_path, **TREES[name]))))


@pytest.mark.skipif(shutil.which("gcc") is None, reason="gcc is not installed: no stand-in for NVML")
def test_a_report_on_gpus_is_valid_and_their_state_is_no_part_of_the_id(tmp_path: Path) -> None:
    source, library = HERE / "tests" / "fixtures" / "nvml.c", tmp_path / "libnvidia-ml.so.1"
    subprocess.run(["gcc", "-shared", "-fPIC", "-o", str(library), str(source)], check=True)
    found = report(LD_LIBRARY_PATH=str(tmp_path), STUB_MIB="8192,81920")
    valid(found)
    assert [gpu["vram_gib"] for gpu in found["fingerprint"]["stable"]["gpus"]] == [8, 80]
    state = found["fingerprint"]["volatile"]["gpus"][1]
    assert state["sm_clock_mhz"] == found["facts"]["gpu"]["devices"][1]["sm_clock"]["value"] > 0
    assert state["free_vram_bytes"] == found["facts"]["gpu"]["devices"][1]["vram_free"]["value"] > 79 * GIB
    assert state["temperature_celsius"] == found["conditions"]["gpu1_temperature"]["value"]


def test_ceilings_and_frameworks_have_their_form_too() -> None:
    found = report("--frameworks")
    valid(found)
    assert found["facts"]["frameworks"]
    valid({**found, "ceilings": ceilings.measure(1, ["pytorch"], budget_s=0.05, folder=".")})


def test_the_answer_for_a_workload_has_its_form_and_is_the_same_in_markdown() -> None:
    model = needs.models()[0]
    options = ["--for", model, "--batch", "2", "--ignore", "disk"]
    found = report(*options)
    valid(found)
    assert found["workload"]["workload"] == model
    text = run("--markdown", *options).stdout
    rows = {row[0]: row[1:] for row in rendered(text)}
    for label_, row in zip(("RAM", "GPU memory", "Disk"), found["workload"]["checks"], strict=True):
        assert rows[label_][-1] == row["verdict"]
    assert f"**{markdown.escaped(model)}, inference, float32, " in text
    assert "Minimum" not in text


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("facts", "cpu", "model"), "AMD EPYC"),  # a value that is no fact
        (("facts", "cpu", "model", "reason"), 7),
        (("facts", "cpu", "anything"), {"value": None, "unit": None, "source": "", "reason": None}),  # unknown, but why
        (("facts", "cpu", "anything"), {"value": 1, "unit": "furlongs", "source": "", "reason": None}),
        (("fingerprint", "stable", "host"), "tower"),
        (("readiness", "tiers", "minimum", "verdict"), "perhaps"),
        (("label",), ""),
        (("schema_version",), 0),
    ],
)
def test_the_schema_refuses(path: tuple[str, ...], value: Any) -> None:
    found = place = report()
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    with pytest.raises(jsonschema.ValidationError):
        valid(found)


# --- Markdown -------------------------------------------------------------------------------------------------------


def rendered(text: str) -> list[list[str]]:
    """The cells of all tables, row by row, as a reader sees them."""
    rows: list[list[str]] = []
    is_table = False
    for token in MarkdownIt("commonmark").enable(["table", "strikethrough"]).parse(text):
        is_table = token.type == "table_open" or (is_table and token.type != "table_close")
        if token.type == "tr_open":
            rows.append([])
        elif token.type == "inline" and is_table:
            parts = token.children or []
            assert {part.type for part in parts} <= {"text", "text_special", "strong_open", "strong_close"}, parts
            rows[-1].append("".join(part.content for part in parts))
    return rows


def test_markdown_says_what_the_table_says() -> None:
    done = run("--markdown", "--label", "lab 3")
    assert done.stderr == ""
    rows = {row[0]: row[1:] for row in rendered(done.stdout)}
    found = report()
    assert done.returncode == (3 if found["readiness"]["tiers"]["minimum"]["verdict"] == "fail" else 0)
    assert rows["Label"] == ["lab 3"]
    assert rows["Fingerprint"] == [found["fingerprint"]["id"]]
    assert rows["Check"] == ["Found", "Minimum", "Ideal"]
    verdicts = [tier["checks"][0]["verdict"] for tier in found["readiness"]["tiers"].values()]
    assert rows["CPU cores"][1:] == [f"{verdict} ({n})" for verdict, n in zip(verdicts, (4, 8), strict=True)]
    for row in found["readiness"]["tiers"]["minimum"]["checks"]:
        assert (row["remedy"] or "")[1:] in done.stdout
    assert "**Minimum tier:** " in done.stdout


NASTY = [
    *("a|b", "@team and #12", "<img src=x>", "**a** _b_ `c` ~~d~~"),
    *("[x](http://y)", "back\\|slash", "&amp; $x$", "- a"),
]


@pytest.mark.parametrize("name", NASTY)
def test_a_device_s_name_breaks_nothing(tmp_path: Path, name: str) -> None:
    root = machine(tmp_path, **{"proc/cpuinfo": f"model name : {name}\n"})
    rows = rendered(run("--markdown", code=on_the_tree(root)).stdout)
    (cpu,) = [row for row in rows if row[0] == "CPU"]
    assert cpu[1].replace("\u200b", "").startswith(f"{name}; 8 cores")
    assert all(len(row) in (2, 4) for row in rows)


@given(st.text())
def test_whatever_is_escaped_is_plain_text_and_notifies_nobody(text: str) -> None:
    escaped = markdown.escaped(text)
    assert not set("\\`*_{}[]<>|~$@!\n") & set(escaped)
    shown = html.unescape(escaped)
    assert shown.replace("\u200b", "").split() == text.replace("\u200b", "").split() or "\x00" in text or "\r" in text
    for position, character in enumerate(shown):
        if character in "@#":
            assert shown[position + 1] == "\u200b"


# --- label and fingerprint ------------------------------------------------------------------------------------------


def test_the_label_is_the_user_s_own() -> None:
    assert run("--label", " lab 3 ").stdout.split()[:3] == ["Label", "lab", "3"]
    assert run(EVENBENCH_LABEL="lab 4").stdout.split()[:3] == ["Label", "lab", "4"]
    assert report(EVENBENCH_LABEL="lab 4")["label"] == "lab 4"
    assert report(EVENBENCH_LABEL="lab 4")["fingerprint"]["id"] == report()["fingerprint"]["id"]
    assert report()["label"] is None
    assert "Label" not in run().stdout


@pytest.mark.parametrize("text", [" ", "x" * 41, "a\nb", "a\x1b[2Jb", "\u202egnp", "\u200b"])
def test_what_is_no_label_is_one_line(text: str) -> None:
    with pytest.raises(ValueError, match="1 to 40 printable characters"):
        label.checked(text)
    done = run("--label", text)
    assert (done.returncode, done.stdout) == (2, "")
    assert len(done.stderr.splitlines()) == 1
    assert run(EVENBENCH_LABEL=text).returncode == 2


def test_what_is_hashed_changes_only_with_the_schema_version(tmp_path: Path) -> None:
    """The id of the healthy machine, per version. Whoever changes what is hashed adds a line, and removes none."""
    known = {1: "ddcb79cf0c0a"}
    facts = hwprobe.collect(machine(tmp_path))
    facts["gpu"].update(devices=[], driver={"value": None})  # a real one would show through the tree
    found = fingerprint(facts)
    assert known[found["schema_version"]] == found["id"]


def test_the_id_holds_still_when_the_state_changes(tmp_path: Path) -> None:
    values = {"name": "GPU", "vram": 8 * GIB, "vram_free": GIB, "sm_clock": 300, "power_limit": 70}
    device = {name: {"value": value, "unit": None, "source": "test", "reason": None} for name, value in values.items()}
    facts = hwprobe.collect(machine(tmp_path))
    facts["gpu"]["devices"] = [device]
    room = {name: {**device["name"], "value": value} for name, value in (("load_1min", 0.5), ("gpu0_temperature", 40))}
    before = fingerprint(facts, room)
    assert before["volatile"]["gpus"][0] == {
        "sm_clock_mhz": 300,
        "memory_clock_mhz": None,
        "power_limit_watts": 70,
        "free_vram_bytes": GIB,
        "temperature_celsius": 40,
    }
    for name, fact in room.items():
        fact["value"] += 1
        after = fingerprint(facts, room)
        assert after["id"] == before["id"], name
        assert after["volatile"] != before["volatile"], name
        before = after
    states = [(device, "vram_free"), (device, "sm_clock"), (device, "power_limit"), (facts["memory"], "available")]
    for place, name in (*states, (facts["disk"]["current folder"], "free")):
        place[name] = {**place[name], "value": 17}
        after = fingerprint(facts, room)
        assert after["id"] == before["id"], name
        assert after["volatile"] != before["volatile"], name
        before = after


@pytest.mark.parametrize(
    ("room", "name", "value"),
    [
        ("cpu", "model", "Another CPU"),
        ("cpu", "physical", 9),
        ("cpu", "logical", 9),
        ("cpu", "usable", 9),
        ("memory", "usable", 99 * GIB),
        ("gpu", "driver", "999.1"),
        ("software", "os", "Another Linux"),
        ("gpu", "devices", [{"name": {"value": "GPU"}, "vram": {"value": 8 * GIB}}]),
    ],
)
def test_the_id_changes_with_the_machine(tmp_path: Path, room: str, name: str, value: Any) -> None:
    facts = hwprobe.collect(machine(tmp_path))
    before = fingerprint(facts)["id"]
    facts[room][name] = value if name == "devices" else {**facts[room][name], "value": value}
    assert fingerprint(facts)["id"] != before


# --- what goes wrong ------------------------------------------------------------------------------------------------


def test_two_forms_at_once_are_refused() -> None:
    done = run("--json", "--markdown")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.splitlines() == ["hwprobe: Invalid value: --json or --markdown, not both"]


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """hwprobe, suites and reports in a folder of their own, to be broken."""
    for room in ("hwprobe", "suites", "reports", "impls"):
        shutil.copytree(HERE / room, tmp_path / room, ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path


@pytest.mark.parametrize("module", ["hwprobe", "suites.cli"])
@pytest.mark.parametrize(
    ("breakage", "says"),
    [("a folder", "Is a directory"), ("= 5 [", "TOMLDecodeError"), ("tolerance = 0.08", "KeyError: 'tiers'")],
)
def test_an_internal_error_is_one_line_and_exit_1(copy: Path, module: str, breakage: str, says: str) -> None:
    requirements = copy / "hwprobe" / "requirements.toml"
    requirements.unlink()
    requirements.mkdir() if breakage == "a folder" else requirements.write_text(breakage)
    options = ["probe"] if module == "suites.cli" else []
    command = [sys.executable, "-m", module, *options]
    environment = {**os.environ, "PYTHONPATH": str(copy)}
    done = subprocess.run(command, cwd=copy, env=environment, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (1, "")
    (line,) = done.stderr.splitlines()
    assert line.startswith("hwprobe: internal error: ")
    assert says in line
    environment["EVENBENCH_DEBUG"] = "1"
    debug = subprocess.run(command, cwd=copy, env=environment, capture_output=True, text=True)
    assert (debug.returncode, "Traceback" in debug.stderr) == (1, True)


@pytest.mark.parametrize("module", [["hwprobe"], ["suites.cli", "probe"]], ids=str)
@pytest.mark.parametrize("options", [[], ["--json"], ["--markdown"]], ids=str)
def test_a_reader_that_leaves_early_changes_nothing(module: list[str], options: list[str]) -> None:
    read, write = os.pipe()
    os.close(read)  # before anything is written: the harshest `| head`
    command = [sys.executable, "-m", *module, "--tier", "ideal", "--ignore", "vram,disk,ram,cores", *options]
    done = subprocess.run(command, cwd=HERE, env=BUFFERED, stdout=write, stderr=subprocess.PIPE, text=True)
    os.close(write)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full on this system")
@pytest.mark.parametrize("options", [[], ["--json"], ["--markdown"]], ids=str)
def test_a_full_disk_is_one_line(options: list[str]) -> None:
    with Path("/dev/full").open("w") as full:
        command = [sys.executable, "-m", "hwprobe", *options]
        done = subprocess.run(command, cwd=HERE, env=BUFFERED, stdout=full, stderr=subprocess.PIPE, text=True)
    assert done.returncode == 1
    assert done.stderr.splitlines() == ["hwprobe: internal error: No space left on device"]


def test_ctrl_c_is_no_traceback() -> None:
    done = run(code="import hwprobe\ndef collect(**_): raise KeyboardInterrupt\nhwprobe.collect = collect")
    assert done.returncode == 130
    assert "Traceback" not in done.stderr


PLAIN = [{"TERM": "dumb"}, {"NO_COLOR": "1", "FORCE_COLOR": ""}, {"PYTHONIOENCODING": "ascii"}, {"COLUMNS": "20"}]


@pytest.mark.parametrize("variables", PLAIN, ids=str)
def test_poor_terminals_get_all_of_it(tmp_path: Path, variables: dict[str, str]) -> None:
    root = machine(tmp_path, **{"proc/cpuinfo": "model name : Épyc® CPU\n"})
    done = run(code=on_the_tree(root), **variables)
    assert done.returncode in (0, 3)
    assert done.stderr == ""
    assert "\x1b" not in done.stdout
    assert "tier:" in done.stdout
    if variables.get("PYTHONIOENCODING") == "ascii":
        assert "?pyc? CPU; 8 cores" in done.stdout
        assert done.stdout.isascii()


@pytest.mark.skipif(sys.platform == "win32", reason="no pseudo-terminals on this system")
@pytest.mark.parametrize(("variables", "coloured"), [({}, True), ({"NO_COLOR": "1"}, False), ({"TERM": "dumb"}, False)])
def test_colours_are_for_terminals(variables: dict[str, str], coloured: bool) -> None:
    import pty

    controller, terminal = pty.openpty()
    environment = {**os.environ, "COLUMNS": "80", "TERM": "xterm-256color", **variables}
    process = subprocess.Popen([sys.executable, "-m", "hwprobe"], cwd=HERE, env=environment, stdout=terminal)
    os.close(terminal)
    shown = b""
    try:
        while chunk := os.read(controller, 4096):
            shown += chunk
    except OSError:  # Linux' way to say that the other end was closed
        pass
    process.wait()
    os.close(controller)
    assert b"Fingerprint" in shown
    assert any(code in shown for code in (b"\x1b[31", b"\x1b[32", b"\x1b[1;31", b"\x1b[33")) == coloured
