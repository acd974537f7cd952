# SPDX-License-Identifier: Apache-2.0
"""Thresholds of one's own, and wrong ones."""

import pathlib
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))
from shardmark_tools.interpreter import ensure_modules

ensure_modules("numpy", "scipy", "jsonschema", status=77)

from shardmark_tools.gate.gate_fixture import GateCase
from shardmark_tools.gate.thresholds import read_thresholds
from shardmark_tools.results import vocabulary


class ThresholdsTest(GateCase):
    def test_thresholds(self) -> None:
        old, new = self.write("a"), self.write("b", factors={"save": 1.3})
        limits = self.root / "limits.toml"
        limits.write_text("[family.save]\nmin_effect = 0.5\nsame_within = 0.6\n")
        self.assertEqual(self.gate(old, new, "--thresholds", limits).returncode, 0)
        for text, message in (("[family.save]\nmin_efect = 0.5\n", "min_efect"), ("[family.cat]\n", "cat"),
                              ("[all]\nalpha = 2\n", "alpha"), ("[all]\nalpha = 1e-310\n", "alpha"), ("[all\n", "not TOML")):
            limits.write_text(text)
            done = self.gate(old, new, "--thresholds", limits)
            self.assertEqual(done.returncode, 2)
            self.assertIn(message, done.stderr)


class FamiliesTest(unittest.TestCase):
    def test_every_family_has_its_thresholds(self) -> None:
        self.assertLessEqual(set(vocabulary.FAMILIES), set(read_thresholds().families))


if __name__ == "__main__":
    unittest.main()
