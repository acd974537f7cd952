#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Other engines beside ours, by the built command under mpirun: stand-ins of fio that do what they should, or fail in
every way there is, and the real one where it is here.

Usage: peers_test.py SHARDMARK
"""

import json
import os
import pathlib
import shutil
import stat
import subprocess
import sys
import tempfile
import time
import unittest

SHARDMARK = sys.argv[1]
RANKS = 2
# A program that takes fio's job file, and one line for what it does.
STAND_IN = """#!{python}
import json, os, sys, time
lines = [line.split("=", 1) for line in open("job.fio").read().splitlines() if "=" in line]
job, parts = dict(lines), [int(value) for key, value in lines if key == "size"]
size, saves = sum(parts), job["rw"] == "write"
length = size
for part in parts:
    os.system(job["exec_prerun"] + " > /dev/null")
begin = time.monotonic()
{before}
with open(job["filename"], "r+b" if saves else "rb") as file:
    if saves:
        file.write(b"x" * length)
        {sync}
    else:
        length = len(file.read())
own = max(1, round(1000 * (time.monotonic() - begin)))
for part in parts:
    os.system(job["exec_postrun"] + " > /dev/null")
{after}
of = {{"runtime": own, "io_bytes": length}}
open("report.json", "w").write(json.dumps({{"jobs": [{{"error": 0, "write": of, "read": of}}]}}))
"""
SYNC = "file.flush(); os.fsync(file.fileno())"


class Peers(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="shardmark-peers-")
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.files = self.folder / "files"
        self.files.mkdir()

    def stand_in(self, before="", sync=SYNC, after=""):
        path = self.folder / "engine"
        path.write_text(STAND_IN.format(python=sys.executable, before=before, sync=sync, after=after))
        path.chmod(path.stat().st_mode | stat.S_IXUSR)
        return path

    def run_peers(self, program, cases="/fio-save/|^save", *more):
        """(summaries by engine's variant, samples likewise, stderr)"""
        out = self.folder / "out"
        words = ["mpirun", "-n", str(RANKS), SHARDMARK, "run", "smoke", "--out", out, "--json",
                 "--set", 'run.benchmarks=["save","load","peers"]', "--set", "parallel.strategy=fsdp",
                 "--set", "model.name=tiny", "--set", "model.scale=1.0",
                 "--set", "storage.layout=auto", "--set", f"storage.directory={json.dumps(str(self.files))}",
                 "--set", "run.repetitions=2", "--set", "run.warmup=1", "--set", f"peers.fio={program}",
                 *more, f"--benchmark_filter={cases}"]  # fmt: skip
        done = subprocess.run(list(map(str, words)), capture_output=True, text=True, timeout=300)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        summaries = {each["name"].split("/")[3]: each for each in json.loads(done.stdout)["cases"]}
        samples = json.loads((out / "samples.json").read_text())["samples"]
        self.assertEqual(list(self.files.iterdir()), [], "something was left behind")
        return summaries, [each for each in samples if each["family"] == "peers"], done.stderr

    def expect_left_out(self, reason, program, *more):
        begin = time.monotonic()
        summaries, samples, _ = self.run_peers(program, "/fio-save/|^save", *more)
        peer = summaries["fio-save"]
        self.assertIn(reason, peer["skipped"])
        self.assertIsNone(peer["time_s"])
        self.assertIsNone(peer["peer"]["against_ours"])
        self.assertTrue(samples)
        for sample in samples:
            self.assertIsNone(sample["time_s"])
            self.assertIn(reason, sample["skipped"])
        ours = next(each for name, each in summaries.items() if name.startswith("auto"))
        self.assertEqual((ours["repetitions"], ours["failed"]), (2, 0))
        return time.monotonic() - begin

    def test_a_sound_engine_has_numbers(self):
        summaries, samples, _ = self.run_peers(self.stand_in("time.sleep(2)"), "/fio-(save|load)/|^save|^load")
        for operation in ("save", "load"):
            peer = summaries[f"fio-{operation}"]
            self.assertIsNone(peer["skipped"])
            self.assertEqual(peer["failed"], 0)
            self.assertGreater(peer["peer"]["own_ratio"]["median"], 0.5)
            self.assertLessEqual(peer["peer"]["own_ratio"]["median"], 1.01)
            self.assertTrue(peer["peer"]["compared_with"].startswith(operation + "/"))
            self.assertIsNone(peer["peer"]["verdict"], "two rounds tell nothing")
        for sample in samples:
            self.assertGreater(sample["own_s"], 2)
            self.assertGreater(sample["time_s"], 2)
            self.assertIsNone(sample["bytes_below"])
            self.assertEqual(sample["ranks"], RANKS)
            saves = sample["case"]["operation"] == "save"
            self.assertEqual(sample["inventory"]["files"] if saves else None, RANKS if saves else None)
            self.assertEqual(sample["cold"] is None, saves)
        self.assertEqual({sample["num_bytes"] for sample in samples}, {summaries["fio-save"]["num_bytes"]})

    def test_missing(self):
        self.expect_left_out("peers.fio = \"/nowhere/fio\" is no program", "/nowhere/fio")

    def test_fails(self):
        reason = "engine ended with exit code 3: no luck"
        self.expect_left_out(reason, self.stand_in("sys.exit(print('no luck', file=sys.stderr) or 3)"))

    def test_fails_after_the_operation(self):
        self.expect_left_out("ended with exit code 5", self.stand_in(after="sys.exit(5)"))

    def test_hangs(self):
        self.expect_left_out("it did not answer within 1 s (peers.limit)", self.stand_in("time.sleep(600)"),
                             "--set", "peers.limit=1")  # fmt: skip

    def test_writes_less(self):
        self.expect_left_out("bytes, it was told", self.stand_in("length = size // 2"))

    def test_reports_less(self):
        self.expect_left_out("it moved 5 bytes, it was told", self.stand_in(after="length = 5"))

    def test_does_not_sync(self):
        self.expect_left_out("it does not sync what it writes", self.stand_in(sync="pass"))

    def test_answers_nonsense(self):
        after = "open('report.json', 'w').write('42 GiB/s, trust me'); sys.exit(0)"
        self.expect_left_out("fio's report cannot be read", self.stand_in(after=after))

    def test_an_adapter_that_is_no_python_with_torch(self):
        summaries, _, _ = self.run_peers("fio", "/dcp-save/|^save", "--set", "peers.dcp=/bin/true")
        self.assertIsNone(summaries["dcp-save"]["time_s"])

    @unittest.skipIf(shutil.which("fio") is None, "there is no fio here")
    def test_fio_itself(self):
        summaries, samples, _ = self.run_peers("fio", "/fio(-direct)?-(save|load)/|^save|^load")
        for name in ("fio-save", "fio-load", "fio-direct-save", "fio-direct-load"):
            self.assertIsNone(summaries[name]["skipped"])
            self.assertIsNotNone(summaries[name]["time_s"])


if __name__ == "__main__":
    os.environ.update(OMPI_ALLOW_RUN_AS_ROOT="1", OMPI_ALLOW_RUN_AS_ROOT_CONFIRM="1")
    unittest.main(argv=sys.argv[:1])
