# SPDX-License-Identifier: Apache-2.0
"""What a reader makes of one operation of somebody else's benchmark: amounts and times by repetition and rank."""

import dataclasses

MIB = 2**20
GIB = 2**30


@dataclasses.dataclass
class Finding:
    """`severity` is "fault" (something is wrong), "limit" (a claim that the files cannot support) or "note"
    (something stands out that happens to sound results too).

    `rank` and `repetition` count from 0, as MPI does; None where the finding is not about one.
    """

    kind: str
    text: str
    severity: str
    rank: int | None = None
    repetition: int | None = None
    ratio: float | None = None  # of times: 1.3 is 30 % slower than the others


@dataclasses.dataclass
class Printed:
    """The figure that the tool itself shows, in the measurement's unit."""

    name: str
    value: float
    of_rank_0: bool = False  # as DLIO's summary is
    follows: list[str] = dataclasses.field(default_factory=list)  # figures that it equals


@dataclasses.dataclass
class Measurement:
    """One operation (a save, a load, file creation, ...), repeated."""

    path: str  # what was read, as the user named it
    tool: str  # with its version where the files have it
    operation: str
    writes: bool | None  # moves bytes towards storage; None: moves none (stat, removal)
    unit: str  # of rates: "GiB/s", "MiB/s", "1/s"
    unit_size: float  # bytes (or operations) in one of the unit
    amounts: list[float]  # bytes or operations of all ranks together, by repetition
    seconds: list[dict[int, float]]  # by repetition: each rank's own time; empty where not in the files
    expected_ranks: int | None  # that the run had; None: the files do not say
    whole_s: list[float] = dataclasses.field(default_factory=list)  # the tool's own time of each repetition
    who: str = "rank"  # "job", "thread": what the tool calls them
    median_over_ranks: bool = False  # one repetition of independent jobs: the median is over these
    idle_ranks: list[int] = dataclasses.field(default_factory=list)
    amount_by_rank_known: bool = True  # whether a slow rank can have moved more than others
    printed: Printed | None = None
    nodes: int | None = None
    memory_per_node_bytes: float | None = None
    through_page_cache: bool | None = None  # None: the files do not say
    synced: bool | None = None  # fsync (or the like) inside the time; None: the files do not say
    sync_doubt: str | None = None  # why an fsync that the settings ask for is not shown
    first_start_s: float | None = None  # rank 0's clock, no zone: only differences within one host mean anything
    last_end_s: float | None = None
    findings: list[Finding] = dataclasses.field(default_factory=list)

    @property
    def repetitions(self) -> int:
        return len(self.amounts)

    @property
    def ranks(self) -> list[int]:
        """Ranks with a time in at least one repetition."""
        return sorted({rank for times in self.seconds for rank in times})

    def limit(self, kind: str, text: str) -> None:
        """Adds a claim that the files cannot support, with the reason."""
        self.findings.append(Finding(kind, text, "limit"))

    def note(self, kind: str, text: str, rank: int | None = None, repetition: int | None = None,
             ratio: float | None = None) -> None:  # fmt: skip
        self.findings.append(Finding(kind, text, "note", rank, repetition, ratio))

    def fault(self, kind: str, text: str, rank: int | None = None, repetition: int | None = None,
              ratio: float | None = None) -> None:  # fmt: skip
        self.findings.append(Finding(kind, text, "fault", rank, repetition, ratio))


def ranks_text(ranks: list[int]) -> str:
    """"rank 5", "ranks 4 to 7", "ranks 1, 4 and 9", "ranks 1, 4, 9 and 20 more"."""
    if len(ranks) == 1:
        return f"rank {ranks[0]}"
    if len(ranks) > 2 and ranks == list(range(ranks[0], ranks[-1] + 1)):
        return f"ranks {ranks[0]} to {ranks[-1]}"
    if len(ranks) > 6:
        return f"ranks {', '.join(map(str, ranks[:5]))} and {len(ranks) - 5} more"
    return f"ranks {', '.join(map(str, ranks[:-1]))} and {ranks[-1]}"
