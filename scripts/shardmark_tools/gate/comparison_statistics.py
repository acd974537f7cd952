# SPDX-License-Identifier: Apache-2.0
"""The statistics of the gate: ratio of medians, its interval, rank tests, many comparisons.

Everything works on logarithms of times, where a slowdown is a shift and the spread of a machine is
the same for fast and slow benchmarks.
"""

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import stats

Reals = npt.NDArray[np.float64]
Values = Reals | list[float]

BOOTSTRAP_DRAWS = 2000
MEDIAN_EFFICIENCY = 0.64  # of the median against the mean, normal data, many values
RANK_EFFICIENCY = 0.955  # of the rank-sum test against the t test, normal data


def generator(seed: int, name: str) -> np.random.Generator:
    """A stream of its own for each benchmark, so that a verdict does not depend on the others."""
    return np.random.default_rng([seed, *name.encode()])


def median_ratio(old: Values, new: Values) -> float:
    return float(np.exp(np.median(new) - np.median(old)))


def bootstrap_medians(values: Values, rng: np.random.Generator, draws: int = BOOTSTRAP_DRAWS) -> Reals:
    """Medians of `draws` resamples."""
    values = np.asarray(values, dtype=float)
    picks = rng.integers(0, len(values), size=(draws, len(values)))
    medians: Reals = np.median(values[picks], axis=1)
    return medians


def ratio_interval(old: Values, new: Values, confidence: float, rng: np.random.Generator,
                   extra_sd: float = 0.0) -> tuple[float, float]:  # fmt: skip
    """Bootstrap interval of the ratio of medians; `extra_sd` is noise that the values do not show."""
    logs = bootstrap_medians(new, rng) - bootstrap_medians(old, rng)
    if extra_sd > 0:
        logs = logs + rng.normal(0.0, extra_sd, size=len(logs))
    tail = 50 * (1 - confidence)
    low, high = np.percentile(logs, [tail, 100 - tail])
    return float(np.exp(low)), float(np.exp(high))


def paired_interval(differences: Values, confidence: float, rng: np.random.Generator) -> tuple[float, float]:
    logs = bootstrap_medians(differences, rng)
    tail = 50 * (1 - confidence)
    low, high = np.percentile(logs, [tail, 100 - tail])
    return float(np.exp(low)), float(np.exp(high))


def rank_sum_p(old: Reals, new: Reals) -> float:
    """Two-sided Mann-Whitney; 1 where all values are equal."""
    if np.ptp(np.concatenate([old, new])) == 0:
        return 1.0
    return float(stats.mannwhitneyu(new, old, alternative="two-sided").pvalue)


def signed_rank_p(differences: Values) -> float:
    """Two-sided Wilcoxon; 1 where all differences are zero."""
    if not np.any(differences):
        return 1.0
    return float(stats.wilcoxon(differences, alternative="two-sided").pvalue)


def shifted_p(old: Reals, new: Reals, extra_sd: float) -> float:
    """p of the difference of medians where a noise of known size comes on top of the values' own:
    the larger of the rank test's and this one's, which alone would forget the tails."""
    spread_old, spread_new = robust_sd(old), robust_sd(new)
    variance = (spread_old**2 / len(old) + spread_new**2 / len(new)) / MEDIAN_EFFICIENCY
    deviation = np.sqrt(variance + extra_sd**2)
    if deviation == 0:
        return 1.0
    return float(2 * stats.norm.sf(abs(np.median(new) - np.median(old)) / deviation))


def robust_sd(values: Any) -> float:
    """From the middle half: one outlier in ten does not move it. The plain one for few values."""
    values = np.asarray(values, dtype=float)
    if len(values) < 2:
        return 0.0
    plain = float(np.std(values, ddof=1))
    if len(values) < 8:
        return plain
    low, high = np.percentile(values, [25, 75])
    return float((high - low) / 1.349) or plain


def upper_robust_sd(values: Any, rng: np.random.Generator, symmetric: bool = False, confidence: float = 0.95,
                    draws: int = 500) -> float:  # fmt: skip
    """One-sided upper limit of robust_sd, by bootstrap; `symmetric`: of the values and their negatives."""
    values = np.asarray(values, dtype=float)
    sds = []
    for _ in range(draws):
        resampled = values[rng.integers(0, len(values), size=len(values))]
        sds.append(robust_sd(np.concatenate([resampled, -resampled]) if symmetric else resampled))
    return float(np.percentile(sds, 100 * confidence))


def holm(p_values: list[float]) -> list[float]:
    """Holm's adjusted p values, in the order given."""
    count = len(p_values)
    adjusted = [0.0] * count
    largest = 0.0
    for place, index in enumerate(np.argsort(p_values, kind="stable")):
        largest = max(largest, min(1.0, (count - place) * float(p_values[index])))
        adjusted[index] = largest
    return adjusted


def quantile_sum(alpha: float, power: float, comparisons: int) -> float:
    """How many standard errors away an effect must lie to be seen."""
    return float(stats.norm.isf(alpha / 2 / max(1, comparisons)) + stats.norm.isf(1 - power))


def smallest_visible(sd: float, count: int, alpha: float, power: float, comparisons: int, min_effect: float = 0.0,
                     paired: bool = False, extra_sd: float = 0.0) -> float:  # fmt: skip
    """Slowdown (0.05 = 5 %) found with probability `power` by `count` values a side (or pairs, of which `sd` is the
    spread of the differences): the test must be significant, and the measured ratio reach `min_effect`."""
    if count < 2:
        return float("inf")
    variance = sd**2 / count * (1 if paired else 2)
    tested = quantile_sum(alpha, power, comparisons) * np.sqrt(variance / RANK_EFFICIENCY + extra_sd**2)
    scatter = np.sqrt(variance / MEDIAN_EFFICIENCY + extra_sd**2)
    large_enough = np.log1p(min_effect) + float(stats.norm.isf(1 - power)) * scatter
    return float(np.expm1(max(tested, large_enough)))


def needed_count(sd: float, slowdown: float, alpha: float, power: float, comparisons: int, min_effect: float,
                 floor: int, paired: bool = False) -> int | None:  # fmt: skip
    """Values a side (or pairs) to find `slowdown`, when a verdict also asks for `min_effect`: both
    the test must be significant and the measured ratio large enough."""
    test = quantile_sum(alpha, power, comparisons) / np.log1p(slowdown)
    margin = np.log1p(slowdown) - np.log1p(min_effect)
    if margin <= 0:
        return None
    effect = float(stats.norm.isf(1 - power)) / margin / np.sqrt(MEDIAN_EFFICIENCY)
    sides = 1 if paired else 2
    count = sides * sd**2 * max(test**2 / RANK_EFFICIENCY, effect**2)
    return max(floor, int(np.ceil(count)))
