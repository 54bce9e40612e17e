"""The limits that control groups set on this process: version 1, version 2 and both at once (hybrid).

A limit holds for everything below it, so each chain is walked from the process's own group to the top, and the smallest
limit counts. Paths of groups are never published: they name users, containers and services.
"""

from hwprobe.files import field, mounts, parse_int, read_int, read_text

_UNLIMITED = 2**62  # version 1 says "no limit" as 9223372036854771712, or near it where pages are larger


def cpu_quota(root: str = "/") -> float | None:
    """The CPU time that the group may use, in CPUs (0.5 is half a core); None where no quota is set."""
    quotas = []
    for folder in _chain("cpu", root):
        allowed, _, period = (read_text(f"{folder}/cpu.max", root) or "").strip().partition(" ")
        version_2 = parse_int(allowed), parse_int(period)
        version_1 = read_int(f"{folder}/cpu.cfs_quota_us", root), read_int(f"{folder}/cpu.cfs_period_us", root)
        for quota, length in (version_2, version_1):
            if quota and length and quota > 0 and length > 0:  # "max", -1 and an empty file mean: no quota
                quotas.append(quota / length)
    return min(quotas, default=None)


def memory_limit(root: str = "/") -> int | None:
    """The memory that the group may use, in bytes; None where no limit is set."""
    return min((limit for _, limit in _memory_limits(root)), default=None)


def memory_headroom(root: str = "/") -> int | None:
    """Bytes that the group may still take; file cache that can be dropped counts as free. None without a limit."""
    rooms = []
    for folder, limit in _memory_limits(root):
        used = read_int(f"{folder}/memory.current", root)  # version 2, then version 1
        used = read_int(f"{folder}/memory.usage_in_bytes", root) if used is None else used
        stat = read_text(f"{folder}/memory.stat", root)
        cache = field(stat, "total_inactive_file", " ") or field(stat, "inactive_file", " ") or "0"
        if used is not None:
            rooms.append(max(0, limit - max(0, used - (parse_int(cache) or 0))))
    return min(rooms, default=None)


def throttled_periods(root: str = "/") -> int | None:
    """How often a quota has stopped the group or one above it, since they were made; None where nothing counts it."""
    counts = []
    for folder in _chain("cpu", root):
        count = parse_int(field(read_text(f"{folder}/cpu.stat", root), "nr_throttled", " ") or "")
        if count is not None:
            counts.append(count)
    return sum(counts) if counts else None


def _memory_limits(root: str) -> list[tuple[str, int]]:
    limits = []
    for folder in _chain("memory", root):
        for name in ("memory.max", "memory.limit_in_bytes"):
            limit = read_int(f"{folder}/{name}", root)
            if limit is not None and 0 < limit < _UNLIMITED:
                limits.append((folder, limit))
    return limits


def _chain(controller: str, root: str) -> list[str]:
    """The folders of the process's group and of all above it, own group first, for one controller."""
    folders: list[str] = []
    for line in (read_text("/proc/self/cgroup", root) or "").splitlines():
        number, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        version_2 = number == "0" and controllers == ""
        if not version_2 and controller not in controllers.split(","):
            continue
        for mount in mounts(root):
            if (mount.kind == "cgroup2") if version_2 else (mount.kind == "cgroup" and controller in mount.options):
                folders += _upwards(mount.point.rstrip("/"), _inside(path, mount.root))
    return folders


def _inside(path: str, mount_root: str) -> list[str]:
    """The group's path as seen from the mount.

    A container often sees the path of its host here, or one with "..": then its own group is the mount itself.
    """
    prefix = mount_root.rstrip("/") + "/"
    parts = [part for part in path.removeprefix(prefix).split("/") if part]
    return parts if path.startswith(prefix) and ".." not in parts else []


def _upwards(point: str, parts: list[str]) -> list[str]:
    return ["/".join([point, *parts[:depth]]) for depth in range(len(parts), -1, -1)]
