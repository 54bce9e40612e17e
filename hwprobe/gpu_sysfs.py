"""The GPUs of AMD and Intel, as the PCI bus and their drivers show them in /sys.

A GPU is found on the bus, whether its driver is loaded or not. Sizes of PCI windows (lspci's) are not those of the
memory, so only what a driver says counts.
"""

from hwprobe.facts import Fact, Room, known, known_or, unknown
from hwprobe.files import clean, exists, names_in, read_int, read_text

PCI = "/sys/bus/pci/devices"
NVIDIA, AMD, INTEL = "0x10de", "0x1002", "0x8086"  # PCI vendors
_DISPLAY, _ACCELERATOR = "0x03", "0x12"  # PCI classes
_INTEL_ON_THE_CHIP = "0000:00:02.0"  # where every Intel processor has its own GPU


def on_the_bus(vendor: str, root: str) -> list[str]:
    """The names in PCI of this vendor's GPUs, which are not to be published.

    AMD's largest cards are no display controllers but accelerators; what Intel shows as such is no GPU.
    """
    classes = (_DISPLAY, _ACCELERATOR) if vendor == AMD else (_DISPLAY,)

    def says(device: str, file: str) -> str:
        return read_text(f"{PCI}/{device}/{file}", root) or ""

    return [
        name
        for name in names_in(PCI, root)
        if says(name, "vendor").startswith(vendor) and says(name, "class").startswith(classes)
    ]


def collect(root: str) -> list[Room]:
    """A room per GPU: AMD's, then Intel's."""
    amd = [_amd(f"{PCI}/{name}", root) for name in on_the_bus(AMD, root)]
    return amd + [_intel(f"{PCI}/{name}", name == _INTEL_ON_THE_CHIP, root) for name in on_the_bus(INTEL, root)]


def _amd(folder: str, root: str) -> Room:
    total, used = (_size(folder, f"mem_info_vram_{what}", root) for what in ("total", "used"))
    free = None if total["value"] is None or used["value"] is None else int(total["value"]) - int(used["value"])  # type: ignore[arg-type]
    return {
        "vendor": known("AMD", f"{PCI}/*/vendor"),
        "name": known_or(
            clean(read_text(f"{folder}/product_name", root)), "the driver does not name it", f"{PCI}/*/product_name"
        ),
        "vram": total,
        "vram_free": known_or(free, str(total["reason"] or used["reason"]), total["source"], "bytes"),
        "vram_used": used,
        # A processor's own GPU says what the firmware set aside for it as if it were its memory.
        "unified": unknown("the driver does not tell", total["source"]),
    }


def _intel(folder: str, is_on_the_chip: bool, root: str) -> Room:
    source = f"{PCI}/*/driver"
    reason = "the GPU has no memory of its own, and how much RAM it may take is not told"
    if not is_on_the_chip:
        reason = "the driver does not tell its memory" if exists(f"{folder}/driver", root) else _NO_DRIVER
    return {
        "vendor": known("Intel", f"{PCI}/*/vendor"),
        "name": unknown("the driver does not name it", source),
        "vram": unknown(reason, source, "bytes"),
        "unified": known(is_on_the_chip, "its place on the PCI bus"),
    }


_NO_DRIVER = "its driver is not loaded"


def _size(folder: str, file: str, root: str) -> Fact:
    size = read_int(f"{folder}/{file}", root)
    reason = "the driver does not tell" if exists(f"{folder}/driver", root) else _NO_DRIVER
    return known_or(None if size is None or size < 0 else size, reason, f"{PCI}/*/{file}", "bytes")
