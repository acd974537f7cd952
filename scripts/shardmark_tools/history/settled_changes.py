# SPDX-License-Identifier: Apache-2.0
"""From what each view of the values found to the changes that are told: when, how large, a step or a drift."""

import dataclasses
from collections.abc import Sequence

import numpy as np

from shardmark_tools.history.change_search import BOUND_SHARE, View, neighbours_of
from shardmark_tools.history.level_scan import SHORTEST
from shardmark_tools.history.quiet_noise import Reals

SAME_CHANGE = 3  # nights that two views may date one change apart
LEAST_SHARE = 0.5  # of a change's size that the values themselves must show
LEAST_EFFECT = 0.01  # a change below this is nobody's business
CLIP = 3.0
YOUNG = 8  # nights of a level, below which SHORTEST of them must lie within NEAR spreads of their median,
NEAR = 2.5
NEAR_SHARE = 0.35  # or this share of the step: nights of a great one may differ by more
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


def robust_mean(part: Reals) -> float:
    """Mean of what lies within CLIP of the median, the rest moved there."""
    middle = np.median(part)
    return float(middle + np.mean(np.clip(part - middle, -CLIP, CLIP)))


def size_of(units: Reals, begins: list[int], night: int) -> tuple[float, float]:
    """(size, its standard error) of the step at `night`, in units."""
    before, after = neighbours_of(begins, night, len(units))
    old, new = units[before:night], units[night:after]
    error = float(np.sqrt(1.0 / len(old) + 1.0 / len(new)))
    return robust_mean(new) - robust_mean(old), error


def agreed(units: Reals, begins: list[int], night: int) -> bool:
    """Whether three nights of the new level agree with each other, where it is young: two bad nights and a good one
    do not."""
    before, after = neighbours_of(begins, night, len(units))
    old, new = units[before:night], units[night:after]
    if len(new) >= YOUNG:
        return True
    middle = float(np.median(new))
    near = max(NEAR, NEAR_SHARE * abs(middle - float(np.median(old))))
    return int((np.abs(new - middle) <= near).sum()) >= SHORTEST


def merged_nights(views: list[View], history: int, series: int) -> list[tuple[int, View]]:
    """[(night, view)...]: of the same change seen in two views, the one that shows it more clearly."""
    seen = []
    for view in views:
        begins = view.changes[history][series]
        for night in begins:
            if not agreed(view.units[history, series], begins, night):
                continue
            size, error = size_of(view.units[history, series], begins, night)
            seen.append((abs(size) / error, night, view))
    seen.sort(key=lambda entry: -entry[0])
    kept: list[tuple[int, View]] = []
    for _, night, view in seen:
        if all(abs(night - other) > SAME_CHANGE for other, _ in kept):
            kept.append((night, view))
    return sorted(kept, key=lambda entry: entry[0])


def shown_by_values(views: list[View], history: int, series: int, begins: list[int], night: int, size: float) -> bool:
    """Whether the values themselves move the same way, and not only against the other benchmarks."""
    plain = views[0]
    own, _ = size_of(plain.units[history, series], begins, night)
    own *= float(plain.spread[history, series, 0])
    return own * size > 0 and abs(own) >= LEAST_SHARE * abs(size)


def changes_of(views: list[View], history: int, series: int, accepted: Sequence[int] = ()) -> list[Found]:
    """[Found...] of one series, oldest first, without what was accepted."""
    merged = merged_nights(views, history, series)
    merged = [(night, view) for night, view in merged if night not in accepted]
    told = []
    for place, (night, view) in enumerate(merged):
        begins = sorted({n for n, _ in merged} | set(accepted))
        units, spread = view.units[history, series], float(view.spread[history, series, 0])
        size, error = size_of(units, begins, night)
        size, error = size * spread, error * spread * CONFIDENCE_SPREADS
        if abs(size) < np.log1p(LEAST_EFFECT) or not shown_by_values(views, history, series, begins, night, size):
            continue
        told.append(Found(series, night, size, size - error, size + error))
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
    bound = BOUND_SHARE * float(view.limits[history, series])
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
