#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Every 4 KiB block of a checkpoint's files is written by one process, HDF5's own writes included, in every file layout
at 1 to 4 ranks. Without the exchange blocks are shared, which shows that the records would tell.

Usage: one_writer_test.py MPIRUN FAULTY_SAVE RECORDED_WRITES_LIBRARY
"""

import collections
import os
import pathlib
import struct
import subprocess
import sys
import tempfile
import unittest

MPIRUN, PROGRAM, LIBRARY = sys.argv[1:4]
TIME_LIMIT_S = 60
LAYOUTS = ["shared", "shared-chunked", "per-node", "groups", "packed"]
# Ranks, level, ranks a pretended node.
BETWEEN_NODES = [(3, "edges", 2), (4, "node", 2), (4, "world", 2), (3, "world", 1)]
BLOCK = 4096
MIB = 1 << 20
# A Lustre layout of two objects with stripes of 1 MiB.
TWO_OBJECTS = struct.pack("<II16xIHH", 0x0BD10BD0, 1, MIB, 2, 0).hex()


class OneWriter(unittest.TestCase):
    def records_of(self, folder, ranks, layout, exchange, ranks_a_node=8, stripes=""):
        """(pid, inode, offset, length, direct, name) of every write of one save."""
        name = f"{layout}-{ranks}-{exchange}-{ranks_a_node}{'-striped' if stripes else ''}"
        records = pathlib.Path(folder) / f"records-{name}"
        records.mkdir()
        command = [MPIRUN, "-n", str(ranks), "-x", f"LD_PRELOAD={LIBRARY}", "-x", f"SHARDMARK_TEST_RECORD={records}",
                   "-x", f"SHARDMARK_TEST_EXCHANGE={exchange}", "-x", f"SHARDMARK_PRETEND_RANKS_A_NODE={ranks_a_node}",
                   *(("-x", f"SHARDMARK_TEST_STRIPES={stripes}") if stripes else ()), PROGRAM, "save", f"{folder}/{name}", "1", "direct", layout]  # fmt: skip
        job = subprocess.run(command, capture_output=True, text=True, timeout=TIME_LIMIT_S, check=False)
        self.assertEqual(job.returncode, 0, job.stderr)
        found = []
        for file in records.iterdir():
            for line in file.read_text().splitlines():
                inode, offset, length, how, name = line.split(" ", 4)
                found.append((int(file.name), int(inode), int(offset), int(length), how == "direct", name))
        return found

    @staticmethod
    def shared_blocks(records):
        writers = collections.defaultdict(set)
        for pid, inode, offset, length, _, name in records:
            for block in range(offset // BLOCK, (offset + length - 1) // BLOCK + 1):
                writers[inode, block, name].add(pid)
        return {key: pids for key, pids in writers.items() if len(pids) > 1}

    def test_every_block_has_one_writer(self):
        with tempfile.TemporaryDirectory(prefix="shardmark-writers-") as folder:
            for layout in LAYOUTS:
                for ranks in (1, 2, 3, 4):
                    with self.subTest(layout=layout, ranks=ranks):
                        records = self.records_of(folder, ranks, layout, "node")
                        self.assertEqual(self.shared_blocks(records), {})
                        self.assertEqual(len({pid for pid, *_ in records}), ranks, "not all ranks write")

    def test_every_block_has_one_writer_between_nodes(self):
        with tempfile.TemporaryDirectory(prefix="shardmark-writers-") as folder:
            for layout in LAYOUTS:
                for ranks, exchange, ranks_a_node in BETWEEN_NODES:
                    with self.subTest(layout=layout, ranks=ranks, exchange=exchange):
                        records = self.records_of(folder, ranks, layout, exchange, ranks_a_node)
                        self.assertEqual(self.shared_blocks(records), {})

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
                    records = self.records_of(folder, 4, layout, "world", 1, TWO_OBJECTS)
                    self.assertEqual(self.shared_blocks(records), {})
                    for key, pids in self.writers_of_objects(records).items():
                        self.assertEqual(len(pids), 1, key)
            plain = self.records_of(folder, 4, "shared", "world", 1)
            self.assertGreater(max(len(pids) for pids in self.writers_of_objects(plain).values()), 1, "always so")

    def test_records_tell_blocks_that_are_shared(self):
        with tempfile.TemporaryDirectory(prefix="shardmark-writers-") as folder:
            records = self.records_of(folder, 3, "shared", "off")
            self.assertNotEqual(self.shared_blocks(records), {})


if __name__ == "__main__":
    os.environ.setdefault("OMPI_MCA_rmaps_base_oversubscribe", "1")
    unittest.main(argv=sys.argv[:1])
