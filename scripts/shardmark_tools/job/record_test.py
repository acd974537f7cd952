#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What scripts/record.py recorded of saves by torch 1.13 and 2.6 on 4 processes: every rank's boxes are
those of mesh and placements, copies included, and the writers are those of DCP's checkpoint. Where PyTorch
is installed, a save is recorded here."""

import json
import pathlib
import subprocess
import sys
import tempfile
import unittest
from typing import Any

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))
from shardmark_tools.interpreter import ensure_modules, has_modules

ensure_modules("numpy", status=77)

from shardmark_tools.job.dcp_metadata import read_metadata
from shardmark_tools.job.held_elements import held_problems
from shardmark_tools.job.job_file import JobError, read_job, write_job
from shardmark_tools.job.limits import Limits
from shardmark_tools.job.painted_boxes import painted
from shardmark_tools.job.record_job import add_checkpoint, job_from_record

GOLDEN = pathlib.Path(__file__).resolve().parent / "golden"
SHARDED = {  # of make_dcp.py, by both
    "rows": ((10, 6), (4,), ("S(0)",)), "columns": ((6, 10), (4,), ("S(1)",)),
    "short": ((5, 3), (4,), ("S(0)",)), "fewer": ((3, 2), (4,), ("S(0)",)),
    "scalar": ((), (4,), ("R",)), "transposed": ((6, 4), (4,), ("R",)),
}  # fmt: skip
OF_MESHES = {  # by 2.6 only
    "hybrid": ((10, 6), (2, 2), ("R", "S(0)")), "grid": ((8, 6), (2, 2), ("S(0)", "S(1)")),
    "nested": ((18, 2), (2, 2), ("S(0)", "S(0)")), "replicated": ((4, 4), (4,), ("R",)),
    "strided": ((16, 2), (2, 2), ("S(0)", "S(0)"), 0, (1, 2)),
}  # fmt: skip


class RecordTest(unittest.TestCase):
    def check(self, job: Any, checkpoint: Any, sharded: Any, prefix: Any) -> None:
        found = {tensor.fqn: tensor for tensor in job.tensors}
        for fqn, case in sharded.items():
            tensor = found[prefix + fqn]
            self.assertEqual((tensor.boxes, tensor.holders), painted(*case), fqn)
        for tensor in job.tensors:
            for holders, writer in zip(tensor.holders, tensor.writers):
                self.assertIn(writer, holders, tensor.fqn)
        add_checkpoint(job, checkpoint)
        for entry in job.objects:
            self.assertEqual(entry.num_bytes, checkpoint.objects[entry.fqn].num_bytes)
            self.assertEqual(entry.holders, (0, 1, 2, 3))
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "job.json"
            write_job(job, path)
            again = read_job(path)
        by_name = sorted(job.tensors, key=lambda tensor: tensor.fqn)
        self.assertEqual([t.holders for t in again.tensors], [t.holders for t in by_name])

    def test_torch_2(self) -> None:
        job = job_from_record(GOLDEN / "torch-2.6-4.record", Limits())
        self.check(job, read_metadata(GOLDEN / "torch-2.6-4"), SHARDED | OF_MESHES, "model.")

    def test_torch_1(self) -> None:
        job = job_from_record(GOLDEN / "torch-1.13-4.record", Limits())
        self.check(job, read_metadata(GOLDEN / "torch-1.13-4"), SHARDED, "")

    def test_meshes(self) -> None:
        """FSDP2, HSDP, tensor parallelism, both, pipeline stages and copies, with optimizers, by torch 2.6: against mesh and
        placements by brute force, and against what lay in each rank's memory."""
        folder = GOLDEN / "meshes-2.6-4"
        job = job_from_record(folder / "job.record", Limits())
        add_checkpoint(job, read_metadata(folder))
        problems, compared = held_problems(job, folder / "held.json")
        self.assertEqual((problems, compared), ([], 4 * len(job.tensors)))
        self.assertGreater(len(job.tensors), 100)
        held = json.loads((folder / "held.json").read_text())
        kinds = {placement[0] for tensors in held["ranks"] for t in tensors for placement in t["placements"]}
        self.assertEqual((kinds, held["conform"]), ({"R", "S", "SS"}, []))
        rows = next(tensor for tensor in job.tensors if tensor.fqn == "fsdp.model.0.weight")
        rows.holders[1], rows.holders[2] = rows.holders[2], rows.holders[1]
        self.assertEqual(len(held_problems(job, folder / "held.json")[0]), 2)

    def test_rules_over_hooks(self) -> None:
        said = json.loads((GOLDEN / "torch-2.6-4.said.json").read_text())
        self.assertEqual(said["good"], [])
        expected = {"overlap": "overlaps", "hole": "14 of 16", "bounds": "leaves", "list": "chunk list",
                    "copy": "a copy", "short view": "has shape"}  # fmt: skip
        for name, word in expected.items():
            lines = [line for line in said["bad"] if f"'{name}'" in line]
            self.assertTrue(lines and all(word in line for line in lines), (name, lines))
        self.assertFalse([line for line in said["bad"] if "'good'" in line])

    def test_another_save(self) -> None:
        job = job_from_record(GOLDEN / "torch-2.6-4.record", Limits())
        with self.assertRaisesRegex(JobError, "not the same tensor|boxes or writers differ"):
            add_checkpoint(job, read_metadata(GOLDEN / "torch-2.6-2"))

    def test_damaged_records(self) -> None:
        lines = (GOLDEN / "torch-2.6-4.record").read_text().splitlines()
        box = '{"fqn":"a","dtype":"int8","shape":[4],"boxes":[[[0,4],[[0,1,0]],0]]}'
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "job.record"
            for line, word in (
                (box.replace("[0,4]", "[0,3]"), "3 of 4"), (box.replace("[0,4]", "[1,4]"), "leaves"),
                (box.replace("[0,1,0]", "[4,1,0]"), "ranks"), (box.replace("[0,1,0]", "[0,9,1]"), "more ranks"),
                (box.replace("int8", "int9"), "int9"), (box.replace("boxes", "box"), "KeyError"), ("[", "no JSON"),
                (box.replace('"a"', "7"), "a name of kind int"), (box.replace('"a"', '"\\ud800a"'), "ud800a' is no UTF-8"),
                (box.replace('"a"', f'"{"x" * 60_001}"'), "60001 bytes"), (box.replace("]],0]", ']],"x"]'), "writer x"),
                (box.replace("]],0]", "]],4]"), "writer 4"), (box.replace("]],0]", "]],true]"), "writer True"),
                (box.replace("[0,1,0]", "[0,1000000000,0],[0,-1000000000,0],[1,1,0]"), "ascending"),
                (box.replace("[0,1,0]", "[0,1000000000,1]"), "more ranks"), (box.replace("[0,1,0]", "[0,0,0]"), "ascending"),
                (box.replace("[0,1,0]", "[1,1,0],[0,1,0]"), "ascending"), (box.replace("[0,1,0]", "[0,1]"), "first, count, step"),
                (box.replace("[[0,1,0]]", "[]"), "no list of ranks"), (box.replace("[4]", "{}"), "shape"),
                (box.replace("[4]", f"[{2**64}]"), "whole"), (box.replace("[4]", f"[{2**62},4]"), "2^63".replace("^", r"\^")),
                (box.replace('"int8"', "[]"), "TypeError"),
                ('{"fqn":"o","holders":[[0,1,0]],"writer":"x"}', "writer x"),
                ('{"fqn":"\\udfff","holders":[[0,1,0]],"writer":0}', "is no UTF-8"),
            ):  # fmt: skip
                path.write_text(f"{lines[0]}\n{line}\n")
                with self.assertRaisesRegex(JobError, word):
                    job_from_record(path, Limits())
            head = json.loads(lines[0])
            for change, word in (({"world_size": 10**12}, "world_size: expected 1 to"), ({"world_size": 0}, "world_size"),
                                 ({"torch": "\ud800"}, "torch is no UTF-8")):  # fmt: skip
                path.write_text(json.dumps({**head, **change}) + "\n")
                with self.assertRaisesRegex(JobError, f"line 1: {word}"):
                    job_from_record(path, Limits())
            path.write_text(f"{lines[0]}\n{box}\n")
            self.assertEqual(job_from_record(path, Limits()).tensors[0].holders, [(0,)])
            path.write_text(lines[1])
            with self.assertRaisesRegex(JobError, "expected 'shardmark record'"):
                job_from_record(path, Limits())

    @unittest.skipUnless(has_modules(sys.executable, ["torch"]), "PyTorch is not installed")
    def test_live(self) -> None:
        with tempfile.TemporaryDirectory() as name:
            done = subprocess.run(
                [sys.executable, GOLDEN / "record_dcp.py", "2", name], check=False,
                capture_output=True, text=True,
            )  # fmt: skip
            self.assertEqual(done.returncode, 0, done.stderr[-2000:])
            folder = pathlib.Path(name)
            job = job_from_record(folder / "job.record", Limits())
            add_checkpoint(job, read_metadata(folder / "checkpoint"))
            rows = next(t for t in job.tensors if t.fqn.endswith("rows"))
            self.assertEqual((rows.boxes, rows.holders), painted((10, 6), (2,), ("S(0)",)))
            self.assertEqual(json.loads((folder / "said-1.json").read_text())["good"], [])


if __name__ == "__main__":
    unittest.main()
