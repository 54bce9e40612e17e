"""Figures as a reader wants them: three significant digits, a fitting unit, the interval in the same unit."""

import math

# unit on disk -> (from this value on, divisor, unit shown), largest first
_SCALES: dict[str, list[tuple[float, float, str]]] = {
    "s": [(1.0, 1.0, "s"), (1e-3, 1e-3, "ms"), (0.0, 1e-6, "µs")],
    "bytes": [(2**30, 2**30, "GiB"), (2**20, 2**20, "MiB"), (2**10, 2**10, "KiB"), (0, 1, "B")],
    "J": [(1.0, 1.0, "J"), (0.0, 1e-3, "mJ")],
    "fraction": [(0.0, 0.01, "%")],
    "FLOP/s": [(1e12, 1e12, "TFLOP/s"), (1e9, 1e9, "GFLOP/s"), (0.0, 1e6, "MFLOP/s")],
    "bytes/s": [(1e12, 1e12, "TB/s"), (1e9, 1e9, "GB/s"), (0.0, 1e6, "MB/s")],
}
UNKNOWN = "unknown"


def scale(value: float, unit: str) -> tuple[float, str]:
    """(divisor, unit shown) for figures of about this value."""
    for start, divisor, shown in _SCALES.get(unit, []):
        if abs(value) >= start:
            return divisor, shown
    return 1.0, unit


def quantity(value: float, unit: str) -> str:
    """As in "12.3 ms"."""
    if not math.isfinite(value):
        return UNKNOWN
    divisor, shown = scale(value, unit)
    return f"{_number(value / divisor, _decimals(value / divisor))} {shown}"


def interval(low: float, high: float, value: float, unit: str) -> str:
    """As in "[12.1, 12.6]", in the unit and with the decimals of `quantity(value, unit)`; '' if unknown."""
    if not (math.isfinite(low) and math.isfinite(high)):
        return ""
    divisor, _ = scale(value, unit)
    decimals = _decimals(value / divisor)
    return f"[{_number(low / divisor, decimals)}, {_number(high / divisor, decimals)}]"


def error(value: float) -> str:
    """A relative error or a count: "2.7e-14", "1e-10", "0"."""
    if not math.isfinite(value):
        return "not finite"
    return f"{value:,.0f}" if value == int(value) else f"{value:.1e}".replace(".0e", "e")


def duration(seconds: object) -> str:
    """As in "8 min 41 s"."""
    if not isinstance(seconds, int | float) or isinstance(seconds, bool) or not math.isfinite(seconds):
        return UNKNOWN
    if seconds < 60:
        return f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def join(parts: list[str]) -> str:
    """As in "a, b and c"."""
    return " and ".join([", ".join(parts[:-1]), parts[-1]]) if len(parts) > 1 else "".join(parts)


def some(names: list[str], most: int = 3) -> str:
    """As in "a and b", or "12, such as a, b and c"."""
    return join(names) if len(names) <= most else f"{len(names)}, such as {join(names[:most])}"


def _decimals(number: float) -> int:
    """Decimals that give three significant digits."""
    return max(0, 2 - math.floor(math.log10(abs(number)))) if number else 0


def _number(number: float, decimals: int) -> str:
    return f"{number:,.{min(decimals, 6)}f}"
