"""Reading /proc and /sys below a root, so that a recorded tree serves as well as the machine. Nothing here raises."""

from pathlib import Path
from typing import NamedTuple

_LIMIT = 1 << 20  # bytes; no file that is read here is larger
_MOST_CPUS = 8192  # the kernel's own bound; keeps a broken "0-99999999999" from filling the memory


def under(root: str, path: str) -> str:
    """The absolute `path` inside the tree `root`."""
    return root.rstrip("/") + path


def read_text(path: str, root: str = "/") -> str | None:
    """The file's text, or None if it is absent or unreadable."""
    try:
        with Path(under(root, path)).open("rb") as file:
            return file.read(_LIMIT).decode("utf-8", "replace")
    except (OSError, ValueError):  # ValueError: a NUL in a path that was itself read from a file
        return None


def read_int(path: str, root: str = "/") -> int | None:
    """The file's whole number, or None."""
    text = read_text(path, root)
    return None if text is None else parse_int(text)


def parse_int(text: str) -> int | None:
    """A whole number of at most 64 bits, or None."""
    try:
        number = int(text)
    except ValueError:
        return None
    return number if abs(number) < 2**64 else None


def parse_ranges(text: str | None) -> set[int]:
    """The numbers in "0-3,8", as the kernel lists CPUs and memory nodes."""
    numbers: set[int] = set()
    for part in (text or "").strip().split(","):
        first, dash, last = part.partition("-")
        low, high = parse_int(first), parse_int(last if dash else first)
        if low is not None and high is not None and low >= 0:
            numbers.update(range(low, min(high + 1, _MOST_CPUS)))
    return numbers


def exists(path: str, root: str = "/") -> bool:
    """Whether a file or folder is there and may be seen."""
    try:
        Path(under(root, path)).stat()
    except (OSError, ValueError):  # Path.exists would raise on a parent that may not be searched
        return False
    return True


def names_in(path: str, root: str = "/") -> list[str]:
    """The sorted names in a folder; none if it cannot be read."""
    try:
        return sorted(entry.name for entry in Path(under(root, path)).iterdir())
    except (OSError, ValueError):
        return []


def field(text: str | None, key: str, separator: str = ":") -> str | None:
    """The value of the first line `key<separator>value`, stripped, or None."""
    for line in (text or "").splitlines():
        name, found, value = line.partition(separator)
        if found and name.strip() == key:
            return value.strip()
    return None


def clean(text: str | None) -> str | None:
    """One printable line of at most 120 characters: a device's name must not move the terminal's cursor."""
    if text is None:
        return None
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())[:120] or None


def one_line(text: str) -> str:
    """Of an error's text, without what names people and machines."""
    from hwprobe.private import scrub  # here, because it is seldom needed and costs 10 ms

    return clean(scrub(text)) or ""


class Mount(NamedTuple):
    """One line of /proc/self/mountinfo."""

    device: str  # "major:minor"
    root: str
    point: str
    kind: str
    source: str
    options: list[str]  # of the super block


def mounts(root: str = "/") -> list[Mount]:
    """What is mounted, in order; lines that cannot be read are left out."""
    found = []
    for line in (read_text("/proc/self/mountinfo", root) or "").splitlines():
        left, _, right = line.partition(" - ")
        before, after = left.split(" "), right.split(" ")
        if len(before) >= 5 and len(after) >= 3:
            options = _unescape(after[2]).split(",")
            found.append(Mount(before[2], _unescape(before[3]), _unescape(before[4]), after[0], after[1], options))
    return found


def _unescape(text: str) -> str:
    for code, character in (("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")):
        text = text.replace(code, character)
    return text
