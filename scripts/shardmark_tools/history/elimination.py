# SPDX-License-Identifier: Apache-2.0
"""Which candidates are changes: the least clear one is given up until all that are left are clear.

A candidate is judged by the nights up to its neighbours, whose means are surer for every neighbour that is given up;
what wanders is cut into many levels of which none lasts. A change is clear when the square of its size exceeds the
limit times its variance, and when enough nights of the new level agree: bad nights that happen to come together must
be rarer than that.
"""

import dataclasses
from collections.abc import Sequence

import numpy as np

from shardmark_tools.history import alarm_limits
from shardmark_tools.history.level_scan import SHORTEST
from shardmark_tools.history.night_noise import NightNoise
from shardmark_tools.history.quiet_noise import Reals, middle_of

CLIP = 3.0
FAITH = 8.0  # nights of a level that say as much of its spread as all other nights do
NEAR = 4.0  # spreads from the level's median within which a night agrees with it,
NEAR_SHARE = 0.2  # or this share of the step: nights of a great one may differ by more
YOUNG = 12  # nights of a level, below which at most one in ODD may not agree,
ODD = 3
BACK = 5  # and one in BACK may be where it was before;
FORETOLD = 14  # nights before it, of which one may be where the level will be, if none goes back
BAD = 4.0  # spreads that a bad night is off its level at least
BAD_SHARE = 0.6  # of a step that a bad night is off at least, and one over this at most, to pass for one of its nights
BAD_TOGETHER = 0.002  # chance that bad nights alone make a level in a history
MOST_AGREEING = 7
MOST_LOSS = 18.0  # of a night, when the date is looked for


def within(part: Reals) -> Reals:
    """What lies farther than CLIP from the median is moved there."""
    middle = middle_of(part)
    kept: Reals = np.minimum(np.maximum(part, middle - CLIP), middle + CLIP)
    return kept


def robust_mean(part: Reals) -> float:
    return float(within(part).sum() / len(part))


def neighbours_of(begins: Sequence[int], night: int, nights: int) -> tuple[int, int]:
    edges = [0, *begins, nights]
    place = edges.index(night)
    return edges[place - 1], edges[place + 1]


def closer(part: Reals, other: Reals, own: Reals | None = None) -> int:
    """Nights of one level (or of the end of `own`) that are closer to the other: what comes and goes is not there to stay."""
    middle = middle_of(part if own is None else own)
    return int((np.abs(part - middle_of(other)) < np.abs(part - middle)).sum())


@dataclasses.dataclass
class Row:
    """One series of one history."""

    units: Reals  # (nights), in spreads
    shown: Reals | None  # (nights) 1 where there is a value
    noise: NightNoise
    history: int
    series: int
    limit: float
    off: Reals  # by what quiet nights of all benchmarks are off their levels, ascending,
    own_off: Reals  # and those of this series
    unrest: float  # share of what benchmarks do that is wandering

    def limit_for(self, level: int) -> float:
        """Of a new level of so many nights."""
        return self.limit * float(alarm_limits.doubt(len(self.units), max(1, level), self.unrest))

    def part(self, begin: int, end: int) -> Reals:
        values = self.units[begin:end]
        return values if self.shown is None else values[self.shown[begin:end] > 0]

    def size(self, before: int, night: int, after: int) -> tuple[float, float]:
        """(size, its variance) of a step at `night` between its neighbours; the variance has no end where a side has
        no night."""
        old, new = self.part(before, night), self.part(night, after)
        if not len(old) or not len(new):
            return 0.0, np.inf
        variance = self.noise.variance(self.history, self.series, [len(old), len(new)]).sum()
        variance += self.commotion(old) + self.commotion(new)
        return robust_mean(new) - robust_mean(old), float(variance)

    def fewest(self, size: float, beyond: bool) -> int:
        """Nights of a new level so far off that must agree: bad nights like it, or that and `beyond`, come as many in a
        row rarely enough, of all series and of this one."""
        if abs(size) < BAD:
            return SHORTEST
        least, most = BAD_SHARE * size, np.copysign(np.inf, size) if beyond else size / BAD_SHARE
        needed = float(SHORTEST)
        for off in (self.off, self.own_off):
            low, high = np.searchsorted(off, sorted((least, most)))
            chance = min(0.5, (int(high - low) + 0.5) / len(off))
            needed = max(needed, np.ceil(np.log(BAD_TOGETHER / len(off)) / np.log(chance)))
        return int(min(needed, MOST_AGREEING))

    def commotion(self, part: Reals) -> float:
        """What the mean of nights that differ more than quiet ones do is less sure by: disturbances come and go, and
        pass for a level only while they last."""
        own = float(self.noise.own[self.history, self.series])
        kept = within(part)
        here = float((kept**2).sum() - kept.sum() ** 2 / len(kept))
        variance = (FAITH * own + here) / (FAITH + len(part) - 1)
        return max(0.0, variance - own) / len(part)

    def clearness(self, before: int, night: int, after: int) -> float:
        """Over the limit: above 1 is clear."""
        size, variance = self.size(before, night, after)
        return size**2 / variance / self.limit_for(after - night) if self.agreed(before, night, after) else 0.0

    def agreed(self, before: int, night: int, after: int) -> bool:
        """Whether nights of a young level agree with each other, on either side: two bad nights and a good one do not."""
        old, new = self.part(before, night), self.part(night, after)
        if not len(old) or not len(new) or not self.is_level(new, old) or not self.is_level(old, new):
            return False
        if len(new) >= YOUNG or abs(middle_of(new) - middle_of(old)) < 2 * BAD:  # of small steps nights lie between
            return True
        return closer(new, old) + closer(old[-FORETOLD:], new, old) <= 1

    def is_level(self, part: Reals, other: Reals) -> bool:
        if len(part) >= YOUNG:
            return True
        middle, still = middle_of(part), middle_of(other)
        off, size = part - middle, middle - still
        near = np.abs(off) <= max(NEAR, NEAR_SHARE * abs(size))
        enough = False
        for beyond in (False, True):  # a bad night of the new level lies beyond it
            agreeing = int((near | (beyond & (off * size > 0))).sum())
            enough |= agreeing >= self.fewest(size, beyond) and len(part) - agreeing <= len(part) // ODD
        return enough and closer(part, other) <= len(part) // BACK

    def best_night(self, before: int, night: int, after: int) -> int:
        """The night between the neighbours at which the two levels fit best."""
        old, new = robust_mean(self.part(before, night)), robust_mean(self.part(night, after))
        values = self.units[before:after]
        stay, gone = np.minimum((values - old) ** 2, MOST_LOSS), np.minimum((values - new) ** 2, MOST_LOSS)
        if self.shown is not None:
            stay, gone = stay * self.shown[before:after], gone * self.shown[before:after]
        cost = np.concatenate([[0.0], np.cumsum(stay - gone)])
        inside = cost[SHORTEST : after - before - SHORTEST + 1]
        return before + SHORTEST + int(inside.argmin()) if len(inside) else night


def clear_changes(row: Row, candidates: Sequence[int], accepted: Sequence[int] = ()) -> list[int]:
    """What is left of the candidates, with `accepted`, which is never given up."""
    fixed = set(accepted)
    begins = sorted(fixed | set(candidates))
    nights = len(row.units)
    known: dict[tuple[int, int, int], float] = {}
    while True:
        worst, least = None, 1.0
        for night in begins:
            if night in fixed:
                continue
            place = (*neighbours_of(begins, night, nights), night)
            if place not in known:
                known[place] = row.clearness(place[0], night, place[1])
            if known[place] < least:
                worst, least = night, known[place]
        if worst is None:
            break
        begins.remove(worst)
    return redated(row, begins, fixed)


def redated(row: Row, begins: list[int], fixed: set[int]) -> list[int]:
    found = list(begins)
    for place, night in enumerate(begins):
        if night not in fixed:
            before, after = neighbours_of(found, night, len(row.units))
            found[place] = row.best_night(before, night, after)
    return found
