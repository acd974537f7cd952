# SPDX-License-Identifier: Apache-2.0
"""How many runs a side a comparison needs, judged by runs of one thing that are there."""

import dataclasses

import numpy as np

from shardmark_tools.gate import comparison_statistics as statistics
from shardmark_tools.gate.thresholds import family_of
from shardmark_tools.gate.verdict import Side, Values, fewest_needed
from shardmark_tools.results.result_folder import by_name, read_runs

FEWEST_RUNS = 8


@dataclasses.dataclass
class Need:
    name: str
    sd: float  # of one run's (or one pair's) log, as it may well be: its upper limit
    count: int | None  # None: below what the thresholds call an effect at all


def spread_of_runs(runs, paired):
    """{benchmark: (family, standard deviation)}; in pairs, of the difference of neighbours.

    A number of runs is promised for it, and the runs at hand are a sample: so it is the upper limit.
    """
    spreads = {}
    for name, samples in by_name(runs).items():
        logs = np.array(list(Side(samples).run_logs("time_s").values()))
        if paired:
            logs = logs[: len(logs) // 2 * 2].reshape(-1, 2)
            logs = logs[:, 1] - logs[:, 0]
        sd = statistics.upper_robust_sd(logs, statistics.generator(1, name), symmetric=paired)
        spreads[name] = (family_of(samples[0][1]), sd)
    return spreads


def needs(spreads, thresholds, slowdown, paired=False):
    """[Need...] of all benchmarks together, for that many comparisons at once."""
    comparisons = len(spreads)
    floor = fewest_needed(thresholds.alpha, comparisons, Values("", [], [], paired), thresholds)
    found = []
    for name, (family, sd) in spreads.items():
        limits = thresholds.of(family)
        count = statistics.needed_count(sd, slowdown, thresholds.alpha, thresholds.power, comparisons,
                                        limits.min_effect, floor, paired)  # fmt: skip
        found.append(Need(name, sd, count))
    return found


def recommended(found):
    """Enough for all that can be seen at all; None if there is none."""
    counts = [need.count for need in found if need.count is not None]
    return max(counts) if counts else None


def visible(spreads, thresholds, count, paired):
    """{benchmark: smallest slowdown that `count` runs a side, or pairs, see}."""
    found = {}
    for name, (family, sd) in spreads.items():
        smallest = statistics.smallest_visible(sd, count, thresholds.alpha, thresholds.power, len(spreads), paired)
        found[name] = max(smallest, thresholds.of(family).min_effect)
    return found


def text(directory, thresholds, slowdown):
    runs = read_runs(directory)
    lines = [f"{directory}: {len(runs)} runs"]
    if len(runs) < FEWEST_RUNS:
        lines.append(f"too few to judge their spread: make at least {FEWEST_RUNS}")
        return "\n".join(lines)
    for paired, what in ((False, "runs a side"), (True, "interleaved pairs")):
        spreads = spread_of_runs(runs, paired)
        found = needs(spreads, thresholds, slowdown, paired)
        count = recommended(found)
        half = len(runs) // 2
        seen = visible(spreads, thresholds, half, paired)
        if count is None:
            lines.append(f"no number of {what}: {100 * slowdown:g} % is not above min_effect of any family")
        else:
            lines.append(f"{count} {what} see a slowdown of {100 * slowdown:g} % in every benchmark that can:")
        width = max(len(need.name) for need in found)
        for need in found:
            number = "never, min_effect" if need.count is None else str(need.count)
            lines.append(f"  {need.name.ljust(width)}  spread up to {100 * need.sd:.1f} %  {number}; {half} see "
                         f"{100 * seen[need.name]:.1f} %")  # fmt: skip
    return "\n".join(lines)
