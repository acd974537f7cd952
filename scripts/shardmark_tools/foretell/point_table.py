# SPDX-License-Identifier: Apache-2.0
"""Points that were not fitted, for people."""

from collections.abc import Sequence

from shardmark_tools.foretell.hold_out import Point, half_widths
from shardmark_tools.results.number_text import time_text, time_unit
from shardmark_tools.results.plain_text import aligned_table


def point_lines(points: Sequence[Point]) -> list[str]:
    rows = []
    for point in points:
        unit = time_unit([point.measured])
        times = (point.low, point.high, point.foretold, point.measured)
        low, high, foretold, measured = (time_text(time, unit).removesuffix(f" {unit}") for time in times)
        rows.append([point.series.label, point.law.text(point.series.of), f"{point.size / point.law.sizes[-1]:.1f}x",
                     f"{foretold} [{low}..{high}]", f"{measured} {unit}", "" if point.is_inside() else "outside"])  # fmt: skip
    return aligned_table(["series", "law", "size", "foretold", "measured", ""], rows)


def width_text(points: Sequence[Point]) -> str:
    middle, ninth = half_widths(points)
    return f"half an interval is {100 * middle:.0f} % of the time (median), {100 * ninth:.0f} % (90th percentile)"
