"""Operating system, Python and the frameworks' versions - read from their metadata, so that none is imported."""

from importlib import metadata

from hwprobe.facts import Fact, Room, known, known_or, unknown
from hwprobe.files import clean, field, read_text

# Each framework by the names under which it is distributed.
FRAMEWORKS = {
    "torch": ("torch",),
    "tensorflow": ("tensorflow", "tensorflow-cpu", "tensorflow-macos"),
    "keras": ("keras",),
    "jax": ("jax",),
    "numpy": ("numpy",),
}


def collect(root: str = "/") -> Room:
    """The system and Python as text; per framework its version, or unknown if it is not installed."""
    import platform

    release = clean(read_text("/proc/sys/kernel/osrelease", root)) or (platform.release() if root == "/" else None)
    return {
        "os": known_or(_os(root), "the system does not name itself", "/etc/os-release"),
        "kernel": known_or(release, "cannot be read", "/proc/sys/kernel/osrelease"),
        "architecture": known(platform.machine(), "platform.machine"),
        "python": known(f"{platform.python_implementation()} {platform.python_version()}", "platform"),
        **{framework: _version(names) for framework, names in FRAMEWORKS.items()},
    }


def _os(root: str) -> str | None:
    name = field(read_text("/etc/os-release", root), "PRETTY_NAME", "=")
    if name is None and root == "/":
        import platform

        name = f"{platform.system()} {platform.mac_ver()[0] or platform.release()}"
    return clean((name or "").strip("\"'"))


def _version(distributions: tuple[str, ...]) -> Fact:
    for name in distributions:
        try:
            return known(metadata.version(name), f"metadata of {name}")
        except metadata.PackageNotFoundError:
            continue
        except Exception:  # a half-removed package: metadata without a version, or unreadable
            return unknown("its metadata is broken", f"metadata of {name}")
    return unknown("not installed", f"metadata of {distributions[0]}")
