# SPDX-License-Identifier: Apache-2.0
"""Compares two sets of runs benchmark by benchmark: ratio, interval, test, verdict, phase."""

import dataclasses
import math
from typing import Any

import numpy as np

from shardmark_tools.gate import comparison_statistics as statistics
from shardmark_tools.gate.comparison_statistics import Reals
from shardmark_tools.gate.thresholds import FamilyLimits, Thresholds, family_of
from shardmark_tools.results.result_folder import Run, Sample, by_name

SLOWER, FASTER, SAME, INCONCLUSIVE = "slower", "faster", "same", "inconclusive"
NOISE_SPLITS = 200
LEAST_SHARE = 0.05  # of a change, for a phase to be its cause


@dataclasses.dataclass
class Side:
    """One benchmark on one side."""

    samples: list[tuple[int, Sample]]  # (run position, sample)

    def seconds(self, metric: str) -> list[float]:
        return [sample[metric] for _, sample in self.samples]

    def logs(self, metric: str) -> Reals:
        logs: Reals = np.log(np.maximum(self.seconds(metric), 1e-12))
        return logs

    def run_logs(self, metric: str) -> dict[int, float]:
        """{run position: median over its repetitions, log}."""
        runs: dict[int, list[float]] = {}
        for position, sample in self.samples:
            runs.setdefault(position, []).append(math.log(max(sample[metric], 1e-12)))
        return {position: float(np.median(values)) for position, values in runs.items()}


@dataclasses.dataclass
class Row:
    name: str
    metric: str
    family: str
    unit: str  # what is counted: "pair", "run" or "repetition"
    old_count: int
    new_count: int
    old_median_s: float
    new_median_s: float
    ratio: float
    low: float
    high: float
    p_value: float
    noise: float  # 95 % of the ratios of A against A lie within this share
    visible: float  # smallest slowdown that this comparison finds
    needed: int | None  # of `unit` to see `same_within`
    limits: FamilyLimits
    identical: bool
    p_adjusted: float = 1.0
    verdict: str = INCONCLUSIVE
    reason: str = ""
    phase: str | None = None
    phases: list[dict[str, Any]] = dataclasses.field(default_factory=list)


def returns_early(side: Side) -> bool:
    """Its saves go on in the background."""
    return all(s["durable_s"] is not None and s["returned_s"] < 0.98 * s["durable_s"] for _, s in side.samples)


def metrics_of(old: Side, new: Side) -> list[str]:
    """time_s; for saves that return earlier than they are durable, on one side at least, also returned_s."""
    if any(s["returned_s"] is None for _, s in old.samples + new.samples):
        return ["time_s"]
    return ["time_s", "returned_s"] if returns_early(old) or returns_early(new) else ["time_s"]


def run_spread(side: Side, metric: str, assumed: float) -> float:
    """Standard deviation between runs beyond what their repetitions explain; at least assumed."""
    groups: dict[int, list[float]] = {}
    for position, sample in side.samples:
        groups.setdefault(position, []).append(math.log(max(sample[metric], 1e-12)))
    if len(groups) < 3:
        return assumed
    medians = [float(np.median(values)) for values in groups.values()]
    within = float(np.mean([statistics.robust_sd(v) ** 2 / len(v) for v in groups.values()]))
    between = float(np.var(medians, ddof=1)) - within / statistics.MEDIAN_EFFICIENCY
    return max(assumed, math.sqrt(max(0.0, between)))


def self_noise(values: Reals, rng: np.random.Generator) -> float:
    """95 % of the ratios between random halves of one side, scaled to whole sides, as a share."""
    half = len(values) // 2
    if half < 1:
        return float("nan")
    ratios = []
    for _ in range(NOISE_SPLITS):
        order = rng.permutation(len(values))
        ratios.append(abs(np.median(values[order[:half]]) - np.median(values[order[half:]])))
    return float(np.expm1(np.percentile(ratios, 95) * math.sqrt(half / len(values))))


@dataclasses.dataclass
class Values:
    """What is compared, after choosing what counts as one observation."""

    unit: str
    old: Reals
    new: Reals
    paired: bool = False
    extra_sd: float = 0.0

    def count(self) -> int:
        return min(len(self.old), len(self.new))

    def sd(self) -> float:
        """Of one observation: the larger side's, so that one lucky side does not promise much."""
        if self.paired:
            return statistics.robust_sd(self.new - self.old)
        return max(statistics.robust_sd(self.old), statistics.robust_sd(self.new))

    def p_value(self) -> float:
        if self.paired:
            return statistics.signed_rank_p(self.new - self.old)
        p = statistics.rank_sum_p(self.old, self.new)
        if self.extra_sd > 0:
            p = max(p, statistics.shifted_p(self.old, self.new, self.extra_sd))
        return p

    def ratio(self) -> float:
        if self.paired:
            return float(np.exp(np.median(self.new - self.old)))
        return statistics.median_ratio(self.old, self.new)

    def interval(self, confidence: float, rng: np.random.Generator) -> tuple[float, float]:
        if self.paired:
            return statistics.paired_interval(self.new - self.old, confidence, rng)
        return statistics.ratio_interval(self.old, self.new, confidence, rng, self.extra_sd)


def values_of(old: Side, new: Side, metric: str, limits: FamilyLimits, thresholds: Thresholds, paired: bool) -> Values:
    old_runs, new_runs = old.run_logs(metric), new.run_logs(metric)
    if paired:
        both = sorted(set(old_runs) & set(new_runs))
        first, second = (np.array([runs[position] for position in both]) for runs in (old_runs, new_runs))
        return Values("pair", first, second, paired=True)
    fewest = min(len(old_runs), len(new_runs))
    if fewest >= thresholds.min_repetitions:
        return Values("run", np.array(list(old_runs.values())), np.array(list(new_runs.values())))
    spread = max(run_spread(side, metric, limits.run_to_run) for side in (old, new))
    extra = spread * math.sqrt(1 / len(old_runs) + 1 / len(new_runs))
    return Values("repetition", old.logs(metric), new.logs(metric), extra_sd=extra)


def fewest_needed(alpha: float, comparisons: int, paired: bool, thresholds: Thresholds) -> int:
    """Observations a side below which no outcome could ever be significant: what the rank test gives if the two
    sides do not overlap at all."""
    count = thresholds.min_repetitions
    while True:
        outcomes = 2 ** (count - 1) if paired else math.comb(2 * count, count) // 2
        if comparisons / outcomes <= alpha:
            return count
        count += 1


def measure(name: str, metric: str, old: Side, new: Side, thresholds: Thresholds, comparisons: int, paired: bool,
            seed: int) -> Row:  # fmt: skip
    """One row without its verdict."""
    family = family_of(old.samples[0][1])
    limits = thresholds.of(family)
    rng = statistics.generator(seed, f"{name} {metric}")
    values = values_of(old, new, metric, limits, thresholds, paired)
    low, high = values.interval(thresholds.confidence, rng)
    alpha, power = thresholds.alpha, thresholds.power
    visible = statistics.smallest_visible(
        values.sd(), values.count(), alpha, power, comparisons, limits.min_effect, values.paired, values.extra_sd
    )
    floor = fewest_needed(alpha, comparisons, values.paired, thresholds)
    if values.count() < floor:
        visible = float("inf")
    needed = statistics.needed_count(
        values.sd(), limits.same_within, alpha, power, comparisons, limits.min_effect, floor,
        values.paired,
    )  # fmt: skip
    noise_values = values.new - values.old if values.paired else values.old
    return Row(
        name=name, metric=metric, family=family, unit=values.unit,
        old_count=len(values.old), new_count=len(values.new),
        old_median_s=float(np.median(old.seconds(metric))),
        new_median_s=float(np.median(new.seconds(metric))),
        ratio=values.ratio(), low=low, high=high, p_value=values.p_value(),
        noise=self_noise(noise_values, rng), visible=visible,
        needed=needed, limits=limits, identical=np.array_equal(values.old, values.new),
    )  # fmt: skip


def decide(row: Row, thresholds: Thresholds, floor: int) -> None:
    count = min(row.old_count, row.new_count)
    limits = row.limits
    if count < floor:
        row.verdict = INCONCLUSIVE
        row.reason = f"too few {row.unit}s: {count} a side, at least {floor} needed"
        return
    if row.identical:
        row.verdict, row.reason = SAME, "both sides hold the very same measurements"
        return
    significant = row.p_adjusted <= thresholds.alpha and not row.low <= 1 <= row.high
    if significant and row.ratio >= 1 + limits.min_effect:
        row.verdict = SLOWER
    elif significant and row.ratio <= 1 / (1 + limits.min_effect):
        row.verdict = FASTER
    elif row.high < 1 + limits.same_within and row.low <= 1 + limits.min_effect:
        row.verdict = SAME
        if significant:
            row.reason = f"a real change, but below {100 * limits.min_effect:.3g} %"
    elif row.high <= 1:
        row.verdict, row.reason = SAME, "not slower; whether faster is not certain"
    else:
        more = f"; {row.needed} {row.unit}s a side would do" if row.needed else ""
        if row.needed is not None and row.needed <= count:
            more = ""
        row.reason = f"noise hides up to {100 * (row.high - 1):.3g} %{more}"


def phase_maxima(sample: Sample) -> dict[str, float]:
    """Seconds of each phase on its slowest rank; "wait" is what the others lost by that."""
    return {p: spread["max"] for p, spread in sample["phases_s"].items() if p != "wait"}


def attribute(row: Row, old: Side, new: Side) -> None:
    """Fills row.phases, largest change in the verdict's direction first, and row.phase."""
    names = sorted({p for _, s in old.samples + new.samples for p in phase_maxima(s)})
    change = row.new_median_s - row.old_median_s
    for phase in names:
        before, after = (
            float(np.median([phase_maxima(s).get(phase, 0.0) for _, s in side.samples]))
            for side in (old, new)
        )
        row.phases.append({"phase": phase, "old_s": before, "new_s": after,
                           "change_s": after - before})  # fmt: skip
    sign = 1 if change >= 0 else -1
    row.phases.sort(key=lambda entry: -sign * entry["change_s"])
    if row.verdict in (SLOWER, FASTER) and row.phases and change:
        top = row.phases[0]
        if sign * top["change_s"] > LEAST_SHARE * abs(change):  # a save that waits where it did not has no slower phase
            row.phase = top["phase"]


def compare(baseline: list[Run], new: list[Run], thresholds: Thresholds, paired: bool = False, seed: int = 1,
            explained: bool = True) -> list[Row]:  # fmt: skip
    """[Row...] of all benchmarks that both sides have; with their phases if `explained`."""
    old_table, new_table = by_name(baseline), by_name(new)
    jobs = []
    for name in old_table:
        if name in new_table:
            old, other = Side(old_table[name]), Side(new_table[name])
            if paired and not set(old.run_logs("time_s")) & set(other.run_logs("time_s")):
                continue  # no pair has both
            jobs += [(name, metric, old, other) for metric in metrics_of(old, other)]
    count = len(jobs)
    rows = [measure(*job, thresholds, count, paired, seed) for job in jobs]
    adjusted = statistics.holm([row.p_value for row in rows])
    for row, p_adjusted, (_, _, old, other) in zip(rows, adjusted, jobs):
        row.p_adjusted = p_adjusted
        decide(row, thresholds, fewest_needed(thresholds.alpha, count, row.unit == "pair", thresholds))
        if explained:
            attribute(row, old, other)
    return rows


def overall(rows: list[Row]) -> str:
    """slower > inconclusive > faster > same."""
    verdicts = {row.verdict for row in rows}
    for verdict in (SLOWER, INCONCLUSIVE, FASTER):
        if verdict in verdicts:
            return verdict
    return SAME
