# SPDX-License-Identifier: Apache-2.0
"""What quiet nights do by chance: the gain that a change must have, so that a history of 120 quiet nights, looked at
every night, hardly ever raises an alarm, all its series together.

The history's own nights are drawn in blocks of neighbours, all series of a night together, and searched as the history
itself is. The mean of the largest gains of such draws says where chance ends; from there to the rare ones leads the
tail of a maximum (Gumbel's law), whose slope is estimated and drawn towards that of normal noise.
"""

import numpy as np

from shardmark_tools.history import level_scan, quiet_noise
from shardmark_tools.history.quiet_noise import Reals, Whole

ALPHA = 0.0007  # of any alarm; what limits that are themselves estimated make of it is counted by dev/history_study
HORIZON = 120  # nights that ALPHA is for
DRAWS = 48
BLOCK = 5  # nights, on average
NORMAL_SLOPE = 2.13  # of the largest gain's tail, of normal nights
NORMAL_MEAN = 14.3  # of the largest gain, ten independent series of 120 normal nights
EULER = 0.5772
LAGS = 5
CHANCE_OF_LAGS = 0.75  # standard errors of the sum that independent nights may have
UNSURE = 0.4  # of a limit, more for nights that wander: how far is estimated from as few nights,
UNSURE_NIGHTS = 24.0  # and this over their number more
FIRST_LOOK = 20


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


def largest_gains(quiet: Reals, bound: float, rng: np.random.Generator, draws: int = DRAWS) -> Reals:
    """(histories, draws, series): the largest gain of any change on any night of draws of quiet nights."""
    histories, series, nights = quiet.shape
    at = block_draws(rng, nights, draws)
    drawn = np.moveaxis(quiet[:, :, at], 2, 1)  # (histories, draws, series, nights)
    units, _ = quiet_noise.standardized(drawn)
    gains = level_scan.one_change_gains(units.reshape(-1, nights), bound, min(FIRST_LOOK, nights))
    largest: Reals = gains.max(axis=-1).reshape(histories, draws, series)
    return largest


def wander(quiet: Reals) -> Reals:
    """(histories,) factor of the variance of a mean of many nights over that of as many independent ones (Bartlett's
    sum over LAGS, the series' correlations averaged); what chance makes of independent nights is taken off."""
    centred = np.clip(quiet - np.median(quiet, axis=-1, keepdims=True), -4.0, 4.0)
    square = (centred**2).mean(axis=-1) + 1e-12
    total = sum((centred[..., lag:] * centred[..., :-lag]).mean(axis=-1) / square for lag in range(1, LAGS + 1))
    factor: Reals = 1.0 + 2.0 * np.maximum(0.0, total.mean(axis=-1) - CHANCE_OF_LAGS * np.sqrt(LAGS / quiet.shape[-1]))
    return factor


def normal_mean(series: int, nights: int) -> float:
    """Mean of the largest gain of so many independent series of normal nights (from simulation)."""
    return NORMAL_MEAN + NORMAL_SLOPE * float(np.log(series * nights / 1200.0))


def limit_of(maxima: Reals, alpha: Reals, series: int, nights: int, factor: Reals) -> Reals:
    """Limits (histories,) from maxima (histories, draws) over so many series: exceeded with chance alpha. Where nights
    wander by `factor`, gains are those of normal nights times as much: no draw of a few blocks shows that in full."""
    rare = -np.log(alpha) - EULER
    mean, normal = maxima.mean(axis=-1), normal_mean(series, nights)
    drawn = mean + NORMAL_SLOPE * np.maximum(1.0, mean / normal) * rare
    limits: Reals = np.maximum(drawn, (normal + NORMAL_SLOPE * rare) * factor)
    return limits * (1.0 + (UNSURE + UNSURE_NIGHTS / nights) * (1.0 - 1.0 / factor))


def alpha_of(nights: int) -> float:
    """The chance that so many nights may have: in proportion, so that it is spent evenly as nights go by."""
    return ALPHA * nights / HORIZON
