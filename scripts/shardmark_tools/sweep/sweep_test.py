# SPDX-License-Identifier: Apache-2.0
"""Tests of scripts/sweep with a command that only pretends: killed at random, hanging, failing, refused."""

import csv
import errno
import pathlib
import random
import signal
import subprocess
import sys
import tempfile
import time
import unittest
import unittest.mock
from typing import Any

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))
from shardmark_tools.interpreter import ensure_modules

ensure_modules("numpy", status=77)

from shardmark_tools.launch import sweep_watchdog
from shardmark_tools.sweep import sweep_store

TOOLS = pathlib.Path(__file__).resolve().parents[2]
SWEEP = TOOLS / "sweep"

# Plays `shardmark plan` and `shardmark run`; "mpirun" is a script that starts it once.
COMMAND = """#!/usr/bin/python3
import json, os, pathlib, signal, sys, time
sys.path.insert(0, {tools!r})
words = sys.argv[1:]
settings = dict(words[i + 1].split("=", 1) for i, w in enumerate(words) if w == "--set")
strategy = settings.get("parallel.strategy", "fsdp")
if words[0] == "plan":
    if strategy == "unbuilt":
        sys.exit("shardmark: error: parallel.strategy: \\"unbuilt\\" is not available in this version")
    world = int(words[words.index("--world") + 1]) if "--world" in words else 2
    size = int(settings.get("bytes", 1000))
    scale = settings.get("model.scale", settings.get("suite_scale", "0.01"))  # null where neither suite nor --set has one
    print(json.dumps(dict(world_size=world, num_bytes=size, bytes_per_rank=dict(max=size // world),
                          run_keeps_files="stores_nothing" not in settings,
                          scale=None if scale == "none" else float(scale))))
    sys.exit(0)
with open({log!r}, "a") as file:
    file.write(" ".join(words) + "\\n")
out = pathlib.Path(words[words.index("--out") + 1])
time.sleep(float(settings.get("sleep", 0.02)))
if strategy == "broken":
    sys.exit("shardmark: error: no space left on device")
if strategy == "late":
    print("shardmark: error: rank 1 of 2 is late: 9 s in phase write", file=sys.stderr)
    sys.exit(3)
if strategy == "stuck":
    def answer(*_):
        for rank, phase in enumerate(("wait", "write", "wait")):
            os.write(2, f"shardmark: rank {{rank}} of 3 on node{{rank}}: {{phase}} for 9.5 s, in round 1/3 save/x\\n".encode())
    signal.signal(signal.SIGUSR1, answer)
    while True:
        time.sleep(0.1)
import numpy as np
from shardmark_tools.results import synthetic_results as synthetic
nodes, ranks = int(os.environ["NODES"]), int(os.environ["RANKS"])
document = synthetic.make_run(np.random.default_rng(1), of=synthetic.context(nodes=nodes, per_node=ranks // nodes),
                              repetitions=2, families=("save", "plan"), strategies=(strategy,))
synthetic.write_run(out, document)
"""
LAUNCHER = """#!/bin/sh
NODES=1
while [ $# -gt 0 ]; do case $1 in
  --host) NODES=$(echo "$2" | tr , '\\n' | wc -l); shift 2 ;;
  -n) RANKS=$2; shift 2 ;;
  *) break ;;
esac; done
export NODES RANKS
exec "$@"
"""


class SweepTest(unittest.TestCase):
    def setUp(self) -> None:
        holder = tempfile.TemporaryDirectory()
        self.addCleanup(holder.cleanup)
        self.root = pathlib.Path(holder.name)
        self.log = self.root / "log"
        self.log.touch()
        self.command = self.program("shardmark", COMMAND.format(tools=str(TOOLS), log=str(self.log)))
        self.launcher = self.program("launch", LAUNCHER)
        (self.root / "hosts").write_text("n0 slots=2\nn1 slots=2\n# n9\nn2\nn3\n")

    def program(self, name: str, text: str) -> Any:
        path = self.root / name
        path.write_text(text)
        path.chmod(0o755)
        return path

    def arguments(self, *more: Any) -> Any:
        return [str(SWEEP), "suite", "--out", str(self.root / "out"), "--build", str(self.command), "--launcher",
                str(self.launcher), *more]  # fmt: skip

    def sweep(self, *more: Any) -> Any:
        return subprocess.run(self.arguments(*more), capture_output=True, text=True, check=False)

    def rows(self) -> Any:
        with open(self.root / "out" / "rows.csv", encoding="utf-8") as file:
            return list(csv.DictReader(file))

    def runs(self) -> Any:
        """Command lines that were run."""
        return [line for line in self.log.read_text().splitlines() if line.startswith("run ")]

    GRID = ("--nodes", "1,2,4", "--ranks-per-node", "2", "--strategies", "ddp,fsdp,hsdp", "--planners", "a,b")

    def check_grid(self) -> None:
        rows = self.rows()
        self.assertEqual(len(rows), 18 * 2)
        keys = {(row["case"], row["benchmark"]) for row in rows}
        self.assertEqual(len(keys), 18 * 2)
        self.assertEqual({row["status"] for row in rows}, {"ok"})
        self.assertEqual({(row["nodes"], row["ranks"]) for row in rows}, {("1", "2"), ("2", "4"), ("4", "8")})

    def test_a_whole_grid_and_nothing_twice(self) -> None:
        grid = (*self.GRID, "--hostfile", str(self.root / "hosts"))
        done = self.sweep(*grid)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.check_grid()
        self.assertEqual(len(self.runs()), 18)
        self.assertEqual(self.sweep(*grid).returncode, 0)
        self.assertEqual(len(self.runs()), 18)
        more = list(grid)
        more[5] = "ddp,fsdp,hsdp,zero1"
        self.assertEqual(self.sweep(*more).returncode, 0)
        self.assertEqual(len(self.runs()), 24)

    def test_killed_at_random_moments(self) -> None:
        generator = random.Random(20260131)
        grid = (*self.GRID, "--hostfile", str(self.root / "hosts"), "--set", "sleep=0.05")
        kills = 0
        for _ in range(10):
            process = subprocess.Popen(self.arguments(*grid), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            time.sleep(generator.uniform(0.3, 3.0))
            kills += process.poll() is None
            process.send_signal(signal.SIGKILL)
            process.wait()
        self.assertGreater(kills, 0)
        done = self.sweep(*grid)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.check_grid()
        cases = self.root / "out" / "cases"
        self.assertEqual([p.name for p in cases.iterdir() if p.name.startswith(".")], [])

    def test_a_hanging_case_is_named_and_the_rest_goes_on(self) -> None:
        done = self.sweep("--strategies", "ddp,stuck,fsdp", "--limit", "20", "--ranks-per-node", "3")
        self.assertEqual(done.returncode, 1)
        rows = {row["case"]: row for row in self.rows()}
        self.assertEqual(sorted(row["status"] for row in rows.values()), ["hung", "ok", "ok"])
        stuck = next(row for row in rows.values() if row["status"] == "hung")
        self.assertIn("rank 1 on node1 in phase write", stuck["reason"])
        self.assertIn("save/x", stuck["reason"])

    def test_a_case_that_ended_itself_past_its_deadline_hung(self) -> None:
        self.assertEqual(self.sweep("--strategies", "late,ddp").returncode, 1)
        rows = {row["case"].split("-")[-1]: row for row in self.rows()}
        self.assertEqual(rows["late"]["status"], "hung")
        self.assertIn("rank 1 of 2 is late", rows["late"]["reason"])

    def test_failed_and_skipped_cases_are_rows(self) -> None:
        done = self.sweep("--strategies", "broken,unbuilt,ddp", "--nodes", "1,2")
        self.assertEqual(done.returncode, 1)
        status = {(row["case"].split("-")[-1], row["nodes"]): row for row in self.rows()}
        self.assertIn("no space left", status["broken", "1"]["reason"])
        self.assertIn("not available", status["unbuilt", "1"]["reason"])
        self.assertIn("--hostfile", status["ddp", "2"]["reason"])
        runs = len(self.runs())
        self.sweep("--strategies", "broken,unbuilt,ddp", "--nodes", "1,2", "--hostfile", str(self.root / "hosts"))
        self.assertEqual(len(self.runs()), runs + 2)  # what was skipped for want of hosts
        self.sweep("--strategies", "broken,unbuilt,ddp", "--nodes", "1,2", "--hostfile", str(self.root / "hosts"),
                   "--retry")  # fmt: skip
        self.assertEqual(len(self.runs()), runs + 4)

    def test_dry_run_and_what_does_not_fit(self) -> None:
        done = self.sweep("--strategies", "ddp,fsdp", "--dry-run")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("2 cases, 2 to run", done.stdout)
        self.assertEqual(self.runs(), [])
        self.assertFalse((self.root / "out").exists())
        huge = ("--strategies", "ddp", "--set", f"bytes={2**60}")
        for more in (("--dry-run",), ()):
            done = self.sweep(*huge, *more)
            self.assertEqual(done.returncode, 2)
            self.assertIn("wants about", done.stderr)
        self.assertEqual(self.runs(), [])
        done = self.sweep(*huge, "--set", "stores_nothing=1", "--overwrite")
        self.assertEqual(done.returncode, 0, done.stderr)

    def test_weak_scaling_grows_the_model(self) -> None:
        done = self.sweep("--ranks-per-node", "1,4", "--scaling", "weak", "--set", "model.scale=0.02")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual({row["scale"] for row in self.rows()}, {"0.02", "0.08"})

    def test_weak_scaling_begins_at_the_suites_scale(self) -> None:
        done = self.sweep("--ranks-per-node", "1,2", "--scaling", "weak", "--dry-run")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("2 cases", done.stdout)
        done = self.sweep("--scaling", "weak", "--dry-run", "--set", "suite_scale=none")
        self.assertEqual(done.returncode, 2)
        self.assertIn("weak scaling wants --set model.scale", done.stderr)

    def test_other_settings_want_another_folder(self) -> None:
        self.assertEqual(self.sweep("--strategies", "ddp").returncode, 0)
        done = self.sweep("--strategies", "ddp", "--set", "model.scale=1")
        self.assertEqual(done.returncode, 2)
        self.assertIn("name another --out", done.stderr)

    def test_two_sweeps_in_one_folder(self) -> None:
        process = subprocess.Popen(self.arguments("--set", "sleep=120"), stdout=subprocess.DEVNULL,
                                   stderr=subprocess.DEVNULL)  # fmt: skip
        while not self.runs() and process.poll() is None:
            time.sleep(0.05)
        done = self.sweep("--set", "sleep=120")
        process.terminate()
        process.wait()
        self.assertEqual(done.returncode, 2)
        self.assertIn("another sweep", done.stderr)

    def test_without_locks_it_goes_on_and_removes_nothing_of_others(self) -> None:
        left = self.root / "out" / "cases" / ".nodes-1.123"
        left.mkdir(parents=True)
        with unittest.mock.patch("fcntl.flock", side_effect=OSError(errno.ENOLCK, "No locks available")):
            sweep_store.Store(self.root / "out")
        self.assertTrue(left.exists())
        first = sweep_store.Store(self.root / "out")
        self.assertFalse(left.exists())
        with self.assertRaisesRegex(sweep_store.SweepInUse, "another sweep"):
            sweep_store.Store(self.root / "out")
        first.lock.close()

    def test_bad_arguments(self) -> None:
        for more in (("--nodes", "0"), ("--vary", "x"), ("--vary", "a.b=1", "--vary", "a.b=2"),
                     ("--launcher", "nothing-like-it"), ("--build", "nowhere"), ("--hostfile", "nowhere")):
            done = self.sweep(*more)
            self.assertEqual(done.returncode, 2, more)
            self.assertIn("error", done.stderr)


class WatchdogTest(unittest.TestCase):
    @staticmethod
    def answers(*phases: Any, known: Any = None) -> Any:
        """What the ranks say; a rank whose phase is empty says nothing."""
        lines = [f"shardmark: rank {rank} of {known or len(phases)} on h{rank}: {phase} for 2.0 s, in round 1/2 load/y"
                 for rank, phase in enumerate(phases) if phase]  # fmt: skip
        return sweep_watchdog.parse_answers("noise\n" + "\n".join(lines))

    def test_the_one_that_works_holds_up_those_that_wait(self) -> None:
        text = sweep_watchdog.describe(self.answers("wait", "wait", "read"), 3, {})
        self.assertIn("stuck: rank 2 on h2 in phase read, in round 1/2 load/y", text)

    def test_the_silent_one(self) -> None:
        answers = self.answers("wait", "wait", "")
        self.assertIn("stuck: rank 2 (no answer", sweep_watchdog.describe(answers, 3, {}))
        late = self.answers("wait", "wait", "flush")
        self.assertIn("stuck: rank 2 on h2 in phase flush", sweep_watchdog.describe(answers, 3, late))

    def test_the_silent_one_before_ranks_know_how_many_they_are(self) -> None:
        answers = self.answers("unmeasured", "unmeasured", "", known=1)
        self.assertIn("stuck: rank 2 (no answer", sweep_watchdog.describe(answers, 3, {}))

    def test_nobody_answers(self) -> None:
        self.assertIn("no rank answered", sweep_watchdog.describe({}, 3, {}))


if __name__ == "__main__":
    unittest.main()
