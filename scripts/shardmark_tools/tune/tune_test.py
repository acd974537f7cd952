# SPDX-License-Identifier: Apache-2.0
"""Tests of scripts/tune: planted ailments are named and mended, and nothing is proposed that gains nothing."""

import functools
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import tomllib
import unittest
from typing import Any

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))
from shardmark_tools.interpreter import ensure_modules

ensure_modules("numpy", "scipy", status=77)
import numpy as np

from shardmark_tools.bisect.player import Player
from shardmark_tools.gate.thresholds import read_thresholds
from shardmark_tools.results import synthetic_results
from shardmark_tools.results.result_folder import Run
from shardmark_tools.tune import remedies, trials
from shardmark_tools.tune.gain_test import GAIN, NOTHING, OPEN, GainTest
from shardmark_tools.tune.symptoms import Symptom, symptoms_of

SCRIPT = pathlib.Path(__file__).resolve().parents[2] / "tune"
EXPLANATION = SCRIPT.parents[1] / "bench" / "harness" / "measure" / "io_explanation.cpp"
FIVE = float(np.log1p(0.05))


def run_of(**changes: Any) -> Run:
    """One run whose samples are changed as `changes` {family: {key: value}} say."""
    document = synthetic_results.make_run(np.random.default_rng(1), repetitions=2, noise=0.0)
    for sample in document["samples"]:
        sample.update(changes.get(sample["family"], {}))
    return Run(pathlib.Path("x"), document["context"], document["samples"])


def phases(**seconds: float) -> dict[str, dict[str, float]]:
    return {phase: {"min": value, "mean": value, "max": value, "slowest_rank": 0} for phase, value in seconds.items()}


class SymptomsTest(unittest.TestCase):
    def causes(self, run: Run, config: dict[str, Any] | None = None) -> set[tuple[str, str]]:
        return {(symptom.cause, symptom.family) for symptom in symptoms_of([run], config or {})}

    def test_ailments_are_named_and_each_has_a_remedy(self) -> None:
        def why(cause: str) -> dict[str, Any]:
            return {"why": [{"cause": cause, "text": "x", "knob": "y"}]}

        planted: list[tuple[tuple[str, str], Run, dict[str, Any]]] = [
            (("tiny-pieces", "save"), run_of(save=why("tiny-pieces")), {}),
            (("misaligned", "save"), run_of(save=why("misaligned")), {}),
            (("collective-broken", "save"), run_of(save=why("collective-broken")), {}),
            (("metadata", "save"), run_of(save=why("metadata")), {}),
            (("planning", "save"), run_of(save={"time_s": 1.0, "phases_s": phases(gather=0.2, write=0.7)}), {}),
            (("commit", "save"), run_of(save={"time_s": 1.0, "phases_s": phases(commit=0.2, write=0.7)}), {}),
            (("flush", "save"), run_of(save={"time_s": 1.0, "phases_s": phases(flush=0.4, write=0.5)}), {}),
            (("exchange", "save"), run_of(save={"time_s": 1.0, "phases_s": phases(exchange=0.3, write=0.6)}), {}),
            (("exchange", "load"), run_of(load={"time_s": 1.0, "phases_s": phases(exchange=0.3, read=0.6)}), {}),
            (("uneven", "save"), run_of(save={"metrics": {"imbalance": 1.4}}), {}),
            (("one-thread", "save"), run_of(), {"storage": {"threads": 1}}),
            (("small-staging", "save"), run_of(), {"storage": {"async": True, "staging_bytes": 1 << 20}}),
            (("small-reads", "load"), run_of(load={"bytes_read": 1 << 30, "read_requests": 20000}), {}),
            (("load-metadata", "load"), run_of(load={"time_s": 1.0, "phases_s": phases(open=0.2, read=0.7)}), {}),
            (("replica-reads", "load"), run_of(load={"bytes_read": 4 << 30, "read_requests": 100}), {}),
            (("planning", "plan"), run_of(), {}),
        ]
        for (cause, family), run, config in planted:
            self.assertIn((cause, family), self.causes(run, config))
            symptom = Symptom(cause, family, "x")
            tried = remedies.chosen([symptom], {}, {"save", "load", "plan"}, False)
            self.assertTrue(tried, cause)

    def test_what_saves_advise_is_tried(self) -> None:
        """Every cause and every setting that the command's own text names; another back end keeps no checkpoint."""
        text = EXPLANATION.read_text(encoding="utf-8")
        causes = set(re.findall(r'^ *(?:return )?\{"([a-z-]+)",$', text, re.M))
        self.assertGreaterEqual(len(causes), 4)
        known = {cause for entry in remedies.REMEDIES for cause in entry.causes}
        self.assertLessEqual(causes | {"type-conversion"}, known)
        advised = set(re.findall(r'((?:storage|planner)\.[a-z_]+) = \\"([^"\\]+)\\"', text))
        self.assertGreaterEqual(len(advised), 6)
        tried = {(key, value) for entry in remedies.REMEDIES for key, value in entry.settings.items()}
        self.assertLessEqual(advised - {("storage.backend", "posix")}, tried)

    def test_a_healthy_run_names_nothing(self) -> None:
        healthy = run_of(save={"time_s": 1.0, "phases_s": phases(write=0.95, commit=0.03)}, plan={"case": {"planner": "layout"}})
        self.assertEqual(self.causes(healthy), set())

    def test_what_is_set_already_is_not_tried_and_no_remedy_gives_up_a_proof(self) -> None:
        config = {"storage": {"io": "direct", "o_direct": True}}
        names = {entry.name for entry, _ in remedies.chosen([], config, {"save", "load", "plan"}, True)}
        self.assertNotIn("direct", names)
        self.assertEqual(len(names), len(remedies.REMEDIES) - 1)
        keys = {key for entry in remedies.REMEDIES for key in entry.settings}
        self.assertFalse({key for key in keys if "checksum" in key or "verify" in key or key.startswith("run.")})


class GainTestTest(unittest.TestCase):
    def play(self, gain: float, seed: int, error: float = 0.004 / 24, most: int = 40) -> tuple[str, int]:
        rng, test = np.random.default_rng(seed), GainTest(FIVE, error)
        for count in range(1, most + 1):
            state = test.add(gain + 0.06 * float(rng.standard_t(4)))
            if state != OPEN:
                return state, count
        return OPEN, most

    def test_gains_are_found_and_chance_is_not(self) -> None:
        self.assertEqual([self.play(0.2, seed)[0] for seed in range(20)], [GAIN] * 20)
        self.assertNotIn(GAIN, [self.play(0.0, seed)[0] for seed in range(100)])
        self.assertEqual({self.play(-0.2, seed)[0] for seed in range(20)}, {NOTHING})

    def test_a_gain_that_costs_another_operation_is_said_so(self) -> None:
        thresholds = read_thresholds(None)
        remedy = remedies.remedy("x", "a", "save", storage__layout="per-rank")
        rng = np.random.default_rng(5)

        def pair(load: float) -> trials.Pair:
            factors: list[dict[str, float]] = [{}, {"save": 0.7, "load": load}]
            sides = [synthetic_results.make_run(rng, repetitions=1, noise=0.01, factors=side) for side in factors]
            first, second = (Run(pathlib.Path("x"), made["context"], made["samples"]) for made in sides)
            return first, second

        for load, verdict in ((1.0, GAIN), (1.3, trials.COSTS)):
            play = functools.partial(lambda load, _: pair(load), load)
            tried = trials.try_remedy(remedy, [], {"save", "load"}, 1e-3, thresholds, play)
            self.assertEqual((tried.verdict, tried.family), (verdict, "save"))
            assert tried.gain is not None
            self.assertTrue(tried.gain[1] < np.log(1 / 0.7) < tried.gain[2])


class TuneTest(unittest.TestCase):
    def setUp(self) -> None:
        temporary = tempfile.TemporaryDirectory(dir="/dev/shm" if os.access("/dev/shm", os.W_OK) else None)
        self.addCleanup(temporary.cleanup)
        self.root = pathlib.Path(temporary.name)

    def tune(self, player: Player, *more: str) -> tuple[int, dict[str, Any]]:
        words = [sys.executable, str(SCRIPT), "--launcher", str(player.launcher), "--build", str(player.command), "--out",
                 str(self.root / "out"), "--json", "-", *more, str(self.root / "suite.toml")]  # fmt: skip
        done = subprocess.run(words, capture_output=True, text=True, check=False)
        self.assertTrue(done.stdout, done.stderr)
        document: dict[str, Any] = json.loads(done.stdout)
        return done.returncode, document

    def ail(self, player: Player, cause: str) -> None:
        path = self.root / "template.json"
        document = json.loads(path.read_text())
        for sample in document["samples"]:
            sample["case"]["planner"] = "layout"
            sample["why"] = [{"cause": cause, "text": "x", "knob": "y"}] if sample["family"] == "save" else []
        path.write_text(json.dumps(document))

    def test_what_gains_is_proposed_and_written(self) -> None:
        player = Player(self.root, 'storage.io="independent"=0.7\n')
        self.ail(player, "collective-broken")
        code, document = self.tune(player)
        self.assertEqual(code, 0)
        proposed = document["proposed"]
        self.assertEqual((proposed["remedy"], proposed["family"]), ("independent", "save"))
        self.assertTrue(proposed["interval"][0] < 1 / 0.7 < proposed["interval"][1] + 0.03)
        gains = [tried["remedy"] for tried in document["tried"] if tried["verdict"] == GAIN]
        self.assertEqual(gains, ["independent"])
        written = tomllib.loads((self.root / "out" / "tuned.toml").read_text())
        self.assertEqual(written, {"include": [str(self.root / "suite.toml")], "storage": {"io": "independent"}})
        runs = player.runs()
        self.assertEqual(self.tune(player), (code, document))
        self.assertEqual(player.runs(), runs)

    def test_nothing_is_proposed_where_nothing_gains(self) -> None:
        player = Player(self.root)
        self.ail(player, "collective-broken")
        code, document = self.tune(player, "--most-pairs", "8")
        self.assertEqual((code, document["proposed"]), (1, None))
        self.assertFalse((self.root / "out" / "tuned.toml").exists())


if __name__ == "__main__":
    unittest.main()
