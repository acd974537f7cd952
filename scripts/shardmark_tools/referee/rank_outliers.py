# SPDX-License-Identifier: Apache-2.0
"""Names ranks that are slow, or fast, in all repetitions.

A rank is judged within each repetition, by the logarithm of its time over the median of the other ranks', so
that a slow moment of the whole machine accuses nobody. It is named where all of this holds: the median of those
over the repetitions is beyond 5 % and 5 ms; nine repetitions of ten agree by 5 %; and it stands out from what
the other ranks do among themselves (the scatter of a median over the repetitions, and that between them) by
`needed_sigma`.
"""

import dataclasses
import math
import statistics
from collections.abc import Sequence

from shardmark_tools.referee.measurement import Measurement

LEAST_EFFECT = math.log(1.05)
LEAST_EXCESS_S = 0.005
AGREEING_SHARE = 0.9
LEAST_RANKS = 3
LEAST_REPETITIONS = 3
FEW_RANKS = 16  # up to which one slow rank moves the median of the others, so that they are taken without it
SIGMA_OF_MAD = 1.4826
SIGMA_OF_MEDIAN = 1.2533  # of a median of n normal values, times sqrt(n)
IDLE_SHARE = 0.02  # of the slowest rank's time, in every repetition

Rows = list[dict[int, float]]
Logs = dict[int, list[float]]


@dataclasses.dataclass
class RankOutlier:
    """`ratio` of its time to the others' (0.5 is twice as fast)."""

    rank: int
    ratio: float
    sigma: float


def needed_sigma(repetitions: int) -> float:
    """Few repetitions know their own scatter badly: 6 at 10 of them, 7 at 5, 8.3 at 3.

    With nine of ten agreeing, no rank of 200 sound runs of an overloaded machine went beyond 5 (check_referee).
    """
    return 5.0 * (1.0 + 2.0 / repetitions)


def mad(values: Sequence[float]) -> float:
    """Standard deviation of normal values by the median absolute deviation."""
    middle = statistics.median(values)
    return SIGMA_OF_MAD * statistics.median(abs(value - middle) for value in values)


def find_idle(measurement: Measurement) -> list[int]:
    """Ranks that take next to no time in every repetition: they moved next to nothing."""
    rows = [times for times in measurement.seconds if times]
    if not rows or len(measurement.ranks) < 2:
        return []
    return [rank for rank in measurement.ranks
            if all(rank in row and row[rank] < IDLE_SHARE * max(row.values()) for row in rows)]  # fmt: skip


def logarithms(rows: Rows, ranks: list[int]) -> Logs:
    """By rank and repetition: log of its time over the median of the others; of all where these are many."""
    if len(ranks) > FEW_RANKS:
        usual = [statistics.median(row[rank] for rank in ranks) for row in rows]
        return {rank: [math.log(row[rank] / u) for row, u in zip(rows, usual)] for rank in ranks}
    return {rank: [math.log(row[rank] / statistics.median(row[other] for other in ranks if other != rank))
                   for row in rows] for rank in ranks}  # fmt: skip


def noise(logs: Logs) -> float:
    """Scale of what a rank's median over the repetitions does by chance, and of what ranks differ by anyway."""
    middles = {rank: statistics.median(values) for rank, values in logs.items()}
    scatter = mad([value - middles[rank] for rank, values in logs.items() for value in values])
    repetitions = len(next(iter(logs.values())))
    return max(math.hypot(SIGMA_OF_MEDIAN * scatter / math.sqrt(repetitions), mad(list(middles.values()))), 1e-9)


def judge_ranks(measurement: Measurement) -> tuple[list[RankOutlier], float | None]:
    """(ranks that stand out, by how many times any would have to be slower to; None where none can be judged)."""
    ranks = [rank for rank in measurement.ranks if rank not in measurement.idle_ranks]
    rows = [row for row in measurement.seconds if all(rank in row for rank in ranks)]
    if len(ranks) < LEAST_RANKS or len(rows) < LEAST_REPETITIONS:
        return [], None
    logs, sigma = logarithms(rows, ranks), needed_sigma(len(rows))
    of_all = noise(logs) if len(ranks) > FEW_RANKS else None
    misses = int((1 - AGREEING_SHARE) * len(rows) + 1e-9)  # repetitions that need not agree
    usual_s = statistics.median(statistics.median(row[rank] for rank in ranks) for row in rows)
    found, seen = [], 0.0
    for rank in ranks:
        others = [other for other in ranks if other != rank]
        scale = of_all or noise(logarithms(rows, others))
        middle = statistics.median(logs[rank])
        direction = math.copysign(1.0, middle)
        least = sorted(direction * value for value in logs[rank])[misses]
        excess_s = direction * excess(rows, rank, others if of_all is None else ranks)
        if least >= LEAST_EFFECT and excess_s >= LEAST_EXCESS_S and abs(middle) >= sigma * scale:
            found.append(RankOutlier(rank, math.exp(middle), abs(middle) / scale))
        agreeing_from = LEAST_EFFECT - sorted(logs[rank])[misses]
        seen = max(seen, agreeing_from, max(sigma * scale, math.log1p(LEAST_EXCESS_S / usual_s)) - middle)
    return found, math.exp(seen)


def excess(rows: Rows, rank: int, others: list[int]) -> float:
    """Median over the repetitions of the seconds beyond the median of the others."""
    return statistics.median(row[rank] - statistics.median(row[other] for other in others) for row in rows)
