#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What adapters are found, what is said to them, and the pieces they move."""

import itertools
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

SCRIPTS = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(SCRIPTS))
from shardmark_tools.peers.engines import all_engines, engine_named, listing
from shardmark_tools.peers.fio import BLOCK, parts_of, piece_of
from shardmark_tools.peers.protocol import Part
from shardmark_tools.peers.torch_tensors import held_form, itemsize_of, unique_name
from shardmark_tools.refusal import Refused


class Listing(unittest.TestCase):
    def test_has_every_adapter_once(self) -> None:
        names = [engine.name for engine in all_engines()]
        self.assertEqual(len(names), len(set(names)))
        self.assertLessEqual({"dcp", "dcp-async", "fio", "fio-direct", "safetensors", "torch-save"}, set(names))
        self.assertEqual(engine_named("fio-direct").key, "fio")

    def test_says_what_is_missing_and_which_key_mends_it(self) -> None:
        rows = {row["name"]: row for row in listing({"fio": "/nowhere/fio", "dcp": "/bin/true"})}
        self.assertEqual(rows["fio"]["missing"], 'peers.fio = "/nowhere/fio" is no program')
        self.assertEqual(rows["fio-direct"]["missing"], rows["fio"]["missing"])
        self.assertEqual(rows["fio"]["program"], "")
        self.assertTrue(all(row["python"] for row in rows.values()))

    def test_takes_the_named_program(self) -> None:
        rows = {row["name"]: row for row in listing({"fio": "/bin/sh"})}
        self.assertEqual((rows["fio"]["program"], rows["fio"]["missing"]), ("/bin/sh", None))

    def test_a_python_without_the_modules_is_none(self) -> None:
        row = next(row for row in listing({"safetensors": "/bin/false"}) if row["name"] == "safetensors")
        self.assertEqual(row["missing"], 'peers.safetensors = "/bin/false" is no Python with safetensors and torch')

    def test_refuses_keys_of_no_engine(self) -> None:
        with self.assertRaisesRegex(Refused, "peers.fioo: no engine has this key, expected one of dcp, fio"):
            listing({"fioo": "x"})
        with self.assertRaisesRegex(Refused, "'none': expected one of dcp"):
            engine_named("none")


class Pieces(unittest.TestCase):
    def test_are_equal_whole_blocks_that_hold_all(self) -> None:
        for most, times in itertools.product((1 << 20, 16 << 20), (0, 1, 3, 32)):
            for num_bytes in (max(0, times * most - 5), times * most, times * most + 1, times * most + BLOCK + 1):
                self.check_pieces(num_bytes, most)

    def check_pieces(self, num_bytes: int, most: int) -> None:
        size, number = piece_of(num_bytes, most)
        self.assertEqual(size % BLOCK, 0)
        self.assertGreaterEqual(size * number, num_bytes)
        self.assertLess(size * number, num_bytes + number * BLOCK + BLOCK)
        self.assertLessEqual(size, most)

    def test_threads_have_all_of_them_once(self) -> None:
        for number, threads in itertools.product(range(1, 16), (1, 2, 4)):
            parts = parts_of(number, threads)
            self.assertEqual(len(parts), min(number, threads))
            self.assertEqual([piece for first, count in parts for piece in range(first, first + count)], list(range(number)))
            self.assertLessEqual(max(count for _, count in parts) - min(count for _, count in parts), 1)


class Tensors(unittest.TestCase):
    def test_are_held_as_every_pytorch_can(self) -> None:
        self.assertEqual([itemsize_of(d) for d in ("float8_e4m3fn", "bfloat16", "int64", "bool", "uint32")], [1, 2, 8, 1, 4])
        part = Part("w", "uint32", [8, 6], [4, 0], [4, 6])
        self.assertEqual(held_form(part, 4), Part("w", "uint8", [8, 24], [4, 0], [4, 24]))
        scalar = Part("s", "float32", [], [], [])
        self.assertEqual(held_form(scalar, 4), Part("s", "float32", [1], [0], [1]))
        plain = Part("w", "bfloat16", [8, 6], [4, 0], [4, 6])
        self.assertEqual(held_form(plain, 2), plain)
        self.assertEqual(unique_name(part), "w@4,0")


class Conversation(unittest.TestCase):
    """A rank of one operation, played as the command does it."""

    def play(self, engine: str, stay: bool, **request: object) -> list[dict[str, object]]:
        """What it says; `stay`: whether whoever asked waits for it."""
        with tempfile.TemporaryDirectory() as folder:
            said = {"operation": "save", "rank": 0, "ranks": 1, "nodes": 1, "program": "/bin/false", "directory": folder,
                    "num_bytes": 5000, "meeting": os.path.join(folder, "meeting"), "piece_bytes": 4096, "threads": 2,
                    "parts": [], **request}  # fmt: skip
            process = subprocess.Popen([sys.executable, SCRIPTS / "peer", "play", engine], stdin=subprocess.PIPE,
                                       stdout=subprocess.PIPE, text=True, start_new_session=True)  # fmt: skip
            assert process.stdin is not None and process.stdout is not None
            with process, process.stdin, process.stdout:
                process.stdin.write(json.dumps(said) + "\n")
                process.stdin.flush()
                if not stay:
                    process.stdin.close()
                return [json.loads(line) for line in process.stdout]

    def test_a_failure_is_told_and_is_no_traceback(self) -> None:
        said = self.play("fio", stay=True)
        self.assertEqual([each["state"] for each in said], ["failed"])
        self.assertIn("/bin/false ended with exit code 1", str(said[0]["reason"]))

    def test_ends_with_whoever_asked(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            slow = pathlib.Path(folder) / "slow"
            slow.write_text("#!/bin/sh\nexec sleep 60\n", encoding="ascii")
            slow.chmod(0o700)
            self.assertEqual(self.play("fio", stay=False, program=str(slow)), [])


if __name__ == "__main__":
    unittest.main()
