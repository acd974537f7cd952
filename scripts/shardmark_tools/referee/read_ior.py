# SPDX-License-Identifier: Apache-2.0
"""IOR: its JSON, CSV and text summaries, and the CSV of rank times (saveRankPerformanceDetailsCSV).

The total of a repetition is last close minus first open, each of another rank; its digits are few where it
is short, so it is taken as bytes over bwMiB. A rank's time is its own, with open and close.
"""

import dataclasses
import pathlib
import re
import statistics

from shardmark_tools.referee.foreign_file import BadFile, Node, Table, parse_json
from shardmark_tools.referee.measurement import MIB, Measurement, Printed

CSV_HEAD = "access,bw(MiB/s),"
RANKS_HEAD = "access,rank,runtime-with-openclose,runtime,throughput-withopenclose,throughput"
TEXT_HEAD = "IOR-"
TEXT_BEGIN = re.compile(rf"^(?={TEXT_HEAD})", re.MULTILINE)
TEXT_TEST = re.compile(r"^TestID\s*:\s*\d+\s*$", re.MULTILINE)
TEXT_ROW = re.compile(r"(write|read)\s+((?:[\d.]+\s+){9})(\d+)\s*")
TEXT_SUMMARY = re.compile(r"(write|read)\s+(\S+)\s+(\S+)\s+(\S+)\s.*")
ACCESSES = ("write", "read")
TOLERANCE = 2e-3  # of what is printed with four decimals


@dataclasses.dataclass
class Repetition:
    """One line of a table of results."""

    access: str
    rate: float  # MiB/s
    total_s: float


@dataclasses.dataclass
class Settings:
    """What the files say of the run; None where they do not."""

    version: str = "IOR"
    tasks: int | None = None
    nodes: int | None = None
    block_bytes: float | None = None  # of one task in one segment
    segments: int | None = None
    fsync: bool | None = None
    stonewall: bool = False
    direct: bool | None = None
    reordered: bool = False  # reads another task's file


def is_json(text: str) -> bool:
    head = text[:2000]
    return '"Command line"' in head and '"tests"' in head


def direct_in(command: str) -> bool:
    return "odirect" in command.lower() or "o_direct" in command.lower()


def amount_of(settings: Settings, row: Repetition) -> float:
    """Bytes of one repetition: the whole test's, unless a stonewall or unknown segments leave only rate x time."""
    moved = row.rate * MIB * row.total_s
    if settings.stonewall or not settings.block_bytes or not settings.tasks:
        return moved
    segment = settings.block_bytes * settings.tasks
    segments = settings.segments or max(1, round(moved / segment))
    whole = segment * segments
    return whole if settings.segments or abs(moved / whole - 1) < 0.02 else moved


def build(path: pathlib.Path, settings: Settings, rows: list[Repetition], printed: dict[str, Printed]) -> list[Measurement]:
    found = []
    for access in ACCESSES:
        mine = [row for row in rows if row.access == access]
        if not mine:
            continue
        amounts = [amount_of(settings, row) for row in mine]
        measurement = Measurement(
            path=str(path), tool=settings.version, operation=access, writes=access == "write",
            unit="MiB/s", unit_size=MIB, amounts=amounts, seconds=[{} for _ in mine],
            whole_s=[amount / (row.rate * MIB) for amount, row in zip(amounts, mine)],
            expected_ranks=settings.tasks, printed=printed.get(access), nodes=settings.nodes,
            through_page_cache=None if settings.direct is None else not settings.direct,
            synced=settings.fsync,
        )  # fmt: skip
        if settings.stonewall:
            measurement.limit("stonewalled", "a size: stopped by the clock, each repetition moved other bytes (IOR prints the "
                              "first one's) and ranks are given equal shares")  # fmt: skip
        if settings.reordered and (settings.nodes or 1) > 1 and access == "read":
            measurement.through_page_cache = False
        mean = statistics.fmean(row.rate for row in mine)
        if measurement.printed and abs(measurement.printed.value / mean - 1) > TOLERANCE:
            measurement.fault("contradiction", f"{path}: {measurement.printed.name} is {measurement.printed.value:.6g}, "
                              f"the repetitions give {mean:.6g}")  # fmt: skip
        found.append(measurement)
    return found


def settings_of(document: Node, test: Node) -> Settings:
    parameters = test.child("Parameters")
    command = document.find("Command line")
    options = test.find("Options", "tasks")
    return Settings(
        version=f"IOR {document.child('Version').text()}",
        tasks=options.count(least=1) if options else None,
        nodes=parameters.child("nodes").count(least=1),
        block_bytes=parameters.child("blockSize").positive(),
        segments=parameters.child("segmentCount").count(least=1),
        fsync=bool(parameters.child("fsync").count() or parameters.child("fsyncperwrite").count()),
        stonewall=parameters.child("deadlineForStonewall").number() > 0,
        direct=direct_in(command.text()) if command else None,
        reordered=bool(parameters.child("reorderTasks").count() or parameters.child("reorderTasksRandom").count()),
    )


def read_json_summary(path: pathlib.Path, text: str) -> list[list[Measurement]]:
    """Measurements of each test in the file."""
    document = parse_json(path, text)
    summaries = {}
    for node in document.child("summary").items():
        operation = node.child("operation").text()
        if operation not in ACCESSES:
            continue
        key = (node.child("TestID").count(), operation)
        summaries[key] = Printed(f"{path.name} bwMeanMIB", node.child("bwMeanMIB").positive())
    found = []
    for test in document.child("tests").items():
        rows = [Repetition(node.child("access").text(), node.child("bwMiB").positive(), node.child("totalTime").positive())
                for node in test.child("Results").items()]
        rows = [row for row in rows if row.access in ACCESSES]
        number = test.child("TestID").count()
        printed = {access: summaries[number, access] for access in ACCESSES if (number, access) in summaries}
        found.append(build(path, settings_of(document, test), rows, printed))
    return found


def read_csv_summary(path: pathlib.Path, text: str) -> list[Measurement]:
    """Several tests may share the file: rows are of one where all that it says of their settings is equal."""
    tests: dict[tuple[int, float, float, str], list[Repetition]] = {}
    for row in Table(path, text):
        if row.text("access") in ACCESSES:
            key = (row["numTasks"].count(least=1), row["block(KiB)"].positive(), row["xfer(KiB)"].positive(), row.text("API"))
            tests.setdefault(key, []).append(
                Repetition(row.text("access"), row["bw(MiB/s)"].positive(), row["total(s)"].positive()))
    return [measurement for (tasks, block_kib, _, _), rows in tests.items()
            for measurement in build(path, Settings(tasks=tasks, block_bytes=block_kib * 1024), rows, {})]  # fmt: skip


def counted(text: str, name: str) -> int | None:
    match = re.search(rf"^{name}\s*:\s*(\d{{1,9}})\s*$", text, re.MULTILINE)
    return int(match[1]) if match else None


def read_text_summaries(path: pathlib.Path, text: str) -> list[Measurement]:
    """Of one or more outputs one after the other, each with settings of its own."""
    found, first_line = [], 1
    for output in TEXT_BEGIN.split(text):
        if output:
            found += read_text_summary(path, output, first_line)
        first_line += len(output.splitlines())
    return found


def read_text_summary(path: pathlib.Path, text: str, first_line: int) -> list[Measurement]:
    tests = len(TEXT_TEST.findall(text))
    if tests > 1:
        raise BadFile(path, f"{tests} tests in one output of IOR: which repetition is of which is not in it; expected one in each")
    rows, printed, block, summary = [], {}, None, False
    for number, line in enumerate(text.splitlines(), first_line):
        match = TEXT_ROW.fullmatch(line)
        if match:
            cells = [Node(path, cell, f"line {number}, column {column}") for column, cell in enumerate(match[2].split(), 2)]
            rows.append(Repetition(match[1], cells[0].positive(), cells[8].positive()))
            block = cells[3].positive() * 1024
        summary = summary or line.startswith("Summary of all tests")
        match = TEXT_SUMMARY.fullmatch(line) if summary else None
        if match:
            printed[match[1]] = Printed(f"{path.name} Mean(MiB)", Node(path, match[4], f"line {number}, Mean(MiB)").number())
    command = re.search(r"^Command line\s*: (.*)$", text, re.MULTILINE)
    words = command[1].split() if command else []
    settings = Settings(
        version=text.split(":", 1)[0].replace("IOR-", "IOR ").strip()[:40], tasks=counted(text, "tasks"),
        nodes=counted(text, "nodes"), block_bytes=block, segments=counted(text, "segments"),
        fsync=("-e" in words or "-Y" in words) if command else None, stonewall="stonewallingTime" in text,
        direct=direct_in(command[1]) if command else None, reordered="-C" in words or "-Z" in words,
    )  # fmt: skip
    return build(path, settings, rows, printed)


def read_ranks(path: pathlib.Path, text: str) -> list[tuple[str, dict[int, float], float]]:
    """Repetitions in their order: (access, each rank's seconds, bytes of all); a new one begins at rank 0."""
    blocks: list[tuple[str, dict[int, float], list[float]]] = []
    for row in Table(path, text):
        rank, access = row["rank"].count(), row.text("access")
        seconds, rate = row["runtime-with-openclose"].positive(), row["throughput-withopenclose"].number()
        if not blocks or rank == 0 or blocks[-1][0] != access:
            blocks.append((access, {}, []))
        if rank in blocks[-1][1]:
            raise BadFile(path, f"line {row.line}, rank: {rank} comes twice in one repetition")
        blocks[-1][1][rank] = seconds
        blocks[-1][2].append(rate * seconds)
    return [(access, seconds, round(sum(amounts))) for access, seconds, amounts in blocks]


def attach_ranks(path: pathlib.Path, measurements: list[Measurement],
                 blocks: list[tuple[str, dict[int, float], float]]) -> None:  # fmt: skip
    """Gives each repetition its ranks' times, and the bytes that these imply."""
    for measurement in measurements:
        mine = [block for block in blocks if block[0] == measurement.operation]
        if len(mine) != measurement.repetitions:
            raise BadFile(path, f"{len(mine)} repetitions of {measurement.operation}, "
                          f"{pathlib.Path(measurement.path).name} has {measurement.repetitions}")  # fmt: skip
        measurement.seconds = [seconds for _, seconds, _ in mine]
        rates = [amount / seconds for amount, seconds in zip(measurement.amounts, measurement.whole_s)]
        if all(len(seconds) == measurement.expected_ranks for _, seconds, _ in mine):
            measurement.amounts = [amount or old for (_, _, amount), old in zip(mine, measurement.amounts)]
            measurement.whole_s = [amount / rate for amount, rate in zip(measurement.amounts, rates)]


def read(files: dict[pathlib.Path, str]) -> list[Measurement]:
    """All measurements of a folder's IOR files, by path; rank times go to the only test they can belong to."""
    found, tests, ranks = [], [], []
    for path, text in files.items():
        if text.startswith(RANKS_HEAD):
            ranks.append((path, read_ranks(path, text)))
        elif is_json(text):
            tests += read_json_summary(path, text)
        elif text.startswith(CSV_HEAD):
            found += read_csv_summary(path, text)
        else:
            found += read_text_summaries(path, text)
    if len(ranks) == 1 and len(tests) == 1:
        attach_ranks(ranks[0][0], tests[0], ranks[0][1])
    elif ranks:
        for measurement in (m for test in tests for m in test):
            measurement.limit("ranks-of-which-test", f"times of single ranks: {len(ranks)} files of them for {len(tests)} tests, "
                              "and which belong together is not in them")  # fmt: skip
    measurements = [m for test in tests for m in test] + found
    if not measurements:
        raise BadFile(next(iter(files)), "no repetition of a write or a read in it")
    return measurements
