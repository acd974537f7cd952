# SPDX-License-Identifier: Apache-2.0
"""Tests of scripts/planner-scaling with a command that only pretends to plan: what is fitted, drawn and refused."""

import json
import pathlib
import subprocess
import sys
import tempfile
import unittest
import xml.etree.ElementTree as ElementTree
from typing import Any

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))
from shardmark_tools.interpreter import ensure_modules

ensure_modules("numpy", "scipy", status=77)

from shardmark_tools.planning.network_model import modelled_network_s

SCALING = pathlib.Path(__file__).resolve().parents[2] / "planner-scaling"
# Planning takes 2 ms and 10 us a rank, whatever the planner.
COMMAND = """#!/usr/bin/python3
import json, sys
words = sys.argv[1:]
world = int(words[words.index("--world") + 1]) if "--world" in words else 2
if "model.name=none" in words:
    sys.exit("shardmark: error: model.name: none is not in the catalog")
spread = lambda s: dict(min=s, mean=s, max=s, slowest_rank=0)
print(json.dumps(dict(world_size=world, num_bytes=1, bytes_per_rank=dict(max=1), items=world, metadata_bytes=10,
    bytes_gathered=100 * world, bytes_scattered=10 * world, gathered_by_level=[], first_s=2e-3 + 1e-5 * world,
    times_s={p: spread(1e-4) for p in ("hooks", "local_plan", "gather", "global_plan", "scatter")})))
"""


class PlannerScalingTest(unittest.TestCase):
    def setUp(self) -> None:
        holder = tempfile.TemporaryDirectory(prefix="with space ")
        self.addCleanup(holder.cleanup)
        self.root = pathlib.Path(holder.name)
        self.command = self.root / "shardmark"
        self.command.write_text(COMMAND)
        self.command.chmod(0o755)

    def scaling(self, *more: Any, launcher: Any = "true") -> Any:
        words = [SCALING, "--build", "./shardmark", "--launcher", launcher, "--real", "", *more]
        return subprocess.run(words, capture_output=True, text=True, check=False, cwd=self.root)

    def test_what_is_written(self) -> None:
        done = self.scaling("--out", "out", "--largest", "256", "--planners", "layout", "--predict", "1024",
                            "--repetitions", "2")  # fmt: skip
        self.assertEqual(done.returncode, 0, done.stderr)
        document = json.loads((self.root / "out" / "planner-scaling.json").read_text())
        self.assertEqual([p["world"] for p in document["points"]], [2**k for k in range(1, 9) for _ in range(2)])
        law = document["laws"]["layout"]["measured_s"]
        self.assertAlmostEqual(law["a"], 2e-3, delta=1e-4)
        self.assertAlmostEqual(law["b"], 1e-5, delta=1e-6)
        self.assertAlmostEqual(law["p"], 1.0, delta=0.02)
        self.assertRegex(done.stdout, r"layout +1024 +12\.2 ms")
        self.assertIn("no link was measured", done.stdout)
        drawn = ElementTree.fromstring((self.root / "out" / "planner-scaling.svg").read_text())
        marks = [float(mark.get("data-y") or 0) for mark in drawn.iter() if mark.get("data-y")]
        self.assertEqual(len(marks), 8)
        self.assertAlmostEqual(max(marks), 2e-3 + 256e-5)

    def test_relative_results_of_something_else_are_not_written_over(self) -> None:
        few = ("--out", "out", "--largest", "16", "--planners", "layout")
        self.assertEqual(self.scaling(*few).returncode, 0)
        before = (self.root / "out" / "planner-scaling.json").read_bytes()
        self.assertEqual(self.scaling(*few, "--largest", "8").returncode, 0)
        refused = self.scaling(*few, "--set", "model.scale=0.5")
        self.assertEqual(refused.returncode, 2)
        self.assertIn("is of planning\n  and planning model.scale=0.5 was asked for", refused.stderr)
        self.assertNotEqual((self.root / "out" / "planner-scaling.json").read_bytes(), before)
        self.assertEqual(self.scaling(*few, "--set", "model.scale=0.5", "--overwrite").returncode, 0)
        (self.root / "out" / "planner-scaling.json").write_text('{"config": 7, "points": []}')
        refused = self.scaling(*few)
        self.assertEqual(refused.returncode, 2)
        self.assertIn("config: expected string, found 7", refused.stderr)

    def test_bad_arguments(self) -> None:
        for more in (("--largest", "0"), ("--planners", ","), ("--predict", "x"), ("--set", "model.name=none"),
                     ("--build", "nowhere"), ("--check",), ("--budget", "nan")):  # fmt: skip
            done = self.scaling("--out", "bad", "--largest", "4", *more)
            self.assertEqual(done.returncode, 2, more)
            self.assertIn("error", done.stderr)
            self.assertNotIn("Traceback", done.stderr)
        self.assertEqual(self.scaling("--out", "bad", launcher="'x").returncode, 2)


class NetworkModelTest(unittest.TestCase):
    def test_against_sums_by_hand(self) -> None:
        link = {"latency_s": 1e-6, "bytes_per_s": 1e9}
        point: dict[str, Any] = {"world": 8, "planner": "coordinator", "bytes_gathered": 6000, "bytes_scattered": 4000,
                                 "gathered_by_level": []}  # fmt: skip
        self.assertIsNone(modelled_network_s(point, None))
        self.assertAlmostEqual(modelled_network_s(point, link) or 0.0, 14e-6 + 10e-6)
        silent = {**point, "bytes_gathered": 0, "bytes_scattered": 0}
        self.assertAlmostEqual(modelled_network_s(silent, link) or 0.0, 6e-6)
        levels = [{"largest_message_bytes": 1000}, {"largest_message_bytes": 3000}]
        tree = {**point, "planner": "tree", "gathered_by_level": levels}
        self.assertAlmostEqual(modelled_network_s(tree, link) or 0.0, 6e-6 + 4e-6 + 4e-6)


if __name__ == "__main__":
    unittest.main()
