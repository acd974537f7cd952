# SPDX-License-Identifier: Apache-2.0
"""How far the mean of some nights in a row strays by chance.

Nights differ each by itself, and the level about which they do wanders: what caches, neighbours and other jobs do lasts
for more than a night. So a mean of many nights is less sure than of as many independent ones, and a step that is as
large as the level wanders is none. The model is white noise beside an autoregressive level (as in Romano, Rigaill,
Runge and Fearnhead 2021); its two parts are estimated from the quiet nights' correlations, each series' drawn towards
those of all.
"""

import dataclasses

import numpy as np
import numpy.typing as npt

from shardmark_tools.history.quiet_noise import Marks, Reals

MEMORY = 8.0  # nights after which a wandering level has forgotten what it was
LAGS = 5
CLIP = 4.0  # spreads
LOST = 0.5  # over the nights: what the correlation of nights lacks, since their own level was taken off
SURE = 1.0  # standard errors by which nights may wander more than they seem to
CHANCE = 2.0  # times the variance that chance makes, from which series are apart
MOST_SHARE = 0.9


def shared_part(nights: npt.ArrayLike) -> Reals:
    """Variance of the mean of so many nights of a level that wanders with variance 1."""
    count = np.asarray(nights, dtype=float)
    keep = float(np.exp(-1.0 / MEMORY))
    pairs = keep / (1.0 - keep) * (count - (1.0 - keep**count) / (1.0 - keep))  # sum of (count - lag) keep^lag
    part: Reals = (count + 2.0 * pairs) / count**2
    return part


MEAN_KEPT = float(np.mean(np.exp(-np.arange(1, LAGS + 1) / MEMORY)))


@dataclasses.dataclass
class NightNoise:
    """(histories, series) variances, in squared spreads."""

    own: Reals  # of a night by itself
    wander: Reals  # of the level

    def unrest(self, whole: Marks) -> Reals:
        """(histories,) the share of all that benchmarks do that is wandering."""
        own, wander = self.own[:, whole].mean(axis=1), self.wander[:, whole].mean(axis=1)
        share: Reals = wander / (own + wander)
        return share

    def variance(self, history: int, series: int, nights: npt.ArrayLike) -> Reals:
        """Of the mean of so many nights in a row."""
        own: Reals = self.own[history, series] / np.asarray(nights, dtype=float)
        return own + self.wander[history, series] * shared_part(nights)


def correlation(values: Reals, present: Reals | None) -> Reals:
    """Mean correlation of nights 1 to LAGS apart, of what lies about zero."""
    shown = np.ones_like(values) if present is None else np.broadcast_to(present, values.shape)
    values = values * shown
    square = (values**2).sum(axis=-1) / np.maximum(shown.sum(axis=-1), 1.0) + 1e-12
    found = np.zeros_like(square)
    for lag in range(1, LAGS + 1):
        count = np.maximum((shown[..., lag:] * shown[..., :-lag]).sum(axis=-1), 1.0)
        found += (values[..., lag:] * values[..., :-lag]).sum(axis=-1) / count / square
    mean: Reals = found / LAGS + LOST / values.shape[-1]
    return mean


def drawn_together(shares: Reals, whole: Marks, error: float) -> Reals:
    """Each series' share, drawn towards the mean of all as far as they are not surely apart (James and Stein)."""
    mean = shares[:, whole].mean(axis=1, keepdims=True)
    apart = np.maximum(0.0, shares[:, whole].var(axis=1, keepdims=True) - CHANCE * error**2)
    weight = apart / (apart + error**2)
    left = error * np.sqrt(weight + (1.0 - weight) / max(1, int(whole.sum())))
    drawn: Reals = mean + weight * (shares - mean) + SURE * left
    return drawn


def noise_of(quiet: Reals, whole: Marks, shared: Marks, present: Reals | None) -> NightNoise:
    """`quiet` (histories, series, nights) in spreads, without known levels; `shared` (histories): its benchmarks share
    their nights, so that all of them wander together and their number makes nothing surer."""
    nights = quiet.shape[-1]
    clipped = np.clip(quiet, -CLIP, CLIP)
    kept = MEAN_KEPT * float(1.0 - shared_part(nights))  # of the wandering, the rest went with the level
    error = float(np.sqrt(1.0 / (LAGS * nights))) / kept
    share = drawn_together(correlation(clipped, present) / kept, whole, error)
    together = correlation(clipped[:, whole].mean(axis=1, keepdims=True), None) / kept + SURE * error
    share = np.where(shared[:, None], np.maximum(share, together), share)
    share = np.clip(share, 0.0, MOST_SHARE)
    shown = np.ones_like(clipped) if present is None else np.broadcast_to(present, clipped.shape)
    total = np.maximum((clipped**2 * shown).sum(axis=-1) / np.maximum(shown.sum(axis=-1), 1.0), 1.0)
    return NightNoise((1.0 - share) * total, share * total)
