# SPDX-License-Identifier: Apache-2.0
"""Piecewise constant levels under a bounded loss, exact on a grid of levels.

A night costs min((value - level)^2, bound): a single bad night costs its bound once, whatever its size, and no level
can be bought by fewer than three nights. That is the biweight loss of Fearnhead and Rigaill (2019) with the optimal
partitioning that PELT and Potts also minimise; on a grid of levels it is one pass, O(nights x levels), for any number
of series at once. Values are in units of their own spread.
"""

import numpy as np

SHORTEST = 3  # nights of a level
LEVEL_STEP = 0.35
MOST_LEVELS = 600
NEVER = np.float32(1e9)


def level_grid(values, reach=None):
    """Levels that cover the medians of three nights (or -reach to reach), as float32."""
    if reach is None:
        windows = np.lib.stride_tricks.sliding_window_view(values, SHORTEST, axis=-1)
        medians = np.median(windows, axis=-1)
        low, high = float(medians.min()) - 0.5, float(medians.max()) + 0.5
    else:
        low, high = -reach, reach
    step = max(LEVEL_STEP, (high - low) / MOST_LEVELS)
    return np.arange(low, high + step, step, dtype=np.float32)


def night_losses(values, present, levels, bound):
    """(series, levels) losses of one night; `bound` is (series, 1)."""
    loss = values[:, None] - levels
    loss *= loss
    np.minimum(loss, bound, out=loss)
    if present is not None:
        loss *= present[:, None]
    return loss


def bound_column(bound, series):
    return np.broadcast_to(np.asarray(bound, dtype=np.float32), (series,))[:, None]


def column(array, night):
    return None if array is None else array[:, night]


def last_nights(ring, loss):
    """Sum of the losses of the last SHORTEST nights, this one included; None if there are fewer."""
    ring.append(loss)
    if len(ring) < SHORTEST:
        return None
    if len(ring) > SHORTEST:
        ring.pop(0)
    total = ring[0] + ring[1]
    for other in ring[2:]:
        total += other
    return total


def one_change_gains(values, bound, first, present=None, reach=6.0):
    """(series, nights): how much one change, at the best night and to the best level, takes off the loss of all nights
    up to each one. 0 before night number `first`: nobody looked then."""
    values = np.clip(values, -reach - 2, reach + 2).astype(np.float32)
    levels = level_grid(values, reach)
    series, nights = values.shape
    bound = bound_column(bound, series)
    still = np.zeros((series, len(levels)), np.float32)
    changed = np.full((series, len(levels)), NEVER, np.float32)
    gains = np.zeros((series, nights), np.float32)
    best, ring = [], []
    for night in range(nights):
        loss = night_losses(values[:, night], column(present, night), levels, bound)
        still += loss
        changed += loss
        recent = last_nights(ring, loss)
        if night >= 2 * SHORTEST - 1:
            recent += best[night - SHORTEST][:, None]
            np.minimum(changed, recent, out=changed)
        best.append(still.min(axis=1))
        if night >= first - 1:
            gains[:, night] = best[night] - changed.min(axis=1)
    return np.maximum(gains, 0.0)


def partition(values, penalty, bound, present=None, free=None):
    """First nights of the levels of each series but the first level: the partition of least loss, when each change
    costs `penalty` and a night at most `bound` (numbers, or one a series). At nights marked in `free` (series, nights) a new level costs nothing."""
    values = np.asarray(values, dtype=np.float32)
    levels = level_grid(values)
    series, nights = values.shape
    penalty = np.broadcast_to(np.asarray(penalty, dtype=np.float32), (series,))
    bound = bound_column(bound, series)
    cost = np.zeros((series, len(levels)), np.float32)
    start = np.zeros((series, len(levels)), np.int32)
    best, last, ring = [], [], []
    everyone = np.arange(series)
    for night in range(nights):
        if free is not None and night > 0 and free[:, night].any():
            chosen = free[:, night]
            cost[chosen] = best[night - 1][chosen, None]
            start[chosen] = night
        loss = night_losses(values[:, night], column(present, night), levels, bound)
        cost += loss
        recent = last_nights(ring, loss)
        if night >= 2 * SHORTEST - 1:
            recent += (best[night - SHORTEST] + penalty)[:, None]
            better = recent < cost
            np.copyto(cost, recent, where=better)
            start[better] = night - SHORTEST + 1
        least = cost.argmin(axis=1)
        best.append(cost[everyone, least])
        last.append(start[everyone, least])
    return [walk_back(last, index) for index in range(series)]


def walk_back(last, series):
    changes, night = [], len(last) - 1
    while night >= 0:
        begin = int(last[night][series])
        if begin == 0:
            break
        changes.append(begin)
        night = begin - 1
    return changes[::-1]
