# SPDX-License-Identifier: Apache-2.0
"""Finds the changes of many series that share their nights."""

import dataclasses

from typing import Any

import numpy as np

from shardmark_tools.history import alarm_limits, elimination, level_scan, night_noise, quiet_noise
from shardmark_tools.history.elimination import neighbours_of
from shardmark_tools.history.night_noise import NightNoise
from shardmark_tools.history.quiet_noise import Marks, Reals, Whole

BOUND = 18.0  # what a night can cost at most, in squared spreads: two bad nights beside a good one buy no level
CANDIDATE = 14.0  # gain from which a level may be one
NEIGHBOURS = 2  # nights beside a known change that are no other
SUSPECTS = 3  # series of which the most suspicious candidate is taken off before it is asked what is quiet
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
    limits: Reals  # (histories, series) of a size squared over its variance
    noise: NightNoise
    rows: list[list[elimination.Row]]  # [history][series]
    changes: list[list[list[int]]]  # [history][series] -> [night...]

    def night_spread(self, history: int, series: int) -> float:
        """Of a night of that series by all that it does, as a logarithm."""
        variance = self.noise.own[history, series] + self.noise.wander[history, series]
        return float(np.sqrt(variance) * self.spread[history, series, 0])


def level_values(units: Reals, changes: list[list[int]], present: Reals | None = None) -> Reals:
    """(series, nights) the median of each level."""
    levels = np.zeros_like(units)
    for row, (series, begins) in enumerate(zip(units, changes)):
        edges = [0, *begins, len(series)]
        for begin, end in zip(edges, edges[1:]):
            part = series[begin:end]
            if present is not None:
                part = part[present[row, begin:end] > 0]
            levels[row, begin:end] = quiet_noise.middle_of(part) if len(part) else 0.0
    return levels


def step_size(series: Reals, begins: list[int], night: int) -> float:
    before, after = neighbours_of(begins, night, len(series))
    return quiet_noise.middle_of(series[night:after]) - quiet_noise.middle_of(series[before:night])


def one_way(series: Reals, begins: list[int], night: int) -> list[int]:
    """The step at `night` with those beside it that go the same way: a drift is cut into several."""
    first = last = begins.index(night)
    signs = [np.sign(step_size(series, begins, begin)) for begin in begins]
    while first > 0 and signs[first - 1] == signs[last]:
        first -= 1
    while last + 1 < len(begins) and signs[last + 1] == signs[first]:
        last += 1
    return begins[first : last + 1]


def night_count(begins: list[int], night: int, nights: int) -> float:
    before, after = neighbours_of(begins, night, nights)
    return 1.0 / (1.0 / (night - before) + 1.0 / (after - night))


def quiet_part(units: Reals, known: list[list[int]], candidates: list[list[int]], present: Reals | None) -> Reals:
    """Units of one history with its known changes taken off, and the most suspicious candidates beside them."""
    rest = units - level_values(units, known, present)
    doubtful = [[night for night in found if all(abs(night - other) > NEIGHBOURS for other in begins)]
                for found, begins in zip(candidates, known)]  # fmt: skip
    sizes = [(abs(step_size(rest[row], begins, night)) * np.sqrt(night_count(begins, night, rest.shape[1])), row, night)
             for row, begins in enumerate(doubtful) for night in begins]  # fmt: skip
    taken: list[list[int]] = [[] for _ in doubtful]
    for _, series, worst in sorted(sizes, reverse=True):
        if sum(map(bool, taken)) == SUSPECTS:
            break
        if not taken[series]:
            taken[series] = one_way(rest[series], doubtful[series], worst)
    return rest - level_values(rest, taken, present)


def limits_of(quiet: Reals, noise: NightNoise, panel: Panel, share: Reals) -> Reals:
    """(histories, series): benchmarks and phases have a limit each, for their part of the chance, which is `share`
    (histories) of all of it."""
    rng = np.random.default_rng(SEED)
    whole = alarm_limits.filled(quiet, panel.present, rng)
    limits = np.zeros(quiet.shape[:2])
    phases = ~panel.whole
    part = SHARE_WHOLE if phases.any() else 1.0
    for rows, portion in ((panel.whole, part), (phases, 1.0 - part)):
        if rows.any():
            own = NightNoise(noise.own[:, rows], noise.wander[:, rows])
            limits[:, rows] = alarm_limits.limits_of(whole[:, rows], own, share * portion, rng)[:, None]
    return limits


def candidate_levels(units: Reals, panel: Panel) -> list[list[list[int]]]:
    """[history][series] -> [night...]: the levels that would be bought cheaply."""
    histories, series, nights = units.shape
    free = None if panel.accepted is None else np.tile(panel.accepted, (histories, 1))
    present = None if panel.present is None else panel.present.reshape(-1, nights)
    found = level_scan.partition(units.reshape(-1, nights), CANDIDATE, BOUND, present, free)
    return [found[h * series : (h + 1) * series] for h in range(histories)]


def of_history(panel: Panel, history: int) -> Reals | None:
    return None if panel.present is None else panel.present[history]


def rows_of(units: Reals, quiet: Reals, noise: NightNoise, limits: Reals, panel: Panel,
            unrest: Reals) -> list[list[elimination.Row]]:  # fmt: skip
    """[history][series]"""
    off = np.sort(quiet[:, panel.whole].reshape(len(quiet), -1), axis=-1)
    return [[elimination.Row(units[h, s], None if panel.present is None else panel.present[h, s], noise, h, s,
                             float(limits[h, s]), off[h], np.sort(quiet[h, s]), float(unrest[h])) for s in range(units.shape[1])]
            for h in range(units.shape[0])]  # fmt: skip


def clear_levels(rows: list[list[elimination.Row]], candidates: list[list[list[int]]], panel: Panel) -> list[list[list[int]]]:
    """[history][series] -> [night...] that are left of the candidates, with what was accepted."""
    marks = panel.accepted
    accepted = [[] if marks is None else np.flatnonzero(marks[s]).tolist() for s in range(panel.values.shape[1])]
    return [[elimination.clear_changes(row, nights, known) if nights or known else []
             for row, nights, known in zip(of_history, found, accepted)]
            for of_history, found in zip(rows, candidates)]  # fmt: skip


def search(units: Reals, panel: Panel, share: Reals, shared: Marks, unrest: Reals | None = None) -> View:
    """What was found is no quiet night: looks again without. `spread` is that of quiet nights, in units; `shared`
    (histories): its benchmarks share their nights and it is still in the values; `unrest` (histories): of the values as
    they are, if these are not."""
    histories, series, _ = units.shape
    candidates = candidate_levels(units, panel)
    known: list[list[list[int]]] = [[[] for _ in range(series)] for _ in range(histories)]
    if panel.accepted is not None:
        known = [[np.flatnonzero(row).tolist() for row in panel.accepted] for _ in range(histories)]
    for _ in range(ROUNDS):
        quiet = np.stack([quiet_part(units[h], known[h], candidates[h], of_history(panel, h)) for h in range(histories)])
        spread = np.maximum(quiet_noise.difference_spread(quiet, panel.present), LEAST_SPREAD)
        quiet = quiet / spread
        noise = night_noise.noise_of(quiet, panel.whole, shared, panel.present)
        limits = limits_of(quiet, noise, panel, share)
        rows = rows_of(units / spread, quiet, noise, limits, panel,
                       noise.unrest(panel.whole) if unrest is None else unrest)  # fmt: skip
        found = clear_levels(rows, candidates, panel)
        if found == known:
            break
        known = found
    return View(units / spread, spread, limits, noise, rows, found)


def views(panel: Panel) -> list[View]:
    """[View] as they are, and where the benchmarks of a night share something without that."""
    values = quiet_noise.without_rhythm(panel.values, panel.weekdays, panel.whole, panel.present)
    units, spread = quiet_noise.standardized(values, panel.present)
    common = (panel.benchmark_of, panel.whole, panel.present)
    alone = quiet_noise.without_common(units, *common)
    related = np.zeros(len(units), dtype=bool)
    if alone is not None:
        related = (np.abs(alone[0] - units) > 1e-6).any(axis=(1, 2))
    plain = search(units, panel, np.where(related, SHARE_RAW, 1.0), related)
    plain.spread = spread * plain.spread
    if alone is None or not related.any():
        return [plain]
    apart = np.where(related, 1 - SHARE_RAW, 1.0)
    nobody, unrest = np.zeros_like(related), plain.noise.unrest(panel.whole)
    first = search(alone[0], panel, apart, nobody, unrest)
    # Known steps are nothing of a night: the others are asked again without them.
    steps = np.stack([level_values(alone[0][h], first.changes[h]) for h in range(len(units))]) * alone[1]
    again, scale = quiet_noise.without_common(units, *common, steps) or alone
    beside = search(again, panel, apart, nobody, unrest)
    beside.spread = beside.spread * scale * spread
    return [plain, beside]
