# SPDX-License-Identifier: Apache-2.0
"""The gate's formats, as files and on standard output; what other tools make of them."""

import pathlib
import subprocess
import sys
import unittest
import xml.etree.ElementTree as ElementTree

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))
from shardmark_tools.interpreter import ensure_modules

ensure_modules("numpy", "scipy", "jsonschema", status=77)

from shardmark_tools.gate.gate_fixture import GATE, GateCase

COMPARE = pathlib.Path("/usr/share/benchmark/compare.py")


class OutputTest(GateCase):
    def test_as_a_command(self) -> None:
        folder = self.write("a", repetitions=2)
        done = subprocess.run([GATE, folder, folder], capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, 3, done.stderr)
        done = subprocess.run([GATE, "--help"], capture_output=True, text=True, check=False)
        self.assertIn("exit codes: 0 same or faster; 1 slower", done.stdout)

    def test_google_benchmarks_compare_tool_reads_benchmark_json(self) -> None:
        if not COMPARE.exists():
            self.skipTest(f"no {COMPARE} here (Debian: libbenchmark-tools)")
        files = [self.write(name) / "benchmark.json" for name in "ab"]
        done = subprocess.run([sys.executable, COMPARE, "benchmarks", *files], capture_output=True,
                              text=True, check=False)  # fmt: skip
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("save/tiny/fsdp", done.stdout)
        self.assertIn("pvalue", done.stdout)

    def test_formats(self) -> None:
        old, new = self.write("a"), self.write("b", factors={"save": 1.3})
        junit, markdown = self.root / "gate.xml", self.root / "gate.md"
        done = self.gate(old, new, "--junit", junit, "--markdown", markdown)
        suite = ElementTree.parse(junit).getroot()
        self.assertEqual((suite.get("tests"), suite.get("failures")), ("3", "1"))
        self.assertIn("phase write", str(suite.findall("testcase/failure")[0].get("message")))
        self.assertIn("phase write", markdown.read_text())
        self.assertIn("Smallest slowdown that is seen", done.stdout)
        self.assertIn("slower", done.stdout)


if __name__ == "__main__":
    unittest.main()
