# SPDX-License-Identifier: Apache-2.0
"""Tests of the batch script that scripts/run --sbatch writes, run with stand-ins for srun and mpirun."""

import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

WRITER = pathlib.Path(__file__).with_name("slurm_batch.py")


class SlurmBatchTest(unittest.TestCase):
    def setUp(self):
        holder = tempfile.TemporaryDirectory(prefix="with space ")
        self.addCleanup(holder.cleanup)
        self.root = pathlib.Path(holder.name)
        self.job = self.root / "job.sh"

    def write(self, *more, command=("shardmark", "run", "a suite")):
        words = [sys.executable, str(WRITER), "--sbatch", str(self.job), "--nodes", "4", "--ranks-per-node", "8",
                 "--label", "quick", "--out", str(self.root), *more, "--", *command]  # fmt: skip
        return subprocess.run(words, capture_output=True, text=True, check=False)

    def stand_in(self, name, text):
        path = self.root / name
        path.write_text(f"#!/bin/sh\n{text}\n")
        path.chmod(0o755)

    def submit(self):
        environment = {**os.environ, "PATH": f"{self.root}:{os.environ['PATH']}"}
        return subprocess.run(["bash", self.job], capture_output=True, text=True, check=False, env=environment)

    def test_what_slurm_reads(self):
        done = self.write("--time", "1:30:00", "--account", "me", "--partition", "big")
        self.assertEqual(done.returncode, 0, done.stderr)
        lines = [line for line in self.job.read_text().splitlines() if line.startswith("#SBATCH")]
        for wanted in ("--nodes=4", "--ntasks-per-node=8", "--time=1:30:00", "--account=me", "--partition=big"):
            self.assertIn(f"#SBATCH {wanted}", lines)

    def test_srun_where_it_has_pmix_else_mpirun(self):
        self.write()
        self.stand_in("mpirun", 'echo mpirun "$@"')
        self.stand_in("srun", '[ "$1" = --mpi=list ] && echo none pmix && exit; echo srun "$@"')
        self.assertEqual(self.submit().stdout, "srun --mpi=pmix shardmark run a suite\n")
        self.stand_in("srun", '[ "$1" = --mpi=list ] && echo none && exit; echo srun "$@"')
        self.assertEqual(self.submit().stdout, "mpirun -n 32 shardmark run a suite\n")

    def test_a_launcher_of_ones_own(self):
        self.write("--launcher", "mpirun --bind-to core")
        self.stand_in("mpirun", 'echo mpirun "$@"')
        self.assertEqual(self.submit().stdout, "mpirun --bind-to core -n 32 shardmark run a suite\n")

    def test_refusals(self):
        for more in (("--time", "soon"), ("--nodes", "0")):
            self.assertEqual(self.write(*more).returncode, 2)


if __name__ == "__main__":
    unittest.main()
