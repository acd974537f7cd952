#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Every script that starts the command, as somebody new would call it: all paths relative and with spaces in them, the
launcher, the command, the suite and the model too; then a second time for something else into the same folder.

Usage: new_user_command_test.py SHARDMARK [MPIEXEC]
"""

import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

SCRIPTS = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(SCRIPTS))
from shardmark_tools.interpreter import ensure_modules

ensure_modules("numpy", "scipy", "h5py", status=77)

SHARDMARK = pathlib.Path(sys.argv[1]).resolve()
MPIEXEC = shutil.which(sys.argv[2] if len(sys.argv) > 2 else "mpirun")
SUITE = """[model]
safetensors = "a model.safetensors"
scale = 1.0
optimizer = "adamw"
[parallel]
strategy = "fsdp"
[run]
ranks = 2
benchmarks = ["save", "load"]
repetitions = 2
warmup = 0
"""
BUILT = "../my build/shardmark"


class NewUser(unittest.TestCase):
    def setUp(self) -> None:
        holder = tempfile.TemporaryDirectory(prefix="a new user's ")
        self.addCleanup(holder.cleanup)
        self.here = pathlib.Path(holder.name) / "my work"
        build = pathlib.Path(holder.name) / "my build"
        for folder in (self.here, build):
            folder.mkdir()
        (build / "shardmark").symlink_to(SHARDMARK)
        (build / "mpirun").write_text(f'#!/bin/sh\nexec "{MPIEXEC}" "$@"\n')
        (build / "mpirun").chmod(0o755)
        header = {f"layers.{i}.weight": {"dtype": "F32", "shape": [64, 64], "data_offsets": [i << 14, (i + 1) << 14]} for i in range(4)}
        text = json.dumps(header).encode()
        (self.here / "a model.safetensors").write_bytes(len(text).to_bytes(8, "little") + text)
        (self.here / "a suite.toml").write_text(SUITE)

    def script(self, name: str, *words: str, status: tuple[int, ...] = (0,)) -> str:
        """What it printed, once it ended with one of these exit codes and without a traceback."""
        done = subprocess.run([str(SCRIPTS / name), *words], cwd=self.here, capture_output=True, text=True, timeout=500, check=False)
        shown = f"{name} {words}\n{done.stdout}{done.stderr}"
        self.assertIn(done.returncode, status, shown)
        self.assertNotIn("Traceback", shown)
        self.assertNotIn("a fault of this program", shown)
        if status == (2,):
            self.assertLessEqual(len(done.stderr.splitlines()), 6, shown)
        return done.stdout + done.stderr

    def test_sweep_and_what_reads_it(self) -> None:
        words = ("sweep", "a suite.toml", "--out", "my sweep", "--build", BUILT, "--ranks-per-node", "1,2")
        self.assertIn("2 cases", self.script(*words, "--dry-run", "--set", "model.safetensors=a model.safetensors"))
        self.script(*words, "--launcher", "../my build/mpirun")
        rows = [json.loads(path.read_text()) for path in (self.here / "my sweep" / "cases").glob("*/case.json")]
        self.assertEqual([row["status"] for row in rows], ["ok", "ok"], rows)
        self.script("report", "my sweep")
        self.assertTrue((self.here / "my sweep" / "report" / "report.html").is_file())
        self.script(*words, "--set", "storage.checksum=none", status=(2,))
        self.script(*words, "--set", "storage.checksum=none", "--overwrite", "--dry-run")
        case = f"my sweep/cases/{rows[0]['name']}"
        self.script("history", "--store", "my nights", "add", case)
        self.script("history", "--store", "my nights", "show")
        self.script("history", "--store", "my nights", "report", "--out", "my page")
        self.script("history", "--store", "my nights", "export", "--textfile", "my nights.prom")
        self.script("gate", case, case, "--markdown", "my gate.md", status=(0, 3))
        self.script("export-mlperf", case, "--out", "my form")
        self.script("referee", "my form", status=(0, 1))
        self.script("foretell", "my sweep", "--storage", "my storage.toml")
        self.assertTrue((self.here / "my storage.toml").read_text())
        other = f"my sweep/cases/{rows[1]['name']}"
        self.assertIn("ranks", self.script("gate", case, other, status=(2,)))

    def test_planner_scaling(self) -> None:
        words = ("planner-scaling", "a suite.toml", "--out", "my planners", "--build", BUILT, "--largest", "8", "--real", "",
                 "--repetitions", "1", "--planners", "tree,layout", "--predict", "64")  # fmt: skip
        self.script(*words)
        self.script("report", "my planners")
        self.script(*words, "--set", "planner.dedup=dcp", status=(2,))
        self.script(*words, "--set", "planner.dedup=dcp", "--overwrite")

    def test_interleaved_runs_and_steps_between_them(self) -> None:
        words = ("gate", "--interleave", "a suite.toml", "--out", "my pairs", "--a-build", BUILT, "--b-build", BUILT, "--launcher",
                 "../my build/mpirun", "--pairs", "1", "--pilot", "0")  # fmt: skip
        self.script(*words, status=(0, 1, 3))
        self.script(*words, "--b-set", "storage.checksum=none", status=(2,))
        self.script("bisect", "a suite.toml", "--by", "set", "--bad", "storage.o_direct=false", "--out", "my steps", "--build", BUILT,
                    "--launcher", "../my build/mpirun", "--benchmark", "save", "--most-pairs", "2", status=(0, 1, 3))  # fmt: skip

    def test_tune(self) -> None:
        words = ("tune", "a suite.toml", "--out", "my tuning", "--build", BUILT, "--launcher", "../my build/mpirun", "--most-pairs", "1",
                 "--json", "what it said.json")  # fmt: skip
        self.script(*words, status=(0, 1))
        said = json.loads((self.here / "what it said.json").read_text())
        self.assertEqual((self.here / "my tuning" / "tuned.toml").is_file(), bool(said["proposed"]), said)
        self.assertIn("storage.checksum", self.script(*words, "--set", "storage.checksum=none", status=(2,)))

    def test_torture(self) -> None:
        words = ("torture", "--dir", "my storage", "--shardmark", BUILT, "--launcher", "../my build/mpirun", "--kinds", "damages")
        self.assertIn("damages", self.script(*words, "--count", "2", "--seed", "1"))
        self.script(*words, "--shardmark", "not there", status=(2,))


if __name__ == "__main__":
    os.environ.setdefault("OMPI_ALLOW_RUN_AS_ROOT", "1")
    os.environ.setdefault("OMPI_ALLOW_RUN_AS_ROOT_CONFIRM", "1")
    unittest.main(argv=sys.argv[:1])
