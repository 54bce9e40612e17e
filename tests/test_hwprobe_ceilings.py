"""hwprobe's ceilings: really measured, chosen, kept and shown; processes that die; what is counted, by hand."""

import importlib.metadata
import json
import os
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import jsonschema
import numpy as np
import pytest
from hwprobe_tree import cpus, machine, tree

import hwprobe
from hwprobe import ceilings, ceilings_worker, disk, disk_speed, software
from hwprobe.fingerprint import fingerprint

HERE = Path(__file__).parents[1]
RATES = {"median": {"$ref": "#/$defs/rate"}, "low": {"$ref": "#/$defs/rate"}, "high": {"$ref": "#/$defs/rate"}}
ROW = {"framework": {"enum": list(ceilings.PACKAGES)}, "device": {"type": "string"}, "dtype": {"type": "string"}}
SPREAD = {"runs": {"type": "integer", "minimum": 3}, **RATES}
ROW |= SPREAD


def rows(**properties: Any) -> dict[str, Any]:
    """The schema of a list of objects that have exactly these properties."""
    item = {"type": "object", "properties": properties, "required": list(properties), "additionalProperties": False}
    return {"type": "array", "items": item}


TEXT, COUNT, RATE = {"type": "string"}, {"type": "integer", "minimum": 1}, {"$ref": "#/$defs/rate"}
MEMORY = {"operation": TEXT, "array_bytes": COUNT, "convention": TEXT, "bytes_per_s": RATE}
RATE_OR_NONE = {"anyOf": [RATE, {"type": "null"}]}
DISK = {"kind": {"enum": [disk.HDD, disk.SATA_SSD, disk.NVME, None]}, "reason": {"type": ["string", "null"]}}
DISK |= dict.fromkeys(("latency_s", "latency_low_s", "latency_high_s", "bytes_per_s"), RATE_OR_NONE)
TOP: dict[str, Any] = {
    "schema_version": {"const": hwprobe.SCHEMA_VERSION},
    "measured_at": {"type": "string", "pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00$"},
    "threads": COUNT,
    "fingerprint": {"type": "string", "pattern": "^[0-9a-f]{12}$"},
    "versions": {"type": "object", "additionalProperties": {"type": ["string", "null"]}},
    "dtypes": {"type": "array", "items": TEXT},
    "gemm": rows(**ROW, size=COUNT, flops_per_s=RATE),
    "bandwidth": rows(**ROW, **MEMORY),
    "copy": rows(framework=TEXT, device=TEXT, direction=TEXT, array_bytes=COUNT, bytes_per_s=RATE, **SPREAD),
    "disk": {"type": ["object", "null"], "properties": DISK, "required": list(DISK), "additionalProperties": False},
    "failures": rows(framework=TEXT, message={"type": "string", "pattern": r"^[^\n]+$"}),
    "taints": rows(condition=TEXT, reason=TEXT),
}
SCHEMA = {
    "type": "object",
    "properties": TOP,
    "required": list(TOP),
    "additionalProperties": False,
    "$defs": {"rate": {"type": "number", "exclusiveMinimum": 0}},
}


def gemm(framework: str, dtype: str, rate: float) -> dict[str, Any]:
    spread = {"median": 0.9 * rate, "low": 0.8 * rate, "high": 0.95 * rate, "runs": 9}
    place = {"framework": framework, "device": "cpu", "dtype": dtype}
    return {**place, "size": 2048, "flops_per_s": rate, **spread}


def bandwidth(framework: str, rate: float) -> dict[str, Any]:
    row = gemm(framework, "float32", rate) | {"operation": "a = b + 3 c", "convention": ceilings_worker.CONVENTION}
    del row["size"], row["flops_per_s"]
    return row | {"array_bytes": 512 << 20, "bytes_per_s": rate}


def report(facts: dict[str, Any], threads: int, **changes: Any) -> dict[str, Any]:
    """Ceilings of the machine with these facts, as if they had just been measured."""
    versions = {name: facts["software"][package]["value"] for name, package in ceilings.PACKAGES.items()}
    return {
        "schema_version": hwprobe.SCHEMA_VERSION,
        "measured_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "threads": threads,
        "fingerprint": fingerprint(facts)["id"],
        "versions": versions,
        "dtypes": list(ceilings.DTYPES),
        "gemm": [gemm("pytorch", "float32", 236.4e9), gemm("jax", "bfloat16", 51.26e9)],
        "bandwidth": [bandwidth("pytorch", 21.24e9)],
        "copy": [],
        "disk": None,
        "failures": [{"framework": "tensorflow", "message": "not installed"}],
        "taints": [],
        **changes,
    }


# --- measured -------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def measured() -> dict[str, Any]:
    """PyTorch alone on one thread, with very little time, and a dtype that no framework has."""
    return ceilings.measure(1, ["pytorch"], ["float32", "float63"], budget_s=0.05)


def test_what_is_measured_is_json_of_this_form(measured: dict[str, Any]) -> None:
    jsonschema.validate(json.loads(json.dumps(measured, allow_nan=False)), SCHEMA)
    assert measured["threads"] == 1
    assert measured["versions"] == {"pytorch": importlib.metadata.version("torch")}
    assert measured["fingerprint"] == fingerprint(hwprobe.collect())["id"]


def test_rates_are_those_of_a_direct_measurement_by_order_of_magnitude(measured: dict[str, Any]) -> None:
    [product], [triad] = measured["gemm"], measured["bandwidth"]
    assert product["size"] >= ceilings_worker.SMALLEST
    assert 10**9 < product["flops_per_s"] < 10**15
    assert 10**8 < triad["bytes_per_s"] < 10**13
    if product["device"] != "cpu":
        pytest.skip("NumPy has no GPU to compare with")
    matrix = np.random.default_rng(0).normal(size=(product["size"], product["size"])).astype(np.float32)
    direct = 2 * len(matrix) ** 3 / seconds(lambda: matrix @ matrix)
    assert direct / 10 < product["flops_per_s"] < direct * 10
    array, copy = np.ones(16 << 20, np.float32), np.ones(16 << 20, np.float32)
    direct = 2 * array.nbytes / seconds(lambda: np.copyto(copy, array))
    assert direct / 10 < triad["bytes_per_s"] < direct * 10


def seconds(call: Any) -> float:
    """The best of five runs."""
    found = []
    for _ in range(5):
        start = time.perf_counter()
        call()
        found.append(time.perf_counter() - start)
    return min(found)


def test_best_median_and_quartiles_are_in_order(measured: dict[str, Any]) -> None:
    for row, name in ((measured["gemm"][0], "flops_per_s"), (measured["bandwidth"][0], "bytes_per_s")):
        assert row["low"] <= row["median"] <= row["high"] <= row[name]


def test_a_dtype_that_fails_costs_itself_alone(measured: dict[str, Any]) -> None:
    [failure] = measured["failures"]
    assert failure["message"].startswith("float63: AttributeError: ")


WORK = """
import importlib, json, resource, sys, time
from pathlib import Path
import numpy as np
twin = importlib.import_module(f"hwprobe.ceilings_{sys.argv[1]}")
twin.configure(1)
def to_numpy(values): return np.asarray(values.cpu() if hasattr(values, "cpu") else values)
found = {"device": twin.device()}
for dtype in ("float32", "float64", "bfloat16"):
    product = twin.gemm(dtype, 256)()
    values = to_numpy(product.float() if hasattr(product, "float") else product).astype(float)
    found[dtype] = [str(product.dtype), values.shape, values.std()]
triad = twin.triad(1 << 24)
def page_faults(): return resource.getrusage(resource.RUSAGE_SELF).ru_minflt
triad(), triad()
before = page_faults()
triad(), triad(), triad(), triad()
found["page_faults"] = page_faults() - before
found["triad"] = np.unique(to_numpy(triad())).tolist()
call = twin.gemm("float32", 1024)
call()
def ticks():
    stats = {path.parent.name: path.read_text() for path in Path("/proc/self/task").glob("*/stat")}
    return {thread: sum(map(int, stat.rpartition(")")[2].split()[11:13])) for thread, stat in stats.items()}
before, end = ticks(), time.process_time() + 0.5
while time.process_time() < end: call()
used = [ticks - before.get(thread, 0) for thread, ticks in ticks().items()]
found["busy_threads"] = sum(share > 0.2 * sum(used) for share in used)
print(json.dumps(found))
"""


@pytest.mark.parametrize("framework", list(ceilings.PACKAGES))
def test_each_framework_really_does_the_work_and_on_one_thread(framework: str) -> None:
    pytest.importorskip(ceilings.PACKAGES[framework])
    command = [sys.executable, "-c", WORK, framework]
    found = json.loads(subprocess.run(command, cwd=HERE, capture_output=True, text=True, check=True).stdout)
    for dtype in ceilings.DTYPES:
        name, shape, deviation = found[dtype]
        assert dtype in name
        assert shape == [256, 256]
        # A sum of 256 products of two independent normal values has a variance of 256.
        assert deviation == pytest.approx(16, rel=0.05)
    assert found["triad"] == [7]  # 1 + 3 x 2
    assert found["page_faults"] < 64  # in place: an array of 64 MiB fetched anew is 16384 pages, or 32 huge ones
    if found["device"] == "cpu" and Path("/proc/self/task").exists():
        assert found["busy_threads"] == 1


def test_hwprobe_imports_no_framework_to_measure_one() -> None:
    code = "import sys; from hwprobe import ceilings; ceilings.measure(1, ['pytorch'], [], 0); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=HERE, capture_output=True, text=True, check=True)
    assert not {"torch", "tensorflow", "jax", "numpy"} & set(done.stdout.split())


# --- what is counted ------------------------------------------------------------------------------------------------


def test_rates_by_hand() -> None:
    found = ceilings_worker._rates("bytes_per_s", 120, [1, 2, 3, 4])  # 120, 60, 40 and 30 a second
    assert found == {"bytes_per_s": 120, "median": 50, "low": 37.5, "high": 75, "runs": 4}


def test_two_arrays_are_read_and_one_written(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ceilings_worker, "seconds_of", lambda *_: [2.0, 2.0, 2.0])
    monkeypatch.setattr(ceilings_worker, "array_bytes", lambda: 4000)
    asked = []
    row = ceilings_worker._bandwidth(
        SimpleNamespace(triad=lambda n: asked.append(n) or "call", device=lambda: "cpu"), 1
    )
    assert row is not None
    assert asked == [1000]  # elements of 4 bytes
    assert (row["array_bytes"], row["bytes_per_s"]) == (4000, 3 * 4000 / 2)


def test_a_product_is_2_n_to_the_third_flops(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ceilings_worker, "seconds_of", lambda *_: [2.0, 2.0, 2.0])
    row = ceilings_worker._gemm(SimpleNamespace(gemm=lambda *_: None, device=lambda: "cpu"), "float32", budget_s=1)
    assert (row["size"], row["flops_per_s"]) == (256, 256**3)


@pytest.mark.parametrize(
    ("milliseconds", "size"),
    [(0, ceilings_worker.LARGEST), (1, 512), (60, 256)],  # at n = 256, then 8 times as much at each doubling
)
def test_matrices_grow_while_three_runs_of_the_next_size_fit(milliseconds: float, size: int) -> None:
    def sleep(_: str, n: int) -> Any:
        return (lambda: time.sleep(milliseconds / 1000 * (n / 256) ** 3)) if milliseconds else (lambda: None)

    row = ceilings_worker._gemm(SimpleNamespace(gemm=sleep, device=lambda: "cpu"), "float32", budget_s=0.1)
    assert row["size"] == size
    assert row["runs"] >= 3
    if milliseconds:
        assert row["flops_per_s"] <= 2 * 256**3 / (milliseconds / 1000)


def caches(cpu: int, level: int, kind: str, size: str, shared: str) -> dict[str, str]:
    folder = f"/sys/devices/system/cpu/cpu{cpu}/cache/index{level}{kind}"
    return {f"{folder}/level": f"{level}\n", f"{folder}/size": f"{size}\n", f"{folder}/shared_cpu_list": f"{shared}\n"}


def test_arrays_are_four_times_the_caches_of_all_sockets(tmp_path: Path) -> None:
    files = cpus(4) | {"/proc/meminfo": f"MemAvailable: {64 << 20} kB\n"}
    for cpu, shared in enumerate(("0-1", "0-1", "2-3", "2-3")):
        files |= caches(cpu, 2, "Unified", "4096K", str(cpu)) | caches(cpu, 3, "Unified", "98304K", shared)
    root = tree(tmp_path, files)
    assert ceilings_worker.cache_bytes(root) == 192 << 20
    assert ceilings_worker.array_bytes(root) == 768 << 20


@pytest.mark.parametrize(("available", "expected"), [(16 << 20, 512 << 20), (1 << 20, 2**30 // 10)])
def test_arrays_without_a_cache_to_go_by_and_with_little_memory(tmp_path: Path, available: int, expected: int) -> None:
    root = tree(tmp_path, cpus(2) | {"/proc/meminfo": f"MemAvailable: {available} kB\n"})
    assert ceilings_worker.cache_bytes(root) == 0
    assert ceilings_worker.array_bytes(root) == expected


def test_copies_are_measured_where_there_is_a_gpu() -> None:
    asked = []
    twin = SimpleNamespace(
        device=lambda: "cuda:0",
        gemm=lambda *_: lambda: None,
        triad=lambda _: lambda: None,
        copy=lambda *arguments: asked.append(arguments) or (lambda: None),
    )
    found = list(ceilings_worker.measure(twin, ["float32"], 0.01))
    assert [kind for kind, _ in found] == ["gemm", "bandwidth", "copy", "copy"]
    assert asked == [("host to device", (256 << 20) // 4), ("device to host", (256 << 20) // 4)]
    assert [row["direction"] for kind, row in found if kind == "copy"] == list(ceilings_worker.DIRECTIONS)


# --- the disk -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("latency_s", "bytes_per_s", "kind"),
    [
        (8e-3, 180e6, disk.HDD),  # 7,200 turns a minute
        (8e-3, 900e6, disk.HDD),  # several of them in a row are as slow to find a place
        (90e-6, 540e6, disk.SATA_SSD),
        (70e-6, 3.5e9, disk.NVME),
        (300e-6, 1.2e9, disk.NVME),
    ],
)
def test_a_disk_is_known_by_how_it_reads(latency_s: float, bytes_per_s: float, kind: str) -> None:
    assert disk_speed.kind_of(latency_s, bytes_per_s) == kind


def test_this_disk_is_really_read_and_nothing_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(disk_speed, "FILE_BYTES", 16 << 20)
    found = disk_speed.measure(tmp_path)
    jsonschema.validate(
        found, {"type": "object", "properties": DISK, "additionalProperties": False, "$defs": SCHEMA["$defs"]}
    )
    if found["kind"]:
        assert 0 < found["latency_low_s"] <= found["latency_s"] <= found["latency_high_s"] < 1
        assert 10**6 < found["bytes_per_s"] < 10**11
    else:
        assert found["reason"]
    assert list(tmp_path.iterdir()) == []


def test_memory_is_no_disk() -> None:
    if disk.collect("/dev/shm")["filesystem"]["value"] != "tmpfs":
        pytest.skip("no tmpfs here")
    assert disk_speed.measure("/dev/shm") == {**dict.fromkeys(DISK), "reason": "tmpfs is memory, not a disk"}


def test_a_folder_that_cannot_be_written_has_its_reason(tmp_path: Path) -> None:
    found = disk_speed.measure(tmp_path / "missing")
    assert (found["kind"], found["reason"]) == (None, "no file could be written and read: No such file or directory")


# --- chosen ---------------------------------------------------------------------------------------------------------


def test_the_peak_is_the_best_of_all_frameworks() -> None:
    found = {
        "gemm": [gemm("pytorch", "float32", 5), gemm("jax", "float32", 7), gemm("jax", "float64", 9)],
        "bandwidth": [bandwidth("pytorch", 3), bandwidth("jax", 2)],
    }
    assert ceilings.peak_flops(found, "float32") == gemm("jax", "float32", 7)
    assert ceilings.peak_flops(found, "float64") == gemm("jax", "float64", 9)
    assert ceilings.peak_flops(found, "bfloat16") is None
    assert ceilings.peak_bandwidth(found) == bandwidth("pytorch", 3)
    assert ceilings.peak_bandwidth({"bandwidth": []}) is None


# --- failures -------------------------------------------------------------------------------------------------------


def fake(folder: Path, monkeypatch: pytest.MonkeyPatch, **modules: str) -> None:
    """Packages of these names that the processes import instead of the real ones."""
    for name, code in modules.items():
        (folder / f"{name}.py").write_text(code)
    monkeypatch.setenv("PYTHONPATH", str(folder))


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("import os; os.abort()", "the process was ended by SIGABRT"),
        ("import sys; print('noise'); sys.exit(7)", "noise"),
        ("import os; os._exit(7)", "exit code 7"),
        ("raise ImportError('no library\\nin ' + __import__('os').path.expanduser('~/lib'))", "in ~/lib"),
    ],
)
def test_a_process_that_dies_is_a_failure_of_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: str, message: str
) -> None:
    fake(tmp_path, monkeypatch, torch=code)
    found = ceilings.measure(1, ["pytorch"], budget_s=0.01)
    assert found["failures"] == [{"framework": "pytorch", "message": message}]
    assert found["gemm"] == found["bandwidth"] == []
    jsonschema.validate(found, SCHEMA)


def test_a_process_that_hangs_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake(tmp_path, monkeypatch, torch="import time; time.sleep(60)")
    monkeypatch.setattr(ceilings, "PATIENCE_S", 1)
    start = time.monotonic()
    found = ceilings.measure(1, ["pytorch"], budget_s=0)
    assert found["failures"] == [{"framework": "pytorch", "message": "not done after 1 s"}]
    assert time.monotonic() - start < 50


FAKE_TORCH = """
import os
from types import SimpleNamespace as Some
Tensor = object
float32, bfloat16 = "works", "ends the process"
set_num_threads = print  # what a library prints is no answer
backends = Some(cuda=Some(matmul=Some()))
cuda = Some(is_available=lambda: False)
randn = lambda *size, dtype, device: Some(is_cuda=False) if dtype == float32 else os.abort()
empty_like = lambda matrix: matrix
mm = lambda left, right, out: None
"""


def test_what_a_process_told_before_it_died_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake(tmp_path, monkeypatch, torch=FAKE_TORCH)
    found = ceilings.measure(1, ["pytorch"], ["float32", "bfloat16"], budget_s=0.01)
    assert [row["dtype"] for row in found["gemm"]] == ["float32"]
    assert found["failures"] == [{"framework": "pytorch", "message": "the process was ended by SIGABRT"}]


def test_a_framework_that_is_not_there_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(software.FRAMEWORKS, "jax", ("no-such-distribution",))
    found = ceilings.measure(1, ["jax"])
    assert found["failures"] == [{"framework": "jax", "message": "not installed"}]
    with pytest.raises(ValueError, match="no such framework: numpy"):
        ceilings.measure(1, ["numpy"])


# --- kept -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def facts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Facts of a machine, and a cache folder of its own."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return hwprobe.collect(machine(tmp_path / "machine"))


def keep(facts: dict[str, Any], **changes: Any) -> Path:
    path = ceilings.path_of(fingerprint(facts)["id"], 4)
    ceilings.save(path, report(facts, 4) | changes)
    return path


def test_what_was_measured_is_kept(facts: dict[str, Any], tmp_path: Path) -> None:
    assert ceilings.kept(facts, 4) is None
    path = keep(facts)
    assert path == tmp_path / "cache" / "evenbench" / "ceilings" / f"{fingerprint(facts)['id']}-4.json"
    assert ceilings.kept(facts, 4) == ceilings.load(path) == json.loads(path.read_text())
    assert ceilings.kept(facts, 2) is None
    assert ceilings.kept(facts, 4, ["float32"]) is None


def ago(**time: float) -> str:
    return (datetime.now(UTC) - timedelta(**time)).isoformat(timespec="seconds")


@pytest.mark.parametrize(
    ("changes", "holds"),
    [
        ({"measured_at": ago(days=6)}, True),
        ({"measured_at": ago(days=8)}, False),
        ({"measured_at": ago(days=-1)}, False),  # the clock was wrong then or is wrong now
        ({"measured_at": "yesterday"}, False),
        ({"measured_at": "2026-01-01T00:00:00"}, False),  # no time zone
        ({"measured_at": None}, False),
        ({"taints": [{"condition": "steal", "reason": "the hypervisor took 2 %"}]}, False),
        ({"fingerprint": "0" * 12}, False),
        ({"threads": 3}, False),
        ({"versions": {"pytorch": "1.0", "tensorflow": None, "jax": None}}, False),
        ({"schema_version": 0}, False),
        ({"gemm": [], "bandwidth": []}, True),  # nothing could be measured, and nothing has changed since
    ],
)
def test_what_is_kept_holds_or_is_measured_again(facts: dict[str, Any], changes: dict[str, Any], holds: bool) -> None:
    keep(facts, **changes)
    assert (ceilings.kept(facts, 4) is not None) == holds


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"null", b'{"threads": 4}', b"\xff"])
def test_a_broken_file_is_no_file(facts: dict[str, Any], content: bytes) -> None:
    keep(facts).write_bytes(content)
    assert ceilings.kept(facts, 4) is None


def test_the_old_file_stays_until_the_new_one_is_whole(facts: dict[str, Any]) -> None:
    path = keep(facts)
    before = path.read_bytes()
    with pytest.raises(ValueError, match="JSON"):
        keep(facts, bandwidth=[bandwidth("jax", float("nan"))])
    assert path.read_bytes() == before
    assert list(path.parent.iterdir()) == [path]


def test_a_file_that_cannot_be_replaced_leaves_no_other(tmp_path: Path) -> None:
    path = tmp_path / "ceilings.json"
    path.mkdir()
    with pytest.raises(OSError):
        ceilings.save(path, {})
    assert list(tmp_path.iterdir()) == [path]


# --- the command ----------------------------------------------------------------------------------------------------


def run(*options: str, **variables: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "hwprobe", "--ceilings", *options]
    environment = {**os.environ, "COLUMNS": "79", **variables}
    return subprocess.run(command, cwd=HERE, env=environment, capture_output=True, text=True)


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Ceilings of this very machine that are kept in a cache folder of its own."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    kept = report(hwprobe.collect(), hwprobe.usable_cpus())
    ceilings.save(ceilings.path_of(kept["fingerprint"], kept["threads"]), kept)
    return kept


def test_the_command_shows_what_is_kept(here: dict[str, Any]) -> None:
    done = run()
    assert done.stderr == ""
    plain = subprocess.run([sys.executable, "-m", "hwprobe"], cwd=HERE, capture_output=True)
    assert done.returncode == plain.returncode
    assert max(map(len, done.stdout.splitlines())) < 80
    lines = [" ".join(line.split()) for line in done.stdout.splitlines()]
    assert "pytorch cpu GEMM float32 2048 236 GFLOP/s 213 16.7%" in lines
    assert "jax cpu GEMM bfloat16 2048 51.3 GFLOP/s 46.1 16.7%" in lines
    assert "pytorch cpu memory 512 MiB 21.2 GB/s 19.1 16.7%" in lines
    words = " ".join(done.stdout.split())
    assert f"measured {here['measured_at'][:10]}, {here['threads']} thread" in words
    assert "n/a: tensorflow, not installed." in words
    assert "two arrays read, one written: 12 bytes an element." in words
    assert "Tainted" not in words


def test_json_has_the_same_ceilings_and_only_on_demand(here: dict[str, Any]) -> None:
    found = json.loads(run("--json").stdout)
    assert found["ceilings"] == here
    jsonschema.validate(found["ceilings"], SCHEMA)
    plain = subprocess.run([sys.executable, "-m", "hwprobe", "--json"], cwd=HERE, capture_output=True, text=True)
    assert "ceilings" not in json.loads(plain.stdout)


def test_tainted_ones_are_measured_again_and_kept(
    here: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Frameworks that cannot be imported: the command measures for real, and is soon done."""
    path = ceilings.path_of(here["fingerprint"], here["threads"])
    ceilings.save(path, here | {"taints": [{"condition": "steal", "reason": "the hypervisor took 2 %"}]})
    dead = dict.fromkeys(ceilings.PACKAGES.values(), "raise ImportError('a fake')")
    fake(tmp_path, monkeypatch, **dead)
    done = run()
    assert done.stderr == "hwprobe: measuring the ceilings; leave the machine alone for a minute\n"
    for framework in ceilings.PACKAGES:
        assert f"n/a: {framework}, ImportError: a fake." in done.stdout
    kept = ceilings.load(path)
    assert kept is not None
    assert [row["framework"] for row in kept["failures"]] == list(ceilings.PACKAGES)
    assert kept["dtypes"] == list(ceilings.DTYPES)


def test_taints_are_shown(capsys: pytest.CaptureFixture[str]) -> None:
    from hwprobe.table import show_ceilings

    taint = {"condition": "other load", "reason": "other programs took 12% of the CPUs"}
    show_ceilings(report(hwprobe.collect(), 1, taints=[taint]))
    assert "Tainted: other programs took 12% of the CPUs." in capsys.readouterr().out


def test_a_cache_that_cannot_be_written_is_said_and_no_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    fake(tmp_path, monkeypatch, **dict.fromkeys(ceilings.PACKAGES.values(), "raise ImportError"))
    done = run("--json", XDG_CACHE_HOME=str(tmp_path / "file"))
    assert "the ceilings cannot be kept: " in done.stderr
    assert json.loads(done.stdout)["ceilings"]["gemm"] == []
