# SPDX-License-Identifier: Apache-2.0
"""JSON that is damaged or hostile is refused with the file and the reason, and nothing blocks."""

import os
import pathlib
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))
from shardmark_tools.results.json_document import NotReadable, read_json


class JsonDocumentTest(unittest.TestCase):
    def setUp(self) -> None:
        holder = tempfile.TemporaryDirectory()
        self.addCleanup(holder.cleanup)
        self.path = pathlib.Path(holder.name) / "x.json"

    def test_good(self) -> None:
        self.path.write_bytes('{"a": [1, -2.5, 1e-300, 18446744073709551615, "größe \\ud83d\\ude00"]}'.encode())
        self.assertEqual(read_json(self.path), {"a": [1, -2.5, 1e-300, 2**64 - 1, "größe \U0001f600"]})

    def test_refused(self) -> None:
        cases = {
            b"": "Expecting value", b'{"a": 1': "Expecting", b'{"a": NaN}': "NaN", b"[Infinity]": "Infinity",
            b"[1e999]": "1e999", b"[" + b"9" * 30 + b"]": "999", b"[" + b"9" * 9999 + b"]": "999",
            b"[18446744073709551616]": "18446744073709551616", b"[" * 200000: "nested too deep", b'["\xff"]': "UTF-8 from byte 2",
            b'["\\ud800"]': "surrogate", b"{} {}": "Extra data",
        }  # fmt: skip
        for text, message in cases.items():
            self.path.write_bytes(text)
            with self.assertRaisesRegex(NotReadable, f"x.json: .*{message}", msg=text[:40]):
                read_json(self.path)

    def test_only_regular_files(self) -> None:
        os.mkfifo(self.path)
        with self.assertRaisesRegex(NotReadable, "x.json: not a regular file"):
            read_json(self.path)
        with self.assertRaisesRegex(NotReadable, "not a regular file"):
            read_json(self.path.parent)
        with self.assertRaisesRegex(NotReadable, "gone: No such file"):
            read_json(self.path.parent / "gone")


if __name__ == "__main__":
    unittest.main()
