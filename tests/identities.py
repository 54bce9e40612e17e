"""What tells whose machine the tests run on, and where a file tells it."""

import getpass
import platform
import re
import socket
from collections.abc import Collection
from pathlib import Path

import pandas as pd
import psutil

_FILES = (
    *("/etc/machine-id", "/var/lib/dbus/machine-id", "/proc/sys/kernel/random/boot_id"),
    *(f"/sys/class/dmi/id/{name}" for name in ("product_serial", "product_uuid", "board_serial", "chassis_serial")),
)
_NOBODY = {"root", "localhost", "127.0.0.1", "::1", "00:00:00:00:00:00"}


def identifiers() -> set[str]:
    """Host, user, home, MAC and IP addresses, serial numbers and UUIDs of this machine, as far as they can be read."""
    addresses = [one.address.partition("%")[0] for found in psutil.net_if_addrs().values() for one in found]
    disks = [path for name in ("serial", "wwid", "device/serial") for path in Path("/sys/block").glob(f"*/{name}")]
    paths = [path for path in (*map(Path, _FILES), *disks) if path.is_file()]
    told = [text for path in paths if len(text := path.read_text(errors="replace").strip()) >= 8]
    names = [platform.node(), socket.getfqdn(), getpass.getuser(), str(Path.home())]
    return {word for word in (*addresses, *told, *names) if word} - _NOBODY


def told(path: Path, words: Collection[str]) -> set[str]:
    """Which of these a file tells, standing by themselves."""
    is_table = path.suffix == ".parquet"
    text = pd.read_parquet(path).to_csv() if is_table else path.read_bytes().decode(errors="replace")
    found = set()
    for word in words:
        # The page's libraries have variables of two or three letters, and a host may be called "vm".
        where = re.sub(r"<script.*?</script>", "", text, flags=re.S) if len(word) < 6 else text
        if re.search(rf"(?<![A-Za-z0-9]){re.escape(word)}(?![A-Za-z0-9])", where, re.IGNORECASE):
            found.add(word)
    return found
