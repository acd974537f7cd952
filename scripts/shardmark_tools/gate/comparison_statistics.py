# SPDX-License-Identifier: Apache-2.0
"""The statistics of the gate: ratio of medians, its interval, rank tests, many comparisons.

Everything works on logarithms of times, where a slowdown is a shift and the spread of a machine is
the same for fast and slow benchmarks.
"""

import numpy as np
from scipy import stats

BOOTSTRAP_DRAWS = 2000
MEDIAN_EFFICIENCY = 0.64  # of the median against the mean, normal data, many values
RANK_EFFICIENCY = 0.955  # of the rank-sum test against the t test, normal data


def generator(seed, name):
    """A stream of its own for each benchmark, so that a verdict does not depend on the others."""
    return np.random.default_rng([seed, *name.encode()])


def median_ratio(old, new):
    return float(np.exp(np.median(new) - np.median(old)))


def bootstrap_medians(values, rng, draws=BOOTSTRAP_DRAWS):
    """Medians of `draws` resamples."""
    picks = rng.integers(0, len(values), size=(draws, len(values)))
    return np.median(np.asarray(values)[picks], axis=1)


def ratio_interval(old, new, confidence, rng, extra_sd=0.0):
    """Bootstrap interval of the ratio of medians; `extra_sd` is noise that the values do not show."""
    logs = bootstrap_medians(new, rng) - bootstrap_medians(old, rng)
    if extra_sd > 0:
        logs = logs + rng.normal(0.0, extra_sd, size=len(logs))
    tail = 50 * (1 - confidence)
    low, high = np.percentile(logs, [tail, 100 - tail])
    return float(np.exp(low)), float(np.exp(high))


def paired_interval(differences, confidence, rng):
    logs = bootstrap_medians(differences, rng)
    tail = 50 * (1 - confidence)
    low, high = np.percentile(logs, [tail, 100 - tail])
    return float(np.exp(low)), float(np.exp(high))


def rank_sum_p(old, new):
    """Two-sided Mann-Whitney; 1 where all values are equal."""
    if np.ptp(np.concatenate([old, new])) == 0:
        return 1.0
    return float(stats.mannwhitneyu(new, old, alternative="two-sided").pvalue)


def signed_rank_p(differences):
    """Two-sided Wilcoxon; 1 where all differences are zero."""
    if not np.any(differences):
        return 1.0
    return float(stats.wilcoxon(differences, alternative="two-sided").pvalue)


def shifted_p(old, new, extra_sd):
    """p of the difference of medians where a noise of known size comes on top of the values' own:
    the larger of the rank test's and this one's, which alone would forget the tails."""
    spread_old, spread_new = robust_sd(old), robust_sd(new)
    variance = (spread_old**2 / len(old) + spread_new**2 / len(new)) / MEDIAN_EFFICIENCY
    deviation = np.sqrt(variance + extra_sd**2)
    if deviation == 0:
        return 1.0
    return float(2 * stats.norm.sf(abs(np.median(new) - np.median(old)) / deviation))


def robust_sd(values):
    """From the middle half: one outlier in ten does not move it. The plain one for few values."""
    values = np.asarray(values, dtype=float)
    if len(values) < 2:
        return 0.0
    plain = float(np.std(values, ddof=1))
    if len(values) < 8:
        return plain
    low, high = np.percentile(values, [25, 75])
    return float((high - low) / 1.349) or plain


def upper_robust_sd(values, rng, symmetric=False, confidence=0.95, draws=500):
    """One-sided upper limit of robust_sd, by bootstrap; `symmetric`: of the values and their negatives."""
    values = np.asarray(values, dtype=float)
    sds = []
    for _ in range(draws):
        resampled = values[rng.integers(0, len(values), size=len(values))]
        sds.append(robust_sd(np.concatenate([resampled, -resampled]) if symmetric else resampled))
    return float(np.percentile(sds, 100 * confidence))


def holm(p_values):
    """Holm's adjusted p values, in the order given."""
    count = len(p_values)
    adjusted = [0.0] * count
    largest = 0.0
    for place, index in enumerate(np.argsort(p_values, kind="stable")):
        largest = max(largest, min(1.0, (count - place) * float(p_values[index])))
        adjusted[index] = largest
    return adjusted


def quantile_sum(alpha, power, comparisons):
    """How many standard errors away an effect must lie to be seen."""
    return float(stats.norm.isf(alpha / 2 / max(1, comparisons)) + stats.norm.isf(1 - power))


def smallest_visible(sd, count, alpha, power, comparisons, paired=False, extra_sd=0.0):
    """Slowdown (0.05 = 5 %) found with probability `power` by `count` values a side (or pairs, of
    which `sd` is the spread of the differences)."""
    if count < 2:
        return float("inf")
    variance = sd**2 / count * (1 if paired else 2) / RANK_EFFICIENCY
    error = np.sqrt(variance + extra_sd**2)
    return float(np.expm1(quantile_sum(alpha, power, comparisons) * error))


def needed_count(sd, slowdown, alpha, power, comparisons, min_effect, floor, paired=False):
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
