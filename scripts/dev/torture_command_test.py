#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""`shardmark torture` as people start it: anywhere, in folders of any name, interrupted; and a command that accepts
anything, or forgets an fsync, is found out.

Usage: torture_command_test.py SHARDMARK INTERPOSED_LIBRARY
"""

import json
import os
import pathlib
import random
import signal
import subprocess
import sys
import tempfile
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from shardmark_tools.launch.launching import Launcher  # noqa: E402
from shardmark_tools.torture.power_trial import DIRECTORY, PowerTrial  # noqa: E402
from shardmark_tools.torture.site import Site  # noqa: E402
from shardmark_tools.torture.storage_model import File, Folder  # noqa: E402

SHARDMARK, LIBRARY = map(os.path.abspath, sys.argv[1:3])
SCRIPT = pathlib.Path(__file__).resolve().parents[1] / "torture"
LIMIT_S = 200
KEYS = {"kind", "layout", "tried", "found", "harmless", "silent", "crashed", "hung", "lost"}
BAD = ("silent", "crashed", "hung", "lost")
# Passes on all but what judges, which is always content.
ACCEPTS_ALL = f"""#!/bin/sh
case "$*" in *--verify*) exit 0 ;; esac
exec "{SHARDMARK}" "$@"
"""


def alive_with(variable: str) -> set[int]:
    """Processes that were started with it, by whomever."""
    found = set()
    for path in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            if variable.encode() in (path / "environ").read_bytes().split(b"\0"):
                found.add(int(path.name))
        except OSError:
            continue
    return found


class TortureCommand(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory(prefix="shardmark-torture-")
        self.addCleanup(folder.cleanup)
        self.root = pathlib.Path(folder.name)

    def torture(self, *words: str, program: tuple[str, ...] = (SHARDMARK, "torture")) -> subprocess.CompletedProcess[str]:
        return subprocess.run([*program, *words], cwd=self.root, capture_output=True, text=True, timeout=LIMIT_S, check=False)

    def test_a_relative_directory_with_blanks_is_made_and_removed(self) -> None:
        done = self.torture("--dir", "a new place", "--quick", "--count", "2", "--kinds", "damages,power-loss", "--seed", "5", "--json")
        self.assertEqual(done.returncode, 0, done.stderr)
        document = json.loads(done.stdout)
        self.assertEqual({row["kind"] for row in document["kinds"]}, {"damages", "power-loss"})
        for row in document["kinds"]:
            self.assertLessEqual(KEYS, set(row))
            self.assertEqual(row["tried"], row["found"] + row["harmless"])
        self.assertEqual(document["not_tried"], [])
        self.assertIn("MiB", done.stderr)
        self.assertEqual(list(self.root.iterdir()), [])

    def test_what_accepts_everything_is_silent(self) -> None:
        wrapper = self.root / "shardmark"
        wrapper.write_text(ACCEPTS_ALL)
        wrapper.chmod(0o755)
        done = self.torture("--dir", "d", "--kinds", "damages,power-loss", "--count", "damages=5,power-loss=3", "--json",
                            "--seed", "1", "--shardmark", str(wrapper), "--library", LIBRARY, program=(str(SCRIPT),))  # fmt: skip
        self.assertEqual(done.returncode, 1, done.stderr)
        rows = json.loads(done.stdout)["kinds"]
        self.assertGreater(sum(row["silent"] for row in rows if row["kind"] == "damages"), 0, done.stdout)

    def test_a_save_without_one_of_its_syncs_is_found_out(self) -> None:
        """Real records, from which the fsyncs of files, of the step's folder, or of the folder that it is renamed in are taken."""
        site = Site(self.root, pathlib.Path(SHARDMARK), Launcher.make("mpirun"), pathlib.Path(LIBRARY))
        site.prepare()
        self.addCleanup(site.end_everything)
        form = next(form for form in site.forms if form.name == "per-rank")
        planted = {
            "no fsync of files": lambda storage, node: isinstance(node, File),
            "no fsync of the step's folder": lambda storage, node: isinstance(node, Folder) and "COMMIT" in node.entries(),
            "no fsync after the rename": lambda storage, node: node is storage.find(f"{storage.root}/{DIRECTORY}"),
            "nothing": lambda storage, node: False,
        }
        trial = PowerTrial(site)
        recording = trial.record(form, "direct", False)
        assert not isinstance(recording, str), recording
        trial.recordings.update({(form.name, io, later): recording for io in form.io_modes for later in (False, True)})
        whole = [(node, list(node.syncs)) for node in recording.storage.nodes]
        for name, takes in planted.items():
            recording.seen.clear()
            for node, syncs in whole:
                node.syncs[:] = [] if takes(recording.storage, node) else syncs
            endings = set()
            for turn in range(120):
                verdict = trial.attack(form, 0, random.Random(turn))
                endings |= {verdict.ending} if verdict else set()
                if endings & set(BAD):
                    break
            with self.subTest(name):
                self.assertEqual(bool(endings & set(BAD)), name != "nothing", endings)

    def test_refusals_are_one_message(self) -> None:
        for words in (("--dir", "no/parent"), ("--dir", "d", "--kinds", "floods"), ("--dir", "d", "--count", "x"),
                      ("--dir", "d", "--launcher", "/no/launcher")):  # fmt: skip
            done = self.torture(*words, "--json")
            self.assertEqual(done.returncode, 2, done.stderr)
            self.assertEqual(json.loads(done.stdout)["error"]["code"], 2)
            self.assertEqual(sum(line.startswith("shardmark: error:") for line in done.stderr.splitlines()), 1, done.stderr)
        self.assertEqual(list(self.root.iterdir()), [])

    def test_an_interruption_leaves_nothing_and_is_gone_on_with(self) -> None:
        mine = f"SHARDMARK_TORTURE_TEST={self.root}"
        job = subprocess.Popen([SHARDMARK, "torture", "--dir", str(self.root / "d"), "--kinds", "damages,kills", "--count", "500",
                                "--seed", "3", "--json"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                               env={**os.environ, "SHARDMARK_TORTURE_TEST": str(self.root)})  # fmt: skip
        deadline = time.monotonic() + LIMIT_S
        while len(list(self.root.glob("d/.shardmark-torture-*/*/saved/step-*"))) < 3 and time.monotonic() < deadline:
            time.sleep(0.02)
        self.assertGreater(len(alive_with(mine)), 1)
        job.send_signal(signal.SIGINT)
        out, err = job.communicate(timeout=LIMIT_S)
        self.assertEqual(job.returncode, 130, err)
        document = json.loads(out)
        self.assertEqual((document["stopped"], document["seed"]), ("interrupted", 3))
        self.assertIn(f"--seed 3 --from {document['next']}", err)
        self.assertEqual(list(self.root.iterdir()), [])
        self.assertEqual(alive_with(mine), set())


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
