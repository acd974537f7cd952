# SPDX-License-Identifier: Apache-2.0
"""From what each view of the values found to the changes that are told: when, how large, a step or a drift."""

import dataclasses
from collections.abc import Sequence

import numpy as np

from shardmark_tools.history.change_search import BOUND, View
from shardmark_tools.history.elimination import CLIP, neighbours_of, robust_mean
from shardmark_tools.history.quiet_noise import Reals

SAME_CHANGE = 3  # nights that two views may date one change apart
LEAST_SHARE = 0.5  # of a change's size that the values themselves must show
BASELINE = 14  # first nights of a history, which only say what is usual
LEAST_EFFECT = 0.01  # a change below this is nobody's business
SURE_BY_VALUES = 4.0  # standard errors of nights of the series by themselves, below which
SURE_BESIDE = 2.5  # times the limit must be passed against the others
CONFIDENCE_SPREADS = 1.96
DRIFT_MARGIN = 6.0  # squared spreads by which a slope must fit better than one step
STEP_WORTH = 8.0  # what each further step, with its night and its level, must fit better by
FEWEST_OF_DRIFT = 10
FEWEST = 5  # nights since the first of its steps


@dataclasses.dataclass
class Found:
    """One change of one series. Nights are positions; sizes are logarithms of ratios."""

    series: int
    night: int
    size: float
    low: float
    high: float
    drift: bool = False  # from `night` up to now


@dataclasses.dataclass
class Seen:
    """A change as one view shows it."""

    night: int
    view: View
    before: int
    after: int
    size: float  # a logarithm
    error: float  # its standard error
    clearness: float  # over the view's limit

    @staticmethod
    def of(view: View, history: int, series: int, begins: Sequence[int], night: int) -> "Seen":
        row, spread = view.rows[history][series], float(view.spread[history, series, 0])
        before, after = neighbours_of(begins, night, len(row.units))
        size, variance = row.size(before, night, after)
        return Seen(night, view, before, after, size * spread, float(np.sqrt(variance)) * spread,
                    size**2 / variance / row.limit_for(after - night))


def merged_changes(views: list[View], history: int, series: int, accepted: Sequence[int]) -> list[Seen]:
    """Of the same change seen in two views, the one that shows it more clearly; oldest first."""
    seen = [Seen.of(view, history, series, view.changes[history][series], night)
            for view in views for night in view.changes[history][series] if night not in accepted]  # fmt: skip
    seen.sort(key=lambda entry: -entry.clearness)
    kept: list[Seen] = []
    for entry in seen:
        if all(abs(entry.night - other.night) > SAME_CHANGE for other in kept):
            kept.append(entry)
    begins = sorted({entry.night for entry in kept} | set(accepted))
    return [Seen.of(entry.view, history, series, begins, entry.night) for entry in sorted(kept, key=lambda entry: entry.night)]


def shown_by_values(plain: View, history: int, series: int, seen: Seen) -> bool:
    """Whether the values themselves move the same way, and not only against the other benchmarks. What is small beside
    what nights of the series do anyhow must be the clearer against the others."""
    own = plain.rows[history][series].size(seen.before, seen.night, seen.after)[0] * float(plain.spread[history, series, 0])
    if own * seen.size <= 0 or abs(own) < LEAST_SHARE * abs(seen.size):
        return False
    spread = plain.night_spread(history, series) / np.sqrt(seen.after - seen.night)
    return abs(seen.size) >= SURE_BY_VALUES * spread or seen.clearness >= SURE_BESIDE


def changes_of(views: list[View], history: int, series: int, accepted: Sequence[int] = ()) -> list[Found]:
    """[Found...] of one series, oldest first, without what was accepted."""
    told = []
    for seen in merged_changes(views, history, series, accepted):
        if abs(seen.size) < np.log1p(LEAST_EFFECT) or seen.night < BASELINE:
            continue
        if seen.view is not views[0] and not shown_by_values(views[0], history, series, seen):
            continue
        error = CONFIDENCE_SPREADS * seen.error
        told.append(Found(series, seen.night, seen.size, seen.size - error, seen.size + error))
    return told


def bounded_cost(rest: Reals, bound: float) -> float:
    return float(np.minimum(rest**2, bound).sum())


def hinge_fit(units: Reals, bound: float) -> tuple[float, int, float]:
    """(cost, begin, slope) of a level that begins to drift at the best night."""
    nights = np.arange(len(units))
    weight = (np.abs(units - np.median(units)) < 8 * CLIP).astype(float)
    best = (np.inf, 0, 0.0)
    for begin in range(0, len(units) - FEWEST_OF_DRIFT + 1):
        ramp = np.maximum(0, nights - begin + 1).astype(float)
        design = np.stack([np.ones_like(ramp), ramp], axis=1) * weight[:, None]
        fitted, *_ = np.linalg.lstsq(design, units * weight, rcond=None)
        cost = bounded_cost(units - fitted[0] - fitted[1] * ramp, bound)
        if cost < best[0]:
            best = (cost, begin, float(fitted[1]))
    return best


def drifting(view: View, history: int, series: int, found: list[Found], accepted: Sequence[int],
             nights: int) -> list[Found]:  # fmt: skip
    """The same changes, but steps of one direction up to now that are rather one slope told as one drift."""
    if not found:
        return found
    first = len(found) - 1
    while first > 0 and found[first - 1].size * found[-1].size > 0:
        first -= 1
    run = found[first:]
    begin = max([night for night in (*accepted, *(f.night for f in found[:first])) if night < run[-1].night], default=0)
    run = [f for f in run if f.night > begin]
    units = view.units[history, series][begin:]
    if len(units) < 2 * FEWEST_OF_DRIFT or nights - run[0].night < FEWEST:
        return found
    bound = BOUND
    edges = [0, *(f.night - begin for f in run), len(units)]
    steps = sum(bounded_cost(units[a:b] - robust_mean(units[a:b]), bound) for a, b in zip(edges, edges[1:]))
    cost, start, slope = hinge_fit(units, bound)
    length = len(units) - start
    if cost > steps + STEP_WORTH * (len(run) - 1) - DRIFT_MARGIN or slope * run[-1].size <= 0:
        return found
    spread = float(view.spread[history, series, 0])
    size = slope * length * spread
    error = CONFIDENCE_SPREADS * spread * float(np.sqrt(12.0 / length))
    kept = [f for f in found if f.night <= begin]
    return [*kept, Found(series, begin + start, size, size - error, size + error, True)]
