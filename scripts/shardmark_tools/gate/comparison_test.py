# SPDX-License-Identifier: Apache-2.0
"""What the gate compares, and what it refuses to."""

import pathlib
import shutil
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))
from shardmark_tools.interpreter import ensure_modules

ensure_modules("numpy", "scipy", "jsonschema", status=77)

from shardmark_tools.gate.gate_fixture import GateCase
from shardmark_tools.results import synthetic_results as synthetic


class ComparisonTest(GateCase):
    def test_refusals(self) -> None:
        folder = self.write("a")
        other = self.write("b", of=synthetic.context(config_hash="f" * 16))
        bigger = self.write("c", of=synthetic.context(nodes=2))
        fewer = self.write("d", families=("save",))
        cases = {
            (folder, other): "configurations differ",
            (folder, bigger): "nodes: 1 and 2",
            (folder, fewer): "no complete result",
            (folder, self.root / "nowhere"): "no such folder",
            (folder,): "give BASELINE and NEW",
        }
        for arguments, message in cases.items():
            done = self.gate(*arguments)
            self.assertEqual(done.returncode, 2, done.stdout)
            self.assertIn(message, done.stderr)
        self.assertEqual(self.gate(folder, other, "--allow-different-config").returncode, 0)
        self.assertEqual(self.gate(folder, fewer, "--allow-missing").returncode, 0)

    def test_keys_that_one_build_does_not_know(self) -> None:
        before = self.write("a")
        told = '[model]\n[storage]\nexchange = "auto"\n'
        of_another = synthetic.context(config=told, config_hash="1" * 16, commit="1" * 40)
        done = self.gate(before, self.write("b", of=of_another))
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("only one of the builds knows storage.exchange (auto)", done.stdout)
        for key, of in (
            ("storage.exchange", synthetic.context(config=told, config_hash="1" * 16)),  # of the same build
            ("model.scale", synthetic.context(config="[model]\nscale = 0.5\n", config_hash="2" * 16, commit="1" * 40)),
        ):  # fmt: skip
            done = self.gate(before, self.write(key, of=of))
            self.assertEqual(done.returncode, 2, done.stdout)
            self.assertIn(f"{key}: ", done.stderr)

    def test_one_run_counts_once(self) -> None:
        for number in range(3):
            self.write(f"a/{number}")
        self.write("a/new/0")
        done = self.gate(self.root / "a", self.root / "a" / "new")
        self.assertEqual(done.returncode, 2, done.stdout)
        self.assertIn("is on both sides", done.stderr)
        shutil.copytree(self.root / "a" / "0", self.root / "b" / "0")
        shutil.copytree(self.root / "a" / "0", self.root / "b" / "1")
        done = self.gate(self.root / "a" / "1", self.root / "b")
        self.assertEqual(done.returncode, 2, done.stdout)
        self.assertIn("one run counts once", done.stderr)

    def test_tables_of_hints_are_one_value(self) -> None:
        plain = self.write("a", of=synthetic.context(config="[storage]\nhints = {}\n"))
        told = synthetic.context(config='[storage]\nhints = {cb_nodes = "7"}\n', config_hash="3" * 16, commit="1" * 40)
        done = self.gate(plain, self.write("b", of=told))
        self.assertEqual(done.returncode, 2, done.stdout)
        self.assertIn('storage.hints: {} and {"cb_nodes": "7"}', done.stderr)

    def test_a_failed_benchmark_is_not_comparable(self) -> None:
        document = synthetic.make_run(self.rng)
        for sample in document["samples"]:
            if sample["family"] == "load":
                sample.update(time_s=None, error={"code": 1, "message": "checksum mismatch", "rank": 1})
        done = self.gate(self.write("a"), synthetic.write_run(self.root / "b", document))
        self.assertEqual(done.returncode, 2)
        self.assertIn("checksum mismatch", done.stderr)

    def test_damaged_input(self) -> None:
        folder = self.write("a")
        for text, message in (("{", "not JSON"), ("[]", "schema_version"), ('{"schema_version": 1}', "context")):
            (self.root / "b").mkdir(exist_ok=True)
            (self.root / "b" / "samples.json").write_text(text)
            done = self.gate(folder, self.root / "b")
            self.assertEqual(done.returncode, 2)
            self.assertIn(message, done.stderr)
            self.assertLessEqual(len(done.stderr.splitlines()), 6)


if __name__ == "__main__":
    unittest.main()
