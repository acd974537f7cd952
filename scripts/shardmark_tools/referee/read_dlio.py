# SPDX-License-Identifier: Apache-2.0
"""DLIO's checkpointing results, and MLPerf Storage's, which are DLIO's with a metadata file beside them.

A folder has summary.json (of rank 0 alone) and N_per_epoch_stats.json of every rank N. `throughput` in
the latter is the bytes of all ranks over that rank's time; sizes and rates called GB are GiB.
"""

import dataclasses
import datetime
import pathlib
import re
import statistics

from shardmark_tools.referee.foreign_file import BadFile, Node, read_json
from shardmark_tools.referee.measurement import GIB, Measurement, Printed, ranks_text

RANK_FILE = re.compile(r"(\d{1,7})_per_epoch_stats\.json")
METADATA_FILE = re.compile(r"checkpointing_.*_metadata\.json")
EPOCH = re.compile(r"[0-9]{1,9}")
BLOCK = re.compile(r"(save|load)_ckpt(\d{1,6})")
TOLERANCE = 1e-3  # of sums and products of numbers in the files
SYNC_DOUBT = ("nothing in these files shows an fsync; DLIO (seen in e1919d7, v2.0.1) takes checkpoint.fsync and does not act "
              "on it")  # fmt: skip
CLOCK_TOLERANCE_S = 2e-3  # of end - start against the duration
FEWEST_STARTS = 2


@dataclasses.dataclass
class Block:
    """One save or load as one rank saw it."""

    start_s: float
    end_s: float
    duration_s: float
    amount: float  # bytes of all ranks that its throughput implies
    node: Node


Place = tuple[str, int, int]  # operation, epoch, number


@dataclasses.dataclass
class Folder:
    """All files of one result."""

    path: pathlib.Path
    summary: Node | None
    metadata: Node | None
    ranks: dict[int, dict[Place, Block]]  # by rank


def is_folder(names: set[str]) -> bool:
    return any(RANK_FILE.fullmatch(name) for name in names)


def is_ours(name: str) -> bool:
    return bool(RANK_FILE.fullmatch(name) or METADATA_FILE.fullmatch(name) or name == "summary.json")


def seconds_of(node: Node) -> float:
    """Local time without a zone; only differences mean anything."""
    try:
        moment = datetime.datetime.fromisoformat(node.text())
    except ValueError:
        raise node.bad("a time like 2026-01-02T09:00:42.117000") from None
    return moment.replace(tzinfo=datetime.timezone.utc).timestamp()


def read_block(node: Node) -> Block:
    duration = node.child("duration").positive()
    rate = node.child("throughput").positive()
    return Block(seconds_of(node.child("start")), seconds_of(node.child("end")), duration,
                 rate * duration * GIB, node)  # fmt: skip


def read_rank(path: pathlib.Path) -> dict[tuple[str, int, int], Block]:
    blocks = {}
    for epoch, node in read_json(path).members().items():
        if not EPOCH.fullmatch(epoch):
            raise BadFile(path, f"key {epoch[:20]!r}: expected the number of an epoch")
        for key, block in node.members().items():
            match = BLOCK.fullmatch(key)
            if match:
                blocks[match[1], int(epoch), int(match[2])] = read_block(block)
    return blocks


def read_folder(path: pathlib.Path, names: set[str]) -> Folder:
    metadata = sorted(name for name in names if METADATA_FILE.fullmatch(name))
    ranks = {}
    for name in sorted(names):
        match = RANK_FILE.fullmatch(name)
        if match:
            ranks[int(match[1])] = read_rank(path / name)
    return Folder(
        path,
        read_json(path / "summary.json") if "summary.json" in names else None,
        read_json(path / metadata[-1]) if metadata else None,
        ranks,
    )


def expected_ranks(folder: Folder) -> int | None:
    counts = [node.count(least=1) for node in (
        folder.summary and folder.summary.find("num_accelerators"),
        folder.metadata and folder.metadata.find("num_processes"),
    ) if node]  # fmt: skip
    return max(counts) if counts else None


def zero_stage(folder: Folder) -> int | None:
    node = folder.metadata and folder.metadata.find("parameters", "model", "parallelism", "zero_stage")
    return node.count() if node else None


def memory_per_node(folder: Folder) -> float | None:
    """Of the metadata; summary.json gives sums of several hosts for the first of them only."""
    for keys in (("system_info", "max_memory_bytes"), ("system_info", "min_memory_bytes")):
        node = folder.metadata and folder.metadata.find(*keys)
        if node:
            return node.positive()
    hosts = folder.summary and folder.summary.find("host_memory_GB")
    values = [node.number() for node in hosts.items()] if hosts else []
    return values[0] * GIB if len(values) == 1 and values[0] > 0 else None


def tool_of(folder: Folder) -> str:
    if folder.metadata and "shardmark" in folder.metadata:
        return "Shardmark, exported"
    return "MLPerf Storage checkpointing (DLIO)" if folder.metadata else "DLIO checkpointing"


def read_cold(folder: Folder) -> bool:
    """Shardmark looks at the page cache before each load; nobody else's files say."""
    states = folder.metadata.find("shardmark", "cold") if folder.metadata else None
    return states is not None and all(state.text() == "client-cold" for state in states.items())


def printed(folder: Folder, operation: str) -> Printed | None:
    name = f"{operation}_checkpoint_io_mean_GB_per_second"
    node = folder.summary and folder.summary.find("metric", name)
    return Printed(f"summary.json {name}", node.number(), of_rank_0=True) if node else None


def measure(folder: Folder, operation: str) -> Measurement | None:
    places = sorted({key for blocks in folder.ranks.values() for key in blocks if key[0] == operation})
    if not places:
        return None
    size = folder.summary and folder.summary.find("metric", "checkpoint_size_GB")
    amount = size.positive() * GIB if size else None
    blocks = [{rank: blocks[place] for rank, blocks in folder.ranks.items() if place in blocks}
              for place in places]  # fmt: skip
    hosts = folder.summary and folder.summary.find("num_hosts")
    ours = bool(folder.metadata and "shardmark" in folder.metadata)  # whose saves are durable when they end
    measurement = Measurement(
        path=str(folder.path), operation=operation, writes=operation == "save",
        tool=tool_of(folder),
        unit="GiB/s", unit_size=GIB,
        amounts=[amount or statistics.median(b.amount for b in row.values()) for row in blocks],
        seconds=[{rank: block.duration_s for rank, block in sorted(row.items())} for row in blocks],
        expected_ranks=expected_ranks(folder), amount_by_rank_known=zero_stage(folder) == 3,
        printed=printed(folder, operation), nodes=hosts.count(least=1) if hosts else None,
        memory_per_node_bytes=memory_per_node(folder), through_page_cache=not read_cold(folder),
        synced=ours, sync_doubt=None if ours else SYNC_DOUBT,
    )  # fmt: skip
    firsts = [row[0] for row in blocks if 0 in row]
    if firsts:
        measurement.first_start_s, measurement.last_end_s = firsts[0].start_s, firsts[-1].end_s
    check_blocks(measurement, blocks, places)
    check_clocks(measurement, blocks)
    check_summary(folder, measurement)
    return measurement


def check_blocks(measurement: Measurement, blocks: list[dict[int, Block]],
                 places: list[Place]) -> None:  # fmt: skip
    """Durations against the clock, rates against the size, ranks against each other."""
    for i, row in enumerate(blocks):
        missing = [rank for rank in measurement.ranks if rank not in row]
        if missing:
            measurement.fault("missing-times", f"{places[i][0]}_ckpt{places[i][2]} of epoch {places[i][1]} "
                              f"is missing in the files of {len(missing)} ranks", rank=missing[0], repetition=i)  # fmt: skip
        for rank, block in row.items():
            apart = abs(block.end_s - block.start_s - block.duration_s)
            if apart > CLOCK_TOLERANCE_S + TOLERANCE * block.duration_s:
                measurement.fault(
                    "contradiction", f"{block.node.path}: {block.node.key}: end - start is "
                    f"{block.end_s - block.start_s:.6f} s, duration {block.duration_s:.6f}",
                    rank=rank, repetition=i)  # fmt: skip
            if abs(block.amount / measurement.amounts[i] - 1) > TOLERANCE:
                measurement.fault(
                    "contradiction", f"{block.node.path}: {block.node.key}: throughput x duration is "
                    f"{block.amount / GIB:.6g} GiB, the checkpoint has {measurement.amounts[i] / GIB:.6g}",
                    rank=rank, repetition=i)  # fmt: skip


def check_clocks(measurement: Measurement, blocks: list[dict[int, Block]]) -> None:
    """A rank whose starts are always as far from the others' has another clock; one that drifts is late."""
    starts = [row for row in blocks if len(row) == len(measurement.ranks)]
    if len(starts) < FEWEST_STARTS or len(measurement.ranks) < FEWEST_STARTS:
        return
    apart = {}
    for rank in measurement.ranks:
        offsets = [row[rank].start_s - statistics.median(b.start_s for b in row.values()) for row in starts]
        apart[rank] = statistics.median(offsets), max(offsets) - min(offsets)
    first = apart[measurement.ranks[0]][0]
    ahead = {rank: offset - first for rank, (offset, spread) in apart.items()
             if abs(offset - first) > 0.1 and spread < 0.1 * abs(offset - first)}  # fmt: skip
    if ahead:
        low, high = min(ahead.values()), max(ahead.values())
        by = f"{low:+.3f} s" if high - low < 0.05 else f"{low:+.3f} to {high:+.3f} s"
        measurement.limit(
            "clocks-apart", f"times of day across ranks: clocks of {ranks_text(list(ahead))} differ from rank "
            f"{measurement.ranks[0]}'s by {by} (so last end minus first start is wrong)")  # fmt: skip


def check_summary(folder: Folder, measurement: Measurement) -> None:
    if folder.summary is None:
        measurement.limit("no-summary", "how many ranks there were, and the size: no summary.json")
        return
    operation = measurement.operation
    mean = folder.summary.find("metric", f"{operation}_checkpoint_duration_mean_seconds")
    firsts = [row[0] for row in measurement.seconds if 0 in row]
    if mean and len(firsts) == measurement.repetitions:
        found, expected = mean.number(), statistics.fmean(firsts)
        if abs(found / expected - 1) > TOLERANCE:
            measurement.fault("contradiction", f"{mean.path}: {mean.key} is {found:.6g} s, rank 0's times give "
                              f"{expected:.6g}", rank=0)  # fmt: skip
    count = folder.summary.find("num_accelerators")
    processes = folder.metadata and folder.metadata.find("num_processes")
    if count and processes and count.count() != processes.count():
        measurement.fault("contradiction", f"summary.json says {count.count()} accelerators, "
                          f"{processes.path.name} {processes.count()} processes")  # fmt: skip


def read(path: pathlib.Path, names: set[str]) -> tuple[list[Measurement], Folder]:
    folder = read_folder(path, names)
    found = [m for m in (measure(folder, operation) for operation in ("save", "load")) if m]
    if not found:
        raise BadFile(path, "rank files without any save_ckpt or load_ckpt; expected a checkpointing result")
    return found, folder
