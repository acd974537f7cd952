# SPDX-License-Identifier: Apache-2.0
"""Eight pretended nodes, one of them slower by a tenth: named, with the phase; nobody is where all are sound."""

import json
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest
from collections.abc import Sequence

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))
from shardmark_tools.interpreter import ensure_modules

ensure_modules("numpy", "scipy", status=77)

import numpy as np

from shardmark_tools.fleet import fleet_output, groups, judgement
from shardmark_tools.launch.launching import Launcher
from shardmark_tools.refusal import Refused
from shardmark_tools.results import synthetic_results as synthetic
from shardmark_tools.results.result_folder import Run
from shardmark_tools.sweep.sweep_cases import each_node_cases, groups_of

TOOLS = pathlib.Path(__file__).resolve().parents[2]
SHARES = {"write": 0.6, "flush": 0.3, "create": 0.1}
COMMAND = """#!{python}
import json, os, pathlib, sys, zlib
sys.path.insert(0, {tools!r})
words = sys.argv[1:]
if words[0] == "plan":
    print(json.dumps(dict(world_size=2, num_bytes=1000, bytes_per_rank=dict(max=500), scale=0.01)))
    sys.exit(0)
import numpy as np
from shardmark_tools.results import synthetic_results as synthetic
host, out = os.environ["HOST"], pathlib.Path(words[words.index("--out") + 1])
if host == "n7":
    sys.exit("shardmark: error: no space left on device")
rng = np.random.default_rng(zlib.crc32(out.name.encode()))
of = synthetic.context(nodes=1, per_node=2, hosts=[host])
factors = {{"save": 1.25}} if host == os.environ.get("SLOW") else {{}}
synthetic.write_run(out, synthetic.make_run(rng, of, 5, 0.01, factors, families=("save", "plan")))
"""
LAUNCHER = """#!/bin/sh
HOST=${2%:*}
export HOST
shift 4
exec "$@"
"""


def fleet(rng: np.random.Generator, slow: int | None, factor: float = 1.1, phase: str = "flush", nodes: int = 8,
          rounds: int = 5) -> list[judgement.Measured]:  # fmt: skip
    """Nodes differ by half a percent, rounds by ten, repetitions by two; the slow one by `factor` in one phase."""
    own = np.exp(rng.normal(0, 0.005, nodes))
    made = []
    for number in range(rounds):
        drift = float(np.exp(rng.normal(0, 0.1)))
        for node in range(nodes):
            more = SHARES[phase] * (factor - 1) if node == slow else 0.0
            shares = {**{key: value / (1 + more) for key, value in SHARES.items()},
                      phase: (SHARES[phase] + more) / (1 + more)}  # fmt: skip
            factors = {"save": float(own[node]) * drift * (1 + more), "load": drift}
            document = synthetic.make_run(rng, synthetic.context(hosts=[f"n{node}"]), 9, 0.02, factors, families=("save",),
                                          shares=shares)  # fmt: skip
            made.append(judgement.Measured(f"n{node}", number, Run(pathlib.Path("r"), document["context"], document["samples"])))
    return made


class Judgement(unittest.TestCase):
    def test_a_tenth_slower_in_one_phase_is_named_and_no_sound_node_is(self) -> None:
        rng = np.random.default_rng(11)
        named = accused = 0
        for _ in range(20):
            slow = int(rng.integers(8))
            verdict = judgement.judge(fleet(rng, slow, phase="write"))
            named += [(of.group, of.phase) for of in verdict.outliers] == [(f"n{slow}", "write")]
            accused += len(judgement.judge(fleet(rng, None)).outliers)
        self.assertGreaterEqual(named, 19)
        self.assertEqual(accused, 0)

    def test_the_phase_is_told_and_how_much(self) -> None:
        verdict = judgement.judge(fleet(np.random.default_rng(3), 5, 1.5, "flush"))
        (of,) = verdict.outliers
        self.assertEqual((of.group, of.phase), ("n5", "flush"))
        self.assertAlmostEqual(of.phase_ratio or 0, 1.5, delta=0.1)
        self.assertAlmostEqual(of.ratio, 1.15, delta=0.05)
        self.assertIn("n5 is slow: save/", fleet_output.outlier_text(of))
        self.assertIn("most of it in phase flush (1.", fleet_output.outlier_text(of))

    def test_two_slow_nodes_do_not_hide_each_other(self) -> None:
        rng = np.random.default_rng(5)
        both = fleet(rng, 1, 1.5, "write", rounds=5)
        other = fleet(rng, 6, 1.5, "write", rounds=5)
        swapped = [of for of in both if of.group != "n6"] + [of for of in other if of.group == "n6"]
        self.assertLessEqual({"n1"}, {of.group for of in judgement.judge(swapped).outliers})

    def test_three_nodes_are_too_few(self) -> None:
        verdict = judgement.judge(fleet(np.random.default_rng(1), 0, 2.0, nodes=3))
        self.assertEqual((verdict.outliers, verdict.sees), ([], None))
        self.assertIn("Nothing is judged: 3 nodes", " ".join(fleet_output.sentences(verdict, {}, "")))
        self.assertIn("Nothing is judged: 0 nodes", " ".join(fleet_output.sentences(judgement.judge([]), {}, "")))

    def test_one_node_is_drawn(self) -> None:
        alone = judgement.judge(fleet(np.random.default_rng(1), None, nodes=1))
        with tempfile.TemporaryDirectory() as name:
            self.assertIn("Nothing is judged: 1 nodes", " ".join(fleet_output.write(pathlib.Path(name), "x", alone, {}, "")))
            self.assertIn("1.00", (pathlib.Path(name) / "fleet.html").read_text())

    def test_groups(self) -> None:
        self.assertEqual(groups_of(["a", "b", "c", "d"], 2), [("a", "b"), ("c", "d")])
        self.assertEqual(groups_of(["a", "b", "c"], 2), [("a", "b"), ("b", "c")])
        self.assertEqual(groups_of(["a"], 1), [("a",)])
        names = {case.name for case in each_node_cases(["a b", "a_b", "c"], 1, 2, 2)}
        self.assertEqual(len(names), 6)
        with self.assertRaises(Refused):
            each_node_cases(["a"], 2, 1, 1)


class Script(unittest.TestCase):
    def setUp(self) -> None:
        holder = tempfile.TemporaryDirectory(prefix="a fleet ")
        self.addCleanup(holder.cleanup)
        self.root = pathlib.Path(holder.name)
        for name, text in (("shardmark", COMMAND.format(python=sys.executable, tools=str(TOOLS))), ("launch", LAUNCHER)):
            (self.root / name).write_text(text)
            (self.root / name).chmod(0o755)

    def sweep(self, hosts: Sequence[str], *more: str, slow: str = "") -> subprocess.CompletedProcess[str]:
        (self.root / "hosts").write_text("".join(f"{host}\n" for host in hosts))
        words = [sys.executable, str(TOOLS / "sweep"), "suite", "--out", "out", "--build", "shardmark", "--launcher", "./launch",
                 "--hostfile", "hosts", "--each-node", *more]  # fmt: skip
        return subprocess.run(words, capture_output=True, text=True, cwd=self.root, check=False,
                              env={**os.environ, "SLOW": slow})  # fmt: skip

    def test_every_node_and_the_picture(self) -> None:
        done = self.sweep([f"n{i}" for i in range(8)], "--rounds", "2")
        self.assertEqual(done.returncode, 1, done.stderr)  # n7 failed
        self.assertIn("n7: no result: failed: exit code 1: no space left on device", done.stdout)
        self.assertIn("No node stands out among 7", done.stdout)
        picture = (self.root / "out" / "fleet.html").read_text()
        self.assertEqual(picture.count('<div class="chart">'), 2)  # save and plan
        self.assertIn("n6", picture)
        document = json.loads((self.root / "out" / "fleet.json").read_text())
        self.assertEqual(document["slow"], [])
        self.assertEqual(len(document["series"][0]["groups"]), 7)

    def test_the_slow_node_is_named(self) -> None:
        hosts = [f"n{i}" for i in range(6)]
        done = self.sweep(hosts, "--rounds", "2", slow="n3")
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertIn("n3 is slow: save/", done.stdout)
        again = self.sweep(hosts, "--rounds", "2")  # nothing is run twice, and the verdict is the same
        self.assertEqual((again.returncode, again.stdout), (1, done.stdout))

    def test_refusals(self) -> None:
        self.assertEqual(self.sweep([], "--rounds", "1").returncode, 2)
        self.assertEqual(self.sweep(["a"], "--nodes", "2").returncode, 2)
        done = self.sweep(["a", "b"], "--strategies", "ddp,fsdp")
        self.assertEqual((done.returncode, done.stdout), (2, ""))
        self.assertIn("nothing varied", done.stderr)

    def test_hosts_are_told_to_the_launcher(self) -> None:
        launcher = Launcher.make("openmpi:env")
        self.assertEqual(launcher.command(1, 2, ("b",))[1:], ["--host", "b:2", "-n", "2"])

    def test_names(self) -> None:
        self.assertEqual(groups.name_of("a,b"), "a+b")


if __name__ == "__main__":
    unittest.main()
