# SPDX-License-Identifier: Apache-2.0
"""Names of others on a terminal, in a message and on a Markdown page."""

import pathlib
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))
from shardmark_tools.results import plain_text


class PlainTextTest(unittest.TestCase):
    def test_markdown_nothing_acts(self) -> None:
        """markdown: a name is shown as it is."""
        cases = {"<script>alert(1)</script>": "&lt;script&gt;alert(1)&lt;/script&gt;", "a|b": "a\\|b", "`x`": "\\`x\\`",
                 "**b**": "\\*\\*b\\*\\*", "[a](javascript:x)": "\\[a](javascript:x)", "# head": "\\# head",
                 "- point": "\\- point", "1. point": "1\\. point", "1.50": "1.50", "a\\b": "a\\\\b", "&amp;": "&amp;amp;",
                 "two\nlines": "two\\\\x0alines"}  # fmt: skip
        for name, expected in cases.items():
            self.assertEqual(plain_text.markdown(name), expected)

    def test_control_characters_are_shown(self) -> None:
        self.assertEqual(plain_text.one_line("\x1b[31mred\x07\n\x85\u202e\ud800\uffff"),
                         "\\x1b[31mred\\x07\\x0a\\x85\\x202e\\xd800\\xffff")

    def test_messages_are_short(self) -> None:
        text = plain_text.message_text("\n".join([f"line {i} {'x' * 300} end {i}" for i in range(9)]))
        lines = text.splitlines()
        self.assertEqual(len(lines), 6)
        self.assertEqual(lines[-1], "  and 4 lines more")
        for number, line in enumerate(lines[:-1]):
            self.assertEqual(len(line), 200)
            self.assertTrue(line.startswith(f"line {number} ") and line.endswith(f" end {number}"), line)

    def test_tables(self) -> None:
        self.assertEqual(plain_text.aligned_table(["a", "long"], [["xyz", "1"]]), ["a    long", "---  ----", "xyz  1"])
        self.assertEqual(plain_text.markdown_table(["a|", "b"], [["<x>", "1"]]),
                         ["| a\\| | b |", "| --- | --- |", "| &lt;x&gt; | 1 |"])


if __name__ == "__main__":
    unittest.main()
