# SPDX-License-Identifier: Apache-2.0
"""Tests of the store: writers that die at any moment, two at once, merging, damage.

SHARDMARK_HISTORY_KILLS=200 kills that many writers (default 24); SHARDMARK_HISTORY_FOLDERS=A:B is one folder as two
clients see it (two mounts of one NFS export): one writer works in either.
"""

import hashlib
import json
import os
import pathlib
import random
import shutil
import signal
import sys
import tempfile
import time
import unittest
from collections.abc import Sequence

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))
from shardmark_tools.history import store
from shardmark_tools.history.store import BadStore, Record, Store, read_record
from shardmark_tools.refusal import Refused
from shardmark_tools.results.json_document import NotReadable

KILLS = int(os.environ.get("SHARDMARK_HISTORY_KILLS", "24"))
RECORDS = 400
MEMORY = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None  # every record is synced


def content(number: int) -> Record:
    context = {"commit": "c", "config_hash": "h", "filesystem": {"type": "ext4"}, "hosts": ["node1"], "nodes": 1, "ranks": 2,
               "suite": "s"}  # fmt: skip
    benchmark = {"family": "save", "case": {}, "time_s": [1.0], "returned_s": [], "phases_s": {"write": [0.5]}, "failed": 0}
    return {"run": f"{number:012x}", "at": "2026-01-31T03:00:00Z", "night": "2026-01-31", "control": False, "labels": {},
            "context": context, "config": "", "benchmarks": {"save/a/b/c": benchmark},
            "filling": "x" * (number % 7) * 400}  # fmt: skip


ACK = {"group": "0" * 12, "benchmark": "save/a/b/c", "first": "2026-01-31", "last": "2026-01-31", "direction": 1,
       "change": "0" * 8, "ratio": 1.5, "note": "n", "by": "me", "at": "2026-01-31T03:00:00"}  # fmt: skip
DROP = {"run": "0" * 12, "note": "n", "by": "me", "at": "2026-01-31T03:00:00"}


def write_all(folder: pathlib.Path, diary: pathlib.Path, numbers: Sequence[int]) -> None:
    """In a process of its own: puts records in some order, and notes each in the diary once it is durable."""
    there = Store(folder)
    with open(diary, "a", encoding="utf-8") as notes:
        for number in numbers:
            there.put("run", content(number))
            notes.write(f"{number}\n")
            notes.flush()


def start(folder: pathlib.Path, diary: pathlib.Path, numbers: Sequence[int]) -> int:
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            write_all(folder, diary, numbers)
            status = 0
        finally:
            os._exit(status)
    return pid


class StoreTest(unittest.TestCase):
    def setUp(self) -> None:
        given = os.environ.get("SHARDMARK_HISTORY_FOLDERS")
        self.temporary = tempfile.TemporaryDirectory(dir=MEMORY)
        self.addCleanup(self.temporary.cleanup)
        self.root = pathlib.Path(self.temporary.name)
        self.folders = [self.root / "store"] * 2
        if given:
            name = f"store-{os.getpid()}"
            self.folders = [pathlib.Path(part) / name for part in given.split(":")]
            self.addCleanup(shutil.rmtree, self.folders[0], True)
        self.store = Store(self.folders[0], create=True)

    def test_a_record_is_named_by_its_bytes(self) -> None:
        name = self.store.put("run", content(3))
        data = (self.store.folder / name).read_bytes()
        self.assertEqual(name, hashlib.sha256(data).hexdigest() + ".json")
        self.assertEqual(json.loads(data)["run"], content(3)["run"])
        self.assertEqual(self.store.put("run", content(3)), name)
        self.assertEqual(os.listdir(self.store.folder), [name])

    def test_writers_that_are_killed_lose_nothing_and_write_nothing_twice(self) -> None:
        seed = int(os.environ.get("SHARDMARK_HISTORY_SEED", str(time.time_ns() % 2**32)))
        print(f"seed {seed}, {KILLS} kills")
        rng = random.Random(seed)
        diaries = [self.root / f"diary-{side}" for side in range(2)]
        running = [0, 0]
        killed = 0
        limit = time.monotonic() + 300
        while killed < KILLS and time.monotonic() < limit:
            for side in range(2):
                numbers = rng.sample(range(RECORDS), 40)
                running[side] = start(self.folders[side], diaries[side], numbers)
            time.sleep(rng.random() ** 2 * 0.05)
            for pid in rng.sample(running, 2):
                os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, 0)
                killed += 1
                time.sleep(rng.random() * 0.002)
        self.assertGreaterEqual(killed, KILLS)
        noted = {int(line) for diary in diaries if diary.exists()
                 for line in diary.read_text(encoding="utf-8").split("\n")[:-1]}  # fmt: skip
        records = self.store.records()  # reads and checks every byte
        found = [int(record["run"], 16) for record in records.values()]
        self.assertEqual(len(found), len(set(found)))
        self.assertLessEqual(noted, set(found))
        write_all(self.folders[1], diaries[1], range(RECORDS))
        self.assertEqual(len(self.store.records()), RECORDS)

    def test_what_the_dead_left_is_swept_when_it_is_old(self) -> None:
        old, young = self.store.folder / ".writing-a-1-00", self.store.folder / ".writing-b-2-00"
        for path in (old, young):
            path.write_bytes(b"half")
        os.utime(old, (0, time.time() - store.STALE_S - 60))
        self.store.put("run", content(1))
        self.assertFalse(old.exists())
        self.assertTrue(young.exists())
        self.assertEqual(len(self.store.records()), 1)

    def test_two_stores_merge_by_copying(self) -> None:
        other = Store(self.root / "other", create=True)
        for number in range(6):
            self.store.put("run", content(number))
            other.put("run", content(number + 3))
        for path in other.folder.iterdir():
            shutil.copy(path, self.store.folder / path.name)
        self.assertEqual({int(r["run"], 16) for r in self.store.records().values()}, set(range(9)))

    def test_a_changed_byte_is_found(self) -> None:
        path = self.store.folder / self.store.put("run", content(3))
        data = bytearray(path.read_bytes())
        data[len(data) // 2] ^= 1
        path.write_bytes(bytes(data))
        with self.assertRaisesRegex(NotReadable, "hash"):
            self.store.records()
        path.write_bytes(b"")
        with self.assertRaises(NotReadable):
            read_record(path)

    def test_a_pipe_or_folder_called_like_a_record_is_refused(self) -> None:
        os.mkfifo(self.store.folder / f"{'0' * 64}.json")
        with self.assertRaisesRegex(Refused, r"0\.json: not a regular file"):
            self.store.records()
        os.unlink(self.store.folder / f"{'0' * 64}.json")
        os.mkdir(self.store.folder / f"{'1' * 64}.json")
        with self.assertRaisesRegex(Refused, r"1\.json: not a regular file"):
            self.store.records()

    def test_a_record_without_the_form_of_its_kind_is_refused_by_file_and_key(self) -> None:
        for kind, whole in (("run", content(1)), ("ack", ACK), ("drop", DROP)):
            self.assertEqual(read_record(self.store.folder / self.store.put(kind, whole))["kind"], kind)
            for key in set(whole) - {"filling"}:
                without = {name: value for name, value in whole.items() if name != key}
                self.assert_refused(kind, without, f"expected a key '{key}'")
                self.assert_refused(kind, {**whole, key: None}, f"{key}: expected ")
                self.assert_refused(kind, {**whole, key: [1]}, f"{key}: expected ")
        for change, where in (
            ({"night": "2026-02-31"}, "night: expected a date"),
            ({"night": "20260131"}, "night: expected a date"),
            ({"context": {**content(1)["context"], "hosts": [7]}}, r"context\.hosts\[0\]: expected string"),
            ({"labels": {"machine": {}}}, r"labels\.machine: expected string"),
            ({"benchmarks": {"a": {**content(1)["benchmarks"]["save/a/b/c"], "time_s": ["1"]}}}, r"time_s\[0\]: expected number"),
        ):  # fmt: skip
            self.assert_refused("run", {**content(1), **change}, where)

    def assert_refused(self, kind: str, record: Record, where: str) -> None:
        path = self.store.folder / self.store.put(kind, record)
        with self.assertRaisesRegex(NotReadable, f"{path.name}: .*{where}"):
            read_record(path)
        path.unlink()

    def test_a_rename_whose_answer_was_lost_is_a_rename(self) -> None:
        target = self.store.folder / "there"
        target.write_bytes(b"")
        self.store.rename(self.store.folder / "gone", target)
        with self.assertRaises(FileNotFoundError):
            self.store.rename(self.store.folder / "gone", self.store.folder / "nowhere")

    def test_no_store_is_said(self) -> None:
        with self.assertRaisesRegex(BadStore, "no such store"):
            Store(self.root / "nothing")
        with self.assertRaisesRegex(BadStore, "cannot make"):
            Store(self.root / "no" / "parent", create=True)


if __name__ == "__main__":
    unittest.main()
