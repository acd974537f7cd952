#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Every script that reads results or checkpoints, as somebody new would call it: relative paths with spaces, folders
with saves only or loads only, results of another configuration, damaged and missing ones. Needs no build.

Refused is exit code 2 with the file named; nothing ever ends in a traceback.
"""

import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest
from typing import Any

SCRIPTS = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(SCRIPTS))
from shardmark_tools.interpreter import ensure_modules

ensure_modules("numpy", "scipy", "h5py", "xxhash", "jsonschema", status=77)

import numpy as np

from shardmark_tools.job.job_file import read_job
from shardmark_tools.results import synthetic_results as synthetic

# What record.py uses of PyTorch: a module, its text. A save of one tensor in two halves, on two ranks that are one process.
TORCH = {
    "torch/__init__.py": "__version__ = '2.6.0'\nclass Tensor: pass\n",
    "torch/distributed/__init__.py": "",
    "torch/distributed/checkpoint.py": """
from types import SimpleNamespace as Made
class DefaultSavePlanner:
    state_dict, rank = {}, 0
    def create_local_plan(self):
        box = Made(offsets=(2 * self.rank, 0), sizes=(2, 3))
        data = Made(properties=Made(dtype="torch.float32"), size=(4, 3), chunk=box)
        self.rank += 1
        return Made(items=[Made(index=Made(fqn="a w"), tensor_data=data)])
    def create_global_plan(self, plans):
        return plans, None
""",
}
TRAINING = """
import os, record
planner = record.planner("my records/of a job.record")
os.chdir("/")
planner.create_global_plan([planner.create_local_plan() for _ in range(2)])
"""
BASELINE = SCRIPTS.parent / "results" / "baselines" / "quick-4-ranks"


class NewUser(unittest.TestCase):
    def setUp(self) -> None:
        holder = tempfile.TemporaryDirectory(prefix="a new user's ")
        self.addCleanup(holder.cleanup)
        self.here = pathlib.Path(holder.name)

    def script(self, status: int, name: str, *words: str) -> str:
        """What it printed, once it ended with that exit code and said what is wrong in at most six lines."""
        done = subprocess.run([str(SCRIPTS / name), *words], cwd=self.here, capture_output=True, text=True, timeout=300, check=False)
        shown = f"{name} {words}\n{done.stdout}{done.stderr}"
        self.assertEqual(done.returncode, status, shown)
        self.assertNotIn("Traceback", shown)
        self.assertNotIn("a fault of this program", shown)
        if status == 2:
            self.assertLessEqual(len(done.stderr.splitlines()), 6, shown)
        return done.stdout + done.stderr

    def results(self, name: str, *families: str, **context: Any) -> dict[str, Any]:
        of = synthetic.context(**context)
        document = synthetic.make_run(np.random.default_rng(7), of, 9, families=families or ("save", "load", "plan"))
        synthetic.write_run(self.here / name, document)
        return document

    def damaged(self, name: str, text: str) -> None:
        (self.here / name).mkdir()
        (self.here / name / "samples.json").write_text(text)

    def test_save_only_and_load_only(self) -> None:
        self.results("my saves", "save")
        self.results("my loads", "load")
        for name in ("my saves", "my loads"):
            self.script(0, "report", name)
            self.assertTrue((self.here / name / "report" / "report.html").is_file())
            self.script(0, "gate", name, name)
            self.script(0, "history", "--store", f"{name} kept", "add", name)
        self.script(2, "gate", "my saves", "my loads")

    def test_no_key_and_other_damage(self) -> None:
        document = self.results("sound")
        del document["samples"][0]["time_s"]
        self.damaged("no key", json.dumps(document))
        self.damaged("cut short", json.dumps(document)[:1000])
        self.damaged("not a number", json.dumps(document).replace('"num_bytes": 1073741824', '"num_bytes": NaN', 1))
        self.damaged("deep", "[" * 100_000)
        self.damaged("other version", json.dumps({**document, "schema_version": 99}))
        self.damaged("empty", "")
        for name in ("no key", "cut short", "not a number", "deep", "other version", "empty", "not there"):
            self.assertIn(name, self.script(2, "report", name))
            self.assertIn(name, self.script(2, "gate", "sound", name))
        for words in (("history", "--store", "s", "add"), ("compare-strategies", "--from"), ("export-mlperf", "--out", "x y")):
            self.assertIn("no key", self.script(2, *words, "no key"))

    def test_mixed_report_keeps_other_configurations_apart(self) -> None:
        self.results("all runs/one", config="[model]\nscale = 0.5\n", config_hash="1")
        self.results("all runs/two", config="[model]\nscale = 0.25\n", config_hash="2")
        self.script(0, "report", "all runs")
        self.assertIn("model.scale", (self.here / "all runs" / "report" / "report.md").read_text())
        self.assertIn("model.scale", self.script(2, "gate", "all runs/one", "all runs/two"))

    def test_baseline_report_is_written_elsewhere(self) -> None:
        before = sorted(BASELINE.rglob("*"))
        self.assertIn("runs/quick-4-ranks-report", self.script(0, "report", str(BASELINE)))
        self.assertEqual(sorted(BASELINE.rglob("*")), before)

    def test_markdown_names_do_not_act(self) -> None:
        document = self.results("marked up", "save")
        for sample in document["samples"]:
            sample["model"] = "<script>alert(1)</script>"
            sample["name"] = sample["name"].replace("tiny", "<script>alert(1)")
        synthetic.write_run(self.here / "marked up", document)
        self.script(0, "report", "marked up")
        for page in ("report.md", "report.html"):
            text = (self.here / "marked up" / "report" / page).read_text()
            self.assertNotIn("<script>", text)
            self.assertIn("&lt;script&gt;alert", text)

    def test_record_beside_a_training_script(self) -> None:
        """Copied there, with a relative record in a folder that is not there yet, by a training that changes its folder."""
        (self.here / "my training").mkdir()
        shutil.copy(SCRIPTS / "record.py", self.here / "my training")
        (self.here / "my training" / "train me.py").write_text(TRAINING)
        for name, text in TORCH.items():
            (self.here / "my torch" / name).parent.mkdir(parents=True, exist_ok=True)
            (self.here / "my torch" / name).write_text(text)
        done = subprocess.run([sys.executable, "-B", "my training/train me.py"], cwd=self.here, capture_output=True, text=True,
                              env={**os.environ, "PYTHONPATH": str(self.here / "my torch")}, timeout=60, check=False)  # fmt: skip
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.script(0, "job", "from-record", "my records/of a job.record", "--out", "a job.json")
        job = read_job(self.here / "a job.json")
        self.assertEqual([(t.fqn, t.shape, t.boxes, t.holders) for t in job.tensors],
                         [("a w", (4, 3), [((0, 0), (2, 3)), ((2, 0), (2, 3))], [(0,), (1,)])])  # fmt: skip
        alone = subprocess.run([sys.executable, "-I", "-B", "my training/record.py"], cwd=self.here, capture_output=True,
                               text=True, timeout=60, check=False)  # fmt: skip
        self.assertEqual((alone.returncode, alone.stderr), (0, ""))
        self.assertIn("Copy this one file beside a training script", alone.stdout)

    def test_relative_checkpoints_are_converted_and_described(self) -> None:
        header = json.dumps({"a w": {"dtype": "F32", "shape": [4, 2], "data_offsets": [0, 32]}}).encode()
        (self.here / "a model.safetensors").write_bytes(len(header).to_bytes(8, "little") + header + bytes(range(32)))
        self.script(0, "convert", "a model.safetensors", "made of it")
        self.script(0, "convert", "made of it", "for torch", "--to", "dcp")
        self.script(0, "job", "from-dcp", "for torch", "--out", "a job.json")
        self.script(0, "job", "from-safetensors", "a model.safetensors", "--out", "b job.json")
        self.assertIn("exists already", self.script(2, "convert", "made of it", "for torch", "--to", "dcp"))
        self.assertIn("made of it/.metadata", self.script(2, "job", "from-dcp", "made of it", "--out", "c"))
        for words in (("convert", "not there", "d"), ("job", "from-safetensors", "not there", "--out", "e"),
                      ("referee", "made of it"), ("referee", "not there"), ("sweep", "smoke", "--out", "f", "--launcher", "not there"),
                      ("planner-scaling", "--build", "not there", "--out", "g")):  # fmt: skip
            self.script(2, *words)


if __name__ == "__main__":
    unittest.main()
