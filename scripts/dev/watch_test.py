#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Late ranks are named, and end a job or do not, by the built command under mpirun as a user drives it.

Usage: watch_test.py SHARDMARK FAILING_WRITES_LIBRARY. One rank stops itself, hangs or crawls in its first write.
"""

import json
import os
import pathlib
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from shardmark_tools.launch.launching import Launcher  # noqa: E402

KIND = Launcher.make("mpirun").kind
SHARDMARK, LIBRARY = sys.argv[1:3]
TIME_LIMIT_S = 240
MEMORY = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None  # a slow disk is late in phases of its own
TINY = ["--set", "model.name=tiny", "--set", "model.scale=1.0", "--set", "storage.layout=shared", "--set", "storage.exchange=off"]
LATE = re.compile(r"  rank (\d+) \(process (\d+)\): (\w+) for ([\d.]+) s")


class Command:
    """A running command whose messages can be waited for."""

    def __init__(self, ranks, words, mode="", rank=0, **variables):
        launch = ["mpirun", "-n", str(ranks)]
        if mode:
            variables |= {"LD_PRELOAD": LIBRARY, "SHARDMARK_TEST_FAIL_MODE": mode, "SHARDMARK_TEST_FAIL_RANK": rank}
        if variables:  # for the ranks alone, whatever the launcher's own option is called
            launch += ["env", *(f"{name}={value}" for name, value in variables.items())]
        self.process = subprocess.Popen(
            [*launch, SHARDMARK, *map(str, words)], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, text=True, start_new_session=True,
        )  # fmt: skip
        self.limit = threading.Timer(TIME_LIMIT_S, os.killpg, (self.process.pid, signal.SIGKILL))
        self.limit.start()
        self.err = ""

    def wait_for(self, pattern):
        """The match in what has come on stderr so far, read until there is one; None at its end."""
        while not (match := pattern.search(self.err)):
            line = self.process.stderr.readline()
            if not line:
                return None
            self.err += line
        return match

    def end(self):
        """(exit code, stdout)"""
        self.err += self.process.stderr.read()
        out = self.process.stdout.read()
        self.process.wait()
        self.limit.cancel()
        for stream in (self.process.stdout, self.process.stderr):
            stream.close()
        return KIND.exit_code(self.process.returncode, self.err), out

    def said(self):
        """The command's own messages, without the launcher's."""
        return re.findall(r"^shardmark: (?!note: ).*(?:\n  .*)*", self.err, re.MULTILINE)


class Watch(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="shardmark-watch-", dir=MEMORY)
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def save(self, ranks, deadline, *more, **faults):
        words = ["save", "smoke", *TINY, "--dir", self.folder, "--step", 1, "--set", f"run.deadline={deadline}", *more]
        return Command(ranks, words, **faults)

    def expect_named(self, message, rank, phase, word):
        self.assertLessEqual(message.count("\n"), 5, message)
        named = LATE.findall(message)
        self.assertEqual([(int(n), p) for n, _, p, _ in named], [(rank, phase)], message)
        self.assertIn(word, message)

    def test_a_stopped_rank_ends_the_job(self):
        for ranks, rank, deadline in ((4, 2, 6), (8, 5, 9)):
            with self.subTest(ranks=ranks):
                save = self.save(ranks, deadline, mode="stop", rank=rank)
                code, _ = save.end()
                self.assertEqual(code, 3, save.err)
                (message,) = save.said()
                self.expect_named(message, rank, "write", "; stopped")
                self.assertIn("save of step 1", message)
                self.assertIn("shardmark: error:", message)
                self.assertIn(f"{ranks - 1} wait", message)
                self.assertGreaterEqual(float(re.search(r"after ([\d.]+) s of", message)[1]), deadline, message)
                self.assertEqual(list(self.folder.glob("step-*")), [])

    def test_a_stopped_first_rank_ends_the_job_too(self):
        save = self.save(4, 6, "--json", mode="stop", rank=0)
        code, out = save.end()
        self.assertEqual(code, 3, save.err)
        self.expect_named(save.said()[0], 0, "create", "; stopped")
        error = json.loads(out)["error"]
        self.assertEqual((error["code"], error["rank"]), (3, 0))
        self.assertIn("run.deadline", error["message"])
        limit = time.monotonic() + TIME_LIMIT_S
        while list(self.folder.iterdir()) and time.monotonic() < limit:
            time.sleep(0.1)  # by a process of its own
        self.assertEqual(list(self.folder.iterdir()), [], "what is unfinished is put away")

    def test_a_hanging_call_is_named(self):
        save = self.save(4, 6, mode="hang", rank=3)
        code, _ = save.end()
        self.assertEqual(code, 3, save.err)
        self.expect_named(save.said()[0], 3, "write", "no bytes moved")

    def test_a_warning_lets_it_go_on(self):
        save = self.save(4, 5, "--set", "run.late=warn", mode="stop", rank=1)
        match = save.wait_for(LATE)
        self.assertIsNotNone(match, save.err)
        os.kill(int(match[2]), signal.SIGCONT)
        code, _ = save.end()
        self.assertEqual(code, 0, save.err)
        self.expect_named(save.said()[0], 1, "write", "shardmark: warning: past run.deadline, 5 s")
        self.assertEqual([path.name for path in self.folder.glob("step-*")], ["step-00000001"])

    def test_nobody_is_named_in_time(self):
        save = self.save(4, 120)
        code, _ = save.end()
        self.assertEqual((code, save.said()), (0, []), save.err)
        load = Command(3, ["load", "smoke", *TINY, "--dir", self.folder, "--set", "run.deadline=30"])
        code, _ = load.end()
        self.assertEqual((code, load.said()), (0, []), load.err)

    def test_wrong_values_are_refused(self):
        for setting, word in (("run.deadline=0", "run.deadline"), ("run.late=kill", "end, warn")):
            done = subprocess.run([SHARDMARK, "save", "smoke", *TINY, "--dir", self.folder, "--step", "1", "--set",
                                   setting], capture_output=True, text=True, check=False)  # fmt: skip
            self.assertEqual(done.returncode, 2, done.stderr)
            self.assertIn(word, done.stderr)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1], verbosity=2)
