# SPDX-License-Identifier: Apache-2.0
"""fio's JSON: jobs of one group ran at the same time; `runtime` is in ms and has the end fsync in it.

Without group_reporting there is one entry a job and no total; adding the jobs' rates would count time in
which some had ended. With it there is one entry for all, and `runtime` is the longest job's.
"""

import collections
import pathlib

from shardmark_tools.referee.foreign_file import BadFile, Node, parse_json
from shardmark_tools.referee.measurement import MIB, Measurement, Printed

DIRECTIONS = ("write", "read")
MOVES = (*DIRECTIONS, "trim")
SYNC_OPTIONS = ("end_fsync", "fsync", "fdatasync", "fsync_on_close", "sync")
RESOLUTION_S = 1e-3


def is_json(text: str) -> bool:
    return '"fio version"' in text[:2000]


def option(entry: Node, document: Node, name: str) -> str | None:
    for node in (entry.find("job options", name), document.find("global options", name)):
        if node:
            return str(node.value)
    return None


def switched_on(entry: Node, document: Node, name: str) -> bool:
    value = option(entry, document, name)
    return value is not None and value not in ("0", "false", "none")


def moves_elsewhere(entry: Node, direction: str) -> bool:
    """Whether a job has bytes in other directions alone: it has no time to be missing in this one."""
    moved = {other for other in MOVES if (amount := entry.find(other, "io_bytes")) and amount.number() > 0}
    return bool(moved) and direction not in moved


def measure(path: pathlib.Path, document: Node, entries: list[Node], direction: str) -> Measurement | None:
    """One group's jobs in one direction."""
    blocks = [entry.child(direction) for entry in entries]
    amounts = [block.child("io_bytes").number() for block in blocks]
    moving = [i for i, amount in enumerate(amounts) if amount > 0]
    if not moving:
        return None
    first = entries[moving[0]]
    jobs = Node(path, option(first, document, "numjobs") or "1", "job options.numjobs").count(least=1)
    grouped = len(entries) == 1 and jobs > 1
    times = {}
    for i in moving:
        times[i] = blocks[i].child("runtime").positive() / 1000
    expected = sum(not moves_elsewhere(entry, direction) for entry in entries)
    measurement = Measurement(
        path=str(path), tool=document.child("fio version").text().replace("fio-", "fio "),
        operation=direction, writes=direction == "write", unit="MiB/s", unit_size=MIB,
        amounts=[sum(amounts)], seconds=[{} if grouped else times], who="job", median_over_ranks=not grouped,
        whole_s=list(times.values()) if grouped else [], expected_ranks=jobs if grouped else expected,
        nodes=1, through_page_cache=not switched_on(first, document, "direct"),
        synced=any(switched_on(first, document, name) for name in SYNC_OPTIONS),
    )  # fmt: skip
    if grouped:
        measurement.printed = Printed(f"{path.name} bw_bytes", blocks[moving[0]].child("bw_bytes").number() / MIB)
    else:
        measurement.limit("no-total", "a sum of the jobs' rates: some had ended while others ran, and fio prints no total")
    if len(moving) < len(entries):
        measurement.limit("other-jobs", f"what {len(entries) - len(moving)} of {len(entries)} jobs did: they moved nothing in "
                          "this direction")  # fmt: skip
    if min(times.values()) < 20 * RESOLUTION_S:
        measurement.limit("coarse-clock", f"digits: the shortest job took {min(times.values()) * 1000:.0f} ms by a "
                          "clock of 1 ms")
    for i, entry in enumerate(entries):
        error = entry.find("error")
        if error and error.number(least=-1e9) != 0:
            measurement.fault("failed", f"{path}: {error.key}: job {i} ended with error {error.value}", rank=i)
    return measurement


def read(path: pathlib.Path, text: str) -> list[Measurement]:
    document = parse_json(path, text)
    groups = collections.defaultdict(list)
    for entry in document.child("jobs").items():
        groups[entry.child("groupid").count()].append(entry)
    made = [measure(path, document, entries, direction) for entries in groups.values() for direction in DIRECTIONS]
    found = [measurement for measurement in made if measurement]
    if not found:
        raise BadFile(path, "no job moved any bytes")
    return found
