#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Saves while writes fail on one rank or a rank dies: no hang, one message, exit code 1, no new
step, nothing left behind, and the older checkpoint still good.

Usage: fault_injection_test.py MPIRUN FAULTY_SAVE FAILING_WRITES_LIBRARY
"""

import errno
import os
import pathlib
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[4] / "scripts"))
from shardmark_tools.launch import mpi_io_components  # noqa: E402
from shardmark_tools.launch.launching import Launcher  # noqa: E402

MPIRUN, PROGRAM, LIBRARY = sys.argv[1:4]
TIME_LIMIT_S = 120
KIND = Launcher.make(MPIRUN).kind
LAYOUTS = ["shared", "shared-chunked", "per-rank", "per-node", "groups", "packed", "auto"]


def run_ranks(ranks, arguments, io_component=None, **variables):
    """Result of one job; variables go to the ranks only. None if it took too long."""
    command = [MPIRUN, "-n", str(ranks)]
    if io_component:
        variables["OMPI_MCA_io"] = io_component
    command += ["env", *(f"{name}={value}" for name, value in variables.items())]
    command += [PROGRAM, *map(str, arguments)]
    job = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    try:
        stdout, stderr = job.communicate(timeout=TIME_LIMIT_S)
    except subprocess.TimeoutExpired:
        os.killpg(job.pid, signal.SIGKILL)
        job.communicate()
        return None
    return subprocess.CompletedProcess(command, job.returncode, stdout, stderr)


def is_alive(pid):
    try:
        state = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


class FaultInjection(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory(prefix="shardmark-faults-")
        self.addCleanup(self.folder.cleanup)
        self.directory = pathlib.Path(self.folder.name) / "checkpoints"
        self.save(1, 2)

    def save(self, step, ranks, io="independent", layout="shared"):
        job = run_ranks(ranks, ["save", self.directory, step, io, layout])
        self.assertIsNotNone(job, "a good save hangs")
        self.assertEqual(job.returncode, 0, job.stderr)

    def load(self, step, ranks, io="independent"):
        job = run_ranks(ranks, ["load", self.directory, step, io])
        self.assertIsNotNone(job, "a load hangs")
        self.assertEqual(job.returncode, 0, job.stderr)

    def contents(self):
        check = [PROGRAM, "check", str(self.directory)]
        return subprocess.run(check, capture_output=True, text=True, check=True).stdout.splitlines()

    def expect_failure(self, ranks, io, word, io_component=None, layout="shared", **variables):
        variables["SHARDMARK_TEST_HIT"] = hit = pathlib.Path(self.folder.name) / "hit"
        hit.unlink(missing_ok=True)
        job = run_ranks(ranks, ["save", self.directory, 2, io, layout], io_component, **variables)
        self.assertIsNotNone(job, f"the save did not end in {TIME_LIMIT_S} s")
        self.assertEqual(KIND.exit_code(job.returncode, job.stderr), 1, job.stderr)
        messages = [line for line in job.stderr.splitlines() if line.startswith("error: ")]
        self.assertEqual(len(messages), 1, job.stderr)
        self.assertIn(word, messages[0])
        self.assertEqual(self.contents(), ["step 1 good"])
        self.assertTrue(hit.exists() or "LD_PRELOAD" not in variables, "the fault met no write")

    def after_all_but_the_last(self, ranks, failing, io):
        """Bytes after which hardly any is written: who writes what for whom differs between MPI-IOs."""
        hit = pathlib.Path(self.folder.name) / "hit"
        for after in range(2_500_000, 0, -100_000):
            hit.unlink(missing_ok=True)
            job = run_ranks(ranks, ["save", self.directory, 2, io], LD_PRELOAD=LIBRARY, SHARDMARK_TEST_HIT=hit,
                            SHARDMARK_TEST_FAIL_RANK=failing, SHARDMARK_TEST_FAIL_MODE="EIO",
                            SHARDMARK_TEST_FAIL_AFTER=after)  # fmt: skip
            self.assertIsNotNone(job, f"the save did not end in {TIME_LIMIT_S} s")
            if hit.exists():
                return after
            self.assertEqual(job.returncode, 0, job.stderr)
            shutil.rmtree(self.directory / "step-00000002")
        self.fail("this rank writes nothing")

    def test_failing_writes(self):
        # Ranks, failing rank, I/O mode, what its writes do, after how many bytes.
        cases = [
            (2, 1, "independent", "EIO", 0),
            (3, 2, "independent", "ENOSPC", 300_000),
            (4, 1, "independent", "drop", 0),
            (2, 1, "collective", "EIO", 0),
            (3, 0, "collective", "ENOSPC", 1_000_000),
            (4, 0, "collective", "drop", 1_000_000),
            (3, 0, "collective", "EIO", None),  # only small tensors, which OMPIO does not tell
            (2, 0, "independent", "EIO", 0),  # rank 0 cannot even lay the file out
            (2, 0, "independent", "drop", 0),
        ]
        for ranks, failing, io, mode, after in cases:
            with self.subTest(ranks=ranks, failing=failing, io=io, mode=mode, after=after):
                after = self.after_all_but_the_last(ranks, failing, io) if after is None else after
                self.expect_failure(
                    ranks, io, "",
                    LD_PRELOAD=LIBRARY,
                    SHARDMARK_TEST_FAIL_RANK=failing,
                    SHARDMARK_TEST_FAIL_MODE=mode,
                    SHARDMARK_TEST_FAIL_AFTER=after,
                )  # fmt: skip
        self.load(1, 3, "collective")

    def test_failing_writes_under_romio(self):
        for failing, io, mode in [(0, "collective", "EIO"), (1, "independent", "drop")]:
            with self.subTest(failing=failing, io=io, mode=mode):
                self.expect_failure(
                    2, io, "", mpi_io_components.romio(),
                    LD_PRELOAD=LIBRARY,
                    SHARDMARK_TEST_FAIL_RANK=failing,
                    SHARDMARK_TEST_FAIL_MODE=mode,
                    SHARDMARK_TEST_FAIL_AFTER=100_000 * (1 - failing),
                )  # fmt: skip

    def test_lost_writes_where_the_file_system_shows_no_holes(self):
        for failing, io, after in [(0, "collective", 1_000_000), (2, "independent", 300_000)]:
            with self.subTest(failing=failing, io=io):
                self.expect_failure(
                    3, io, "did not reach",
                    LD_PRELOAD=LIBRARY,
                    SHARDMARK_TEST_PLAIN_FILES=1,
                    SHARDMARK_TEST_FAIL_RANK=failing,
                    SHARDMARK_TEST_FAIL_MODE="drop",
                    SHARDMARK_TEST_FAIL_AFTER=after,
                )  # fmt: skip
        job = run_ranks(
            3, ["save", self.directory, 2, "collective"],
            LD_PRELOAD=LIBRARY, SHARDMARK_TEST_PLAIN_FILES=1,
        )  # fmt: skip
        self.assertIsNotNone(job, "a good save hangs")
        self.assertEqual(job.returncode, 0, job.stderr)
        self.assertEqual(self.contents(), ["step 1 good", "step 2 good"])

    def test_failing_writes_in_every_layout(self):
        # Layout, I/O mode, failing rank, what its writes do, after how many bytes.
        cases = [
            ("shared", "direct", 1, "EIO", 0),
            ("shared", "direct", 1, "drop", 0),
            ("shared", "direct", 2, "ENOSPC", 0),
            ("shared", "direct-off", 1, "EIO", 0),
            ("shared", "direct-off", 1, "drop", 300_000),
            ("shared", "direct-off", 2, "ENOSPC", 100_000),
            ("shared-chunked", "direct", 1, "drop", 0),
            ("shared-chunked", "collective", 0, "EIO", 600_000),
            ("per-rank", "direct", 2, "drop", 300_000),
            ("per-rank", "independent", 1, "EIO", 200_000),
            ("per-rank", "direct", 1, "EIO", 0),  # it cannot even lay its file out
            ("per-node", "collective", 0, "ENOSPC", 600_000),
            ("groups", "direct", 1, "EIO", 0),
            ("groups", "direct-off", 0, "EIO", 600_000),
            ("groups", "independent", 2, "drop", 300_000),
            ("packed", "direct", 1, "drop", 0),
            ("packed", "collective", 0, "drop", 600_000),
            ("auto", "direct", 1, "drop", 0),
            ("auto", "direct-off", 1, "drop", 200_000),
        ]
        for layout, io, failing, mode, after in cases:
            with self.subTest(layout=layout, io=io, failing=failing, mode=mode, after=after):
                self.expect_failure(
                    3, io.removesuffix("-off"), "",
                    SHARDMARK_TEST_EXCHANGE="off" if io.endswith("-off") else "auto",
                    layout=layout,
                    LD_PRELOAD=LIBRARY,
                    SHARDMARK_TEST_FAIL_RANK=failing,
                    SHARDMARK_TEST_FAIL_MODE=mode,
                    SHARDMARK_TEST_FAIL_AFTER=after,
                )  # fmt: skip

    def test_short_writes_are_completed(self):
        step = 2
        for layout in ["shared", "shared-chunked", "per-rank", "packed", "auto"]:
            with self.subTest(layout=layout):
                job = run_ranks(
                    2, ["save", self.directory, step, "direct", layout],
                    LD_PRELOAD=LIBRARY,
                    SHARDMARK_TEST_FAIL_RANK=1,
                    SHARDMARK_TEST_FAIL_MODE="short",
                )  # fmt: skip
                self.assertIsNotNone(job, "a save under short writes hangs")
                self.assertEqual(job.returncode, 0, job.stderr)
                self.load(step, 3, "direct")
                step += 1

    def test_lost_writes_in_direct_where_the_file_system_shows_no_holes(self):
        self.expect_failure(
            3, "direct", "did not reach",
            LD_PRELOAD=LIBRARY,
            SHARDMARK_TEST_PLAIN_FILES=1,
            SHARDMARK_TEST_FAIL_RANK=2,
            SHARDMARK_TEST_FAIL_MODE="drop",
        )  # fmt: skip

    def test_o_direct_that_opens_and_refuses_to_write(self):
        for step, number in enumerate((errno.EINVAL, errno.EOPNOTSUPP), 2):
            for layout in ("per-rank", "shared"):
                with self.subTest(errno=number, layout=layout):
                    job = run_ranks(
                        2, ["save", self.directory, step, "direct", layout],
                        LD_PRELOAD=LIBRARY, SHARDMARK_TEST_DIRECT_ERRNO=number,
                    )  # fmt: skip
                    self.assertIsNotNone(job, "the save hangs")
                    self.assertEqual(job.returncode, 0, job.stderr)
                    self.assertIn("refuses to write", job.stdout)
                    self.load(step, 3, "direct")
                    shutil.rmtree(self.directory / f"step-{step:08}")

    def test_no_locks(self):
        numbers = (errno.ENOLCK, errno.EOPNOTSUPP, errno.EINVAL, errno.EPERM, errno.ENOSYS)
        for step, number in enumerate(numbers, 2):
            for io in ("direct", "independent"):
                with self.subTest(errno=number, io=io):
                    job = run_ranks(
                        2, ["save", self.directory, step, io, "per-rank"],
                        LD_PRELOAD=LIBRARY, SHARDMARK_TEST_FLOCK_ERRNO=number,
                    )  # fmt: skip
                    self.assertIsNotNone(job, "the save hangs")
                    self.assertEqual(job.returncode, 0, job.stderr)
                    shutil.rmtree(self.directory / f"step-{step:08}")

    def test_process_goes_on_after_a_failure_in_direct(self):
        for layout in ["shared", "per-rank"]:
            with self.subTest(layout=layout):
                step = 10 if layout == "shared" else 20
                job = run_ranks(
                    2, ["recover", self.directory, step, "direct", layout],
                    SHARDMARK_TEST_FSIZE_RANK=1,
                )  # fmt: skip
                self.assertIsNotNone(job, "the second save hangs")
                self.assertEqual(job.returncode, 0, job.stderr)
                self.assertIn(f"step {step + 1} good", self.contents())
                self.assertNotIn("partial", " ".join(self.contents()))
                self.load(step + 1, 2, "direct")

    def test_failing_writes_between_nodes(self):
        # Layout, level of the exchange, ranks a pretended node, failing rank, what its writes do, after how many bytes.
        cases = [
            ("shared", "edges", 2, 1, "EIO", 0),
            ("shared", "edges", 2, 3, "ENOSPC", 0),
            ("shared", "node", 2, 1, "EIO", 50_000),
            ("shared", "node", 2, 2, "drop", 0),
            ("shared", "world", 2, 3, "EIO", 0),
            ("shared", "world", 1, 1, "EIO", 0),
            ("shared-chunked", "world", 2, 2, "ENOSPC", 0),
            ("groups", "world", 1, 3, "EIO", 0),
            ("packed", "edges", 2, 2, "drop", 0),
        ]
        for layout, level, ranks_a_node, failing, mode, after in cases:
            with self.subTest(layout=layout, level=level, failing=failing, mode=mode, after=after):
                self.expect_failure(
                    4, "direct", "",
                    SHARDMARK_TEST_EXCHANGE=level,
                    SHARDMARK_PRETEND_RANKS_A_NODE=ranks_a_node,
                    layout=layout,
                    LD_PRELOAD=LIBRARY,
                    SHARDMARK_TEST_FAIL_RANK=failing,
                    SHARDMARK_TEST_FAIL_MODE=mode,
                    SHARDMARK_TEST_FAIL_AFTER=after,
                )  # fmt: skip

    def test_a_rank_that_gets_no_threads(self):
        """As under ulimit -u: nobody waits for it, and one that can do without them goes on."""
        faults = {"LD_PRELOAD": LIBRARY, "SHARDMARK_TEST_THREADS_RANK": 1}
        for level, ranks_a_node in (("node", 8), ("node", 2), ("world", 2), ("edges", 1)):
            with self.subTest(level=level, ranks_a_node=ranks_a_node):
                faults |= {"SHARDMARK_TEST_EXCHANGE": level, "SHARDMARK_PRETEND_RANKS_A_NODE": ranks_a_node}
                self.expect_failure(4, "direct", "thread", SHARDMARK_TEST_THREADS=0, **faults)
                # Those that write what goes by itself, and one of the exchange.
                job = run_ranks(4, ["save", self.directory, 2, "direct"], SHARDMARK_TEST_THREADS=3, **faults)
                self.assertEqual(job and job.returncode, 0, job and job.stderr)
                for threads in (0, 1) if level != "edges" else ():
                    job = run_ranks(4, ["load", self.directory, 2, "direct"], SHARDMARK_TEST_THREADS=threads, **faults)
                    self.assertIsNotNone(job, "the load hangs")
                    self.assertEqual(KIND.exit_code(job.returncode, job.stderr), 1 - threads, job.stderr)
                    messages = [line for line in job.stderr.splitlines() if line.startswith("error: ")]
                    self.assertEqual(["thread" in message for message in messages], (1 - threads) * [True])
                shutil.rmtree(self.directory / "step-00000002")
        # Where each writes and reads for itself, the rank does the work of its threads.
        faults |= {"SHARDMARK_TEST_EXCHANGE": "off", "SHARDMARK_TEST_THREADS": 0}
        for command in ("save", "load"):
            job = run_ranks(4, [command, self.directory, 2, "direct"], **faults)
            self.assertEqual(job and job.returncode, 0, job and job.stderr)

    def test_rank_0_that_gets_no_threads(self):
        """It needs one to own what it makes."""
        self.expect_failure(3, "direct", "thread", LD_PRELOAD=LIBRARY, SHARDMARK_TEST_THREADS_RANK=0, SHARDMARK_TEST_THREADS=0)

    def test_a_thread_that_finds_no_memory(self):
        """Whichever allocation of the exchange fails, all ranks end and nothing is committed."""
        hits = 0
        for level, ranks_a_node in (("world", 1), ("edges", 1), ("node", 2)):
            for number in (1, 2, 3, 4):
                with self.subTest(level=level, number=number):
                    hit = pathlib.Path(self.folder.name) / "hit"
                    hit.unlink(missing_ok=True)
                    job = run_ranks(
                        3, ["save", self.directory, 2, "direct"],
                        LD_PRELOAD=LIBRARY, SHARDMARK_TEST_HIT=hit, SHARDMARK_TEST_NO_MEMORY=number,
                        SHARDMARK_TEST_NO_MEMORY_RANK=1, SHARDMARK_TEST_EXCHANGE=level, SHARDMARK_TEST_SCALE=4,
                        SHARDMARK_PRETEND_RANKS_A_NODE=ranks_a_node,
                    )  # fmt: skip
                    self.assertIsNotNone(job, "the save hangs")
                    self.assertEqual(job.returncode != 0, hit.exists(), job.stderr)
                    if hit.exists():
                        hits += 1
                        self.assertIn("memory", job.stderr)
                        self.assertNotIn("terminate called", job.stderr)
                        self.assertNotIn("step 2", " ".join(self.contents()))
                    else:
                        shutil.rmtree(self.directory / "step-00000002")
        self.assertGreater(hits, 3)

    def test_file_size_limit_of_one_rank(self):
        self.expect_failure(3, "collective", "RLIMIT_FSIZE", SHARDMARK_TEST_FSIZE_RANK=2)

    def test_killed_rank(self):
        seed = int(os.environ.get("SHARDMARK_TEST_SEED", time.time_ns() % 10**9))
        print(f"SHARDMARK_TEST_SEED={seed}")
        chance = random.Random(seed)
        step = 2
        for _ in range(3):
            ranks = chance.randint(2, 4)
            io = chance.choice(["collective", "independent", "direct"])
            layout = chance.choice(LAYOUTS)
            level = chance.choice(["auto", "edges", "node", "world"])
            pids = self.kill_one_rank(ranks, step, io, layout, level, chance)
            limit = time.monotonic() + TIME_LIMIT_S  # one that waits for the disk ends when that answers
            while any(is_alive(pid) for pid in pids) and time.monotonic() < limit:
                time.sleep(0.02)
            self.assertFalse([pid for pid in pids if is_alive(pid)], "a rank is left")
            found = self.contents()
            self.assertNotIn("BAD", " ".join(found))
            self.assertIn("step 1 good", found)
            step = max(int(line.split()[1]) for line in found if line.startswith("step")) + 1
            self.save(step, 2)
            self.assertFalse([line for line in self.contents() if line.startswith("partial")])
            step += 1
        self.load(1, 3)
        self.load(step - 1, 2)

    def kill_one_rank(self, ranks, step, io, layout, level, chance):
        """Kills a rank while saves run; pids of all ranks."""
        files = [self.directory.parent / f"pid-{rank}" for rank in range(ranks)]
        for file in files:
            file.unlink(missing_ok=True)
        command = [MPIRUN, "-n", str(ranks), "env", f"SHARDMARK_TEST_EXCHANGE={level}",
                   f"SHARDMARK_PRETEND_RANKS_A_NODE={chance.choice([1, 2, 8])}",
                   PROGRAM, "repeat", str(self.directory), str(step), io, layout]  # fmt: skip
        job = subprocess.Popen(
            command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
        )
        try:
            deadline = time.monotonic() + TIME_LIMIT_S
            while not all(file.exists() and file.read_text() for file in files):
                self.assertLess(time.monotonic(), deadline, "the job does not start")
                time.sleep(0.01)
            pids = [int(file.read_text()) for file in files]
            time.sleep(chance.uniform(0.0, 0.4))
            os.kill(chance.choice(pids), signal.SIGKILL)
            self.assertNotEqual(job.wait(timeout=TIME_LIMIT_S), 0)
        finally:
            if job.poll() is None:
                os.killpg(job.pid, signal.SIGKILL)
                job.wait()
        return pids


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1], verbosity=2)
