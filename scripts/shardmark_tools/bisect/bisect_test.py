# SPDX-License-Identifier: Apache-2.0
"""Tests of scripts/bisect: planted steps among commits, settings, parameters and modules; none, several; kills."""

import json
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import time
import unittest
from typing import Any

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))
from shardmark_tools.interpreter import ensure_modules

ensure_modules("numpy", "scipy", status=77)
import numpy as np

from shardmark_tools.bisect import states
from shardmark_tools.bisect.player import Player
from shardmark_tools.bisect.search import FOUND, NO_STEP, SEVERAL, Search

SCRIPT = pathlib.Path(__file__).resolve().parents[2] / "bisect"
STATES = 64


def search_of(slow_from: dict[int, float], spread: float, seed: int, **how: Any) -> Search:
    """Pairs with heavy tails; `slow_from` {state: logarithm of the time added from it on}."""
    rng = np.random.default_rng(seed)

    def measure(state: int) -> float:
        return sum(size for first, size in slow_from.items() if state >= first) + spread * float(rng.standard_t(4))

    return Search(STATES, float(np.log1p(0.05)), measure, **how)


class SearchTest(unittest.TestCase):
    def test_a_step_is_found_wherever_it_is(self) -> None:
        for seed, place in enumerate((1, 2, 17, 40, 62, 63)):
            search = search_of({place: 0.1}, 0.03, seed)
            answer = search.run()
            self.assertEqual((answer.kind, answer.first, answer.last), (FOUND, place - 1, place))
            assert answer.size is not None
            self.assertTrue(answer.size[1] < 0.1 < answer.size[2] + 0.02, answer.size)
            self.assertLess(search.posterior.count(), 70)

    def test_no_step_and_a_faster_end_are_no_step(self) -> None:
        for seed in range(4):
            self.assertEqual(search_of({}, 0.03, seed).run().kind, NO_STEP)
            self.assertEqual(search_of({20: -0.2}, 0.03, seed).run().kind, NO_STEP)

    def test_two_steps_are_not_told_as_one(self) -> None:
        kinds = [search_of({10: 0.1, 40: 0.12}, 0.03, seed).run().kind for seed in range(6)]
        self.assertEqual(kinds, [SEVERAL] * 6)

    def test_few_random_searches_err(self) -> None:
        rng = np.random.default_rng(7)
        wrong = 0
        for seed in range(60):
            place = int(rng.integers(1, STATES))
            answer = search_of({place: float(np.log1p(0.05))}, 0.03, 100 + seed, most_pairs=5000).run()
            wrong += (answer.kind, answer.last) != (FOUND, place)
        self.assertLessEqual(wrong, 6)  # 3 % are allowed: more than six of sixty come by chance once in 200

    def test_states_that_cannot_be_tried_are_left_out(self) -> None:
        search = search_of({30: 0.2}, 0.03, 3)
        inner, broken = search.measure, {29, 30, 31, 32}
        search.measure = lambda state: None if state in broken else inner(state)
        answer = search.run()
        self.assertEqual((answer.kind, answer.first, answer.last), (FOUND, 28, 33))
        self.assertLessEqual({29, 32} & search.broken, broken)


class StatesTest(unittest.TestCase):
    def test_keys_change_one_after_another(self) -> None:
        made = states.states_between("set", ["a.b=1", "c.d=2"], ["c.d=3", "a.b=1", "e.f=4"], pathlib.Path("."))
        self.assertEqual([state.settings for state in made],
                         [("a.b=1", "c.d=2"), ("a.b=1", "c.d=3"), ("a.b=1", "c.d=3", "e.f=4")])  # fmt: skip
        self.assertEqual(made[1].step, "c.d=2 became c.d=3")

    def test_parameters_are_variables_of_open_mpi(self) -> None:
        made = states.states_between("mca", [], ["io=romio321"], pathlib.Path("."))
        self.assertEqual(made[1].environment, ("OMPI_MCA_io=romio321",))

    def test_modules_are_loaded_by_the_sites_own_command(self) -> None:
        with tempfile.TemporaryDirectory() as home:
            profile = 'module() { shift; for m in "$@"; do export "LOADED_${m%%/*}=${m##*/}"; done; }\n'
            pathlib.Path(home, ".bash_profile").write_text(profile, encoding="utf-8")
            saved, os.environ["HOME"] = os.environ.get("HOME", ""), home
            try:
                made = states.states_between("module", ["mpi/4"], ["mpi/5", "hdf5/1.14"], pathlib.Path("."))
            finally:
                os.environ["HOME"] = saved
        self.assertEqual([[word for word in state.environment if word.startswith("LOADED_")] for state in made],
                         [["LOADED_mpi=4"], ["LOADED_mpi=5"], ["LOADED_hdf5=1.14", "LOADED_mpi=5"]])  # fmt: skip

    def test_bad_ends_are_refused(self) -> None:
        wrong: list[tuple[str, list[str], list[str]]] = [
            ("set", [], ["x"]), ("set", ["a=1"], ["a=1"]), ("env", [], ["a=1", "a=2"]), ("commit", [], ["main"]),
        ]  # fmt: skip
        for kind, good, bad in wrong:
            with self.assertRaises(states.BadEnds):
                states.states_between(kind, good, bad, pathlib.Path("."))


class BisectTest(unittest.TestCase):
    def setUp(self) -> None:
        temporary = tempfile.TemporaryDirectory(dir="/dev/shm" if os.access("/dev/shm", os.W_OK) else None)
        self.addCleanup(temporary.cleanup)
        self.root = pathlib.Path(temporary.name)

    def words(self, player: Player, *more: str) -> list[str]:
        return [sys.executable, str(SCRIPT), "--launcher", str(player.launcher), "--out", str(self.root / "out"),
                "--benchmark", "save", "--json", "-", *more, str(self.root / "suite.toml")]  # fmt: skip

    def bisect(self, player: Player, *more: str) -> tuple[int, dict[str, Any]]:
        done = subprocess.run(self.words(player, *more), capture_output=True, text=True, check=False)
        self.assertTrue(done.stdout, done.stderr)
        document: dict[str, Any] = json.loads(done.stdout)
        return done.returncode, document

    def test_by_key(self) -> None:
        player = Player(self.root, "storage.threads=1=1.4\n")
        keys = ("storage.o_direct=false", "storage.threads=1", "planner.cache=true", "load.strict=false")
        code, document = self.bisect(player, "--by", "set", "--build", str(player.command), *[w for k in keys for w in ("--bad", k)])
        self.assertEqual((code, document["answer"]), (0, "found"))
        self.assertEqual(document["step"]["steps"], ["storage.threads as it was became storage.threads=1"])
        low, high = document["step"]["interval"]
        self.assertTrue(1.35 < low < 1.4 < high + 0.02 < 1.47, (low, high))

    def test_by_parameter_and_none(self) -> None:
        player = Player(self.root, "OMPI_MCA_io=romio321=1.3\n")
        bad = ("--by", "mca", "--build", str(player.command), "--bad", "fcoll=individual", "--bad", "io=romio321")
        code, document = self.bisect(player, *bad)
        self.assertEqual((code, document["step"]["steps"]), (0, ["io as it was became io=romio321"]))
        (player.command.parent / "slow").write_text("")
        done = subprocess.run([*self.words(player, *bad), "--out", str(self.root / "none")], capture_output=True, text=True, check=False)
        self.assertEqual((done.returncode, json.loads(done.stdout)["answer"]), (1, NO_STEP))

    def git(self, *words: str) -> str:
        done = subprocess.run(["git", "-C", str(self.root / "source"), "-c", "user.name=x", "-c", "user.email=x@y", *words],
                              capture_output=True, text=True, check=True)  # fmt: skip
        return done.stdout.strip()

    def repository(self, player: Player, count: int, slow_from: int, broken: set[int]) -> list[str]:
        source = self.root / "source"
        source.mkdir()
        self.git("init", "-q")
        commits = []
        for number in range(count):
            factor = "always=1.3\n" if number >= slow_from else ""
            text = player.text.replace('(here / "slow").read_text()', repr(factor)) + f"# {number}\n"
            (source / "shardmark").write_text(text, encoding="utf-8")
            (source / "build.sh").write_text("exit 1\n" if number in broken else "chmod +x shardmark\n", encoding="utf-8")
            self.git("add", ".")
            self.git("commit", "-q", "-m", f"change {number}")
            commits.append(self.git("rev-parse", "HEAD"))
        return commits

    def test_by_commit_with_broken_ones_and_a_kill(self) -> None:
        player = Player(self.root)
        commits = self.repository(player, 16, 9, {4, 7, 8})
        words = ("--by", "commit", "--good", commits[0], "--bad", commits[-1], "--repository", str(self.root / "source"),
                 "--build-command", "sh build.sh", "--command", "shardmark")  # fmt: skip
        running = subprocess.Popen(self.words(player, *words), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        limit = time.monotonic() + 120
        while player.runs() < 9 and running.poll() is None and time.monotonic() < limit:
            time.sleep(0.02)
        running.send_signal(signal.SIGKILL)
        running.wait()
        before = player.runs()
        self.assertGreaterEqual(before, 9)
        code, document = self.bisect(player, *words)
        self.assertEqual((code, document["answer"]), (0, "found"))
        # 7 and 8 do not build, 9 is slow: the step is one of the three that nothing lies between.
        self.assertEqual(document["step"]["commits"], commits[7:10])
        self.assertLessEqual(set(document["left_out"]),
                             {f"commit {commits[n][:12]} (change {n})" for n in (4, 7, 8)})  # fmt: skip
        # A run that the kill ended is made again, and no other.
        self.assertLessEqual(player.runs(), 2 * document["pairs"] + 1)
        again = player.runs()
        self.assertEqual(self.bisect(player, *words)[1], document)
        self.assertEqual(player.runs(), again)

    def test_two_benchmarks_and_another_question_are_refused(self) -> None:
        player = Player(self.root, "storage.threads=1=1.4\n")
        words = self.words(player, "--by", "set", "--build", str(player.command), "--bad", "storage.threads=1")
        two = [word for word in words if word not in ("--benchmark", "save")]
        done = subprocess.run(two, capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, 2)
        self.assertIn("name one by --benchmark", done.stderr)
        done = subprocess.run(words, capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, 2)
        self.assertIn("of something else", done.stderr)


if __name__ == "__main__":
    unittest.main()
