# SPDX-License-Identifier: Apache-2.0
"""Each series' largest size is left out, and foretold from those of at most a fourth of it."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy
from scipy import stats

from shardmark_tools.foretell.linear_law import FEWEST_SIZES, LinearLaw, fit, share_spread
from shardmark_tools.foretell.series import Kind, Series

FACTOR = 4.0
CONFIDENCE = 0.95


@dataclass
class Point:
    """One size that was not fitted."""

    series: Series
    law: LinearLaw
    size: float
    measured: float
    foretold: float
    low: float
    high: float

    def is_inside(self) -> bool:
        return self.low <= self.measured <= self.high

    def half_width(self) -> float:
        return (self.high - self.low) / 2 / self.foretold


def foretell_largest(all_series: Iterable[Series], factor: float = FACTOR) -> list[Point]:
    """Of every series that has enough sizes below."""
    by_kind: dict[Kind, list[tuple[Series, float, list[tuple[float, float]]]]] = defaultdict(list)
    for series in all_series:
        largest = series.sizes()[-1]
        below = [(size, t) for size, t in series.points if size * factor <= largest * 1.001]
        if len({size for size, _ in below}) >= FEWEST_SIZES:
            by_kind[series.kind].append((series, largest, below))
    points = []
    for members in by_kind.values():
        laws = share_spread([fit(below) for _, _, below in members])
        for (series, largest, _), law in zip(members, laws):
            measured = float(numpy.median([t for size, t in series.points if size == largest]))
            points.append(Point(series, law, largest, measured, *law.predict(largest)))
    return points


def expected_inside(count: int) -> tuple[int, int]:
    """How many of so many fall inside intervals that are what they say, in 95 of 100 such trials."""
    low, high = stats.binom.interval(CONFIDENCE, count, CONFIDENCE)
    return int(low), int(high)


def half_widths(points: Sequence[Point]) -> tuple[float, float]:
    """Median and 90th percentile."""
    widths = [point.half_width() for point in points]
    return float(numpy.median(widths)), float(numpy.percentile(widths, 90))
