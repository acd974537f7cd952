#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What a parallel HDF5 program reads of a checkpoint, and that `inspect` foretells it: HDF5 reads no virtual dataset
through MPI-IO, so of every file layout as many tensors fail as `inspect` counts; all others arrive byte for byte.

Usage: parallel_reader_test.py SHARDMARK PARALLEL_READER [MPIEXEC]
"""

import json
import pathlib
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from shardmark_tools.interpreter import ensure_modules

ensure_modules("numpy", "h5py", status=77)
import h5py
import numpy as np

SHARDMARK, READER = sys.argv[1:3]
MPIEXEC = sys.argv[3] if len(sys.argv) > 3 else "mpirun"
# Layout: whether it has virtual datasets.
LAYOUTS = {"shared": False, "shared-chunked": False, "per-rank": True, "per-node": True, "groups:2": True, "packed": True}
RANKS = 2


def byte_sum(dataset: h5py.Dataset) -> int:
    """As the program has it, of what one process reads."""
    kind = dataset.id.get_type()
    held = np.zeros(dataset.size * kind.get_size(), np.uint8)
    dataset.id.read(h5py.h5s.ALL, h5py.h5s.ALL, held, mtype=kind)
    return int((np.arange(1, held.size + 1, dtype=np.uint64) * held).sum(dtype=np.uint64))


class ParallelReader(unittest.TestCase):
    def setUp(self) -> None:
        holder = tempfile.TemporaryDirectory(prefix="shardmark-parallel-")
        self.addCleanup(holder.cleanup)
        self.root = pathlib.Path(holder.name)

    def output(self, *words: object) -> str:
        done = subprocess.run(list(map(str, words)), capture_output=True, text=True, timeout=300, check=False)
        self.assertEqual(done.returncode, 0, f"{words}\n{done.stdout}{done.stderr}")
        return done.stdout

    def save(self, layout: str) -> pathlib.Path:
        directory = self.root / layout.replace(":", "-")
        self.output(MPIEXEC, "-n", RANKS, SHARDMARK, "save", "smoke", "--set", "model.name=tiny", "--set", "model.scale=1.0",
                    "--set", f"storage.layout={layout}", "--dir", directory, "--step", 1)  # fmt: skip
        return directory

    def test_every_layout(self) -> None:
        for layout, has_virtual in LAYOUTS.items():
            with self.subTest(layout=layout):
                directory = self.save(layout)
                entry = directory / "step-00000001" / "checkpoint.h5"
                lines = [line.split(" ", 2) for line in self.output(MPIEXEC, "-n", RANKS, READER, entry).splitlines()]
                with h5py.File(entry) as file:
                    alone = {name: byte_sum(dataset) for name, dataset in file["tensors"].items()}
                    virtual = {name for name, dataset in file["tensors"].items() if dataset.is_virtual}
                self.assertEqual({name for _, _, name in lines}, set(alone))
                self.assertEqual({name for word, _, name in lines if word == "failed"}, virtual)
                self.assertEqual({name: int(sum_) for word, sum_, name in lines if word == "read"},
                                 {name: sum_ for name, sum_ in alone.items() if name not in virtual})  # fmt: skip
                self.assertEqual(bool(virtual), has_virtual)
                self.inspected(directory, len(virtual))

    def inspected(self, directory: pathlib.Path, num_virtual: int) -> None:
        """It says how many fail, and which layouts have none."""
        self.assertEqual(json.loads(self.output(SHARDMARK, "inspect", directory, "--json"))["virtual_datasets"], num_virtual)
        text = self.output(SHARDMARK, "inspect", directory)
        said = f"{num_virtual} tensors are virtual datasets" in text and "shared and shared-chunked have none" in text
        self.assertEqual(said, num_virtual > 0, text)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
