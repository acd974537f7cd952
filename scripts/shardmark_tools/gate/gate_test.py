# SPDX-License-Identifier: Apache-2.0
"""Tests of scripts/gate: verdicts, exit codes, refusals and formats on results with known laws."""

import contextlib
import dataclasses
import importlib.machinery
import importlib.util
import io
import json
import pathlib
import subprocess
import sys
import tempfile
import unittest
import xml.etree.ElementTree as ElementTree

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))
from shardmark_tools.interpreter import ensure_modules

ensure_modules("numpy", "scipy", "jsonschema", status=77)
import numpy as np

from shardmark_tools.gate import comparison_statistics as statistics
from shardmark_tools.results import synthetic_results as synthetic
from shardmark_tools.results.result_checks import check_results

GATE = pathlib.Path(__file__).resolve().parents[2] / "gate"
COMPARE = pathlib.Path("/usr/share/benchmark/compare.py")


def load_gate():
    loader = importlib.machinery.SourceFileLoader("gate", str(GATE))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader("gate", loader))
    sys.dont_write_bytecode = True
    loader.exec_module(module)
    return module


@dataclasses.dataclass
class Done:
    returncode: int
    stdout: str
    stderr: str


def run_gate(gate, arguments):
    """The command in this process: importing scipy anew takes longer than all else."""
    out, err = io.StringIO(), io.StringIO()
    saved, sys.argv = sys.argv, ["gate", *arguments]
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            code = gate.main()
    except SystemExit as leaving:
        code = leaving.code
    finally:
        sys.argv = saved
    return Done(code, out.getvalue(), err.getvalue())


class GateTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.command = load_gate()

    def setUp(self):
        holder = tempfile.TemporaryDirectory()
        self.addCleanup(holder.cleanup)
        self.root = pathlib.Path(holder.name)
        self.rng = np.random.default_rng(20260131)

    def write(self, name, **how):
        return synthetic.write_run(self.root / name, synthetic.make_run(self.rng, **how))

    def gate(self, *arguments):
        return run_gate(self.command, [str(argument) for argument in arguments])

    def verdicts(self, *arguments):
        done = self.gate(*arguments, "--json", "-")
        self.assertTrue(done.stdout, done.stderr)
        document = json.loads(done.stdout)
        self.assertEqual(document["exit_code"], done.returncode)
        return done.returncode, {row["name"].split("/")[0]: row for row in document["benchmarks"]}

    def test_synthetic_results_satisfy_the_schema(self):
        problems, count = check_results(self.write("a", repetitions=2, slow_rank=1, slow=2.0))
        self.assertEqual(problems, [])
        self.assertEqual(count, 6)

    def test_same(self):
        code, rows = self.verdicts(self.write("a"), self.write("b"))
        self.assertEqual(code, 0)
        self.assertEqual({row["verdict"] for row in rows.values()}, {"same"})

    def test_slower_names_the_phase(self):
        code, rows = self.verdicts(self.write("a"), self.write("b", factors={"save": 1.3}))
        self.assertEqual(code, 1)
        self.assertEqual(rows["save"]["verdict"], "slower")
        self.assertEqual(rows["save"]["phase"], "write")
        self.assertEqual(rows["load"]["verdict"], "same")
        self.assertAlmostEqual(rows["save"]["ratio"], 1.3, delta=0.05)

    def test_the_phase_is_the_cause_and_not_the_wait_for_it(self):
        slow = {"slow_rank": 1, "slow": 1.6}
        code, rows = self.verdicts(self.write("a"), self.write("b", families=("save", "load", "plan"), **slow))
        self.assertEqual(code, 1)
        self.assertEqual(rows["save"]["phase"], "write")
        self.assertEqual(rows["plan"]["phase"], "global_plan")

    def test_faster(self):
        code, rows = self.verdicts(self.write("a"), self.write("b", factors={"load": 0.7}))
        self.assertEqual(code, 0)
        self.assertEqual(rows["load"]["verdict"], "faster")
        self.assertEqual(rows["load"]["phase"], "read")

    def test_too_few_repetitions(self):
        code, rows = self.verdicts(self.write("a", repetitions=4), self.write("b", repetitions=4,
                                                                               factors={"save": 2}))
        self.assertEqual(code, 3)
        self.assertEqual(rows["save"]["verdict"], "inconclusive")
        self.assertIn("too few", rows["save"]["reason"])

    def test_noise_is_inconclusive_and_says_what_would_do(self):
        code, rows = self.verdicts(self.write("a", noise=0.8), self.write("b", noise=0.8))
        self.assertEqual(code, 3)
        self.assertGreater(rows["save"]["needed_count"], 20)

    def test_the_same_folder(self):
        folder = self.write("a", noise=0.5)
        self.assertEqual(self.gate(folder, folder).returncode, 0)

    def test_runs_are_the_unit_when_there_are_enough(self):
        for side in "ab":
            for number in range(12):
                drift = float(np.exp(self.rng.normal(0, 0.01)))
                factors = {f: drift * (1.08 if side == "b" else 1.0) for f in ("save", "load", "plan")}
                self.write(f"{side}/{number:02d}", repetitions=5, factors=factors)
        code, rows = self.verdicts(self.root / "a", self.root / "b")
        self.assertEqual(code, 1)
        self.assertEqual({row["unit"] for row in rows.values()}, {"run"})
        self.assertEqual({row["verdict"] for row in rows.values()}, {"slower"})

    def test_interleaved_pairs_cancel_drift(self):
        (self.root / "interleaved.json").write_text('{"sides": ["a", "b"]}')
        drift = 1.0
        for number in range(20):
            drift *= float(np.exp(self.rng.normal(0, 0.3)))
            for side, slow in (("a", 1.0), ("b", 1.08)):
                factors = {f: drift * slow for f in ("save", "load", "plan")}
                self.write(f"{side}/{number:02d}", repetitions=5, factors=factors)
        code, rows = self.verdicts(self.root / "a", self.root / "b")
        self.assertEqual(code, 1)
        self.assertEqual({row["unit"] for row in rows.values()}, {"pair"})
        self.assertAlmostEqual(rows["load"]["ratio"], 1.08, delta=0.03)

    def test_refusals(self):
        folder = self.write("a")
        other = self.write("b", of=synthetic.context(config_hash="f" * 16))
        bigger = self.write("c", of=synthetic.context(nodes=2))
        fewer = self.write("d", families=("save",))
        cases = {
            (folder, other): "configurations differ",
            (folder, bigger): "nodes differs",
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

    def test_a_failed_benchmark_is_not_comparable(self):
        document = synthetic.make_run(self.rng)
        for sample in document["samples"]:
            if sample["family"] == "load":
                sample.update(time_s=None, error={"code": 1, "message": "checksum mismatch", "rank": 1})
        done = self.gate(self.write("a"), synthetic.write_run(self.root / "b", document))
        self.assertEqual(done.returncode, 2)
        self.assertIn("checksum mismatch", done.stderr)

    def test_damaged_input(self):
        folder = self.write("a")
        for text, message in (("{", "not JSON"), ("[]", "schema_version"), ('{"schema_version": 1}', "context")):
            (self.root / "b").mkdir(exist_ok=True)
            (self.root / "b" / "samples.json").write_text(text)
            done = self.gate(folder, self.root / "b")
            self.assertEqual(done.returncode, 2)
            self.assertIn(message, done.stderr)
            self.assertLessEqual(len(done.stderr.splitlines()), 6)

    def test_as_a_command(self):
        folder = self.write("a", repetitions=2)
        done = subprocess.run([GATE, folder, folder], capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, 3, done.stderr)
        done = subprocess.run([GATE, "--help"], capture_output=True, text=True, check=False)
        self.assertIn("exit codes: 0 same or faster; 1 slower", done.stdout)

    def test_google_benchmarks_compare_tool_reads_benchmark_json(self):
        if not COMPARE.exists():
            self.skipTest(f"no {COMPARE} here (Debian: libbenchmark-tools)")
        files = [self.write(name) / "benchmark.json" for name in "ab"]
        done = subprocess.run([sys.executable, COMPARE, "benchmarks", *files], capture_output=True,
                              text=True, check=False)  # fmt: skip
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("save/tiny/fsdp", done.stdout)
        self.assertIn("pvalue", done.stdout)

    def test_thresholds(self):
        old, new = self.write("a"), self.write("b", factors={"save": 1.3})
        limits = self.root / "limits.toml"
        limits.write_text("[family.save]\nmin_effect = 0.5\nsame_within = 0.6\n")
        self.assertEqual(self.gate(old, new, "--thresholds", limits).returncode, 0)
        for text, message in (("[family.save]\nmin_efect = 0.5\n", "min_efect"), ("[family.cat]\n", "cat"),
                              ("[all]\nalpha = 2\n", "alpha"), ("[all\n", "not TOML")):
            limits.write_text(text)
            done = self.gate(old, new, "--thresholds", limits)
            self.assertEqual(done.returncode, 2)
            self.assertIn(message, done.stderr)

    def test_formats(self):
        old, new = self.write("a"), self.write("b", factors={"save": 1.3})
        junit, markdown = self.root / "gate.xml", self.root / "gate.md"
        done = self.gate(old, new, "--junit", junit, "--markdown", markdown)
        suite = ElementTree.parse(junit).getroot()
        self.assertEqual((suite.get("tests"), suite.get("failures")), ("3", "1"))
        self.assertIn("phase write", suite.find("testcase/failure").get("message"))
        self.assertIn("phase write", markdown.read_text())
        self.assertIn("Smallest slowdown that is seen", done.stdout)
        self.assertIn("slower", done.stdout)


class StatisticsTest(unittest.TestCase):
    def test_holm_against_the_definition(self):
        self.assertEqual(statistics.holm([0.01, 0.04, 0.03]), [0.03, 0.06, 0.06])
        self.assertEqual(statistics.holm([0.5]), [0.5])

    def test_intervals_cover(self):
        rng = np.random.default_rng(7)
        covered = 0
        for _ in range(300):
            old, new = rng.normal(0, 0.1, 25), rng.normal(np.log(1.2), 0.1, 25)
            low, high = statistics.ratio_interval(old, new, 0.95, rng)
            covered += low <= 1.2 <= high
        self.assertGreaterEqual(covered, 300 * 0.92)

    def test_recommended_counts_find_the_slowdown(self):
        rng = np.random.default_rng(11)
        for sd in (0.01, 0.03):
            count = statistics.needed_count(sd, 0.05, 0.004, 0.98, 4, 0.025, 9)
            found = 0
            for _ in range(400):
                old, new = rng.normal(0, sd, count), rng.normal(np.log(1.05), sd, count)
                found += (statistics.rank_sum_p(old, new) <= 0.004 / 4
                          and statistics.median_ratio(old, new) >= 1.025)
            self.assertGreaterEqual(found / 400, 0.95, f"sd {sd}, count {count}")

    def test_the_upper_limit_of_a_spread_is_above_it(self):
        rng = np.random.default_rng(13)
        for symmetric in (False, True):
            limits = [statistics.upper_robust_sd(rng.normal(0, 0.1, 100), rng, symmetric) for _ in range(100)]
            self.assertGreaterEqual(np.mean([limit >= 0.1 for limit in limits]), 0.88)
            self.assertLess(np.median(limits), 0.13)
        self.assertEqual(statistics.upper_robust_sd([0.5] * 20, rng), 0.0)

    def test_an_effect_below_the_threshold_cannot_be_recommended(self):
        self.assertIsNone(statistics.needed_count(0.01, 0.02, 0.004, 0.98, 1, 0.025, 9))


if __name__ == "__main__":
    unittest.main()
