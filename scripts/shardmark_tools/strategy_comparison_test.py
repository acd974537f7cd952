#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The comparison of strategies on samples whose right answer is known."""

import json
import pathlib
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
from shardmark_tools import strategy_comparison as comparison  # noqa: E402

CONFIG = """\
[run]
benchmarks = ["hooks", "plan", "save", "load"]

[sweep]
"parallel.strategy" = ["slow", "fast"]
"""


def sample(family, strategy, repetition, seconds, metrics=None, **more):
    return {"family": family, "strategy": strategy, "repetition": repetition, "time_s": seconds,
            "returned_s": seconds, "durable_s": seconds, "num_bytes": 100, "metrics": metrics or {},
            "error": None, "skipped": None, "case": more}  # fmt: skip


def documents(slow_save, fast_save):
    """Seconds of the rounds of two strategies; every other number is fixed."""
    context = {"config": CONFIG, "suite": "made", "ranks": 4, "nodes": 1, "filesystem": {"type": "ext4"}}
    first, second = [], []
    for strategy, saves in (("slow", slow_save), ("fast", fast_save)):
        for r, seconds in enumerate(saves):
            for hook in (0.25, 0.5, 0.25):
                first.append(sample("hooks", strategy, r, hook))
            first.append(sample("plan", strategy, r, 2.0, {"items": 7}))
            first.append(sample("plan", strategy, r, 9.0))  # of a load
            first.append(sample("save", strategy, r, seconds, {"imbalance": 1.5, "metadata_bytes": 10}))
            first.append(sample("load", strategy, r, 3.0 + r / 10))
            for saved in ("slow", "fast"):
                times = 4.0 if saved == strategy else 5.0
                second.append(sample("reshard", strategy, r, times + r, {"amplification": 1.0},
                                     saved_strategy=saved))  # fmt: skip
    first.append({**sample("save", "fast", 9, 1e-9), "error": {"message": "broken"}})
    return {"context": context, "samples": first}, {"context": context, "samples": second}


class StrategyComparison(unittest.TestCase):
    def test_rows(self):
        result = comparison.compare(*documents([8, 9, 10], [1, 2, 3]))
        slow, fast = result["rows"]
        self.assertEqual((slow["strategy"], fast["strategy"]), ("slow", "fast"))
        self.assertEqual(fast["durable_s"]["median"], 2)  # the failed sample is left out
        self.assertEqual(fast["hooks_s"]["median"], 1.0)
        self.assertEqual((fast["plan_s"]["median"], fast["items"]), (2.0, 7))
        self.assertEqual((fast["imbalance"], fast["metadata_bytes"]), (1.5, 10))
        self.assertEqual(fast["reshard_worst_to"], "slow")
        self.assertEqual(fast["reshard_worst_s"]["median"], 6.0)
        self.assertAlmostEqual(fast["reshard_worst_ratio"]["median"], 6 / 5)

    def test_advice_names_a_leader_only_where_intervals_part(self):
        clear = comparison.compare(*documents([8, 9, 10], [1, 2, 3]))["advice"]
        self.assertIn("fast is the fastest to save durably", clear[0])
        self.assertIn("78% less than slow", clear[0])
        self.assertIn("No clear difference in the time to load cold", clear[1])
        self.assertIn("Choose fast: ", clear[-1])
        level = comparison.compare(*documents([1, 2, 10], [1, 2, 3]))["advice"]
        self.assertIn("No clear difference in the time to save durably", level[0])
        self.assertIn("No clear difference between slow, fast", level[-1])

    def test_interval_of_the_median(self):
        self.assertEqual(comparison.median_interval([5, 1, 3]), (1, 5))
        # Binomial: of 15 values the 4th and the 12th are the known 95 % interval.
        self.assertEqual(comparison.median_interval(list(range(1, 16))), (4, 12))
        self.assertEqual(comparison.median_interval(list(range(1, 10))), (2, 8))

    def test_matrix_configuration(self):
        text = comparison.reshard_config(CONFIG)
        self.assertIn('benchmarks = ["reshard"]', text)
        self.assertIn('[sweep]\n"reshard.saved_strategy" = ["slow", "fast"]\n"parallel.strategy"', text)
        with self.assertRaisesRegex(ValueError, "nothing to compare"):
            comparison.reshard_config("[run]\n")

    def test_files(self):
        result = comparison.compare(*documents([8, 9, 10], [1, 2, 3]))
        with tempfile.TemporaryDirectory() as name:
            directory = pathlib.Path(name)
            comparison.write(result, directory)
            self.assertEqual(json.loads((directory / "comparison.json").read_text())["ranks"], 4)
            lines = (directory / "comparison.csv").read_text().splitlines()
            self.assertEqual(lines[2].split(",")[:3], ["fast", "1.5", "7"])
            self.assertIn("| slow | 1.500 | 7 | 10 |", (directory / "comparison.md").read_text())
        self.assertIn("save durable", comparison.text(result))
        with self.assertRaisesRegex(ValueError, "absent"):
            comparison.read_samples("absent/samples.json")


if __name__ == "__main__":
    unittest.main()
