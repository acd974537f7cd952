#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What the command does with what is not its own: steps of other jobs, leftovers of dead ones, steps that were renamed
or cannot be read, and file systems that lack a call. Nothing of others is touched, nothing committed is lost, and a
step that cannot be read is never passed over.

Usage: neighbours_test.py SHARDMARK FAILING_WRITES_LIBRARY
"""

import errno
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from shardmark_tools.launch.launching import Launcher  # noqa: E402

SHARDMARK, LIBRARY = sys.argv[1:3]
TINY = ["--set", "model.name=tiny", "--set", "model.scale=1.0"]
TIME_LIMIT_S = 120


def start(ranks, *words, **variables):
    launch = ["mpirun", "-n", str(ranks)] if ranks else []
    environment = dict(os.environ, **{name: str(value) for name, value in variables.items()})
    return subprocess.Popen([*launch, SHARDMARK, *map(str, words)], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                            text=True, env=environment, start_new_session=True)  # fmt: skip


def finish(job):
    try:
        out, err = job.communicate(timeout=TIME_LIMIT_S)
    except subprocess.TimeoutExpired:
        os.killpg(job.pid, signal.SIGKILL)
        job.communicate()
        raise
    return job.returncode, out, err


def run(ranks, *words, **variables):
    return finish(start(ranks, *words, **variables))


def wait_for(condition, seen=lambda: ""):
    end = time.monotonic() + TIME_LIMIT_S
    while not condition():
        if time.monotonic() > end:
            raise AssertionError(f"what was waited for did not come: {seen()}")
        time.sleep(0.005)


class Neighbours(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="shardmark-neighbours-")
        self.addCleanup(folder.cleanup)
        self.root = pathlib.Path(folder.name)
        self.dir = self.root / "d"
        os.environ["XDG_CACHE_HOME"] = str(self.root / "cache")

    def save(self, step, ranks=1, **variables):
        return run(ranks, "save", "smoke", *TINY, "--dir", self.dir, "--step", step, **variables)

    def saved(self, *steps):
        for step in steps:
            code, _, err = self.save(step)
            self.assertEqual(code, 0, err)

    def load(self, *more):
        return run(1, "load", "smoke", *TINY, "--dir", self.dir, "--verify", *more)

    def start_run(self, repetitions):
        return start(2, "run", "smoke", *TINY, "--set", 'run.benchmarks=["save"]', "--set",
                     f"run.repetitions={repetitions}", "--set", f"storage.directory={self.dir}")  # fmt: skip

    def names(self):
        return sorted(path.name for path in self.dir.iterdir())

    def steps_of_runs(self):
        return list(self.dir.glob("run-*/step-*"))

    def test_a_signal_to_a_run_takes_no_step_of_another_job(self):
        job = self.start_run(400)
        wait_for(self.steps_of_runs)
        self.saved(0, 1, 12)
        os.killpg(job.pid, signal.SIGINT)
        code, _, err = finish(job)
        self.assertEqual(code, 1, err)
        if Launcher.make("mpirun").kind.name != "prrte":  # which drops what ranks say once it has got a signal
            self.assertIn("nothing unfinished is left behind", err)
        wait_for(lambda: len(self.names()) == 3, self.names)
        self.assertEqual(self.names(), ["step-00000000", "step-00000001", "step-00000012"])
        self.assertEqual(self.load("--step", 12)[0], 0)

    def test_two_runs_in_one_directory_both_work(self):
        jobs = [self.start_run(5) for _ in range(2)]
        for job in jobs:
            code, _, err = finish(job)
            self.assertEqual(code, 0, err)
            self.assertIn(f"this run saves in {self.dir}/run-", err)
        self.assertEqual(self.names(), [])

    def test_what_a_killed_run_leaves_is_nobodys_newest_step_and_is_swept(self):
        self.saved(3)
        job = self.start_run(400)
        wait_for(self.steps_of_runs)
        os.killpg(job.pid, signal.SIGKILL)
        finish(job)
        code, out, err = self.load()
        self.assertEqual(code, 0, err)
        self.assertIn("loaded step 3", out)
        wait_for(lambda: not any(owner_lives(owner) for owner in self.dir.glob("run-*/owner")))
        code, _, err = finish(self.start_run(1))
        self.assertEqual(code, 0, err)
        self.assertEqual(self.names(), ["step-00000003"])

    def test_kept_steps_of_a_run_stay_in_its_folder(self):
        code, _, err = run(1, "run", "smoke", *TINY, "--set", 'run.benchmarks=["save"]', "--set", "run.repetitions=2",
                           "--set", "run.keep=1", "--set", f"storage.directory={self.dir}")  # fmt: skip
        self.assertEqual(code, 0, err)
        self.saved(7)
        kept = [name for name in self.names() if name.startswith("run-")]
        self.assertEqual(len(kept), 1)
        self.assertEqual(len(list((self.dir / kept[0]).iterdir())), 1)
        self.assertEqual(run(0, "inspect", self.dir / kept[0], "--verify")[0], 0)
        self.assertIn("step 7", self.load()[1])

    def test_a_leftover_of_nobody_is_counted_and_swept_when_it_is_old(self):
        self.dir.mkdir()
        leftover = self.dir / ".step-00000007.partial-00"
        leftover.mkdir()
        (leftover / "rank-00000.h5").write_bytes(bytes(1 << 20))
        code, _, err = self.save(1)
        self.assertEqual(code, 0, err)
        self.assertIn("1 leftover of 1048576 bytes stays", err)
        self.assertTrue(leftover.exists())
        old = time.time() - 10_000
        os.utime(leftover, (old, old))
        code, _, err = self.save(2)
        self.assertEqual(code, 0, err)
        self.assertNotIn("leftover of", err)
        self.assertEqual(self.names(), ["step-00000001", "step-00000002"])

    def test_a_step_under_another_number_is_refused(self):
        self.saved(1)
        (self.dir / "step-00000001").rename(self.dir / "step-00000009")
        for words in (["inspect", self.dir], ["load", "smoke", *TINY, "--dir", self.dir, "--step", 9, "--verify"]):
            code, _, err = run(0, *words)
            self.assertEqual(code, 1, err)
            self.assertIn("step 9", err)
            self.assertIn("step 1", err)

    def test_a_fifo_in_the_place_of_any_file_is_refused_at_once(self):
        self.saved(1, 2)
        step = self.dir / "step-00000002"
        for name in ("COMMIT", "checkpoint.h5"):
            good = self.root / name
            (step / name).rename(good)
            for make in (os.mkfifo, os.mkdir, lambda path: os.symlink(good, path)):
                make(step / name)
                code, _, err = run(0, "inspect", self.dir)
                self.assertEqual(code, 1, err)
                self.assertIn("expected a regular file", err)
                if (step / name).is_dir() and not (step / name).is_symlink():
                    (step / name).rmdir()
                else:
                    (step / name).unlink()
            good.rename(step / name)
        self.assertEqual(run(0, "inspect", self.dir, "--verify")[0], 0)

    def test_a_listing_that_breaks_off_is_an_error(self):
        self.saved(1, 2, 3)
        for words in (["inspect", self.dir], ["load", "smoke", *TINY, "--dir", self.dir]):
            code, _, err = run(0, *words, LD_PRELOAD=LIBRARY, SHARDMARK_TEST_READDIR_STOP=1)
            self.assertEqual(code, 1, err)
            self.assertIn("cannot list", err)

    @unittest.skipIf(os.geteuid() == 0 and not shutil.which("setpriv"), "root reads everything, and there is no setpriv")
    def test_a_newest_step_that_cannot_be_read_is_an_error(self):
        self.saved(1, 2)
        (self.dir / "step-00000002").chmod(0)
        self.root.chmod(0o755)
        self.addCleanup((self.dir / "step-00000002").chmod, 0o755)
        words = [SHARDMARK, "inspect", self.dir]
        if os.geteuid() == 0:
            words = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", *words]
        done = subprocess.run(words, capture_output=True, text=True, timeout=TIME_LIMIT_S, check=False)
        if "shardmark: error" not in done.stderr:
            self.skipTest("another user cannot start the command: " + done.stderr)
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertIn("step-00000002", done.stderr)

    def test_saves_go_on_where_a_call_is_missing_and_say_so(self):
        step = 0
        for call, words in (("FLOCK", "has no locks"), ("RENAMEAT2", "rename without replacing"),
                            ("FSYNC_FOLDER", "fsync folders"), ("STATVFS", "how much space")):  # fmt: skip
            for number in (errno.ENOSYS, errno.EOPNOTSUPP, errno.EINVAL, errno.EPERM):
                step += 1
                code, out, err = self.save(step, LD_PRELOAD=LIBRARY, **{f"SHARDMARK_TEST_{call}_ERRNO": number})
                self.assertEqual(code, 0, f"{call} {number}: {err}")
                self.assertIn(words, err)
        self.assertEqual(run(0, "inspect", self.dir, "--verify")[0], 0)
        self.assertEqual(len(self.names()), step)

    def test_a_step_that_is_committed_is_said_to_be_when_its_folder_cannot_be_synced(self):
        self.dir.mkdir()
        self.saved(1)  # the probe's certificate is kept
        code, _, err = self.save(
            2, LD_PRELOAD=LIBRARY, SHARDMARK_TEST_FSYNC_FOLDER_ERRNO=errno.EIO, SHARDMARK_TEST_FSYNC_FOLDER_AFTER=1)
        self.assertEqual(code, 1, err)
        self.assertIn("is committed in", err)
        self.assertEqual(self.load("--step", 2)[0], 0)

    def test_the_umask_alone_limits_who_may_read(self):
        before = os.umask(0o002)
        self.addCleanup(os.umask, before)
        code, _, err = self.save(1, ranks=2)
        self.assertEqual(code, 0, err)
        step = self.dir / "step-00000001"
        for path, mode in [(self.dir, 0o775), (step, 0o775)] + [(file, 0o664) for file in step.iterdir()]:
            self.assertEqual(path.stat().st_mode & 0o777, mode, path)

    def test_the_probe_says_what_it_found_and_leaves_nothing(self):
        self.dir.mkdir()
        code, out, err = run(0, "probe", self.dir, "--json")
        self.assertEqual(code, 0, err)
        document = json.loads(out)
        self.assertIn(document["traits"]["locks"]["value"], ["everywhere", "not tried", "none"])
        self.assertEqual(set(document["decisions"]), {"o_direct", "proof", "exchange", "sweep", "visible", "cold"})
        self.assertEqual(self.names(), [])
        code, out, err = run(2, "probe", self.dir, LD_PRELOAD=LIBRARY, SHARDMARK_TEST_FLOCK_ERRNO=errno.ENOLCK)
        self.assertEqual(code, 0, err)
        self.assertIn("no locks", out)
        self.assertEqual(run(0, "probe", self.root / "absent")[0], 2)


def owner_lives(owner):
    lines = dict(line.split(" ", 1) for line in owner.read_text().splitlines())
    try:
        state = pathlib.Path(f"/proc/{lines['pid']}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
