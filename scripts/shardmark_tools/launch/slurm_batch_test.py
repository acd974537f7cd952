# SPDX-License-Identifier: Apache-2.0
"""Tests of the batch script that scripts/run --sbatch writes, run with stand-ins for srun and mpirun."""

import os
import pathlib
import shlex
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

    def test_relative_any_path_can_be_named(self):
        """relative: what Slurm splits as a shell does comes out as it was, and so does what the shell runs."""
        for name in ("two words", "it's", 'a "quote"', "50%", "#hash", "a\\b", "$HOME `x`", "größe", "*"):
            out = self.root / name
            out.mkdir()
            self.job = out / "job.sh"
            done = self.write("--out", str(out), "--account", name, command=("shardmark", "run", name))
            self.assertEqual(done.returncode, 0, done.stderr)
            lines = [line for line in self.job.read_text().splitlines() if line.startswith("#SBATCH")]
            words = [shlex.split(line.removeprefix("#SBATCH "), comments=True) for line in lines]
            self.assertIn([f"--output={str(out).replace('%', '%%')}/slurm-%j.out"], words)
            self.assertIn([f"--account={name}"], words)
            self.stand_in("srun", '[ "$1" = --mpi=list ] && echo none pmix && exit; pwd; printf "%s\\n" "$@"')
            self.assertEqual(self.submit().stdout.splitlines(), [str(out), "--mpi=pmix", "shardmark", "run", name])

    def test_refusals(self):
        for more in (("--time", "soon"), ("--nodes", "0"), ("--out", "two\nlines"), ("--account", "a\nb")):
            done = self.write(*more)
            self.assertEqual(done.returncode, 2)
            self.assertNotIn("Traceback", done.stderr)


if __name__ == "__main__":
    unittest.main()
