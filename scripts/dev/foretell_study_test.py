#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What scripts/dev/foretell_study says of results with known laws; it measures nothing here."""

import pathlib
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from shardmark_tools.interpreter import ensure_modules

ensure_modules("numpy", "scipy", "jsonschema", status=77)
import numpy

from shardmark_tools.results import synthetic_results as synthetic

STUDY = pathlib.Path(__file__).resolve().parent / "foretell_study"
SIZES = (1, 1.5, 2, 3, 4, 6, 8, 36)


class Judgement(unittest.TestCase):
    def setUp(self) -> None:
        scratch = tempfile.TemporaryDirectory()
        self.addCleanup(scratch.cleanup)
        self.directory = pathlib.Path(scratch.name)

    def plant(self, name: str, series: int, noise: float = 0.02, slow: int = 0) -> None:
        """`slow` of the series take three times as long at their largest size as their law has it."""
        draw, samples = numpy.random.default_rng(7), []
        for number in range(series):
            for size in SIZES:
                for repetition in range(3):
                    factor = 3 if number < slow and size == SIZES[-1] else 1
                    seconds = factor * (0.05 + 0.1 * size) * float(numpy.exp(draw.normal(0, noise)))
                    label = f"save/m{number}/fsdp/shared-direct/nodes:1/ranks:2/model.scale:{size}"
                    samples.append(synthetic.sample("save", label, synthetic.context(), seconds, repetition, len(samples),
                                                    num_bytes=int(size * (1 << 20)), case={"backend": "hdf5"}))  # fmt: skip
        document = synthetic.make_run(draw, repetitions=1)
        document["samples"] = samples
        synthetic.write_run(self.directory / name, document)

    def judge(self, *options: str) -> tuple[int, str]:
        command = [sys.executable, str(STUDY), str(self.directory), "--judge", *options]
        ran = subprocess.run(command, capture_output=True, text=True, check=False)
        self.assertEqual(ran.stderr, "")
        return ran.returncode, ran.stdout

    def test_laws_that_hold_are_found_to_hold(self) -> None:
        self.plant("layouts", 40)
        self.plant("hosts-layouts", 24)
        status, text = self.judge()
        self.assertEqual(status, 0, text)
        self.assertIn("of 64 points", text)
        self.assertNotIn("FAILED", text)

    def test_ten_slow_points_are_too_many(self) -> None:
        self.plant("layouts", 64, slow=10)
        status, text = self.judge()
        self.assertEqual(status, 1, text)
        self.assertGreaterEqual(text.count("  outside\n"), 10)
        self.assertRegex(text, "FAILED: [45][0-9] of 64 points")

    def test_intervals_that_are_too_wide_are_not_good(self) -> None:
        self.plant("layouts", 64, noise=0.3)
        status, text = self.judge()
        self.assertEqual(status, 1, text)
        self.assertIn("FAILED: half an interval", text)

    def test_fewer_than_60_points_decide_nothing(self) -> None:
        self.plant("layouts", 59)
        self.plant("modes", 20)
        status, text = self.judge("--sets", "layouts")
        self.assertEqual(status, 77, text)
        self.assertIn("59 points; expected at least 60", text)
        self.assertEqual(self.judge()[0], 0)

    def test_what_cannot_be_read_is_named_and_the_rest_is_judged(self) -> None:
        self.plant("layouts", 64)
        self.plant("modes", 1)
        (self.directory / "modes" / "samples.json").write_text("{}", encoding="utf-8")
        status, text = self.judge()
        self.assertEqual(status, 1, text)
        self.assertIn("FAILED: no results of modes", text)
        self.assertIn("of 64 points", text)

    def test_an_empty_folder_has_no_point(self) -> None:
        self.assertEqual(self.judge()[0], 77)


if __name__ == "__main__":
    unittest.main()
