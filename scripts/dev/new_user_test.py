#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Every script that reads results or checkpoints, as somebody new would call it: relative paths with spaces, folders
with saves only or loads only, results of another configuration, damaged and missing ones. Needs no build.

Refused is exit code 2 with the file named; nothing ever ends in a traceback.
"""

import json
import pathlib
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

from shardmark_tools.results import synthetic_results as synthetic

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
