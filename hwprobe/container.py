"""What the system runs in: a container, a virtual machine. Only kinds are told, never names, addresses or serials.

Each container engine leaves another trace, and none of them leaves all; what leaves none at all on a system that starts
its own services is no container. macOS and Windows tell neither through psutil.
"""

from hwprobe.facts import Fact, Room, known, unknown
from hwprobe.files import exists, field, mounts, read_text

UNNAMED = "of an unnamed kind"
KINDS = ("docker", "podman", "kubernetes", "lxc", "systemd-nspawn", "wsl")
_DMI = "/sys/class/dmi/id"
# Part of the maker's or the product's name in DMI -> what it is; the first that fits.
_MACHINES = {
    "amazon ec2": "Amazon EC2",
    "google": "Google Compute Engine",
    "openstack": "OpenStack",
    "digitalocean": "DigitalOcean",
    "hetzner": "Hetzner Cloud",
    "vmware": "VMware",
    "virtualbox": "VirtualBox",
    "innotek": "VirtualBox",
    "parallels": "Parallels",
    "apple virtual": "Apple Virtualization",
    "microsoft": "Hyper-V",
    "xen": "Xen",
    "bochs": "QEMU",
    "qemu": "QEMU",
    "kvm": "KVM",
}


def collect(root: str = "/") -> Room:
    """`container`: one of KINDS, or none. `virtual_machine`: its kind, UNNAMED, or none."""
    return {"container": _container(root), "virtual_machine": _virtual_machine(root)}


def _container(root: str) -> Fact:
    for kind, source in _traces(root):
        if kind in KINDS:
            return known(kind, source)
        return unknown("a container of a kind that is not known here", source)
    if any(mount.point == "/" and mount.kind == "overlay" for mount in mounts(root)):
        return unknown("the root is an overlay, as in a container, but nothing names one", "/proc/self/mountinfo")
    if exists("/run/systemd/system", root):  # systemd writes /run/systemd/container wherever it starts in one
        return known("none", "/run/systemd")
    if read_text("/proc/1/environ", root):
        return known("none", "/proc/1/environ")
    return unknown("nothing tells", "/proc/1/environ")


def _traces(root: str) -> list[tuple[str, str]]:
    """(kind, source) for each trace that is there, the surest first: a pod's containers look like Docker's as well."""
    own = (read_text("/proc/self/cgroup", root) or "") + (read_text("/proc/1/cgroup", root) or "")
    variables = dict(
        line.partition("=")[::2] for line in (read_text("/proc/1/environ", root) or "").split("\0") if "=" in line
    )
    told = (read_text("/run/systemd/container", root) or variables.get("container", "")).strip()
    kernel = (read_text("/proc/version", root) or "").lower()
    in_pod = exists("/var/run/secrets/kubernetes.io", root) or "KUBERNETES_SERVICE_HOST" in variables
    groups = [_kind_of_group(part) for line in own.splitlines() for part in line.rpartition(":")[2].split("/")]
    group = next((kind for kind in groups if kind), "")
    return [
        (kind, source)
        for kind, source, is_there in (
            ("kubernetes", "/var/run/secrets", in_pod),
            ("kubernetes", "/proc/self/cgroup", group == "kubernetes"),
            ("podman", "/run/.containerenv", exists("/run/.containerenv", root)),
            ("docker", "/.dockerenv", exists("/.dockerenv", root)),
            (told.removesuffix("-libvirt"), "/run/systemd/container", bool(told)),
            (group, "/proc/self/cgroup", bool(group)),
            ("wsl", "/proc/version", "microsoft" in kernel),
        )
        if is_there
    ]


def _kind_of_group(name: str) -> str:
    """A control group's name as its engine forms it; docker.service is the engine itself and no container of it."""
    if name.startswith("kubepods"):
        return "kubernetes"
    if name == "docker" or (name.startswith("docker-") and name.endswith(".scope")):
        return "docker"
    if name.startswith("libpod-"):
        return "podman"
    if name == "lxc" or name.startswith("lxc.payload"):
        return "lxc"
    return "systemd-nspawn" if name.startswith("systemd-nspawn@") else ""


def _virtual_machine(root: str) -> Fact:
    """The hypervisor's flag, which only x86 processors have, and DMI's names of maker and product.

    A whole server that a cloud rents out bears the cloud's name, too: where there are flags, the flag decides.
    """
    info = read_text("/proc/cpuinfo", root)
    flags = (field(info, "flags") or "").split()
    names = " ".join(read_text(f"{_DMI}/{name}", root) or "" for name in ("sys_vendor", "product_name")).lower()
    if flags and "hypervisor" not in flags:
        return known("none", "/proc/cpuinfo")
    kind = next((kind for word, kind in _MACHINES.items() if word in names), None)
    if kind == "Hyper-V" and "virtual machine" not in names:  # a Surface
        kind = None
    if kind and ".metal" not in names:
        return known(kind, _DMI)
    if flags:
        return known(UNNAMED, "/proc/cpuinfo")
    if names.strip():
        return known("none", _DMI)
    return unknown("nothing tells", _DMI)
