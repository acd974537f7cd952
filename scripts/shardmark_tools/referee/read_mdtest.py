# SPDX-License-Identifier: Apache-2.0
"""mdtest: the summary of its text output (all ranks' rates), and its CSV of rank times.

Lines of `-v` are rank 0's alone. In the CSV the row "all" is the first repetition only, `items` is of one
rank, and a rank's time ends before the barrier that the summary waits for.
"""

import dataclasses
import pathlib
import re

from shardmark_tools.referee.foreign_file import BadFile, Node, Table
from shardmark_tools.referee.measurement import Measurement, Printed

RANKS_HEAD = "rank,items,rate-"
LAUNCHED = re.compile(r"mdtest-(\S{1,30}) was launched with (\d{1,8}) total task\(s\) on (\d{1,8}) node\(s\)")
COUNTED = re.compile(r"^(\d{1,8}) tasks, (\d{1,12}) files", re.MULTILINE)
SUMMARY_HEAD = re.compile(r"SUMMARY rate.*\(of (\d{1,6}) iterations\)")
SUMMARY_ROW = re.compile(r"\s+([A-Z][a-z]+ [a-z]+)\s+([\d.]+)\s+([\d.]+)\s+([\d.]+)\s+([\d.]+)\s*")


@dataclasses.dataclass
class Summary:
    version: str
    tasks: int
    nodes: int
    items: int | None  # of all tasks
    means: dict[str, float]
    synced: bool | None


def is_text(text: str) -> bool:
    return bool(LAUNCHED.search(text[:4000]))


def read_summary(path: pathlib.Path, text: str) -> Summary:
    launched, counted = LAUNCHED.search(text), COUNTED.search(text)
    head = SUMMARY_HEAD.search(text)
    if not launched or not head:
        raise BadFile(path, "no line 'SUMMARY rate': the output was cut, or mdtest did not finish")
    means = {}
    for line in text[head.end():].splitlines():
        match = SUMMARY_ROW.fullmatch(line)
        if match:
            means[match[1]] = Node(path, match[4], match[1]).number()
    sync = re.search(r"sync_file\s*: (True|False)", text)
    return Summary(launched[1], int(launched[2]), int(launched[3]), int(counted[2]) if counted else None, means,
                   sync[1] == "True" if sync else None)  # fmt: skip


def read_ranks(path: pathlib.Path, text: str) -> tuple[int, dict[str, list[dict[int, float]]]]:
    """(items of one rank, {operation: each repetition's times by rank})."""
    items, seen = None, set[int]()
    found: dict[str, list[dict[int, float]]] = {}
    for row in Table(path, text, shorter=True):
        if row.text("rank") == "all":
            items = row["items"].count(least=1)
            continue
        rank = row["rank"].count()
        if rank in seen:
            seen = set()
        new = not seen
        seen.add(rank)
        for column, value in row.cells.items():
            if column.startswith("time-") and value:
                repetitions = found.setdefault(column.removeprefix("time-"), [])
                if new:
                    repetitions.append({})
                repetitions[-1][rank] = row[column].positive()
    if items is None or not found:
        raise BadFile(path, "no row 'all', or no rank with a time")
    return items, found


NamedText = tuple[pathlib.Path, str]


def of_ranks(path: pathlib.Path, text: str, summary: Summary | None) -> list[Measurement]:
    items, by_operation = read_ranks(path, text)
    found = []
    for operation, repetitions in by_operation.items():
        tasks = summary.tasks if summary else max(len(times) for times in repetitions)
        found.append(Measurement(
            path=str(path), tool=f"mdtest {summary.version}" if summary else "mdtest", operation=operation.lower(),
            writes=True if operation == "File creation" else None, unit="1/s", unit_size=1,
            amounts=[float(items * tasks)] * len(repetitions), seconds=repetitions, expected_ranks=tasks,
            nodes=summary.nodes if summary else None, synced=summary.synced if summary else None,
        ))  # fmt: skip
    return found


def of_summary(path: pathlib.Path, summary: Summary) -> list[Measurement]:
    """Of operations on files, without a time."""
    if summary.items is None:
        raise BadFile(path, "no line 'N tasks, M files'")
    return [
        Measurement(
            path=str(path), tool=f"mdtest {summary.version}", operation=operation.lower(),
            writes=True if operation == "File creation" else None, unit="1/s", unit_size=1, amounts=[],
            seconds=[], expected_ranks=summary.tasks, nodes=summary.nodes, synced=summary.synced,
        )
        for operation, mean in summary.means.items() if operation.startswith("File ") and mean > 0
    ]  # fmt: skip


def read(summary_file: NamedText | None, ranks_file: NamedText | None) -> list[Measurement]:
    """At least one of them."""
    summary = read_summary(*summary_file) if summary_file else None
    if ranks_file:
        found = of_ranks(*ranks_file, summary)
    else:
        found = of_summary(summary_file[0], summary) if summary_file and summary else []
    for measurement in found:
        mean = summary.means.get(measurement.operation.capitalize()) if summary else None
        if mean and summary_file:
            measurement.printed = Printed(f"{summary_file[0].name} Mean", mean)
        measurement.limit("ends-before-barrier", "that rates from rank times are mdtest's own: these end before the barrier that "
                          "its rates wait for")
    return found
