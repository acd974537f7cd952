#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What is no TOML, or bounded by nothing, is refused; what is, is as Python reads it."""

import pathlib
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))
from shardmark_tools.results import toml_document


class TomlDocument(unittest.TestCase):
    def test_what_is_sound(self) -> None:
        self.assertEqual(toml_document.parse('a.b = 1\n[c]\nd = ["x.y"]\n'), {"a": {"b": 1}, "c": {"d": ["x.y"]}})

    def test_what_is_not(self) -> None:
        for text, word in (("a = ", "Invalid"), (".".join("a" * 20_000) + " = 1", "dots"), ("a = " + "[" * 20_000, "too deep"),
                           ("a = " + "9" * 5_000, "digits"), ("a = 1\na = 2", "overwrite"), ("#" * (17 << 20), "at most")):  # fmt: skip
            with self.assertRaisesRegex(ValueError, word):
                toml_document.parse(text)


if __name__ == "__main__":
    unittest.main()
