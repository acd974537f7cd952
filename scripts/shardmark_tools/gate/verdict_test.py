# SPDX-License-Identifier: Apache-2.0
"""Verdicts and the phase that made them, on results with known laws."""

import pathlib
import sys
import unittest
from typing import Any

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))
from shardmark_tools.interpreter import ensure_modules

ensure_modules("numpy", "scipy", "jsonschema", status=77)

import numpy as np

from shardmark_tools.gate.gate_fixture import GateCase

from shardmark_tools.results import synthetic_results as synthetic
from shardmark_tools.results.result_checks import check_results


class VerdictTest(GateCase):
    def test_synthetic_results_satisfy_the_schema(self) -> None:
        problems, count = check_results(self.write("a", repetitions=2, slow_rank=1, slow=2.0))
        self.assertEqual(problems, [])
        self.assertEqual(count, 6)

    def test_same(self) -> None:
        code, rows = self.verdicts(self.write("a"), self.write("b"))
        self.assertEqual(code, 0)
        self.assertEqual({row["verdict"] for row in rows.values()}, {"same"})

    def test_slower_names_the_phase(self) -> None:
        code, rows = self.verdicts(self.write("a"), self.write("b", factors={"save": 1.3}))
        self.assertEqual(code, 1)
        self.assertEqual(rows["save"]["verdict"], "slower")
        self.assertEqual(rows["save"]["phase"], "write")
        self.assertEqual(rows["load"]["verdict"], "same")
        self.assertAlmostEqual(rows["save"]["ratio"], 1.3, delta=0.05)

    def test_the_phase_is_the_cause_and_not_the_wait_for_it(self) -> None:
        slow = {"slow_rank": 1, "slow": 1.6}
        code, rows = self.verdicts(self.write("a"), self.write("b", families=("save", "load", "plan"), **slow))
        self.assertEqual(code, 1)
        self.assertEqual(rows["save"]["phase"], "write")
        self.assertEqual(rows["plan"]["phase"], "global_plan")

    def test_faster(self) -> None:
        code, rows = self.verdicts(self.write("a"), self.write("b", factors={"load": 0.7}))
        self.assertEqual(code, 0)
        self.assertEqual(rows["load"]["verdict"], "faster")
        self.assertEqual(rows["load"]["phase"], "read")

    def test_too_few_repetitions(self) -> None:
        code, rows = self.verdicts(self.write("a", repetitions=4), self.write("b", repetitions=4,
                                                                              factors={"save": 2}))
        self.assertEqual(code, 3)
        self.assertEqual(rows["save"]["verdict"], "inconclusive")
        self.assertIn("too few", rows["save"]["reason"])

    def test_noise_is_inconclusive_and_says_what_would_do(self) -> None:
        code, rows = self.verdicts(self.write("a", noise=0.8), self.write("b", noise=0.8))
        self.assertEqual(code, 3)
        self.assertGreater(rows["save"]["needed_count"], 20)

    def test_a_save_that_waits_where_it_did_not(self) -> None:
        def background(document: dict[str, Any], share: float) -> dict[str, Any]:
            for sample in document["samples"]:
                if sample["family"] == "save":
                    sample["returned_s"] = share * sample["durable_s"]
            return document

        folders = [synthetic.write_run(self.root / name, background(synthetic.make_run(self.rng), share))
                   for name, share in (("a", 0.1), ("b", 1.0))]  # fmt: skip
        self.assertIn("(returned)", self.gate(*folders).stdout)
        code, rows = self.verdicts(folders[0], folders[1])
        self.assertEqual(code, 1)
        self.assertAlmostEqual(rows["save"]["ratio"], 10, delta=0.5)
        self.assertIsNone(rows["save"]["phase"])

    def test_the_same_folder(self) -> None:
        folder = self.write("a", noise=0.5)
        self.assertEqual(self.gate(folder, folder).returncode, 0)

    def test_runs_are_the_unit_when_there_are_enough(self) -> None:
        for side in "ab":
            for number in range(12):
                drift = float(np.exp(self.rng.normal(0, 0.01)))
                factors = {f: drift * (1.08 if side == "b" else 1.0) for f in ("save", "load", "plan")}
                self.write(f"{side}/{number:02d}", repetitions=5, factors=factors)
        code, rows = self.verdicts(self.root / "a", self.root / "b")
        self.assertEqual(code, 1)
        self.assertEqual({row["unit"] for row in rows.values()}, {"run"})
        self.assertEqual({row["verdict"] for row in rows.values()}, {"slower"})

    def test_interleaved_pairs_cancel_drift(self) -> None:
        (self.root / "interleaved.json").write_text('{"sides": ["a", "b"]}')
        drift = 1.0
        for number in range(20):
            drift *= float(np.exp(self.rng.normal(0, 0.3)))
            for side, slow in (("a", 1.0), ("b", 1.08)):
                factors = {f: drift * slow for f in ("save", "load", "plan")}
                self.write(f"{side}/{number:02d}", repetitions=5, factors=factors)
        code, rows = self.verdicts(self.root / "a", self.root / "b")
        self.assertEqual(code, 1)
        self.assertEqual({row["unit"] for row in rows.values()}, {"pair"})
        self.assertAlmostEqual(rows["load"]["ratio"], 1.08, delta=0.03)


if __name__ == "__main__":
    unittest.main()
