#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Files that are cut, damaged or hostile are refused by name; none ends the referee."""

import json
import os
import pathlib
import random
import shutil
import sys
import tempfile
import unittest
from collections.abc import Iterator
from typing import Any

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1]))
from shardmark_tools.referee import dlio_form, referee_output, verdict  # noqa: E402

SAMPLES = HERE / "samples"
WRONG = (None, True, -1, 0, 1e300, 1e-300, "", "x", "nan", "1e999", "\x1b[2J", [], [[]], {}, {"a": 1}, 10**400)
SEED = 20260101
Keys = tuple[Any, ...]


def leaves(value: Any, path: Keys = ()) -> Iterator[Keys]:
    """Paths to everything inside a document."""
    children = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, child in children:
        yield (*path, key)
        yield from leaves(child, (*path, key))


def replaced(document: Any, path: Keys, value: Any) -> Any:
    copy = json.loads(json.dumps(document))
    place = copy
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    return copy


class Hostile(unittest.TestCase):
    def setUp(self) -> None:
        temporary = tempfile.TemporaryDirectory(prefix="referee-")
        self.addCleanup(temporary.cleanup)
        self.folder = pathlib.Path(temporary.name) / "case"
        self.rng = random.Random(SEED)

    def copy(self, name: str) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)
        shutil.copytree(SAMPLES / name, self.folder)
        if name.startswith("dlio"):
            metadata = {"num_processes": 4, "model": "llama3-8b", "invocation_start_time": "2026-01-01T00:00:00",
                        "system_info": {"max_memory_bytes": 1e9},
                        "parameters": {"model": {"parallelism": {"zero_stage": 3}}}}  # fmt: skip
            dlio_form.write_json(self.folder / "checkpointing_x_metadata.json", metadata)

    def judge(self) -> verdict.Report:
        """The report, printed both ways: whatever the files hold, that works, and the JSON is strict."""
        report = verdict.referee([self.folder])
        text = referee_output.text(report)
        self.assertTrue(all(c.isprintable() or c == "\n" for c in text))
        json.dumps(referee_output.document(report), allow_nan=False)
        for error in report.errors:
            self.assertIn(str(self.folder), str(error))
        return report

    def names(self) -> list[str]:
        return sorted(path.name for path in self.folder.iterdir())

    def test_cut_anywhere(self) -> None:
        for sample in sorted(path.name for path in SAMPLES.iterdir() if path.is_dir()):
            self.copy(sample)
            for name in self.names():
                whole = (self.folder / name).read_bytes()
                for cut in sorted({0, 1, len(whole) - 2, *(self.rng.randrange(len(whole)) for _ in range(25))}):
                    (self.folder / name).write_bytes(whole[:cut])
                    report = self.judge()
                    if name.endswith(".json") and 1000 < cut < len(whole) - 2:
                        self.assertTrue(report.errors, f"{sample}/{name} cut at {cut}")
                (self.folder / name).write_bytes(whole)

    def test_any_value_may_be_anything(self) -> None:
        for sample in sorted(path.name for path in SAMPLES.iterdir() if path.is_dir()):
            self.copy(sample)
            for name in (name for name in self.names() if name.endswith(".json") and name != "elbencho.json"):
                whole = (self.folder / name).read_text()
                document = json.loads(whole)
                places = list(leaves(document))
                for path in self.rng.sample(places, min(len(places), 60)):
                    value = self.rng.choice(WRONG)
                    (self.folder / name).write_text(json.dumps(replaced(document, path, value)))
                    self.judge()
                (self.folder / name).write_text(whole)

    def test_any_bytes_may_be_others(self) -> None:
        for sample in sorted(path.name for path in SAMPLES.iterdir() if path.is_dir()):
            self.copy(sample)
            for name in self.names():
                whole = (self.folder / name).read_bytes()
                for _ in range(25):
                    damaged = bytearray(whole)
                    for _ in range(self.rng.randrange(1, 4)):
                        damaged[self.rng.randrange(len(damaged))] = self.rng.choice(b"0123456789-.,{}[]\":e \n\0\xff")
                    (self.folder / name).write_bytes(damaged)
                    self.judge()
                (self.folder / name).write_bytes(whole)

    def refused(self, name: str, content: bytes, expected: str) -> None:
        (self.folder / name).write_bytes(content)
        errors = [str(error) for error in self.judge().errors]
        self.assertEqual(len(errors), 1, errors)
        self.assertIn(expected, errors[0])

    def test_messages(self) -> None:
        self.copy("dlio-rank0-fast")
        name = "2_per_epoch_stats.json"
        self.refused(name, b"[" * 200_000, "nested too deeply")
        self.refused(name, b'{"1": {"save_ckpt1": {"duration": NaN}}}', "NaN is not a JSON number")
        self.refused(name, b'{"1": {"save_ckpt1": {"duration": -1, "throughput": 1}}}', "1.save_ckpt1.duration: found -1")
        self.refused(name, b"\xff\xfe", "not UTF-8")
        self.refused(name, b"PRUNED BY STAFF\n", "a placeholder")
        self.refused(name, b"{}{}", "not JSON")
        self.refused(name, b'{"one": {}}', "expected the number of an epoch")
        self.refused(name, b'{"%s": {}}' % (b"9" * 5000), "expected the number of an epoch")  # more than int() takes

    def test_what_is_no_file(self) -> None:
        self.copy("dlio-rank0-fast")
        (self.folder / "2_per_epoch_stats.json").unlink()
        os.mkfifo(self.folder / "2_per_epoch_stats.json")  # would block who opens it for reading
        self.assertIn("not a regular file", str(self.judge().errors[0]))
        (self.folder / "2_per_epoch_stats.json").unlink()
        (self.folder / "2_per_epoch_stats.json").symlink_to(self.folder / "2_per_epoch_stats.json")
        self.assertIn("symbolic links", str(self.judge().errors[0]))

    def test_too_large(self) -> None:
        self.copy("fio-grouped")
        with open(self.folder / "fio.json", "ab") as file:
            file.truncate(2**40)
        self.assertIn("expected at most", str(self.judge().errors[0]))

    def test_folders_in_folders(self) -> None:
        """A chain deeper than results are is not followed to its end."""
        shutil.rmtree(self.folder, ignore_errors=True)
        deep = self.folder.joinpath(*["d"] * 40)
        deep.mkdir(parents=True)
        (deep / "fio.json").write_text('{"fio version": 1')
        self.assertIn("no result in it or below it", str(self.judge().errors[0]))


if __name__ == "__main__":
    unittest.main()
