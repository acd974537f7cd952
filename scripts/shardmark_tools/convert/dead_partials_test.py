#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Conversions that are stopped leave nothing; what a killed one leaves goes with the next one to the same name, and what
may be of the living stays."""

import json
import pathlib
import signal
import subprocess
import sys
import tempfile
import unittest
from unittest import mock

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))
from shardmark_tools.interpreter import ensure_modules

ensure_modules("numpy", "h5py", "xxhash", status=77)

from shardmark_tools.convert import dead_partials
from shardmark_tools.convert.conversion import convert
from shardmark_tools.convert.convert_fixture import options

SCRIPT = pathlib.Path(__file__).resolve().parents[2] / "convert"
# scripts/convert that sleeps when it has its elements, and says so.
SLOW = """
import os, runpy, sys, time
def slow(descriptor):
    print("asleep", flush=True)
    time.sleep(100)
os.fsync = slow
runpy.run_path(sys.argv.pop(1), run_name="__main__")
"""
KINDS = ("dcp", "shardmark", "safetensors")


class DeadPartialsTest(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        text = json.dumps({"t": {"dtype": "U8", "shape": [10], "data_offsets": [0, 10]}}).encode()
        self.source = self.folder / "m.safetensors"
        self.source.write_bytes(len(text).to_bytes(8, "little") + text + bytes(10))

    def partials(self) -> list[pathlib.Path]:
        return sorted(self.folder.rglob(".*.partial-*"))

    def start(self, kind: str, **more: object) -> subprocess.Popen[str]:
        """A conversion to `out`, in the middle of it."""
        arguments = [sys.executable, "-P", "-c", SLOW, str(SCRIPT), str(self.source), str(self.folder / "out"), "--to", kind]
        child = subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **more)  # type: ignore
        self.addCleanup(child.wait)
        self.addCleanup(child.kill)
        assert child.stderr is not None and child.stdout is not None
        for pipe in (child.stdout, child.stderr):
            self.addCleanup(pipe.close)
        self.assertEqual(child.stdout.readline(), "asleep\n")
        return child

    def test_stopped_by_a_signal(self) -> None:
        for kind in KINDS:
            for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
                child = self.start(kind)
                child.send_signal(number)
                _, said = child.communicate(timeout=60)
                self.assertEqual(child.returncode, 128 + number, said)
                self.assertIn("interrupted" if number == signal.SIGINT else f"stopped by {number.name}\n", said)
                self.assertEqual(list(self.folder.iterdir()), [self.source], (kind, number))

    def test_what_was_ignored_stays_so(self) -> None:
        child = self.start("dcp", preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN))
        child.send_signal(signal.SIGHUP)
        child.send_signal(signal.SIGTERM)
        self.assertIn("stopped by SIGTERM", child.communicate(timeout=60)[1])

    def test_what_a_killed_one_left_goes(self) -> None:
        for kind in KINDS:
            child = self.start(kind)
            child.kill()
            child.communicate()
            self.assertEqual(len(self.partials()), 1)
            convert(options(self.source, self.folder / "out", to=kind))
            self.assertEqual(self.partials(), [], kind)
            (self.folder / "out").rename(self.folder / f"done-{kind}")

    def test_what_may_be_of_the_living_stays(self) -> None:
        self.start("dcp")
        boot = dead_partials.owner_text().splitlines()[-1]
        for number, text in (("a0", None), ("a1", ""), ("a2", "host other\npid 7\nboot 0\n"), ("a3", "node 7\n")):
            path = self.folder / f".out.partial-{number}"
            path.mkdir()
            if text is not None:
                (path / "owner").write_text(text)
        (self.folder / "elsewhere").mkdir()
        (self.folder / "elsewhere" / "owner").write_text(f"{boot}\n")
        (self.folder / ".out.partial-a4").symlink_to("elsewhere")
        for name in (".out2.partial-a5", ".out.partial-xyz"):
            (self.folder / name).mkdir()
            (self.folder / name / "owner").write_text(f"{boot}\n")
        before = self.partials()
        self.assertEqual(len(before), 8)
        convert(options(self.source, self.folder / "out", to="dcp"))
        self.assertEqual(self.partials(), before)
        self.assertTrue((self.folder / "elsewhere" / "owner").exists())

    def test_without_locks_or_boots_nothing_goes(self) -> None:
        path = self.folder / ".out.partial-a0"
        path.mkdir()
        (path / "owner").write_text(dead_partials.owner_text())
        with mock.patch("fcntl.flock", side_effect=OSError(95, "Operation not supported")):
            dead_partials.sweep_dead(self.folder / "out")
        with mock.patch.object(dead_partials, "BOOT_ID", self.folder / "nowhere"):
            dead_partials.sweep_dead(self.folder / "out")
        self.assertTrue(path.exists())
        dead_partials.sweep_dead(self.folder / "out")
        self.assertFalse(path.exists())


if __name__ == "__main__":
    unittest.main()
