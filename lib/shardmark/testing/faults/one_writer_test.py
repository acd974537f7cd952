#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Every 4 KiB block of a checkpoint's files is written by one process, HDF5's own writes included, in every file layout
and raw back end that shares files, at each level of the exchange. Without the exchange blocks are shared, which shows
that the records would tell.

Usage: one_writer_test.py MPIRUN FAULTY_SAVE RECORDED_WRITES_LIBRARY [--all]
--all: every layout x level x 1 to 4 ranks x ranks a node, O_DIRECT and not; else a part of that.
"""

import collections
import itertools
import os
import pathlib
import shutil
import struct
import subprocess
import sys
import tempfile
import unittest

MPIRUN, PROGRAM, LIBRARY = sys.argv[1:4]
EVERYTHING = "--all" in sys.argv
TIME_LIMIT_S = 300
# Of file layouts; the last is a back end.
LAYOUTS = ["shared", "shared-chunked", "per-rank", "per-node", "groups", "packed", "posix-shared"]
# Ranks, level, ranks a pretended node, O_DIRECT: of each layout, and more of one.
PART = [(2, "node", 8, True), (4, "node", 8, True), (3, "edges", 2, True), (4, "world", 2, True)]
MORE = [(1, "node", 8, True), (4, "node", 2, True), (3, "world", 1, True), (4, "world", 2, False), (4, "auto", 2, True)]
ALL = [(ranks, level, ranks_a_node, direct) for ranks in (1, 2, 3, 4) for level in ("auto", "edges", "node", "world")
       for ranks_a_node in (1, 2, 8) for direct in (True, False)]  # fmt: skip
BLOCK = 4096
LARGE_PAGE = 64 << 10
MIB = 1 << 20
# A Lustre layout of two objects with stripes of 1 MiB.
TWO_OBJECTS = struct.pack("<II16xIHH", 0x0BD10BD0, 1, MIB, 2, 0).hex()


class OneWriter(unittest.TestCase):
    def records_of(self, folder, ranks, layout, exchange, ranks_a_node=8, large_page=None, **more):
        """(pid, inode, offset, length, direct, name) of every write of one save. `more`: of faulty_save's variables."""
        name = "-".join([layout, str(ranks), exchange, str(ranks_a_node), *more])
        records = pathlib.Path(folder) / f"records-{name}"
        records.mkdir()
        variables = {"LD_PRELOAD": LIBRARY, "SHARDMARK_TEST_RECORD": records, "SHARDMARK_TEST_EXCHANGE": exchange,
                     "SHARDMARK_PRETEND_RANKS_A_NODE": ranks_a_node}  # fmt: skip
        variables |= {f"SHARDMARK_TEST_{key}": value for key, value in more.items()}
        if layout == "posix-shared":
            variables["SHARDMARK_TEST_BACKEND"], layout = layout, "shared"
        starts = [PROGRAM, "save", f"{folder}/{name}", "1", "direct", layout]
        command = [MPIRUN, "-n", str(ranks), "env", *(f"{key}={value}" for key, value in variables.items()), *starts]
        if large_page is not None:  # on all ranks but the first
            more_of = ["env", *(f"{key}={value}" for key, value in variables.items())]
            command = [MPIRUN, "-n", "1", *more_of, *starts, ":", "-n", str(ranks - 1), *more_of,
                       f"SHARDMARK_PRETEND_PAGE_BYTES={large_page}", *starts]  # fmt: skip
        job = subprocess.run(command, capture_output=True, text=True, timeout=TIME_LIMIT_S, check=False)
        self.assertEqual(job.returncode, 0, job.stderr)
        self.past_cache = "rank" not in job.stdout  # which says why not
        found = []
        self.synced = collections.defaultdict(set)  # names, by pid
        for file in records.iterdir():
            for line in file.read_text().splitlines():
                inode, offset, length, how, path = line.split(" ", 4)
                if how == "synced":
                    self.synced[int(file.name)].add(path)
                else:
                    found.append((int(file.name), int(inode), int(offset), int(length), how == "direct", path))
        shutil.rmtree(records)
        shutil.rmtree(f"{folder}/{name}")
        return found

    @staticmethod
    def shared_blocks(records, block_bytes=BLOCK):
        writers = collections.defaultdict(set)
        for pid, inode, offset, length, _, name in records:
            for block in range(offset // block_bytes, (offset + length - 1) // block_bytes + 1):
                writers[inode, block, name].add(pid)
        return {key: pids for key, pids in writers.items() if len(pids) > 1}

    def test_every_block_has_one_writer(self):
        with tempfile.TemporaryDirectory(prefix="shardmark-writers-") as folder:
            for layout in LAYOUTS:
                for ranks, level, ranks_a_node, direct in ALL if EVERYTHING else PART + MORE * (layout == "shared"):
                    with self.subTest(layout=layout, ranks=ranks, level=level, ranks_a_node=ranks_a_node, direct=direct):
                        more = {} if direct else {"CACHED": 1}
                        records = self.records_of(folder, ranks, layout, level, ranks_a_node, **more)
                        self.assertEqual(self.shared_blocks(records), {})
                        if level == "node" and ranks_a_node == 8:
                            self.assertEqual(len({pid for pid, *_ in records}), ranks, "not all ranks write")

    def test_pages_of_64_kib_have_one_writer(self):
        """Clients of NFS write pages and not blocks, and one machine's may be larger than another's."""
        with tempfile.TemporaryDirectory(prefix="shardmark-writers-") as folder:
            for layout, (level, ranks_a_node) in itertools.product(LAYOUTS, (("node", 8), ("node", 2), ("edges", 1), ("world", 2))):
                with self.subTest(layout=layout, level=level, ranks_a_node=ranks_a_node):
                    records = self.records_of(folder, 3, layout, level, ranks_a_node, LARGE_PAGE)
                    self.assertEqual(self.shared_blocks(records, LARGE_PAGE), {})
            plain = self.records_of(folder, 3, "shared", "edges", 1)
            self.assertNotEqual(self.shared_blocks(plain, LARGE_PAGE), {}, "always so")

    def test_requests_are_large_and_past_the_cache(self):
        """8 MiB on average, none below 1 MiB but beside what rank 0 keeps and at a file's end."""
        with tempfile.TemporaryDirectory(prefix="shardmark-writers-") as folder:
            for layout, level in itertools.product(("shared", "packed"), ("node", "world")):
                with self.subTest(layout=layout, level=level):
                    records = self.records_of(folder, 2, layout, level, 1 if level == "world" else 8, SCALE=64)
                    if not self.past_cache:
                        self.skipTest("no O_DIRECT here")
                    keeper = next(pid for pid, _, offset, *_ in records if offset == 0)
                    others = [record for record in records if not record[4]]
                    self.assertEqual({pid for pid, *_ in others}, {keeper}, "cached writes")
                    ends = {offset for _, _, offset, *_ in others} | {o + n for _, _, o, n, *_ in others}
                    ends = {end // BLOCK for end in ends} | {-(-end // BLOCK) for end in ends}
                    direct = [(offset, length) for _, _, offset, length, is_direct, _ in records if is_direct]
                    last = max(offset + length for offset, length in direct)
                    small = [(offset, length) for offset, length in direct if length < MIB and offset + length < last
                             and not {offset // BLOCK, (offset + length) // BLOCK} & ends]  # fmt: skip
                    self.assertEqual(small, [])
                    self.assertGreaterEqual(sum(length for _, length in direct) / len(direct), 8 * MIB)

    @staticmethod
    def writers_of_objects(records):
        """By file and object, who writes but for the rank that made the file, which keeps its own blocks."""
        writers = collections.defaultdict(set)
        keeper = {(inode, name): pid for pid, inode, offset, _, _, name in records if offset == 0}
        for pid, inode, offset, length, _, name in records:
            for stripe in range(offset // MIB, (offset + length - 1) // MIB + 1):
                if pid != keeper[inode, name]:
                    writers[inode, name, stripe % 2].add(pid)
        return writers

    def test_every_object_has_one_writer(self):
        with tempfile.TemporaryDirectory(prefix="shardmark-writers-") as folder:
            for layout in ("shared", "packed"):
                with self.subTest(layout=layout):
                    records = self.records_of(folder, 4, layout, "world", 1, STRIPES=TWO_OBJECTS, SCALE=8)
                    self.assertEqual(self.shared_blocks(records), {})
                    for key, pids in self.writers_of_objects(records).items():
                        self.assertEqual(len(pids), 1, key)
            plain = self.records_of(folder, 4, "shared", "world", 1, SCALE=8)
            self.assertGreater(max(len(pids) for pids in self.writers_of_objects(plain).values()), 1, "always so")

    def test_a_node_has_to_do_with_its_own_files_only(self):
        """Data files of other nodes' ranks are neither written nor synced by a rank, whoever puts blocks together."""
        with tempfile.TemporaryDirectory(prefix="shardmark-writers-") as folder:
            for level, ranks_a_node in (("edges", 1), ("node", 3), ("world", 3)):
                with self.subTest(level=level):
                    records = self.records_of(folder, 6, "groups", level, ranks_a_node)
                    self.assertEqual(self.shared_blocks(records), {})
                    synced = [names - {"checkpoint.h5"} for names in self.synced.values()]
                    self.assertEqual(sorted(map(sorted, synced)), 3 * [["group-00000.h5"]] + 3 * [["group-00001.h5"]])

    def test_records_tell_blocks_that_are_shared(self):
        with tempfile.TemporaryDirectory(prefix="shardmark-writers-") as folder:
            records = self.records_of(folder, 3, "shared", "off")
            self.assertNotEqual(self.shared_blocks(records), {})


if __name__ == "__main__":
    os.environ.setdefault("OMPI_MCA_rmaps_base_oversubscribe", "1")
    unittest.main(argv=sys.argv[:1])
