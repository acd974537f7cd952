# SPDX-License-Identifier: Apache-2.0
"""Each series' largest size is left out, and foretold from those of at most a fourth of it."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy
from scipy import stats

from shardmark_tools.foretell.linear_law import FEWEST_SIZES, NO_FLOOR, Floor, LinearLaw, fit, share_spread
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


def points_below(series: Series, factor: float) -> list[tuple[float, float]]:
    """What is fitted; empty where that is too little."""
    largest = series.sizes()[-1]
    below = [(size, t) for size, t in series.points if size * factor <= largest * 1.001]
    return below if len({size for size, _ in below}) >= FEWEST_SIZES else []


Floors = Mapping[tuple[str, int, int], Floor]  # by operation, nodes and ranks


def raw_floors(all_series: Iterable[Series], factor: float = FACTOR) -> Floors:
    """What a byte costs in the fastest raw files, by sizes that are fitted."""
    laws: dict[tuple[str, int, int], list[LinearLaw]] = defaultdict(list)
    fitted = [(s, points_below(s, factor)) for s in all_series if s.is_raw()]
    fitted = [(series, below) for series, below in fitted if below]
    for (series, _), law in zip(fitted, share_spread([fit(below) for _, below in fitted])):
        laws[series.kind.operation, series.nodes, series.ranks].append(law)
    lowest = {of: min(found, key=lambda law: law.b) for of, found in laws.items()}
    return {of: Floor(law.b, law.standard_errors()[1]) for of, law in lowest.items()}


def floor_of(series: Series, floors: Floors) -> Floor:
    key = series.floor_key()
    floor = floors.get(key, NO_FLOOR) if key else NO_FLOOR
    return Floor(floor.b * series.moved, floor.error * series.moved)


def foretell_largest(all_series: Iterable[Series], factor: float = FACTOR, floors: Floors | None = None) -> list[Point]:
    """Of every series that has enough sizes below. `floors`: those of the series themselves where left out."""
    all_series = list(all_series)
    known = raw_floors(all_series, factor) if floors is None else floors
    by_kind: dict[Kind, list[tuple[Series, float, list[tuple[float, float]]]]] = defaultdict(list)
    for series in all_series:
        if below := points_below(series, factor):
            by_kind[series.kind].append((series, series.sizes()[-1], below))
    points = []
    for members in by_kind.values():
        laws = share_spread([fit(below, floor_of(series, known)) for series, _, below in members])
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
