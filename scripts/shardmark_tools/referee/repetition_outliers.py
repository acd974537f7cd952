# SPDX-License-Identifier: Apache-2.0
"""Names repetitions that stand alone.

One is slow if its slowest rank took a quarter and two seconds longer than the median of the others (shorter
stalls happen on sound machines too) and stands out from the others' scatter; fast if it took half of that
median or less, half a second less, and stands out likewise.
"""

import dataclasses
import math
import statistics

from shardmark_tools.referee.measurement import Measurement
from shardmark_tools.referee.rank_outliers import mad

LEAST_REPETITIONS = 3
SLOW_RATIO = 1.25
SLOW_EXCESS_S = 2.0
FAST_RATIO = 0.5
FAST_EXCESS_S = 0.5
SIGMA = 6.0


@dataclasses.dataclass
class RepetitionOutlier:
    repetition: int
    ratio: float  # of its time to the median of the others
    time_s: float
    rank: int | None  # without which it would not be slow


def repetition_times(measurement: Measurement) -> list[float | None]:
    """The slowest rank's time, or the tool's of the whole, by repetition."""
    if any(measurement.seconds):
        return [max(row.values()) if row else None for row in measurement.seconds]
    return list(measurement.whole_s)


def judge_repetitions(measurement: Measurement) -> list[RepetitionOutlier]:
    """Times are compared per amount: stonewalled repetitions move other amounts."""
    times = {i: t for i, t in enumerate(repetition_times(measurement)) if t is not None}
    typical = statistics.median(measurement.amounts) if measurement.amounts else 0
    known = {i: t * typical / measurement.amounts[i] for i, t in times.items()}
    if len(known) < LEAST_REPETITIONS:
        return []
    found = []
    for i, seconds in known.items():
        others = [known[j] for j in known if j != i]
        usual = statistics.median(others)
        if is_slow(seconds, others):
            found.append(RepetitionOutlier(i, seconds / usual, times[i], alone_slow(measurement, i)))
        elif is_fast(seconds, others):
            found.append(RepetitionOutlier(i, seconds / usual, times[i], None))
    return found


def is_slow(seconds: float, others: list[float]) -> bool:
    usual = statistics.median(others)
    return seconds - usual >= max((SLOW_RATIO - 1) * usual, SLOW_EXCESS_S, SIGMA * scatter(others))


def is_fast(seconds: float, others: list[float]) -> bool:
    usual = statistics.median(others)
    distance = max(-math.log(FAST_RATIO), SIGMA * scatter([math.log(other) for other in others]))
    return usual - seconds >= FAST_EXCESS_S and math.log(usual / seconds) >= distance


def alone_slow(measurement: Measurement, repetition: int) -> int | None:
    """The rank without which this repetition would be as the others are without it."""
    rows = measurement.seconds
    if repetition >= len(rows) or len(rows[repetition]) < 2:
        return None
    last = max(rows[repetition], key=lambda rank: rows[repetition][rank])
    without = [max((t for rank, t in row.items() if rank != last), default=None) for row in rows]
    others = [t for i, t in enumerate(without) if i != repetition and t is not None]
    own = without[repetition]
    return None if own is None or len(others) < 2 or is_slow(own, others) else last


def scatter(values: list[float]) -> float:
    """Of two values their distance: half of it would pass for quiet."""
    return mad(values) if len(values) > 2 else abs(values[0] - values[1])
