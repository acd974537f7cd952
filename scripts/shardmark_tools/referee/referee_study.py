# SPDX-License-Identifier: Apache-2.0
"""Is the referee to be trusted? Sound folders of recorded noise, and the same with one planted fault."""

import csv
import dataclasses
import json
import multiprocessing
import os
import pathlib
import random
import shutil
import threading
import time

from shardmark_tools.referee import dlio_form, verdict
from shardmark_tools.referee.rank_outliers import LEAST_RANKS

RECORDED = pathlib.Path(__file__).with_name("recorded_noise.csv")
OPERATIONS = ("save", "load")
FORMS = ("dlio", "mlperf", "ior")
KINDS = ("slow-rank", "slow-rank", "slow-rank", "slow-repetition", "slow-moment")
MOST_SEEN = 3.0  # records in which even a rank three times as slow may drown get no planted rank
PAUSE_S = 0.005


@dataclasses.dataclass
class Record:
    """Times of one run: seconds by operation, repetition and rank."""

    num_bytes: int
    seconds: dict[str, list[list[float]]]

    @property
    def ranks(self) -> int:
        return len(self.seconds["save"][0])


@dataclasses.dataclass
class Planted:
    kind: str
    form: str
    operation: str
    rank: int | None
    repetition: int | None
    size: float  # factor of times; of stalls, seconds
    record: int


Times = dict[str, list[float]]  # {operation: seconds of each repetition}
RankTimes = tuple[int, Times]


def rank_process(rank: int, folder: pathlib.Path, repetitions: int, num_bytes: int, synced: bool,
                 barrier: threading.Barrier, queue: "multiprocessing.Queue[RankTimes]") -> None:  # fmt: skip
    """One rank of a plain checkpoint: writes and reads its own file; ranks begin together and end apart."""
    data = os.urandom(num_bytes)
    times: Times = {operation: [] for operation in OPERATIONS}
    for operation in OPERATIONS:
        for i in range(repetitions):
            path = f"{folder}/{rank}-{i}"
            barrier.wait()
            begin = time.monotonic()
            if operation == "save":
                with open(path, "wb", buffering=0) as file:
                    file.write(data)
                    if synced:
                        os.fsync(file.fileno())
            else:
                with open(path, "rb", buffering=0) as file:
                    os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
                    while file.read(1 << 20):
                        pass
            times[operation].append(time.monotonic() - begin)
            time.sleep(PAUSE_S)
    queue.put((rank, times))


def record_one(folder: pathlib.Path, ranks: int, repetitions: int, num_bytes: int, synced: bool) -> Record:
    folder.mkdir(parents=True)
    try:
        barrier = multiprocessing.Barrier(ranks)
        queue: multiprocessing.Queue[RankTimes] = multiprocessing.Queue()
        processes = [multiprocessing.Process(target=rank_process, args=(
            rank, folder, repetitions, num_bytes, synced, barrier, queue)) for rank in range(ranks)]  # fmt: skip
        for process in processes:
            process.start()
        times = dict(queue.get() for _ in processes)
        for process in processes:
            process.join()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    seconds = {op: [[times[rank][op][i] for rank in range(ranks)] for i in range(repetitions)] for op in OPERATIONS}
    return Record(ranks * num_bytes, seconds)


def collect(path: pathlib.Path, folder: pathlib.Path, count: int, seed: int) -> None:
    """Measures `count` sound runs here and writes them, in microseconds."""
    rng = random.Random(seed)
    with open(path, "w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("run", "bytes", "operation", "repetition", "microseconds of each rank"))
        for run in range(count):
            record = record_one(folder / f"run-{run}", rng.choice((4, 4, 8)), rng.choice((5, 10, 10)),
                                rng.choice((4, 8, 16)) << 20, rng.random() < 0.7)  # fmt: skip
            for operation in OPERATIONS:
                for i, row in enumerate(record.seconds[operation]):
                    times = " ".join(str(max(1, round(seconds * 1e6))) for seconds in row)
                    writer.writerow((run, record.num_bytes, operation, i, times))


def read_records(path: pathlib.Path) -> list[Record]:
    records: dict[int, Record] = {}
    with open(path, encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            record = records.setdefault(int(row["run"]), Record(int(row["bytes"]), {op: [] for op in OPERATIONS}))
            times = [int(word) / 1e6 for word in row["microseconds of each rank"].split()]
            record.seconds[row["operation"]].append(times)
    return [records[run] for run in sorted(records)]


def write_ior(path: pathlib.Path, record: Record) -> None:
    """IOR's JSON and rank times, with the keys that the real ones have of what a reader needs."""
    path.mkdir(parents=True)
    results, rates = [], dict[str, list[float]]()
    lines = ["access,rank,runtime-with-openclose,runtime,throughput-withopenclose,throughput"]
    for i in range(len(record.seconds["save"])):
        for access, operation in (("write", "save"), ("read", "load")):
            row = record.seconds[operation][i]
            rates.setdefault(access, []).append(record.num_bytes / max(row) / 2**20)
            results.append({"access": access, "bwMiB": rates[access][-1], "totalTime": round(max(row), 4)})
            share = record.num_bytes / len(row)
            lines += [f"{access},{rank},{t:.10e},{t:.10e},{share / t:.10e},{share / t:.10e}" for rank, t in enumerate(row)]
    parameters = {"nodes": 1, "blockSize": record.num_bytes // record.ranks, "segmentCount": 1, "fsync": 1, "fsyncperwrite": 0,
                  "deadlineForStonewall": 0, "reorderTasks": 0, "reorderTasksRandom": 0}  # fmt: skip
    test = {"TestID": 0, "Parameters": parameters, "Options": {"tasks": record.ranks}, "Results": results}
    summary = [{"operation": access, "TestID": 0, "bwMeanMIB": sum(r) / len(r)} for access, r in rates.items()]
    document = {"Version": "4.1.0", "Command line": "ior -w -r -e", "tests": [test], "summary": summary}
    (path / "ior.json").write_text(json.dumps(document), encoding="utf-8")
    (path / "ranks.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")


def write_form(path: pathlib.Path, record: Record, form: str) -> None:
    if form == "ior":
        write_ior(path, record)
        return
    saves = dlio_form.spaced("save", record.seconds["save"])
    loads = dlio_form.spaced("load", record.seconds["load"], first_s=saves.starts[-1][0] + max(saves.seconds[-1]) + 1)
    dlio_form.write_folder(path, [saves, loads], record.num_bytes)
    if form == "mlperf":
        metadata = {"num_processes": record.ranks, "parameters": {"model": {"parallelism": {"zero_stage": 3}}}}
        dlio_form.write_json(path / "checkpointing_20260101_100000_metadata.json", metadata)


def refereed(folder: pathlib.Path, record: Record, form: str) -> verdict.Report:
    """The referee's report of the record, by way of files."""
    path = folder / "case"
    shutil.rmtree(path, ignore_errors=True)
    write_form(path, record, form)
    return verdict.referee([path])


def operation_of(judged: verdict.Judged) -> str:
    return {"write": "save", "read": "load"}.get(judged.measurement.operation, judged.measurement.operation)


def accused(report: verdict.Report) -> list[str]:
    return [f"{operation_of(judged)}: {finding.text}" for judged in report.results
            for finding in judged.measurement.findings if finding.severity == "fault"]  # fmt: skip


def plant(record: Record, planted: Planted) -> Record:
    """A copy of the record with the fault in it."""
    seconds = {op: [list(row) for row in rows] for op, rows in record.seconds.items()}
    for i, row in enumerate(seconds[planted.operation]):
        if planted.repetition not in (None, i):
            continue
        for rank in range(len(row)):
            if planted.kind == "slow-rank" and rank == planted.rank:
                row[rank] *= planted.size
            elif planted.kind == "slow-repetition" or (planted.kind == "slow-moment" and rank == planted.rank):
                row[rank] += planted.size
    return Record(record.num_bytes, seconds)


def draw(rng: random.Random, number: int, records: list[Record], folder: pathlib.Path) -> Planted:
    """A stall of 2.5 to 12 s, or a rank slower by 1.1 to 2 times what the referee says that it would see there."""
    kind = KINDS[number % len(KINDS)]
    while True:
        index, form, operation = rng.randrange(len(records)), rng.choice(FORMS), rng.choice(OPERATIONS)
        record = records[index]
        rank, repetition = rng.randrange(record.ranks), rng.randrange(len(record.seconds[operation]))
        if kind == "slow-repetition":
            return Planted(kind, form, operation, None, repetition, rng.uniform(2.5, 12), index)
        if kind == "slow-moment":
            return Planted(kind, form, operation, rank, repetition, rng.uniform(2.5, 12), index)
        report = refereed(folder, record, form)
        seen = {operation_of(judged): judged.seen_from for judged in report.results}[operation]
        if record.ranks >= LEAST_RANKS and seen is not None and seen <= MOST_SEEN:
            return Planted(kind, form, operation, rank, None, seen * rng.uniform(1.1, 2), index)


def found(report: verdict.Report, planted: Planted) -> bool:
    """Named as what it is and where it is; no other rank is."""
    findings = [(operation_of(judged), finding) for judged in report.results for finding in judged.measurement.findings]
    ranks = [(operation, 0 if finding.kind == "slow-or-more" else finding.rank) for operation, finding in findings
             if finding.kind in ("slow-rank", "slow-or-more")]  # fmt: skip
    if planted.kind == "slow-rank":
        return ranks == [(planted.operation, planted.rank)]
    stalls = [(operation, finding.repetition, finding.rank) for operation, finding in findings
              if finding.kind == "slow-repetition"]  # fmt: skip
    return not ranks and (planted.operation, planted.repetition, planted.rank) in stalls


def power(records: list[Record], folder: pathlib.Path, rng: random.Random, ratio: float, tries: int) -> float:
    """Share of ranks slower by a fixed ratio, anywhere, that are found."""
    hits = 0
    for _ in range(tries):
        index = rng.randrange(len(records))
        planted = Planted("slow-rank", "mlperf", rng.choice(OPERATIONS), rng.randrange(records[index].ranks), None, ratio, index)
        hits += found(refereed(folder, plant(records[index], planted), "mlperf"), planted)
    return hits / tries
