"""What other programs wrote (an error's text, a log, a setting) without what names people and machines.

Facts need none of this: they are an allow-list. Of a text that somebody else wrote only what is known can be taken out:
home folders, user, host, and what has the form of an address or a UUID.
"""

import getpass
import ipaddress
import os
import platform
import re
from pathlib import Path

_NOBODY = {"", "root", "localhost"}  # names that name nobody
_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_MAC = re.compile(r"(?<![\w:-])[0-9a-f]{2}(?:[:-][0-9a-f]{2}){5}(?![\w:-])", re.IGNORECASE)
_MAYBE_IP = (
    re.compile(r"(?<![\w.])\d{1,3}(?:\.\d{1,3}){3}(?!\w|\.\d)"),
    re.compile(r"(?<![\w:.])[0-9a-f:.]{3,45}(?<![:.])(?!\w)", re.IGNORECASE),  # not the "::" of C++
)


def scrub(text: str) -> str:
    """The text with stand-ins: "~" for the home folder, "<user>", "<host>", "<UUID>", "<MAC>", "<IP>"."""
    for home in _homes():  # not where the path goes on with other letters, or began before
        text = re.sub(rf"(?<![\w.~-]){re.escape(home)}(?![\w.-])", "~", text)
    for names, stand_in in ((_users(), "<user>"), (_hosts(), "<host>")):
        for name in names:
            text = re.sub(rf"(?<![A-Za-z0-9]){re.escape(name)}(?![A-Za-z0-9])", stand_in, text, flags=re.IGNORECASE)
    text = _MAC.sub("<MAC>", _UUID.sub("<UUID>", text))
    for form in _MAYBE_IP:
        text = form.sub(lambda found: "<IP>" if _is_ip(found[0]) else found[0], text)
    return text


def is_this_host(name: str) -> bool:
    """Whether this is the machine's name in the network, with or without its domain."""
    return name.split(".")[0].casefold() == platform.node().split(".")[0].casefold()


def _homes() -> list[str]:
    """As the environment has it and as the system has it, and what a symbolic link makes of either; longest first."""
    found = {os.environ.get(name, "") for name in ("HOME", "USERPROFILE")} | {_account("pw_dir")}
    found |= {os.path.realpath(home) for home in found if home}
    return sorted((home for home in found if len(Path(home).parts) > 1), key=len, reverse=True)


def _users() -> list[str]:
    try:
        name = getpass.getuser()
    except (KeyError, OSError):  # a container's user may have no name
        name = ""
    found = {os.environ.get(variable, "") for variable in ("USER", "LOGNAME", "USERNAME", "SUDO_USER")}
    return _longest_first(found | {name, _account("pw_name")})


def _hosts() -> list[str]:
    found = {platform.node(), os.environ.get("HOSTNAME", ""), os.environ.get("COMPUTERNAME", "")}
    return _longest_first(found | {name.split(".")[0] for name in found})


def _longest_first(names: set[str]) -> list[str]:
    return sorted((name for name in names if name.lower() not in _NOBODY), key=len, reverse=True)


def _account(field: str) -> str:
    """What the system knows of this user; empty on Windows, and for a user without an entry."""
    try:
        import pwd

        return str(getattr(pwd.getpwuid(os.getuid()), field))
    except (ImportError, KeyError):
        return ""


def _is_ip(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True
