# SPDX-License-Identifier: Apache-2.0
"""What MLPerf Storage's rules ask of a checkpointing result, as far as files can show it.

Source: mlcommons/storage, Rules.md, sections 4.3 to 4.7 (rules edition 3.0).
"""

import dataclasses

from shardmark_tools.referee.measurement import Measurement
from shardmark_tools.referee.read_dlio import Folder, seconds_of

PROCESSES = {"llama3-8b": 8, "llama3-70b": 64, "llama3-405b": 512, "llama3-1t": 1024}
CHECKPOINTS = 10
MOST_GAP_S = 30.0
LEAST_RANKS_PER_HOST = 4  # and one more


@dataclasses.dataclass
class Run:
    folder: Folder
    measurements: list[Measurement]


def model_of(folder: Folder) -> str | None:
    node = folder.metadata and folder.metadata.find("model")
    return node.text() if node else None


def check_run(run: Run) -> None:
    """Processes and number of checkpoints of one folder with MLPerf's metadata."""
    model = model_of(run.folder)
    if model is None:
        return
    for measurement in run.measurements:
        wanted, found = PROCESSES.get(model), measurement.expected_ranks
        if wanted is None:
            measurement.limit("not-by-the-rules", f"a result of MLPerf Storage: model {model[:40]!r} is none of its checkpoints")
        elif found is not None and found != wanted:
            note = ", and subsets exist for llama3-8b only" if model != "llama3-8b" else ""
            measurement.limit("not-by-the-rules", f"a result of MLPerf Storage: {found} processes for {model}, the rules ask for "
                              f"{wanted}{note}")  # fmt: skip
        if measurement.repetitions != CHECKPOINTS:
            measurement.limit("not-by-the-rules", f"a result of MLPerf Storage: {measurement.repetitions} "
                              f"{measurement.operation}s, the rules ask for {CHECKPOINTS}")  # fmt: skip


def check_pair(write: Run, read: Run) -> None:
    """The saves of one folder and the loads of another, if they belong together."""
    save, load = write.measurements[0], read.measurements[0]
    if save.expected_ranks != load.expected_ranks:
        return
    began = read.folder.metadata and read.folder.metadata.find("invocation_start_time")
    ended = write.folder.summary and write.folder.summary.find("end")
    if not began or not ended:
        load.limit("gap-unknown", f"that loads followed saves: when those of {save.path} ended, or these began, is not "
                   "in the files")
        return
    gap = seconds_of(began) - seconds_of(ended)
    if gap < 0:
        load.limit("clocks-apart", f"that loads followed saves: they began {-gap:.1f} s before those of {save.path} ended; the "
                   "clocks of the hosts differ, or these are loads of something else")  # fmt: skip
    elif gap > MOST_GAP_S:
        load.limit("not-by-the-rules", f"a result of MLPerf Storage: loads began {gap:.1f} s after the saves of {save.path}, "
                   f"the rules allow {MOST_GAP_S:.0f} s")  # fmt: skip


def pairs(runs: list[Run]) -> list[tuple[Run, Run]]:
    """Folders of saves alone and of loads alone, of one model: in turn where there are as many of each, else each folder of
    loads with the folder of saves last before it, in the order of their paths. Loads that none is left for are told so."""
    found: list[tuple[Run, Run]] = []
    for model in sorted({model for run in runs if (model := model_of(run.folder)) is not None}):
        mine = [r for r in runs if model_of(r.folder) == model]
        writes = [r for r in mine if operations_of(r) == ["save"]]
        reads = [r for r in mine if operations_of(r) == ["load"]]
        if len(writes) == len(reads):
            found += zip(writes, reads)
        elif writes:
            found += pairs_by_order(mine)
    return found


def operations_of(run: Run) -> list[str]:
    return [measurement.operation for measurement in run.measurements]


def pairs_by_order(runs: list[Run]) -> list[tuple[Run, Run]]:
    found: list[tuple[Run, Run]] = []
    last: Run | None = None
    for run in runs:
        if operations_of(run) == ["save"]:
            last = run
        elif operations_of(run) == ["load"]:
            if last is not None:
                found.append((last, run))
            else:
                run.measurements[0].limit("gap-unknown", "that loads followed saves: no folder of saves is left that comes before "
                                          "these")  # fmt: skip
            last = None
    return found
