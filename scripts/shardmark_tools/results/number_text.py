# SPDX-License-Identifier: Apache-2.0
"""Numbers for people: three significant digits, as the command prints them, and one unit in a column."""

import math
from collections.abc import Sequence

GIB = 2.0**30
TIME_UNITS = (("s", 1.0), ("ms", 1e-3), ("us", 1e-6), ("ns", 1e-9))
LONG_TIMES = (("h", 3600.0), ("min", 60.0))
BYTE_UNITS = ("B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB")


def three_digits(value: float) -> str:
    """1.43, 12.0, 350, 1640, 0.0123: never an exponent."""
    if not math.isfinite(value):
        return "-"
    size = abs(value)
    if size < 1e-12:
        return "0"
    if size < 1:
        digits = 2 - math.floor(math.log10(size))
        text = f"{value:.{digits}f}"
        # Rounding may carry into a new digit: 0.9996 is 1.00.
        return text if abs(float(text)) < 10.0 ** (3 - digits) else f"{value:.{digits - 1}f}"
    return f"{value:.{2 if size < 9.995 else 1 if size < 99.95 else 0}f}"


def time_unit(values: Sequence[float]) -> str:
    """The unit of a column: that of the middle between its shortest and its longest time, on a scale of ratios."""
    positive = [v for v in values if v > 0 and math.isfinite(v)]
    if not positive:
        return "s"
    middle = math.sqrt(min(positive)) * math.sqrt(max(positive))
    return next((unit for unit, scale in TIME_UNITS if middle >= 0.9995 * scale), "ns")


def time_text(seconds: float, unit: str | None = None) -> str:
    """1.43 s, 12.0 ms, 350 us, 80.0 ns; in `unit` if one is given."""
    if not math.isfinite(seconds):
        return "-"
    unit = unit or time_unit([seconds])
    return f"{three_digits(seconds / dict(TIME_UNITS)[unit])} {unit}"


def duration_text(seconds: float) -> str:
    """How long something takes to wait for: 12.3 s, 14.0 min, 2.50 h."""
    for unit, scale in LONG_TIMES:
        if seconds >= 1.5 * scale:
            return f"{three_digits(seconds / scale)} {unit}"
    return time_text(seconds)


def byte_text(num_bytes: float) -> str:
    """512 B, 1.50 KiB, 2.00 GiB."""
    place = 0
    while abs(num_bytes) >= 1023.5 and place + 1 < len(BYTE_UNITS):
        num_bytes /= 1024
        place += 1
    return f"{num_bytes:.0f} B" if place == 0 else f"{three_digits(num_bytes)} {BYTE_UNITS[place]}"


def rate_text(bytes_per_s: float) -> str:
    """1.43 GiB/s"""
    return f"{byte_text(bytes_per_s)}/s"


def percent_text(share: float) -> str:
    """5.00 %, 12.3 %, 140 %"""
    return f"{three_digits(100 * share)} %" if math.isfinite(share) else "-"


def count_text(count: float) -> str:
    """8,030,261,248"""
    return f"{count:,.0f}"
