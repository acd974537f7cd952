# SPDX-License-Identifier: Apache-2.0
"""What quiet nights of a history look like: spread, weekly rhythm, and what all series of a night have in common.

Arrays are (histories, series, nights); the values are logarithms of times. `present` marks what was measured.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

Reals = npt.NDArray[np.float64]
Whole = npt.NDArray[np.int64]
Marks = npt.NDArray[np.bool_]

LAGS = (1, 2, 3, 4)
WEEK = 7
TINY = 1e-9
FEWEST_FOR_COMMON = 4  # benchmarks, to know a night by the others
SURE_LOADING = 3.0  # standard errors that a correlation must lie above zero


def middle_of(part: Reals) -> float:
    """Median of a few values: np.median takes several times as long for them."""
    ordered, count = np.sort(part), len(part)
    return float(ordered[(count - 1) // 2] + ordered[count // 2]) / 2.0


def masked_median(values: Reals, present: Reals | None) -> Reals:
    shown = values if present is None else np.where(present > 0, values, np.nan)
    found: Reals = (np.median if present is None else np.nanmedian)(shown, axis=-1, keepdims=True)
    return found


def lagged(values: Reals) -> Reals:
    return np.concatenate([values[..., lag:] - values[..., :-lag] for lag in LAGS], axis=-1)


def lagged_present(present: Reals) -> Reals:
    return np.concatenate([present[..., lag:] * present[..., :-lag] for lag in LAGS], axis=-1)


def difference_spread(values: Reals, present: Reals | None = None) -> Reals:
    """Spread of a night, (histories, series, 1), by nights one to four apart: a step or a drift adds next to nothing.
    Biweight midvariance of the differences, so bad nights add nothing either."""
    size = np.abs(lagged(values))
    weight = None if present is None else lagged_present(present)
    middle = masked_median(size, weight) + TINY
    share = np.minimum((size / (9.0 * middle)) ** 2, 1.0)
    kept = 1.0 - share
    count = np.full_like(middle, size.shape[-1])
    if weight is not None:
        kept, count = kept * weight, weight.sum(axis=-1, keepdims=True)
    top = (size**2 * kept**4).sum(axis=-1, keepdims=True)
    bottom = np.abs((kept * (1.0 - 5.0 * share)).sum(axis=-1, keepdims=True))
    spread: Reals = np.sqrt(count * top / 2.0) / np.maximum(bottom, TINY)
    return spread


def running_level(values: Reals) -> Reals:
    """Centred median of a week of nights: a weekly rhythm is one and the same in each."""
    half = WEEK // 2
    padded = np.concatenate([values[..., :WEEK][..., ::-1][..., -half:], values,
                             values[..., -WEEK:][..., ::-1][..., :half]], axis=-1)  # fmt: skip
    windows = np.lib.stride_tricks.sliding_window_view(padded, WEEK, axis=-1)
    level: Reals = np.median(windows, axis=-1)
    return level


def shrunk_effects(rest: Reals, weekdays: Whole, spread: Reals) -> Reals:
    """Effect of each weekday, (..., 7), by James and Stein: nothing where nothing is sure."""
    effects = np.zeros((*rest.shape[:-1], WEEK))
    counts = np.zeros(WEEK)
    clipped = np.clip(rest, -3 * spread, 3 * spread)
    for day in range(WEEK):
        chosen = weekdays == day
        counts[day] = chosen.sum()
        if counts[day]:
            effects[..., day] = clipped[..., chosen].mean(axis=-1)
    weights = counts / max(1.0, counts.sum())
    effects -= (effects * weights).sum(axis=-1, keepdims=True)
    effects[..., counts == 0] = 0.0
    evidence = (effects**2 * counts).sum(axis=-1, keepdims=True) / np.maximum(spread**2, TINY)
    shrunk: Reals = effects * np.maximum(0.0, 1.0 - 1.2 * (WEEK - 1) / np.maximum(evidence, TINY))
    return shrunk


def without_rhythm(values: Reals, weekdays: Whole, whole: Marks, present: Reals | None = None) -> Reals:
    """The values with the weekday's effect taken off: first what the benchmarks `whole` share, then each one's own."""
    if len(weekdays) < 2 * WEEK:
        return values
    measured = values if present is None else np.where(present > 0, values, masked_median(values, present))
    rest = measured - running_level(measured)
    spread = np.maximum(difference_spread(rest), TINY)
    chosen = np.flatnonzero(whole)
    weights = 1.0 / spread[..., chosen, :] ** 2
    shared = (rest[..., chosen, :] * weights).sum(axis=-2, keepdims=True) / weights.sum(axis=-2, keepdims=True)
    common = shrunk_effects(shared, weekdays, np.maximum(difference_spread(shared), TINY))
    rest = rest - common[..., weekdays]
    own = shrunk_effects(rest, weekdays, spread)
    left: Reals = values - common[..., weekdays] - own[..., weekdays]
    return left


def standardized(values: Reals, present: Reals | None = None, spread: Reals | None = None) -> tuple[Reals, Reals]:
    """Values about their median in units of their spread, and that spread."""
    if spread is None:
        spread = np.maximum(difference_spread(values, present), TINY)
    return (values - masked_median(values, present)) / spread, spread


def night_of_others(units: Reals, benchmark_of: Sequence[Any], whole: Marks, present: Reals | None = None) -> Reals:
    """For each series what the other benchmarks say of the night: their robust mean, (histories, series, nights)."""
    names = np.asarray(benchmark_of)
    chosen = np.flatnonzero(whole)
    rows = units[..., chosen, :]
    shown = np.ones_like(rows) if present is None else np.broadcast_to(present, units.shape)[..., chosen, :]
    if present is None:
        middle = np.median(rows, axis=-2, keepdims=True)
    else:
        with np.errstate(invalid="ignore"):
            middle = np.nanmedian(np.where(shown > 0, rows, np.nan), axis=-2, keepdims=True)
        middle = np.nan_to_num(middle)
    near = np.clip(rows - middle, -2.0, 2.0) * shown
    others = (names[None, chosen] != names[:, None]).astype(float)  # (series, benchmarks)
    total = np.einsum("sb,...bn->...sn", others, near)
    count = np.einsum("sb,...bn->...sn", others, shown)
    night: Reals = middle + total / np.maximum(count, 1.0)
    return night


def without_common(units: Reals, benchmark_of: Sequence[Any], whole: Marks, present: Reals | None = None,
                   levels: Reals | None = None) -> tuple[Reals, Reals] | None:  # fmt: skip
    """Units with taken off what the other benchmarks of the night foretell, rescaled; None where there are too few.

    `levels` are known steps, which are nothing of a night: taken off before the others are asked.
    """
    if len({name for name, w in zip(benchmark_of, whole) if w}) < FEWEST_FOR_COMMON:
        return None
    quiet = units if levels is None else units - levels
    shared = night_of_others(quiet, benchmark_of, whole, present)
    # By differences: steps that are not known yet do not look like something in common.
    one, other = lagged(np.clip(shared, -4, 4)), lagged(np.clip(quiet, -4, 4))
    if present is not None:
        weight = lagged_present(present)
        one, other = one * weight, other * weight
    product = (one * other).mean(axis=-1, keepdims=True)
    square = (one**2).mean(axis=-1, keepdims=True)
    against = np.maximum((other**2).mean(axis=-1, keepdims=True), TINY)
    correlation = product / np.sqrt(np.maximum(square * against, TINY))
    sure = correlation * np.sqrt(units.shape[-1]) > SURE_LOADING
    loading = np.where(sure, product / np.maximum(square, TINY), 0.0)
    rest = units - loading * shared
    return standardized(rest, present)
