# SPDX-License-Identifier: Apache-2.0
"""The five figures: five ways to make one rate of the same times, and how far they are apart.

B is what all ranks together moved in one repetition, t0 rank 0's time, ts the longest time of any rank.
"""

import dataclasses
import statistics
from collections.abc import Sequence

from shardmark_tools.referee.measurement import Measurement

CONFIDENCE = 0.95


@dataclasses.dataclass
class Median:
    """A median with an interval between two of the sorted values.

    `confidence` is the exact probability that such an interval holds the true median, whatever the
    distribution; with fewer than six values it stays below 95 % even from the least to the greatest.
    """

    value: float
    low: float
    high: float
    confidence: float


@dataclasses.dataclass
class Figures:
    """Rates in the measurement's unit; None where the files have no times to compute it from."""

    rank_0: float | None
    slowest: float | None
    bytes_over_time: float | None
    mean_of_rates: float | None
    median: Median | None
    basis: str  # "ranks": from each rank's own time; "whole": the tool's time of the repetition

    def named(self) -> dict[str, float]:
        """The figures that exist, by name."""
        values = {
            "rank 0": self.rank_0,
            "slowest rank": self.slowest,
            "bytes over time": self.bytes_over_time,
            "mean of rates": self.mean_of_rates,
            "median": self.median.value if self.median else None,
        }
        return {name: value for name, value in values.items() if value is not None}


def median_interval(values: Sequence[float]) -> Median:
    """The narrowest symmetric pair of order statistics that holds the median with 95 %, else the widest."""
    ordered = sorted(values)
    n = len(ordered)
    # Whole numbers: beyond 1000 values neither these counts nor 1 / ways fit a float; a quotient of whole numbers does.
    ways = 2**n
    low, confidence = 0, 1 - 2 / ways
    chosen, outside = 1, 0  # in how many ways `cut`, and at most `cut`, values lie below the median
    for cut in range((n - 1) // 2):
        outside += chosen
        if 1 - 2 * outside / ways < CONFIDENCE:
            break
        low, confidence = cut, 1 - 2 * outside / ways
        chosen = chosen * (n - cut) // (cut + 1)
    return Median(statistics.median(ordered), ordered[low], ordered[n - 1 - low], max(confidence, 0.0))


def of_whole(measurement: Measurement) -> Figures | None:
    """From the tool's own time of each repetition, where it keeps one."""
    if not measurement.whole_s:
        return None
    return from_times(measurement, measurement.whole_s, measurement.amounts, None, "whole")


def compute(measurement: Measurement) -> Figures:
    """From each rank's own times where the files have them, else of the tool's."""
    usable = [i for i, times in enumerate(measurement.seconds) if times]
    if not usable:
        return of_whole(measurement) or Figures(None, None, None, None, None, "none")
    slowest = [max(measurement.seconds[i].values()) for i in usable]
    pairs = [(measurement.amounts[i], t) for i in usable for t in measurement.seconds[i].values()]
    rates = [amount / t / measurement.unit_size for amount, t in pairs]
    firsts = [times[0] for i in usable if 0 in (times := measurement.seconds[i])]
    rank_0 = None
    if len(firsts) == len(usable):
        rank_0 = statistics.fmean(measurement.amounts[i] / t for i, t in zip(usable, firsts))
        rank_0 /= measurement.unit_size
    amounts = [measurement.amounts[i] for i in usable]
    figures = from_times(measurement, slowest, amounts, rank_0, "ranks")
    figures.mean_of_rates = statistics.fmean(rates)
    if measurement.median_over_ranks and len(usable) == 1:
        figures.median = median_interval(rates)
    return figures


def from_times(measurement: Measurement, times: Sequence[float], amounts: Sequence[float],
               rank_0: float | None, basis: str) -> Figures:  # fmt: skip
    rates = [amount / t / measurement.unit_size for amount, t in zip(amounts, times)]
    over_time = sum(amounts) / sum(times) / measurement.unit_size
    mean = statistics.fmean(rates)
    return Figures(rank_0, mean, over_time, mean, median_interval(rates), basis)
