# SPDX-License-Identifier: Apache-2.0
"""Finds the changes of many series that share their nights."""

import dataclasses

from typing import Any

import numpy as np
import numpy.typing as npt

from shardmark_tools.history import alarm_limits, level_scan, quiet_noise
from shardmark_tools.history.quiet_noise import Marks, Reals, Whole

BOUND = 18.0  # what a night can cost at most, in squared spreads; more where limits are higher:
BOUND_SHARE = 0.6  # of the limit. Two bad nights beside a good one do not pass it, three nights of a new level can
SUSPICIOUS = 14.0  # gain from which a level may be one, before the limit is known
NEIGHBOURS = 2  # nights that the same change may be apart in two series
SHARE_WHOLE = 0.75  # of the chance of a false alarm: benchmarks; the rest is their phases'
SHARE_RAW = 0.3  # of that: values as they are; the rest is values without what all benchmarks of a night share
ROUNDS = 3
LEAST_SPREAD = 0.5  # of quiet nights, in spreads of all of them
SEED = 20


@dataclasses.dataclass
class Panel:
    """Series that share their nights, of one history or of many alike."""

    values: Reals  # (histories, series, nights), logarithms of times
    benchmark_of: list[Any]  # (series)
    whole: Marks  # (series) true: the whole operation; false: one of its phases
    weekdays: Whole  # (nights) 0 to 6
    present: Reals | None = None  # (histories, series, nights) 1 where there is a value
    accepted: Marks | None = None  # (series, nights) true where a new level is known to begin


@dataclasses.dataclass
class View:
    """One way to look at the values: as they are, or without what the benchmarks of a night share."""

    units: Reals  # (histories, series, nights), in spreads
    spread: Reals  # (histories, series, 1), of a night, as a logarithm
    limits: Reals  # (histories, series)
    changes: list[list[list[int]]]  # [history][series] -> [night...]


def flat(array: npt.NDArray[Any] | None) -> npt.NDArray[Any] | None:
    return None if array is None else array.reshape(-1, array.shape[-1])


def level_values(units: Reals, changes: list[list[int]], present: Reals | None = None) -> Reals:
    """(series, nights) the median of each level."""
    levels = np.zeros_like(units)
    for row, (series, begins) in enumerate(zip(units, changes)):
        edges = [0, *begins, len(series)]
        for begin, end in zip(edges, edges[1:]):
            part = series[begin:end]
            if present is not None:
                part = part[present[row, begin:end] > 0]
            levels[row, begin:end] = np.median(part) if len(part) else 0.0
    return levels


def quiet_part(units: Reals, known: list[list[int]], present: Reals | None) -> Reals:
    """Units of one history with its known changes taken off, and the most suspicious one beside them."""
    levels = level_values(units, known, present)
    rest = units - levels
    found = level_scan.partition(rest, SUSPICIOUS, BOUND, present)
    sizes = [(abs(step_size(rest[row], begins, night)) * np.sqrt(night_count(begins, night, rest.shape[1])), row, night)
             for row, begins in enumerate(found) for night in begins]  # fmt: skip
    if not sizes:
        return rest
    _, _, worst = max(sizes)
    taken = [[night for night in begins if abs(night - worst) <= NEIGHBOURS] for begins in found]
    return rest - level_values(rest, taken, present)


def bounds_of(limits: Reals) -> Reals:
    bounds: Reals = np.maximum(BOUND, BOUND_SHARE * limits)
    return bounds


def neighbours_of(begins: list[int], night: int, nights: int) -> tuple[int, int]:
    edges = [0, *begins, nights]
    place = edges.index(night)
    return edges[place - 1], edges[place + 1]


def step_size(series: Reals, begins: list[int], night: int) -> float:
    before, after = neighbours_of(begins, night, len(series))
    return float(np.median(series[night:after]) - np.median(series[before:night]))


def night_count(begins: list[int], night: int, nights: int) -> float:
    before, after = neighbours_of(begins, night, nights)
    return 1.0 / (1.0 / (night - before) + 1.0 / (after - night))


def wander_of(quiet: Reals, panel: Panel, share: Reals) -> Reals:
    """How far nights wander: each series', and where benchmarks share their nights, what they share."""
    whole = quiet[:, panel.whole]
    together = alarm_limits.wander(whole.mean(axis=1, keepdims=True))
    factor: Reals = np.maximum(alarm_limits.wander(whole), np.where(share == SHARE_RAW, together, 1.0))
    return factor


def limits_of(quiet: Reals, panel: Panel, share: Reals) -> Reals:
    """(histories, series): benchmarks and phases have a limit each, for their part of the chance, which is `share`
    (histories) of all of it."""
    nights = quiet.shape[-1]
    rng = np.random.default_rng(SEED)
    maxima = alarm_limits.largest_gains(alarm_limits.filled(quiet, panel.present, rng), BOUND, rng)
    factor = wander_of(quiet, panel, share)
    limits = np.zeros(quiet.shape[:2])
    phases = ~panel.whole
    part = SHARE_WHOLE if phases.any() else 1.0
    for rows, portion in ((panel.whole, part), (phases, 1.0 - part)):
        if rows.any():
            alpha = alarm_limits.alpha_of(nights) * share * portion
            most = maxima[:, :, rows].max(axis=2)
            limits[:, rows] = alarm_limits.limit_of(most, alpha, int(rows.sum()), nights, factor)[:, None]
    return limits


def cheapest_levels(units: Reals, quiet_spread: Reals, limits: Reals, panel: Panel) -> list[list[list[int]]]:
    """[history][series] -> [night...], in units of the spread of quiet nights: what a change adds to the spread of all
    nights would hide it."""
    histories, series, _ = units.shape
    free = None if panel.accepted is None else np.tile(panel.accepted, (histories, 1))
    rows = (units / quiet_spread).reshape(-1, units.shape[-1])
    found = level_scan.partition(rows, limits.reshape(-1), bounds_of(limits).reshape(-1), flat(panel.present), free)
    return [found[h * series : (h + 1) * series] for h in range(histories)]


def search(units: Reals, panel: Panel, share: Reals) -> tuple[Reals, list[list[list[int]]], Reals]:
    """(limits, changes, spread of quiet nights) of one view. What was found is no quiet night: look again without."""
    histories, series, _ = units.shape
    accepted: list[list[int]] = [[] for _ in range(series)]
    if panel.accepted is not None:
        accepted = [np.flatnonzero(row).tolist() for row in panel.accepted]
    known = [accepted] * histories
    for _ in range(ROUNDS):
        quiet = np.stack([quiet_part(units[h], known[h], None if panel.present is None else panel.present[h])
                          for h in range(histories)])  # fmt: skip
        limits = limits_of(quiet, panel, share)
        spread = np.maximum(quiet_noise.difference_spread(quiet, panel.present), LEAST_SPREAD)
        found = cheapest_levels(units, spread, limits, panel)
        if found == known:
            break
        known = found
    return limits, found, spread


def views(panel: Panel) -> list[View]:
    """[View] as they are, and where the benchmarks of a night share something without that."""
    values = quiet_noise.without_rhythm(panel.values, panel.weekdays, panel.whole, panel.present)
    units, spread = quiet_noise.standardized(values, panel.present)
    common = (panel.benchmark_of, panel.whole, panel.present)
    alone = quiet_noise.without_common(units, *common)
    related = np.zeros(len(units), dtype=bool)
    if alone is not None:
        related = (np.abs(alone[0] - units) > 1e-6).any(axis=(1, 2))
    limits, changes, quiet_spread = search(units, panel, np.where(related, SHARE_RAW, 1.0))
    made = [View(units / quiet_spread, spread * quiet_spread, limits, changes)]
    if alone is None or not related.any():
        return made
    limits, changes, quiet_spread = search(alone[0], panel, np.where(related, 1 - SHARE_RAW, 1.0))
    # Known steps are nothing of a night: the others are asked again without them.
    steps = np.stack([level_values(alone[0][h], changes[h]) for h in range(len(units))]) * alone[1]
    again, scale = quiet_noise.without_common(units, *common, steps) or alone
    changes = cheapest_levels(again, quiet_spread, limits, panel)
    return [*made, View(again / quiet_spread, scale * spread * quiet_spread, limits, changes)]
