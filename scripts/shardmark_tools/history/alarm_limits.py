# SPDX-License-Identifier: Apache-2.0
"""What quiet nights do by chance: how clear a change must be, so that a history of 120 quiet nights, looked at every
night, hardly ever raises an alarm, all its series together.

A change counts by the square of its size over the size's standard error. Of normal nights the largest such square has
a Gumbel tail; its mean and slope are known from simulation. What the history's own nights do beyond that (skewed and
heavy tails) shows when they are drawn in blocks of neighbours, all series of a night together, and scanned the same
way: the limit grows as the mean of the largest squares does. `doubt` makes it higher for few nights, whose spread is
itself estimated.
"""

import numpy as np
import numpy.typing as npt

from shardmark_tools.history.night_noise import NightNoise, shared_part
from shardmark_tools.history.quiet_noise import Reals, Whole

ALPHA = 0.001  # of any alarm
HORIZON = 120  # nights that ALPHA is for
DRAWS = 32
BLOCK = 5  # nights, on average
NORMAL_SLOPE = 2.13  # of the largest square's tail, of normal nights
NORMAL_MEAN = 14.3  # of the largest square, ten independent series of 120 normal nights
EULER = 0.5772
LENGTHS = (3, 4, 5, 7, 10, 14, 20)  # nights of a new level that draws are scanned for
SCAN_MEAN, SCAN_SLOPE = 13.6, 2.2  # of the largest square of such a scan, ten series of 120 normal nights
SCAN_SPREAD = 1.5  # by which histories of normal nights differ in it
YOUNG = 5.0  # over the nights: what the limit grows by, since the spread is estimated,
YOUNG_UNREST = 32.0  # and this times the share that wanders: what works beside on the machine has calm and busy times,
BRIEF = 6.0  # over the level's nights: and most of them are short


def block_draws(rng: np.random.Generator, nights: int, draws: int) -> Whole:
    """(draws, nights) positions: stationary bootstrap, blocks of geometric length, circular."""
    begins = rng.random((draws, nights)) < 1.0 / BLOCK
    begins[:, 0] = True
    jumps = rng.integers(0, nights, size=(draws, nights))
    at = np.zeros((draws, nights), dtype=np.int64)
    for night in range(nights):
        at[:, night] = np.where(begins[:, night], jumps[:, night], (at[:, night - 1] + 1) % nights)
    return at


def filled(quiet: Reals, present: Reals | None, rng: np.random.Generator) -> Reals:
    """Nights without a value get one of the series' other nights."""
    if present is None:
        return quiet
    quiet = quiet.copy()
    for row, shown in zip(quiet.reshape(-1, quiet.shape[-1]), present.reshape(-1, quiet.shape[-1]) > 0):
        if shown.any() and not shown.all():
            row[~shown] = rng.choice(row[shown], size=(~shown).sum())
    return quiet


def scanned(quiet: Reals, noise: NightNoise, rng: np.random.Generator, draws: int = DRAWS) -> Reals:
    """(histories, series): mean over draws of the largest square of the mean of some nights in a row over its
    variance."""
    nights = quiet.shape[-1]
    at = block_draws(rng, nights, draws)
    drawn = np.clip(quiet, -4.0, 4.0)[:, :, at]  # (histories, series, draws, nights)
    drawn = drawn - drawn.mean(axis=-1, keepdims=True)
    sums = np.concatenate([np.zeros((*drawn.shape[:-1], 1)), np.cumsum(drawn, axis=-1)], axis=-1)
    largest = np.zeros(drawn.shape[:-1])
    for length in LENGTHS:
        if 2 * length > nights:
            break
        mean = (sums[..., length:] - sums[..., :-length]) / length
        rest = 1.0 / length - 1.0 / nights
        variance = noise.own * rest + noise.wander * max(float(shared_part(length) - shared_part(nights)), 0.1 * rest)
        largest = np.maximum(largest, (mean**2).max(axis=-1) / variance[:, :, None])
    found: Reals = largest
    return found


def limits_of(quiet: Reals, noise: NightNoise, chance: Reals, rng: np.random.Generator) -> Reals:
    """(histories,) for so many series together: exceeded with `chance` (histories) of ALPHA within HORIZON nights."""
    _, series, nights = quiet.shape
    size = float(np.log(series * nights / 1200.0))
    alpha = ALPHA * chance * nights / HORIZON
    normal = NORMAL_MEAN + NORMAL_SLOPE * (size - np.log(alpha) - EULER)
    own = scanned(quiet, noise, rng).max(axis=1).mean(axis=-1)
    heavier = np.maximum(1.0, own / (SCAN_MEAN + SCAN_SPREAD + SCAN_SLOPE * size))
    limits: Reals = normal * heavier
    return limits


def doubt(nights: int, level: npt.ArrayLike, unrest: float) -> Reals:
    """By what the limit grows for a level of so many nights in a history of so many, of which a share wanders."""
    factor: Reals = 1.0 + (YOUNG + YOUNG_UNREST * unrest * (1.0 + BRIEF / np.asarray(level, dtype=float))) / nights
    return factor
