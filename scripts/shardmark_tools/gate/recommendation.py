# SPDX-License-Identifier: Apache-2.0
"""How many runs a side a comparison needs, judged by runs of one thing that are there."""

import dataclasses
import math
import pathlib

import numpy as np

from shardmark_tools.gate import comparison_statistics as statistics
from shardmark_tools.gate.thresholds import Thresholds, family_of
from shardmark_tools.gate.verdict import Side, fewest_needed
from shardmark_tools.results.number_text import percent_text
from shardmark_tools.results.json_document import NotReadable
from shardmark_tools.results.result_folder import Run, by_name, read_runs
from shardmark_tools.results.run_facts import check_one_kind

FEWEST_RUNS = 8
FEWEST_VALUES = 2
Spreads = dict[str, tuple[str, float]]


@dataclasses.dataclass
class Need:
    name: str
    sd: float  # of one run's (or one pair's) log, as it may well be: its upper limit
    count: int | None  # None: below what the thresholds call an effect at all


def spread_of_runs(runs: list[Run], paired: bool) -> Spreads:
    """{benchmark: (family, standard deviation)}; in pairs, of the difference of neighbours.

    A number of runs is promised for it, and the runs at hand are a sample: so it is the upper limit. What has too
    few values (it failed in most runs) has none.
    """
    spreads = {}
    for name, samples in by_name(runs).items():
        logs = np.array(list(Side(samples).run_logs("time_s").values()))
        if paired:
            logs = logs[: len(logs) // 2 * 2].reshape(-1, 2)
            logs = logs[:, 1] - logs[:, 0]
        if len(logs) < FEWEST_VALUES:
            continue
        sd = statistics.upper_robust_sd(logs, statistics.generator(1, name), symmetric=paired)
        spreads[name] = (family_of(samples[0][1]), sd)
    return spreads


def needs(spreads: Spreads, thresholds: Thresholds, slowdown: float, paired: bool = False) -> list[Need]:
    """[Need...] of all benchmarks together, for that many comparisons at once."""
    comparisons = len(spreads)
    floor = fewest_needed(thresholds.alpha, comparisons, paired, thresholds)
    found = []
    for name, (family, sd) in spreads.items():
        limits = thresholds.of(family)
        count = statistics.needed_count(sd, slowdown, thresholds.alpha, thresholds.power, comparisons,
                                        limits.min_effect, floor, paired)  # fmt: skip
        found.append(Need(name, sd, count))
    return found


def recommended(found: list[Need]) -> int | None:
    """Enough for all that can be seen at all; None if there is none."""
    counts = [need.count for need in found if need.count is not None]
    return max(counts) if counts else None


def visible(spreads: Spreads, thresholds: Thresholds, count: int, paired: bool) -> dict[str, float]:
    """{benchmark: smallest slowdown that `count` runs a side, or pairs, see}."""
    if count < fewest_needed(thresholds.alpha, len(spreads), paired, thresholds):
        return dict.fromkeys(spreads, math.inf)
    return {name: statistics.smallest_visible(sd, count, thresholds.alpha, thresholds.power, len(spreads),
                                              thresholds.of(family).min_effect, paired)
            for name, (family, sd) in spreads.items()}  # fmt: skip


def text(directory: pathlib.Path | str, thresholds: Thresholds, slowdown: float) -> str:
    runs = read_runs(directory)
    check_one_kind(runs, directory)
    lines = [f"{directory}: {len(runs)} runs"]
    if len(runs) < FEWEST_RUNS:
        lines.append(f"too few to judge their spread: make at least {FEWEST_RUNS}")
        return "\n".join(lines)
    for paired, what in ((False, "runs a side"), (True, "interleaved pairs")):
        spreads = spread_of_runs(runs, paired)
        found = needs(spreads, thresholds, slowdown, paired)
        if not found:
            raise NotReadable(f"{directory}: no benchmark has times enough to judge their spread")
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
            smallest = seen[need.name]
            now = f"{half} see {percent_text(smallest)}" if math.isfinite(smallest) else f"{half} are too few"
            lines.append(f"  {need.name.ljust(width)}  spread up to {percent_text(need.sd)}  {number}; {now}")
    return "\n".join(lines)
