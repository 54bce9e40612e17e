"""Operating system, what it runs in, Python, and the frameworks' versions and builds - read from their files, so that
none is imported."""

from importlib import metadata

from hwprobe import builds, container, system
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
    """The system and Python as text; per framework its version and build, or unknown if it is not installed."""
    import platform

    is_linux = (release := clean(read_text("/proc/sys/kernel/osrelease", root))) is not None
    if not is_linux and system.is_here(root):
        release = clean(system.ask("kernel"))
    os_source = system.source("/etc/os-release", is_linux, root)
    return {
        "os": known_or(_os(root), "the system does not name itself", os_source),
        "kernel": known_or(release, "cannot be read", system.source("/proc/sys/kernel/osrelease", is_linux, root)),
        "architecture": known(platform.machine(), "platform.machine"),
        "python": known(f"{platform.python_implementation()} {platform.python_version()}", "platform"),
        **container.collect(root),
        **{framework: _version(names) for framework, names in FRAMEWORKS.items()},
        **builds.collect(),
    }


def _os(root: str) -> str | None:
    name = field(read_text("/etc/os-release", root), "PRETTY_NAME", "=")
    if name is None and system.is_here(root):
        name = system.ask("os")
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
