"""hwprobe on what is around and above the system: containers, virtual machines, the frameworks' builds and devices."""

import importlib
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import pytest
from hwprobe_tree import machine, tree
from hypothesis import given, settings
from hypothesis import strategies as st

import hwprobe
from hwprobe import builds, container, devices, software, summary
from hwprobe.facts import known, unknown

# --- containers and virtual machines --------------------------------------------------------------------------------

SYSTEMD = {"/run/systemd/system/x": ""}


def group(path: str) -> dict[str, str]:
    return {"/proc/self/cgroup": f"0::{path}\n"}


@pytest.mark.parametrize(
    ("files", "kind"),
    [
        (SYSTEMD, "none"),
        ({"/proc/1/environ": "HOME=/\0TERM=linux\0"}, "none"),  # readable for the administrator alone
        ({}, None),
        ({"/.dockerenv": ""}, "docker"),
        ({"/run/.containerenv": ""}, "podman"),
        ({"/run/.containerenv": "", "/.dockerenv": ""}, "podman"),
        ({"/.dockerenv": "", "/var/run/secrets/kubernetes.io/serviceaccount/namespace": "x"}, "kubernetes"),
        ({"/proc/1/environ": "KUBERNETES_SERVICE_HOST=10.0.0.1\0"}, "kubernetes"),
        ({"/proc/1/environ": "container=lxc\0"}, "lxc"),
        ({"/run/systemd/container": "lxc-libvirt\n"}, "lxc"),
        (SYSTEMD | {"/run/systemd/container": "systemd-nspawn\n"}, "systemd-nspawn"),
        ({"/run/systemd/container": "rkt\n"}, None),
        (group("/docker/4f1d"), "docker"),
        (group("/system.slice/docker-4f1d.scope"), "docker"),
        (SYSTEMD | group("/system.slice/docker.service"), "none"),  # the engine, not a container
        (SYSTEMD | group("/system.slice/docker-cleanup.service"), "none"),
        (SYSTEMD | group("/user.slice/dockerize.scope"), "none"),
        (group("/kubepods.slice/kubepods-besteffort.slice/cri-containerd-4f.scope"), "kubernetes"),
        (group("/machine.slice/libpod-4f1d.scope/container"), "podman"),
        (group("/lxc.payload.web/user.slice"), "lxc"),
        (group("/machine.slice/systemd-nspawn@web.service/payload"), "systemd-nspawn"),
        ({"/proc/version": "Linux version 5.15.90.1-microsoft-standard-WSL2"}, "wsl"),
        ({"/proc/version": "Linux version 5.15.90.1-microsoft-standard-WSL2", "/.dockerenv": ""}, "docker"),
        (SYSTEMD | {"/proc/self/mountinfo": "21 1 0:50 / / rw - overlay overlay rw\n"}, None),
    ],
)
def test_kind_of_container(tmp_path: Path, files: dict[str, str], kind: str | None) -> None:
    fact = container.collect(tree(tmp_path, files))["container"]
    assert fact["value"] == kind
    assert (fact["reason"] is None) == (kind is not None)


def cpu_flags(flags: str) -> dict[str, str]:
    return {"/proc/cpuinfo": f"model name\t: x\nflags\t\t: {flags}\n"}


def dmi(vendor: str, product: str) -> dict[str, str]:
    secrets = {f"/sys/class/dmi/id/{name}": "SECRET\n" for name in ("product_serial", "product_uuid", "board_serial")}
    return secrets | {"/sys/class/dmi/id/sys_vendor": f"{vendor}\n", "/sys/class/dmi/id/product_name": f"{product}\n"}


GUEST, HOST = cpu_flags("fpu hypervisor avx2"), cpu_flags("fpu vmx avx2")


@pytest.mark.parametrize(
    ("files", "kind"),
    [
        (HOST | dmi("Dell Inc.", "PowerEdge"), "none"),
        (HOST | dmi("Amazon EC2", "m5.metal"), "none"),  # a whole server
        (GUEST | dmi("Amazon EC2", "m5.large"), "Amazon EC2"),
        (GUEST | dmi("QEMU", "Standard PC (Q35 + ICH9, 2009)"), "QEMU"),
        (GUEST | dmi("Google", "Google Compute Engine"), "Google Compute Engine"),
        (GUEST | dmi("VMware, Inc.", "VMware7,1"), "VMware"),
        (GUEST | dmi("innotek GmbH", "VirtualBox"), "VirtualBox"),
        (GUEST | dmi("Microsoft Corporation", "Virtual Machine"), "Hyper-V"),
        (HOST | dmi("Microsoft Corporation", "Surface Laptop"), "none"),
        (GUEST, "of an unnamed kind"),
        (dmi("Amazon EC2", "c7g.large"), "Amazon EC2"),  # an Arm processor has no flag
        (dmi("Amazon EC2", "c7g.metal"), "none"),
        (dmi("Microsoft Corporation", "Surface Pro X"), "none"),
        ({}, None),
    ],
)
def test_kind_of_virtual_machine(tmp_path: Path, files: dict[str, str], kind: str | None) -> None:
    facts = container.collect(tree(tmp_path, files))
    assert facts["virtual_machine"]["value"] == kind
    assert "SECRET" not in json.dumps(facts)


def test_what_a_container_s_traces_name_stays_out(tmp_path: Path) -> None:
    files = {
        "/proc/1/environ": "container=SECRET\0HOSTNAME=SECRET\0KUBERNETES_SERVICE_HOST=SECRET\0",
        "/proc/self/cgroup": "0::/docker/SECRET\n",
        "/run/.containerenv": 'name="SECRET"\n',
        "/run/systemd/container": "SECRET\n",
    }
    root = machine(tmp_path, **{path.lstrip("/"): text for path, text in files.items()})
    assert software.collect(root)["container"]["value"] == "kubernetes"
    assert "SECRET" not in json.dumps(hwprobe.collect(root))
    (tmp_path / "proc/1/environ").write_text("container=SECRET\0")
    for path in ("proc/self/cgroup", "run/.containerenv", "run/systemd/container"):
        (tmp_path / path).unlink()
    assert "SECRET" not in json.dumps(hwprobe.collect(root))


def test_the_table_names_the_container_and_the_virtual_machine(tmp_path: Path) -> None:
    facts = hwprobe.collect(machine(tmp_path))
    assert dict(summary.lines(facts))["System"].count("in ") == 0
    facts["software"] |= {"container": known("podman", "t"), "virtual_machine": known("KVM", "t")}
    assert dict(summary.lines(facts))["System"].endswith(", in podman, in a virtual machine (KVM)")
    facts["software"]["virtual_machine"] = known(container.UNNAMED, "t")
    assert dict(summary.lines(facts))["System"].endswith(", in podman, in a virtual machine")


# --- builds ---------------------------------------------------------------------------------------------------------


def installed(folder: Path, monkeypatch: pytest.MonkeyPatch, packages: dict[str, str], files: dict[str, str]) -> None:
    """Let Python find these packages (name -> version) and their files, and no others."""
    for name, version in packages.items():
        info = f"/{name.replace('-', '_')}-{version}.dist-info/METADATA"
        files = files | {info: f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"}
    tree(folder, files)
    monkeypatch.setattr(sys, "path", [str(folder)])
    importlib.invalidate_caches()


def torch_version(**builds: str) -> dict[str, str]:
    lines = [f"{name}: Optional[str] = {builds.get(name)!r}\n" for name in ("cuda", "hip", "rocm", "xpu")]
    return {"/torch/version.py": "".join(["__version__ = '2.13.0'\n", *lines])}


def build_info(*pairs: tuple[str, Any]) -> dict[str, str]:
    text = f"build_info = collections.OrderedDict({list(pairs)!r})\n"
    return {"/tensorflow/python/platform/build_info.py": text}


@pytest.mark.parametrize(
    ("packages", "files", "name", "build"),
    [
        (["torch"], torch_version(), "torch", "CPU"),
        (["torch"], torch_version(cuda="12.6"), "torch", "CUDA 12.6"),  # a version without "+cu126" tells nothing
        (["torch"], torch_version(hip="6.4.43482", rocm="6.4.0"), "torch", "ROCm 6.4.43482"),
        (["torch"], torch_version(xpu="20250101"), "torch", "XPU 20250101"),
        (["torch"], {}, "torch", None),
        ([], {}, "torch", None),
        (["tensorflow-cpu"], build_info(("is_cuda_build", False)), "tensorflow", "CPU"),
        (["tensorflow"], build_info(("is_cuda_build", True), ("cuda_version", "12.5.1")), "tensorflow", "CUDA 12.5.1"),
        (["tensorflow"], build_info(("is_cuda_build", False), ("is_rocm_build", False)), "tensorflow", "CPU"),
        (["tensorflow"], build_info(("is_cuda_build", False), ("is_rocm_build", True)), "tensorflow", "ROCm"),
        (["tensorflow"], {"/tensorflow/python/platform/build_info.py": "\x00\x1b"}, "tensorflow", "CPU"),
        (["tensorflow"], {}, "tensorflow", None),
        (["jax"], {}, "jax", "CPU"),
        (["jax"], {"/jax_plugins/xla_cuda12/__init__.py": ""}, "jax", "CUDA 12"),
        (["jax"], {"/jax_plugins/xla_rocm7/__init__.py": ""}, "jax", "ROCm 7"),
        ([], {}, "jax", None),
    ],
)
def test_builds_are_read_without_an_import(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    packages: list[str],
    files: dict[str, str],
    name: str,
    build: str | None,
) -> None:
    monkeypatch.setattr("platform.system", lambda: "Linux")
    installed(tmp_path, monkeypatch, dict.fromkeys(packages, "2.13.0"), files)
    assert builds.collect()[f"{name}_build"]["value"] == build


@settings(max_examples=200, deadline=None)
@given(
    st.one_of(
        st.binary(max_size=80), st.sampled_from([b"cuda = ''", b"cuda: x = '\x1b[2J'", b"'cuda_version', '\x00'"])
    )
)
def test_garbage_in_a_framework_s_files_is_a_fact_all_the_same(content: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "version.py")
        file.write_bytes(content)
        for fact in (builds._torch(str(file)), builds._tensorflow(str(file)), builds._jax(str(file))):
            assert (fact["value"] is None) == (fact["reason"] is not None)
            assert "\x1b" not in str(fact["value"])


def test_the_builds_here_are_what_the_frameworks_say() -> None:
    code = "import torch; print(torch.version.cuda, torch.version.hip)"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    words = {"None None": "CPU"}.get(" ".join(said), f"CUDA {said[0]}" if said[0] != "None" else f"ROCm {said[1]}")
    assert builds.collect()["torch_build"]["value"] == words


# --- the devices that frameworks see --------------------------------------------------------------------------------


@pytest.mark.slow
def test_the_frameworks_here_see_a_cpu_at_least() -> None:
    found = devices.collect()
    assert set(found) == {name for name in devices.TWINS if software.collect()[name]["value"] is not None}
    for name, room in found.items():
        assert room["devices"]["value"] is not None, (name, room["devices"]["reason"])
        assert room["devices"]["value"][0] == "cpu"
        has_gpu = len(room["devices"]["value"]) > 1
        assert (room["gpu_name"]["value"] is not None) == has_gpu
        assert room["gpu_memory"]["unit"] == "bytes"


def frameworks(folder: Path, monkeypatch: pytest.MonkeyPatch, **modules: str) -> dict[str, Any]:
    """What devices.collect finds where these modules stand for the frameworks."""
    tree(folder, {f"/{name}.py": text for name, text in modules.items()})
    monkeypatch.setenv("PYTHONPATH", str(folder))
    versions = {name: known("1", "t") if name in modules else unknown("not installed", "t") for name in devices.TWINS}
    monkeypatch.setattr(software, "collect", lambda: versions)
    return devices.collect(timeout_s=3)


JAX = """
class Gpu:
    platform, id, device_kind = "gpu", 0, "NVIDIA \\x1b[2J Example"
    class client:
        platform_version = "PJRT C API cuda 12060"
def devices():
    return [Gpu()]
"""
TORCH = """
import types
class version:
    cuda = "12.6"
class cuda:
    device_count = lambda: 2
    get_device_properties = lambda i: types.SimpleNamespace(name=f"Example {i}", total_memory=(i + 1) << 30)
class xpu:
    device_count = lambda: 0
class backends:
    class mps:
        is_available = lambda: False
"""
MPS = """
class cuda:
    device_count = lambda: 0
xpu = cuda
class mps:
    recommended_max_memory = lambda: 11 << 30
class backends:
    class mps:
        is_available = lambda: True
"""
TENSORFLOW = """
print("a library that prints")
class sysconfig:
    get_build_info = lambda: {"is_cuda_build": True}
class config:
    list_physical_devices = lambda kind: ["one"] if kind == "GPU" else []
    class experimental:
        get_device_details = lambda gpu: {"device_name": "Example"}
"""
EMPTY = TENSORFLOW.replace('["one"]', "[]")


def test_gpus_that_frameworks_see(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = frameworks(tmp_path, monkeypatch, torch=TORCH, tensorflow=TENSORFLOW, jax=JAX)
    assert {name: room["devices"]["value"] for name, room in found.items()} == {
        "torch": ["cpu", "cuda:0", "cuda:1"],
        "tensorflow": ["cpu", "cuda:0"],
        "jax": ["cpu", "cuda:0"],
    }
    assert (found["torch"]["gpu_name"]["value"], found["torch"]["gpu_memory"]["value"]) == ("Example 0", 2 << 30)
    assert found["tensorflow"]["gpu_memory"]["reason"] == "it does not tell"
    assert found["jax"]["gpu_name"]["value"] == "NVIDIA [2J Example"


def test_apple_s_gpu_and_its_share_of_the_ram(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    room = frameworks(tmp_path, monkeypatch, torch=MPS)["torch"]
    assert (room["devices"]["value"], room["gpu_memory"]["value"]) == (["cpu", "mps"], 11 << 30)


def test_a_framework_that_dies_hangs_or_breaks_is_unknown_with_the_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    start = time.monotonic()
    found = frameworks(
        tmp_path,
        monkeypatch,
        torch="import os, signal; os.kill(os.getpid(), signal.SIGSEGV)",
        tensorflow="import time; time.sleep(60)",
        jax=f"raise ImportError('libfoo.so: no such file in {Path.home()}/lib')",
    )
    assert time.monotonic() - start < 10
    assert {name: room["devices"]["reason"] for name, room in found.items()} == {
        "torch": "its process was ended by SIGSEGV",
        "tensorflow": "no answer after 3 s",
        "jax": "ImportError: libfoo.so: no such file in ~/lib",
    }
    assert all(fact["value"] is None for room in found.values() for fact in room.values())


def test_a_framework_that_ends_its_process_in_peace_told_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    room = frameworks(tmp_path, monkeypatch, torch="import os; os._exit(0)")["torch"]
    assert room["devices"]["reason"] == "its answer is no JSON"


def test_they_are_asked_at_the_same_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    meet = """
import pathlib, sys, time
folder = pathlib.Path(__file__).parent
(folder / f"{__name__}.here").touch()
for _ in range(200):
    if len(list(folder.glob("*.here"))) == 3: break
    time.sleep(0.01)
else:
    raise ImportError("alone")
"""
    found = frameworks(tmp_path, monkeypatch, torch=meet + TORCH, tensorflow=meet + TENSORFLOW, jax=meet + JAX)
    assert [room["devices"]["reason"] for room in found.values()] == [None, None, None]


def machine_with(tmp_path: Path, vendor: str, build: str, seen: list[str] | None) -> dict[str, Any]:
    facts = hwprobe.collect(machine(tmp_path))
    gpu = {"vendor": known(vendor, "t"), "name": known("Example", "t"), "vram": known(1, "t", "bytes")}
    facts["gpu"] |= {"count": known(1, "t"), "devices": [gpu]}
    facts["software"]["tensorflow_build"] = known(build, "t")
    room = {
        "devices": known(seen, "t") if seen else unknown("no answer after 60 s", "t"),
        "gpu_name": unknown("it does not tell", "t"),
        "gpu_memory": unknown("it does not tell", "t", "bytes"),
    }
    return facts | {"frameworks": {"tensorflow": room}}


@pytest.mark.parametrize(
    ("vendor", "build", "seen", "says"),
    [
        ("NVIDIA", "CPU", ["cpu"], "tensorflow does not see the GPU: its build is for CPUs"),
        ("AMD", "CUDA 12.5", ["cpu"], "tensorflow does not see the GPU: its build is for CUDA 12.5"),
        ("NVIDIA", "CUDA 12.5", ["cpu"], "its build is for CUDA 12.5; see that the driver is new enough"),
        ("NVIDIA", "CUDA 12.5", ["cpu", "cuda:0"], None),
        ("NVIDIA", "CPU", None, None),
        ("Intel", "CPU", ["cpu"], None),
    ],
)
def test_a_framework_that_does_not_see_the_gpu_is_warned_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, vendor: str, build: str, seen: list[str] | None, says: str | None
) -> None:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    shown = dict(summary.lines(machine_with(tmp_path, vendor, build, seen)))["tensorflow"]
    assert ("warn: " in shown) == (says is not None)
    assert (says or "") in shown
    assert shown.startswith(f"sees {', '.join(seen)}" if seen else "unknown (no answer after 60 s)")


def test_a_gpu_that_a_variable_hides(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    facts = machine_with(tmp_path, "NVIDIA", "CUDA 12.5", ["cpu"])
    assert devices.blind(facts) == {"tensorflow": "CUDA_VISIBLE_DEVICES hides it"}
    assert devices.blind(hwprobe.collect(str(tmp_path))) == {}  # nobody was asked


@pytest.mark.slow
def test_the_command_tells_what_frameworks_see() -> None:
    command = [sys.executable, "-m", "hwprobe", "--frameworks", "--json"]
    done = subprocess.run(command, cwd=Path(__file__).parents[1], capture_output=True, text=True)
    facts = json.loads(done.stdout)["facts"]
    assert set(facts["frameworks"]) == {name for name in devices.TWINS if facts["software"][name]["value"]}
    assert all(room["devices"]["value"][0] == "cpu" for room in facts["frameworks"].values())
