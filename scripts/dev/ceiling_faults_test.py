#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The ceiling of bare HDF5 while one rank fails: no rank waits for it, and all have one message.

Usage: ceiling_faults_test.py MPIRUN FAULTY_CEILING
"""

import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from shardmark_tools.launch import mpi_io_components  # noqa: E402
from shardmark_tools.launch.launching import Launcher  # noqa: E402

MPIRUN, PROGRAM = sys.argv[1:3]
TIME_LIMIT_S = 120
KIND = Launcher.make(MPIRUN).kind


class CeilingFaults(unittest.TestCase):
    def play(self, fault, ranks, io_component=None):
        """(exit code, messages)"""
        variables = [f"OMPI_MCA_io={io_component}"] if io_component else []
        with tempfile.TemporaryDirectory(prefix="shardmark-ceiling-") as folder:
            command = [MPIRUN, "-n", str(ranks), "env", *variables, PROGRAM, fault, folder]
            job = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, start_new_session=True)
            try:
                _, errors = job.communicate(timeout=TIME_LIMIT_S)
            except subprocess.TimeoutExpired:
                os.killpg(job.pid, signal.SIGKILL)
                job.communicate()
                self.fail(f"it did not end in {TIME_LIMIT_S} s")
        messages = [line for line in errors.splitlines() if line.startswith("error: ")]
        return KIND.exit_code(job.returncode, errors), messages

    def expect_failure(self, fault, ranks, word, io_component=None):
        with self.subTest(fault=fault, io=io_component):
            code, messages = self.play(fault, ranks, io_component)
            self.assertEqual((code, len(messages)), (1, 1), messages)
            self.assertIn(f"on {ranks} of {ranks} ranks", messages[0])
            self.assertIn(word, messages[0])

    def test_nothing_fails_without_a_fault(self):
        for component in {None, mpi_io_components.romio()}:
            self.assertEqual(self.play("none", 2, component), (0, []))

    def test_a_rank_that_finds_no_dataset(self):
        for component in {None, mpi_io_components.romio()}:
            self.expect_failure("open-dataset", 3, "H5Dopen2", component)

    def test_a_collective_write_that_fails_on_one_rank(self):
        for component in {None, mpi_io_components.romio()}:
            self.expect_failure("write", 2, "H5Dwrite", component)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1], verbosity=2)
