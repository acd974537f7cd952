# SPDX-License-Identifier: Apache-2.0
"""Piecewise constant levels under a bounded loss, exact on a grid of levels.

A night costs min((value - level)^2, bound): a single bad night costs its bound once, whatever its size, and no level
can be bought by fewer than three nights. That is the biweight loss of Fearnhead and Rigaill (2019) with the optimal
partitioning that PELT and Potts also minimise; on a grid of levels it is one pass, O(nights x levels), for any number
of series at once. Values are in units of their own spread.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

from shardmark_tools.history.quiet_noise import Marks, Reals

Small = npt.NDArray[np.float32]  # halves the memory that the scan goes through

SHORTEST = 3  # nights of a level
LEVEL_STEP = 0.35
MOST_LEVELS = 600


def level_grid(values: Small) -> Small:
    """Levels that cover the medians of three nights, as float32."""
    windows = np.lib.stride_tricks.sliding_window_view(values, SHORTEST, axis=-1)
    medians = np.median(windows, axis=-1)
    low, high = float(medians.min()) - 0.5, float(medians.max()) + 0.5
    step = max(LEVEL_STEP, (high - low) / MOST_LEVELS)
    return np.arange(low, high + step, step, dtype=np.float32)


def night_losses(values: Small, present: npt.NDArray[Any] | None, levels: Small, bound: Small) -> Small:
    """(series, levels) losses of one night; `bound` is (series, 1)."""
    loss: Small = values[:, None] - levels
    loss *= loss
    np.minimum(loss, bound, out=loss)
    if present is not None:
        loss *= present[:, None]
    return loss


def bound_column(bound: Reals | float, series: int) -> Small:
    return np.broadcast_to(np.asarray(bound, dtype=np.float32), (series,))[:, None]


def column(array: npt.NDArray[Any] | None, night: int) -> npt.NDArray[Any] | None:
    return None if array is None else array[:, night]


def last_nights(ring: list[Small], loss: Small) -> Small | None:
    """Sum of the losses of the last SHORTEST nights, this one included; None if there are fewer."""
    ring.append(loss)
    if len(ring) < SHORTEST:
        return None
    if len(ring) > SHORTEST:
        ring.pop(0)
    total: Small = ring[0] + ring[1]
    for other in ring[2:]:
        total += other
    return total


def partition(values: Reals, penalty: Reals | float, bound: Reals | float, present: Reals | None = None,
              free: Marks | None = None) -> list[list[int]]:  # fmt: skip
    """First nights of the levels of each series but the first level: the partition of least loss, when each change
    costs `penalty` and a night at most `bound` (numbers, or one a series). At nights marked in `free` (series, nights)
    a new level costs nothing."""
    small = np.asarray(values, dtype=np.float32)
    levels = level_grid(small)
    series, nights = small.shape
    price = np.broadcast_to(np.asarray(penalty, dtype=np.float32), (series,))
    most = bound_column(bound, series)
    cost = np.zeros((series, len(levels)), np.float32)
    start = np.zeros((series, len(levels)), np.int32)
    best: list[Small] = []
    last: list[npt.NDArray[np.int32]] = []
    ring: list[Small] = []
    everyone = np.arange(series)
    for night in range(nights):
        if free is not None and night > 0 and free[:, night].any():
            chosen = free[:, night]
            cost[chosen] = best[night - 1][chosen, None]
            start[chosen] = night
        loss = night_losses(small[:, night], column(present, night), levels, most)
        cost += loss
        recent = last_nights(ring, loss)
        if recent is not None and night >= 2 * SHORTEST - 1:
            recent += (best[night - SHORTEST] + price)[:, None]
            better = recent < cost
            np.copyto(cost, recent, where=better)
            start[better] = night - SHORTEST + 1
        least = cost.argmin(axis=1)
        best.append(cost[everyone, least])
        last.append(start[everyone, least])
    return [walk_back(last, index) for index in range(series)]


def walk_back(last: list[npt.NDArray[np.int32]], series: int) -> list[int]:
    changes: list[int] = []
    night = len(last) - 1
    while night >= 0:
        begin = int(last[night][series])
        if begin == 0:
            break
        changes.append(begin)
        night = begin - 1
    return changes[::-1]
