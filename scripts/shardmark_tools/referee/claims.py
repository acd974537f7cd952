# SPDX-License-Identifier: Apache-2.0
"""What the files of a measurement cannot support, and where the printed figure comes from."""

from shardmark_tools.referee.figures import Figures
from shardmark_tools.referee.measurement import GIB, Measurement, ranks_text
from shardmark_tools.referee.rank_outliers import RankOutlier
from shardmark_tools.referee.repetition_outliers import RepetitionOutlier

SAME = 2e-3  # two figures that differ by less are one
OVERSTATES = 1.10  # printed over slowest rank: beyond this it is said
TOGETHER = 1.10  # the tool's time of a repetition over the slowest rank's own
NEAR_S = 30.0  # the kernel begins to write dirty pages back when they are this old
ENOUGH_FOR_CACHE = 3.0  # bytes a node over its memory: MLPerf Storage asks for this or emptied caches
FEWEST_FOR_95 = 6  # values from which on a 95 % interval of a median exists


def missing_ranks(measurement: Measurement) -> None:
    expected, found = measurement.expected_ranks, len(measurement.ranks)
    who = measurement.who
    if not found:
        measurement.limit("no-rank-times", f"which {who} was slowest, or slow: no times of single {who}s")
    elif expected is not None and found < expected:
        measurement.fault("missing-ranks", f"times of {found} of {expected} {who}s: the slowest {who} may be one of the "
                          f"{expected - found} that are missing, so every figure is an upper bound")  # fmt: skip
    elif expected is not None and found > expected:
        measurement.fault("contradiction", f"times of {found} {who}s, but the run had {expected}")


def idle_ranks(measurement: Measurement) -> None:
    if measurement.idle_ranks:
        measurement.limit(
            "idle-ranks", f"that the mean of rates is a rate: {ranks_text(measurement.idle_ranks)} took next to no time, having "
            "moved next to nothing")  # fmt: skip


def printed_figure(measurement: Measurement, figures: Figures, whole: Figures | None, ranks: list[RankOutlier]) -> None:
    """Which of the figures the printed one is, and how far above the slowest rank's."""
    printed = measurement.printed
    named = figures.named()
    if printed is None or not named:
        return
    printed.follows = [name for name, value in named.items() if abs(printed.value / value - 1) < SAME]
    if whole:
        printed.follows += [f"{name} of whole times" for name, value in whole.named().items()
                            if abs(printed.value / value - 1) < SAME]  # fmt: skip
    if not printed.follows and printed.of_rank_0 and figures.rank_0 is not None:
        measurement.fault("contradiction", f"{printed.name} is {printed.value:.6g} {measurement.unit}: no figure of "
                          f"these times (rank 0's is {figures.rank_0:.6g})")  # fmt: skip
    if printed.of_rank_0 and figures.slowest:
        over = printed.value / figures.slowest
        text = f"that {printed.name} is the rate of all ranks: it is rank 0's alone"
        fast = any(rank.rank == 0 and rank.ratio < 1 for rank in ranks)
        if fast and over > OVERSTATES:
            measurement.fault("printed-overstates", f"{printed.name} is of rank 0, which is faster than the others: "
                              f"{over:.2f} times what the slowest ranks give", rank=0, ratio=over)  # fmt: skip
        else:
            measurement.limit("printed-is-rank-0", text if over <= OVERSTATES else f"{text}, {over:.2f} times what the "
                              "slowest ranks give")  # fmt: skip


def together(measurement: Measurement, whole: Figures | None) -> None:
    """A repetition longer than its slowest rank's time: ranks did not start together."""
    pairs = [(t, max(row.values())) for t, row in zip(measurement.whole_s, measurement.seconds) if row]
    if whole and pairs:
        ratio = sorted(t / slowest for t, slowest in pairs)[len(pairs) // 2]
        if ratio > TOGETHER:
            measurement.limit(
                "ranks-not-together", f"that rates from rank times are rates of all: repetitions lasted {ratio:.2f} times as "
                "long as their slowest rank, so ranks began apart")  # fmt: skip


def durability(measurement: Measurement) -> None:
    if not measurement.writes:
        return
    if measurement.sync_doubt:
        measurement.limit("no-fsync", f"that saves reached storage: {measurement.sync_doubt}")
    elif measurement.synced is None:
        measurement.limit("no-fsync", "that bytes reached storage: the files do not say whether an fsync is in the time")
    elif not measurement.synced:
        where = "the page cache" if measurement.through_page_cache is not False else "the device's cache"
        measurement.limit("no-fsync", f"that bytes reached storage: without fsync the time ends in {where}")


def memory(measurement: Measurement) -> None:
    """Reads that the readers' own memory could serve."""
    if measurement.writes is not False or measurement.through_page_cache is False or not measurement.amounts:
        return
    nodes, has = measurement.nodes or 1, measurement.memory_per_node_bytes
    each = max(measurement.amounts) / nodes
    size = f"{each / GIB:.3g} GiB a node"
    if has is None:
        measurement.limit("memory-could-hold", f"that reads came from storage: {size} may be in the page cache; memory a "
                          "node is not in the files")  # fmt: skip
    elif each < ENOUGH_FOR_CACHE * has:
        part = "all of it" if each < has else "part of it"
        measurement.limit("memory-could-hold", f"that reads came from storage: {size}, memory of {has / GIB:.3g} GiB could "
                          f"hold {part}, and no emptied cache is shown")  # fmt: skip


def few(measurement: Measurement, figures: Figures) -> None:
    n = measurement.repetitions
    if measurement.median_over_ranks or n == 0:
        if n == 1:
            measurement.limit("one-repetition", f"that a {measurement.who} is slow: one repetition cannot tell it from a slow "
                              "moment")
        return
    if n == 1:
        measurement.limit("one-repetition", "how far the figure spreads: one repetition")
    elif n < FEWEST_FOR_95 and figures.median:
        measurement.limit("few-repetitions", f"a 95 % interval: from the least to the greatest of {n} repetitions holds "
                          f"the median with {figures.median.confidence * 100:.0f} %")  # fmt: skip


def near(save: Measurement, load: Measurement) -> None:
    """Loads right after the saves of the same run."""
    if save.last_end_s is None or load.first_start_s is None:
        return
    gap = load.first_start_s - save.last_end_s
    has, each = load.memory_per_node_bytes, max(load.amounts) / (load.nodes or 1)
    if 0 <= gap < NEAR_S and (has is None or each < ENOUGH_FOR_CACHE * has):
        load.limit("saves-loads-near", f"that loads met no saves: the first load began {gap:.2f} s after the last "
                   "save ended; its bytes may still be in memory, or on their way out")  # fmt: skip
    elif gap < 0:
        load.limit("saves-loads-near", f"that loads met no saves: the first began {-gap:.2f} s before the last save ended")


def ranks_apart(measurement: Measurement, ranks: list[RankOutlier]) -> None:
    """Ranks that stand out. One that may have moved more than others is not called slow."""
    slow = [rank for rank in ranks if rank.ratio > 1]
    for rank in ranks:
        who = f"{measurement.who} {rank.rank}"
        if rank.ratio < 1:
            measurement.note("fast-rank", f"{who} took {rank.ratio:.2f} times the others' time in all repetitions",
                             rank=rank.rank, ratio=rank.ratio)  # fmt: skip
        elif rank.rank == 0 and len(slow) == 1 and not measurement.amount_by_rank_known:
            measurement.limit("slow-or-more", f"whether {who} is slow or moved more: it took {rank.ratio:.2f} times the "
                              "others' time, and how much each moved is not in the files")  # fmt: skip
        else:
            measurement.fault(f"slow-{measurement.who}", f"{who} took {rank.ratio:.2f} times the others' time in all "
                              "repetitions", rank=rank.rank, ratio=rank.ratio)  # fmt: skip


def repetition_text(measurement: Measurement, found: RepetitionOutlier) -> str:
    text = f"repetition {found.repetition} took {found.time_s:.4g} s, {found.ratio:.2f} times the median of the others"
    if found.rank is not None:
        text += f"; {measurement.who} {found.rank} alone"
    if found.ratio < 1 and measurement.writes is False:
        text += ": its bytes may have come from memory"
    return text


def repetitions_apart(measurement: Measurement, repetitions: list[RepetitionOutlier]) -> None:
    for found in repetitions:
        measurement.note("slow-repetition" if found.ratio > 1 else "fast-repetition", repetition_text(measurement, found),
                         rank=found.rank, repetition=found.repetition, ratio=found.ratio)  # fmt: skip


def collect(measurement: Measurement, figures: Figures, whole: Figures | None, ranks: list[RankOutlier],
            repetitions: list[RepetitionOutlier]) -> None:  # fmt: skip
    """Adds every finding that needs no other measurement."""
    ranks_apart(measurement, ranks)
    repetitions_apart(measurement, repetitions)
    missing_ranks(measurement)
    idle_ranks(measurement)
    printed_figure(measurement, figures, whole, ranks)
    together(measurement, whole)
    durability(measurement)
    memory(measurement)
    few(measurement, figures)
