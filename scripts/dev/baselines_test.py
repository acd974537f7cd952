# SPDX-License-Identifier: Apache-2.0
"""Baselines are made of clean runs, keep no path of a machine, and what is wrong with one is said."""

import pathlib
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from shardmark_tools.interpreter import ensure_modules

ensure_modules("numpy", "jsonschema", status=77)
import numpy as np

from shardmark_tools.results import synthetic_results as synthetic

BASELINES = pathlib.Path(__file__).with_name("baselines.py")


class BaselinesTest(unittest.TestCase):
    def setUp(self):
        holder = tempfile.TemporaryDirectory()
        self.addCleanup(holder.cleanup)
        self.root = pathlib.Path(holder.name)

    def baselines(self, *arguments):
        command = [sys.executable, BASELINES, "--folder", self.root / "baselines", *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    def run_of(self, name, **more):
        of = synthetic.context(command_line=["/somewhere/shardmark", "run", "quick", "--out", "/there/out"], **more)
        document = synthetic.make_run(np.random.default_rng(3), of=of, repetitions=2)
        folder = synthetic.write_run(self.root / name, document)
        (folder / "trace.json").write_text("{}")
        return folder

    def test_added_and_checked(self):
        self.assertEqual(self.baselines("check").returncode, 77)
        done = self.baselines("add", "quick", self.run_of("a"), self.run_of("b"))
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertEqual(self.baselines("check").returncode, 0)
        files = sorted(p.relative_to(self.root / "baselines") for p in (self.root / "baselines").rglob("*.json"))
        self.assertEqual([str(f) for f in files], [f"quick/000{i}/{n}.json" for i in (0, 1) for n in ("benchmark", "samples")])
        for path in files:
            self.assertNotIn("there", (self.root / "baselines" / path).read_text())
        self.assertEqual(self.baselines("add", "quick", self.root / "a").returncode, 2)

    def test_refused(self):
        for more, message in (({"build_type": "Debug"}, "expected Release"), ({"dirty": True}, "no commit has")):
            name = "-".join(more)
            done = self.baselines("add", name, self.run_of(f"run-{name}", **more))
            self.assertEqual(done.returncode, 1)
            self.assertIn(message, done.stdout)
        self.assertEqual(self.baselines("add", "none", self.root / "nowhere").returncode, 2)

    def test_two_kinds(self):
        """mixed-report: what is kept as one baseline is of one kind, and hosts and paths may differ."""
        config = '[storage]\ndirectory = "{}"\n'
        done = self.baselines("add", "one", self.run_of("a", config=config.format("x")),
                              self.run_of("b", config=config.format("/y"), hosts=["other"], config_hash="f" * 16))
        self.assertEqual(done.returncode, 0, done.stdout)
        for number, (more, message) in enumerate((({"config_hash": "f" * 16}, "config_hash"),
                                                  ({"hdf5": "1.14.5"}, "hdf5: 1.10.8 and 1.14.5"),
                                                  ({"cpu": "faster"}, "cpu"))):  # fmt: skip
            done = self.baselines("add", f"two{number}", self.run_of("c"), self.run_of("d", **more))
            self.assertEqual(done.returncode, 1)
            self.assertIn("not of one kind", done.stdout)
            self.assertIn(message, done.stdout)


if __name__ == "__main__":
    unittest.main()
