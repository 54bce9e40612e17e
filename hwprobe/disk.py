"""The disk that carries a path: from the mounted file system down to the devices below it.

Partitions, LVM, LUKS and RAID are stacked block devices; /sys shows each one's `slaves`. Names of mounts and of
remote servers are never published: they name people and machines.
"""

import os
import shutil
from itertools import takewhile
from pathlib import Path, PurePosixPath

from hwprobe import system
from hwprobe.facts import Fact, Room, at_least, known, known_or, unknown
from hwprobe.files import Mount, clean, exists, mounts, names_in, read_int, read_text, under

HDD, SATA_SSD, NVME = "HDD", "SATA SSD", "NVMe"  # slowest first
_SECTOR = 512  # bytes; /sys counts in these whatever the disk's own sectors are
IN_RAM = ("tmpfs", "ramfs", "devtmpfs")
_VIRTUAL = ("qemu", "virtual", "vbox", "vmware", "persistentdisk", "elastic block store", "nvme_card-pd", "msft")
_DEEPEST = 8  # layers; a stack is seldom more than four


def collect(path: str | os.PathLike[str] = ".", root: str = "/") -> Room:
    """Size of the device, free bytes for this user, kind and file system of what carries `path`.

    A path that is not there yet counts as its nearest parent that is. kind: HDD, SATA SSD, NVMe, or unknown: on macOS
    and Windows always, where the size is the file system's, too.
    """
    place = _place(path, root)
    mount = None if place is None else _mount(place, root)
    total, free = (None, None) if place is None else _space(place, root)
    filesystem = clean(mount.kind if mount else _kind_of_file_system(place, root))
    device, reason = (None, "the folder is not there") if place is None else _device(mount, root)
    size = _file_system_size(total, filesystem, reason)
    kind = unknown(reason, "/proc/self/mountinfo")
    if device is not None:
        disks = _bottom(device, root)
        size = known_or(_capacity(device, root), "the device does not tell", "/sys/dev/block/*/size", "bytes")
        kind = _kind(disks, root)
    return {
        "size": size,
        "free": known_or(free, "cannot be read", "statvfs", "bytes"),
        "kind": kind,
        "filesystem": known_or(
            filesystem, "cannot be read", system.source("/proc/self/mountinfo", mount is not None, root)
        ),
    }


def usual_places(root: str = "/") -> dict[str, str]:
    """Label -> path of the folders that a benchmark writes to, each on a file system of its own: the current folder,
    the user's cache (weights and data sets), the results."""
    # Path.expanduser raises where a user has no home.
    cache = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")  # noqa: PTH111
    places = {"current folder": ".", "cache": cache, "results": ".asv"}
    devices: dict[str, object] = {}
    for label, path in places.items():
        device = _device_number(path, root)
        if label == "current folder" or (device is not None and device not in devices.values()):
            devices[label] = device
    return {label: places[label] for label in devices}


def _device_number(path: str, root: str) -> object:
    """What two paths on one file system have in common. The kernel's list of mounts comes first: to stat, two
    subvolumes of one btrfs are two devices."""
    place = _place(path, root)
    mount = None if place is None else _mount(place, root)
    if mount is not None:
        return mount.device
    try:
        return None if place is None else Path(under(root, place)).stat().st_dev
    except OSError:
        return None


def _place(path: str | os.PathLike[str], root: str) -> str | None:
    """The absolute path, or its nearest parent that is there; None where the current folder itself is gone."""
    try:
        place = Path(path).resolve() if root == "/" else Path("/", path)
    except (OSError, RuntimeError):  # RuntimeError: a loop of symbolic links
        return None
    return next((str(parent) for parent in (place, *place.parents) if exists(str(parent), root)), None)


def _kind_of_file_system(place: str | None, root: str) -> str | None:
    """Of the longest mount point above the place, where the system and no list of mounts tells it."""
    if place is None or not system.is_here(root):
        return None
    kinds = {point: kind for point, kind in system.ask("file systems") or () if Path(place).is_relative_to(point)}
    return kinds[max(kinds, key=len)] if kinds else None


def _mount(place: str, root: str) -> Mount | None:
    """The file system that holds the place: of the longest mount points above it the last, which hides the others."""
    holding = [m for m in mounts(root) if (place.rstrip("/") + "/").startswith(m.point.rstrip("/") + "/")]
    return max(reversed(holding), key=lambda mount: len(mount.point), default=None)


def _space(place: str, root: str) -> tuple[int | None, int | None]:
    try:
        usage = shutil.disk_usage(under(root, place))
    except (OSError, ValueError):
        return None, None
    return usage.total, usage.free  # free: what this user may write, without root's reserve


def _file_system_size(total: int | None, filesystem: str | None, reason: str) -> Fact:
    """Where no device shows (a container, a network disk): it holds at least its file system."""
    if total is None or filesystem in IN_RAM:
        return unknown(reason, "/proc/self/mountinfo", "bytes")
    return at_least(total, "statvfs", f"{reason}; this is the size of the file system", "bytes")


def _device(mount: Mount | None, root: str) -> tuple[str | None, str]:
    """The folder of the mount's block device in /sys, or None and why there is none."""
    if mount is None:
        name = system.ask("system") if system.is_here(root) else None
        return None, f"{name} does not tell" if name in ("Darwin", "Windows") else "the list of mounts cannot be read"
    if mount.kind in IN_RAM:
        return None, f"{mount.kind} is memory, not a disk"
    link = f"/sys/dev/block/{mount.device}"
    if mount.device.startswith("0:") and mount.source.startswith("/dev/"):  # btrfs: a number of its own, a real source
        link = f"/sys/class/block/{_name(_real(mount.source, root))}"
    folder = _real(link, root)
    if read_text(f"{folder}/size", root) is not None:
        return folder, ""
    return None, f"{clean(mount.kind) or 'the file system'} shows no block device here"


def _real(path: str, root: str) -> str:
    """The path without symbolic links, still relative to the root."""
    try:
        return str(Path(under(root, path)).resolve()).removeprefix(str(Path(root).resolve()).rstrip("/"))
    except (OSError, RuntimeError, ValueError):  # a loop of links, a NUL in a name that was read
        return path


def _name(device: str) -> str:
    return PurePosixPath(device).name


def _below(device: str, root: str) -> list[str]:
    """The devices that this one stands on: a partition's disk, or the slaves of LVM, LUKS and RAID."""
    if read_text(f"{device}/partition", root) is not None:
        return [str(PurePosixPath(device).parent)]
    return [_real(f"{device}/slaves/{name}", root) for name in names_in(f"{device}/slaves", root)]


def _bottom(device: str, root: str, depth: int = 0) -> set[str]:
    below = _below(device, root) if depth < _DEEPEST else []
    return set().union(*(_bottom(lower, root, depth + 1) for lower in below)) if below else {device}


def _capacity(device: str, root: str, depth: int = 0) -> int | None:
    """Bytes of the disks below, each once: a logical volume is judged by its disk. RAID and multipath count as one."""
    own = read_int(f"{device}/size", root)
    below = _below(device, root)
    if below and len(below) == 1 and depth < _DEEPEST:
        return _capacity(below[0], root, depth + 1)
    is_raid = _name(device).startswith("md")
    is_multipath = (read_text(f"{device}/dm/uuid", root) or "").startswith("mpath-")
    if below and not is_raid and not is_multipath:
        sizes = [read_int(f"{disk}/size", root) for disk in _bottom(device, root)]
        own = None if None in sizes else sum(size for size in sizes if size is not None)
    return None if own is None or own <= 0 else own * _SECTOR


def _kind(disks: set[str], root: str) -> Fact:
    """The slowest of the kinds, if each is known."""
    source = "/sys/block/*/queue/rotational"
    kinds = [_kind_of_disk(disk, root) for disk in sorted(disks)]
    for kind, reason in kinds:
        if kind is None:
            return unknown(reason, source)
    return known(min((kind for kind, _ in kinds if kind), key=(HDD, SATA_SSD, NVME).index), source)


def _kind_of_disk(disk: str, root: str) -> tuple[str | None, str]:
    name = _name(disk)
    model = f"{read_text(f'{disk}/device/vendor', root) or ''} {read_text(f'{disk}/device/model', root) or ''}".lower()
    transport = (read_text(f"{disk}/device/transport", root) or "pcie").strip()
    # A virtual disk says "rotational" whatever it stands on, and a USB bridge does too.
    if "/virtio" in disk or name.startswith(("vd", "xvd")) or any(word in model for word in _VIRTUAL):
        return None, "a virtual disk does not tell what it stands on"
    if "/usb" in disk:
        return None, "a USB bridge hides the kind of disk"
    if name.startswith("nvme"):
        return (NVME, "") if transport == "pcie" else (None, "NVMe over a network")
    rotational = read_int(f"{disk}/queue/rotational", root)
    if not name.startswith("sd") or "/session" in disk or rotational not in (0, 1):  # a session is iSCSI's
        letters = "".join(takewhile(str.isalpha, name))  # no further: an array's name may be its user's (md_NAME)
        return None, f"{clean(letters) or 'the device'}: not a kind of disk that tells"
    return (HDD if rotational else SATA_SSD), ""
