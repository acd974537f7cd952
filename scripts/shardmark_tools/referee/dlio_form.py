# SPDX-License-Identifier: Apache-2.0
"""Writes a folder in the form of DLIO's checkpointing results, of times that are given."""

import dataclasses
import datetime
import json
import pathlib
import statistics

from shardmark_tools.referee.measurement import GIB

BEGIN = datetime.datetime(2026, 1, 1, 10, 0, 0)  # where the caller has no moment of its own


@dataclasses.dataclass
class Operation:
    """The saves or the loads of one result: seconds and starts (s after `began`) by repetition and rank."""

    name: str  # "save" or "load"
    seconds: list[list[float]]
    starts: list[list[float]]


def spaced(name: str, seconds: list[list[float]], first_s: float = 0.0, between_s: float = 0.2) -> Operation:
    """Ranks begin together, `between_s` after the slowest one of the repetition before."""
    starts, moment = [], first_s
    for row in seconds:
        starts.append([moment] * len(row))
        moment += max(row) + between_s
    return Operation(name, seconds, starts)


def moment(began: datetime.datetime, seconds: float) -> str:
    return (began + datetime.timedelta(seconds=seconds)).isoformat(timespec="microseconds")


def rank_document(operations: list[Operation], rank: int, num_bytes: float, began: datetime.datetime) -> dict:
    """What N_per_epoch_stats.json of that rank holds."""
    blocks = {}
    for operation in operations:
        for i, (row, starts) in enumerate(zip(operation.seconds, operation.starts), 1):
            duration = round(row[rank], 6)
            blocks[f"{operation.name}_ckpt{i}"] = {
                "start": moment(began, round(starts[rank], 6)), "end": moment(began, round(starts[rank], 6) + duration),
                "duration": duration, "throughput": num_bytes / GIB / duration,
            }  # fmt: skip
    first, last = operations[0].starts[0][rank], operations[-1].starts[-1][rank] + operations[-1].seconds[-1][rank]
    return {"1": {"start": moment(began, first), **blocks, "end": moment(began, last)}}


def metric_document(operations: list[Operation], num_bytes: float) -> dict:
    """What DLIO's summary has of rank 0; its deviations divide by n."""
    metric = {}
    for operation in operations:
        durations = [round(row[0], 6) for row in operation.seconds]
        rates = [num_bytes / GIB / duration for duration in durations]
        stem = f"{operation.name}_checkpoint"
        metric[f"{stem}_io_mean_GB_per_second"] = statistics.fmean(rates)
        metric[f"{stem}_io_stdev_GB_per_second"] = statistics.pstdev(rates)
        metric[f"{stem}_duration_mean_seconds"] = statistics.fmean(durations)
        metric[f"{stem}_duration_stdev_seconds"] = statistics.pstdev(durations)
    return {**metric, "checkpoint_size_GB": num_bytes / GIB}


def write_folder(path: pathlib.Path, operations: list[Operation], num_bytes: float, hosts: int = 1,
                 began: datetime.datetime = BEGIN, more: dict | None = None) -> None:  # fmt: skip
    """summary.json (with the members of `more`) and every rank's file."""
    path.mkdir(parents=True, exist_ok=True)
    ranks = len(operations[0].seconds[0])
    end = operations[-1].starts[-1][0] + operations[-1].seconds[-1][0]
    summary = {
        "start": moment(began, operations[0].starts[0][0]), "num_accelerators": ranks, "num_hosts": hosts,
        "metric": metric_document(operations, num_bytes), **(more or {}), "end": moment(began, end),
    }  # fmt: skip
    write_json(path / "summary.json", summary)
    for rank in range(ranks):
        write_json(path / f"{rank}_per_epoch_stats.json", rank_document(operations, rank, num_bytes, began))


def write_json(path: pathlib.Path, document: dict) -> None:
    path.write_text(json.dumps(document, indent=4) + "\n", encoding="utf-8")
