#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Job files: boxes and ranks come back from the file as they went in, regular ones as mesh and
placements; safetensors headers; the command."""

import itertools
import json
import os
import pathlib
import random
import struct
import subprocess
import sys
import tempfile
import unittest
from typing import Any

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))
from shardmark_tools.interpreter import ensure_modules

ensure_modules("numpy", status=77)

from shardmark_tools.job.box_cover import cover_problem
from shardmark_tools.job.dcp_job import job_from_dcp
from shardmark_tools.job.dcp_metadata import read_metadata
from shardmark_tools.job.job_file import (
    Job,
    JobError,
    JobObject,
    JobTensor,
    hash_names,
    ranks_of,
    read_job,
    runs_of,
    write_job,
)
from shardmark_tools.job.layout_fit import cells, fit_layout
from shardmark_tools.job.limits import Limits
from shardmark_tools.job.painted_boxes import painted
from shardmark_tools.job.safetensors_files import (
    SafetensorsError,
    job_from_safetensors,
    read_safetensors,
)

GOLDEN = pathlib.Path(__file__).resolve().parent / "golden"
COMMAND = pathlib.Path(__file__).resolve().parents[2] / "job"


CASES = [
    ((10, 6), (4,), ("S(0)",)), ((6, 10), (4,), ("S(1)",)), ((5, 3), (4,), ("S(0)",)),
    ((10, 6), (2, 2), ("R", "S(0)")), ((10, 6), (2, 2), ("S(0)", "R")), ((4,), (2, 3), ("R", "R")),
    ((18, 2), (4, 2), ("S(0)", "S(0)")), ((8, 6), (2, 3), ("S(0)", "S(1)")), ((), (8,), ("R",)),
    ((7, 5, 4), (2, 2, 2), ("S(1)", "R", "S(0)")), ((16, 2), (2, 4), ("S(0)", "S(0)")),
]  # fmt: skip


class LayoutTest(unittest.TestCase):
    def check(self, shape: Any, boxes: Any, holders: Any) -> None:
        layout = fit_layout(shape, boxes, holders)
        self.assertIsNotNone(layout, (shape, boxes, holders))
        self.assertIsNotNone(layout.first_rank, (shape, boxes, holders))
        self.assertEqual(cells(layout, shape), (boxes, holders), layout)
        painted_again = painted(
            shape, layout.mesh, layout.placements, layout.first_rank, layout.strides
        )
        self.assertEqual(painted_again, (boxes, holders), layout)

    def test_placements_are_found_again(self) -> None:
        for shape, mesh, placements in CASES:
            with self.subTest(f"{shape} {mesh} {placements}"):
                self.check(shape, *painted(shape, mesh, placements))

    def test_meshes_with_strides(self) -> None:
        # Tensor parallelism counts fastest, yet cuts first: what FSDP2 with TP holds.
        self.check((16, 2), *painted((16, 2), (2, 4), ("S(0)", "S(0)"), 5, (1, 2)))
        self.check((8,), *painted((8,), (4,), ("S(0)",), 3, (10,)))

    def test_ranks_without_a_rule(self) -> None:
        boxes, _ = painted((8,), (4,), ("S(0)",))
        holders = [(3,), (0,), (2,), (1,)]
        layout = fit_layout((8,), boxes, holders)
        self.assertIsNone(layout.first_rank)
        self.assertEqual(cells(layout, (8,)), (boxes, [()] * 4))

    def test_boxes_without_a_rule(self) -> None:
        boxes = [((0,), (1,)), ((1,), (7,))]
        self.assertIsNone(fit_layout((8,), boxes, [(0,), (1,)]))

    def test_same_rank_twice_is_no_mesh(self) -> None:
        boxes, _ = painted((8, 2), (2, 2), ("S(0)", "S(1)"))
        self.assertIsNone(fit_layout((8, 2), boxes, [(0,), (1,), (1,), (2,)]).first_rank)


def brute_cover(shape: Any, boxes: Any) -> Any:
    cells_of = [
        tuple(o + i for o, i in zip(offsets, index))
        for offsets, sizes in boxes
        for index in itertools.product(*map(range, sizes))
    ]
    return sorted(cells_of) == sorted(itertools.product(*map(range, shape)))


class CoverTest(unittest.TestCase):
    def test_against_painting(self) -> None:
        good = 0
        for number in range(3000):
            source = random.Random(number)
            shape = tuple(source.randint(1, 5) for _ in range(source.randint(1, 3)))
            boxes, rest = [], [((0,) * len(shape), shape)]
            while rest:  # cut at random, until pieces are kept
                offsets, sizes = rest.pop()
                d = source.randrange(len(shape))
                if sizes[d] == 1 or source.random() < 0.4:
                    boxes.append((offsets, sizes))
                    continue
                cut = source.randint(1, sizes[d] - 1)
                low, high, moved = list(sizes), list(sizes), list(offsets)
                low[d], high[d], moved[d] = cut, sizes[d] - cut, offsets[d] + cut
                rest += [(offsets, tuple(low)), (tuple(moved), tuple(high))]
            if source.random() < 0.3 and len(boxes) > 1:
                del boxes[source.randrange(len(boxes))]
            if source.random() < 0.3:
                boxes[0] = source.choice(boxes)[0], boxes[0][1]
            inside = all(
                o + s <= n for offsets, sizes in boxes for o, s, n in zip(offsets, sizes, shape)
            )
            if inside:
                boxes.sort()
                found = cover_problem(shape, boxes, Limits()) is None
                good += found
                self.assertEqual(found, brute_cover(shape, boxes), (number, shape, boxes))
        self.assertGreater(good, 500)


def a_job() -> Any:
    tensors = []
    for number, (shape, mesh, placements) in enumerate(CASES):
        boxes, holders = painted(shape, mesh, placements)
        writers = [ranks[-1] for ranks in holders]
        tensors.append(JobTensor(f"layer.{number}.w", "bfloat16", shape, boxes, holders, writers))
    boxes = [((0, 0), (2, 3)), ((2, 0), (1, 3))]
    tensors.append(JobTensor("listed", "int8", (3, 3), boxes, [(1, 5, 9), (2,)], [5, 2]))
    tensors.append(JobTensor("unknown", "int8", (3, 3), boxes, [(), ()], [None, None]))
    objects = [JobObject("step", 12, 3, (0, 1, 2, 3)), JobObject("rng", None, 1, (1,))]
    return Job({"kind": "record"}, 16, True, "listed", tensors, objects, ["a note"])


class JobFileTest(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.path = pathlib.Path(folder.name) / "job.json"

    def test_comes_back(self) -> None:
        job = a_job()
        self.assertEqual(write_job(job, self.path), self.path.stat().st_size)
        again = read_job(self.path)
        self.assertEqual(
            sorted(again.tensors, key=lambda t: t.fqn), sorted(job.tensors, key=lambda t: t.fqn)
        )
        self.assertEqual(again.objects, sorted(job.objects, key=lambda o: o.fqn))
        self.assertEqual((again.world_size, again.notes), (16, ["a note"]))
        self.assertEqual([p.name for p in self.path.parent.iterdir()], ["job.json"])

    def test_runs(self) -> None:
        for ranks in ([], [4], [0, 1, 2, 8, 6, 4, 4, 4], [None, None, 1, None]):
            self.assertEqual(ranks_of(runs_of(ranks)), ranks)
        self.assertEqual(runs_of(range(0, 64, 8)), [[0, 8, 8]])

    def test_golden_checkpoints(self) -> None:
        for path in sorted(p.parent for p in GOLDEN.glob("torch-*/.metadata")):
            job = job_from_dcp(read_metadata(path))
            write_job(job, self.path)
            again = read_job(self.path)
            self.assertEqual(job.replicas, "unknown")
            for before, after in zip(job.tensors, again.tensors, strict=True):
                self.assertEqual((before.boxes, before.holders), (after.boxes, after.holders))

    def test_regular_shards_take_little(self) -> None:
        world, count = 4096, 200
        boxes = [((2 * r, 0), (2, 8192)) for r in range(world)]
        holders = [(r,) for r in range(world)]
        tensors = [
            JobTensor(f"model.layers.{n}.mlp.up_proj.weight", "bfloat16", (2 * world, 8192), boxes, holders)
            for n in range(count)
        ]  # fmt: skip
        job = Job({"kind": "dcp"}, world, True, "unknown", tensors, [])
        self.assertLess(write_job(job, self.path) / count, 50e6 / 20_000)

    def test_hashed_names(self) -> None:
        job = a_job()
        before = [t.fqn for t in job.tensors]
        hash_names(job, b"salt")
        after = [t.fqn for t in job.tensors]
        self.assertFalse(set(before) & set(after))
        self.assertEqual(len(set(after)), len(after))
        write_job(job, self.path)
        self.assertNotIn("layer", self.path.read_text())
        other = a_job()
        hash_names(other, b"pepper")
        self.assertFalse(set(after) & {t.fqn for t in other.tensors})

    def test_other_files(self) -> None:
        for text, word in (
            ("[]", "format"), ("{", "no JSON"), ("[" * 100_000, "no JSON"), ("{}", "format"),
            ('{"format": "shardmark job", "version": 2}', "version 2"),
        ):  # fmt: skip
            self.path.write_text(text)
            with self.assertRaisesRegex(JobError, word):
                read_job(self.path)


def safetensors_bytes(header: Any, data: Any = b'') -> Any:
    text = json.dumps(header).encode() if isinstance(header, dict) else header
    return struct.pack("<Q", len(text)) + text + data


def entry(dtype: Any, shape: Any, first: Any, last: Any) -> Any:
    return {"dtype": dtype, "shape": shape, "data_offsets": [first, last]}


class SafetensorsTest(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def write(self, name: str, header: Any, data: Any = b'') -> Any:
        (self.folder / name).write_bytes(safetensors_bytes(header, data))
        return self.folder / name

    def test_one_file(self) -> None:
        header = {
            "__metadata__": None, "b": entry("BF16", [2, 3], 0, 12), "a": entry("F4", [4], 12, 14),
            "n": entry("I64", [], 14, 22), "z": entry("F32", [0, 3], 22, 22),
        }  # fmt: skip
        path = self.write("model.safetensors", header, bytes(22))
        found, notes = read_safetensors(self.folder)
        self.assertEqual([(t.fqn, t.dtype, t.shape) for t in found], [
            ("a", "float4_e2m1fn_x2", (2,)), ("b", "bfloat16", (2, 3)), ("n", "int64", ()),
            ("z", "float32", (0, 3))])  # fmt: skip
        self.assertEqual((found[1].byte_offset, notes), (path.stat().st_size - 22, []))
        job = job_from_safetensors(path)
        self.assertEqual((job.world_size, len(job.tensors)), (1, 4))

    def test_the_index_decides(self) -> None:
        self.write("p1.safetensors", {"a": entry("F32", [2], 0, 8), "h": entry("F32", [1], 8, 12)}, bytes(12))
        self.write("p2.safetensors", {"b": entry("F32", [2], 0, 8), "h": entry("F32", [1], 8, 12)}, bytes(12))
        index = {"weight_map": {"a": "p1.safetensors", "h": "p1.safetensors", "b": "p2.safetensors"}}
        path = self.folder / "model.safetensors.index.json"
        path.write_text(json.dumps(index))
        found, notes = read_safetensors(self.folder)
        self.assertEqual([(t.fqn, t.path.name) for t in found],
                         [("a", "p1.safetensors"), ("b", "p2.safetensors"), ("h", "p1.safetensors")])  # fmt: skip
        self.assertIn("p2.safetensors: 1 tensors", notes[0])
        index["weight_map"]["c"] = "p2.safetensors"
        path.write_text(json.dumps(index))
        with self.assertRaisesRegex(SafetensorsError, "'c' is not in p2"):
            read_safetensors(path)
        for name in ("../x", "", "..", "a\0", "\ud800", "x" * 256):
            path.write_text(json.dumps({"weight_map": {"a": name}}))
            with self.assertRaisesRegex(SafetensorsError, "no file beside"):
                read_safetensors(path)

    def test_parts_of_tensors_are_not_taken_for_whole_ones(self) -> None:
        """As torch's HuggingFaceStorageWriter writes each rank's."""
        info = json.dumps({"w": {"saved_offsets": [2, 0]}})
        metadata = {"DCP_SHARDING_INFO": info, "DCP_VERSION": "1.0", "format": "pt"}
        path = self.write("shard-00002-model-00001-of-00001.safetensors",
                          {"__metadata__": metadata, "w": entry("F32", [2, 1], 0, 8)}, bytes(8))  # fmt: skip
        for source in (path, self.folder):
            with self.assertRaisesRegex(SafetensorsError, f"^{path}: __metadata__ has 'DCP_SHARDING_INFO': .* expected whole"):
                job_from_safetensors(source)

    def test_an_index_has_its_limit(self) -> None:
        path = self.folder / "model.safetensors.index.json"
        with path.open("wb") as file:
            file.truncate((64 << 20) + 1)
        with self.assertRaisesRegex(SafetensorsError, "an index of more than 64 MiB"):
            read_safetensors(path)

    def test_damaged_files(self) -> None:
        good = entry("F32", [2], 0, 8)
        for header, word in (
            ({"a": entry("F32", [2], 0, 9)}, "leave"), ({"a": entry("F32", [3], 0, 8)}, "by shape"),
            ({"a": entry("F33", [2], 0, 8)}, "F33"), ({"a": entry("F32", [-2], 0, 8)}, "shape"),
            ({"a": good, "b": good}, "shares"), ({"a": 3}, "no object"), (b"{", "no JSON"),
            (b'{"a":{},"a":{}}', "twice"), (b"[" * 100_000, "no JSON"), (b"[1]      ", "other than"),
            ({"a": entry("F4", [3], 0, 8)}, "whole bytes"), ({"a": entry(["F32"], [2], 0, 8)}, "dtype"),
            ({"a": entry("F32", [1], 0, 4)}, "4 bytes behind the last"), ({}, "8 bytes behind the last"),
            ({"a": entry("F32", [1], 4, 8)}, "4 bytes before tensor 'a'"),
            ({"a": entry("I8", [2], 0, 2), "b": entry("F32", [1], 4, 8)}, "2 bytes before tensor 'b'"),
            ({"\ud800a": good}, r"x\.safetensors: name '.ud800a' is no UTF-8"), ({"x" * 60_001: good}, "60001 bytes"),
            ({"a": entry("F32", [1] * 9, 0, 4)}, "8 whole"), ({"a": entry("F32", [True], 0, 4)}, "shape"),
        ):  # fmt: skip
            with self.subTest(word=word, header=str(header)[:60]):
                path = self.write("x.safetensors", header, bytes(8))
                with self.assertRaisesRegex(SafetensorsError, word):
                    read_safetensors(path)
        path = self.write("x.safetensors", {"__metadata__": {"n": "[{" * 150_000}, "a": good}, bytes(8))
        with self.assertRaisesRegex(SafetensorsError, "300005 brackets in"):
            read_safetensors(path)
        path.write_bytes(struct.pack("<Q", 2**62) + b"{}")
        with self.assertRaisesRegex(SafetensorsError, "no safetensors"):
            read_safetensors(path)


class CommandTest(unittest.TestCase):
    def run_job(self, *arguments: Any) -> Any:
        return subprocess.run(
            [sys.executable, COMMAND, *map(str, arguments)], capture_output=True, text=True, check=False
        )

    def test_from_dcp(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            out = pathlib.Path(folder) / "job.json"
            done = self.run_job("from-dcp", GOLDEN / "torch-2.6-4", "--out", out)
            self.assertEqual((done.returncode, done.stderr), (0, ""))
            self.assertIn("at least 4 ranks", done.stdout)
            self.assertIn("copies of it are not known", done.stdout)
            plain = read_job(out)
            done = self.run_job("from-dcp", GOLDEN / "torch-2.6-4", "--out", out, "--hash-names")
            self.assertEqual(done.returncode, 0)
            self.assertTrue(read_job(out).hashed_names)
            self.assertEqual(len(read_job(out).tensors), len(plain.tensors))

    def test_names_that_cannot_be_of_a_file(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            for name, said in ((folder, f"{folder}: a directory, expected the name of a file"), ("", "--out: an empty name"),
                               (".", "error: .: a directory")):  # fmt: skip
                done = self.run_job("from-dcp", GOLDEN / "torch-2.6-4", "--out", name)
                self.assertEqual(done.returncode, 2)
                self.assertIn(said, done.stderr)
            done = self.run_job("from-dcp", GOLDEN / "torch-2.6-4", "--out", f"{folder}/job.json", "--memory", 0)
            self.assertIn("expected a number from 1", done.stderr)
            self.assertEqual(list(pathlib.Path(folder).iterdir()), [])

    def test_a_reader_that_has_gone(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            for words in (("from-dcp", GOLDEN / "torch-2.6-4", "--out", f"{folder}/job.json"), ("--help",)):
                read, write = os.pipe()
                os.close(read)
                # Unbuffered, so that say() itself meets it.
                done = subprocess.run([sys.executable, "-u", COMMAND, *map(str, words)], stdout=write, stderr=subprocess.PIPE, check=False)
                os.close(write)
                self.assertEqual((done.returncode, done.stderr), (141, b""))

    def test_what_is_no_checkpoint(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            done = self.run_job("from-dcp", folder, "--out", f"{folder}/job.json")
            self.assertEqual(done.returncode, 2)
            self.assertIn(".metadata", done.stderr)
            (pathlib.Path(folder) / ".metadata").write_bytes(b"cos\nsystem\n(X\x01\0\0\0atR.")
            done = self.run_job("from-dcp", folder, "--out", f"{folder}/job.json")
            self.assertEqual(done.returncode, 2)
            self.assertIn("'os.system' is not a name", done.stderr)
            self.assertFalse((pathlib.Path(folder) / "job.json").exists())


if __name__ == "__main__":
    unittest.main()
