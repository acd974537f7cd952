# SPDX-License-Identifier: Apache-2.0
"""The score, the plan of attacks, the folder that all lies in."""

import fcntl
import json
import os
import pathlib
import sys
import tempfile
import types
import unittest
import unittest.mock

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))
from shardmark_tools.launch.jobs import Outcome  # noqa: E402
from shardmark_tools.refusal import Refused  # noqa: E402
from shardmark_tools.torture import attacks, kill_trial, score, workspace  # noqa: E402
from shardmark_tools.torture.kill_trial import crashed_processes  # noqa: E402
from shardmark_tools.torture.score import Score, Verdict  # noqa: E402
from shardmark_tools.torture.site import FORMS, STEP, step_name  # noqa: E402
from shardmark_tools.torture.trials import LIBRARY, library_of  # noqa: E402


class TheScore(unittest.TestCase):
    def test_every_ending_is_counted_where_it_belongs_and_only_bad_ones_break_a_promise(self) -> None:
        for ending in score.GOOD + score.BAD:
            counted = Score()
            counted.add("kills", "shared", Verdict(ending, "SIGKILL of one rank in a save", "told\x1b[0m"))
            counted.add("damages", "posix", Verdict("found", "flip"))
            made = json.loads(score.document(counted, {"seed": 7}))
            self.assertEqual([row["kind"] for row in made["kinds"]], ["damages", "kills"])
            row = made["kinds"][1]
            self.assertEqual((row["layout"], row["tried"], row[ending]), ("shared", 1, 1))
            self.assertEqual(sum(row[name] for name in score.GOOD + score.BAD), 1)
            self.assertEqual(counted.num_bad, ending in score.BAD)
            self.assertEqual(len(made["failures"]), ending in score.BAD)
            self.assertNotIn("\x1b", score.text(counted))

    def test_what_hit_nothing_is_not_tried(self) -> None:
        counted = Score()
        counted.add("faults", "packed", None)
        row = json.loads(score.document(counted, {}))["kinds"][0]
        self.assertEqual((row["tried"], row["found"], row["hit_nothing"]), (0, 0, 1))
        self.assertIn("hit nothing", score.text(counted))

    def test_a_kind_that_cannot_be_tried_says_why(self) -> None:
        counted = Score()
        counted.not_tried["faults"] = "there is no library"
        self.assertEqual(json.loads(score.document(counted, {}))["not_tried"],
                         [{"kind": "faults", "reason": "there is no library"}])  # fmt: skip
        self.assertIn("there is no library", score.text(counted))


class Crashes(unittest.TestCase):
    def test_whose_they_are(self) -> None:
        told = "[vm:15793] *** Process received signal ***\n[vm:15793] Signal: Segmentation fault (11)\n[vm:7] Signal: Aborted (6)\n"
        self.assertEqual(crashed_processes(told), {15793, 7})
        self.assertEqual(crashed_processes("mpirun noticed that process rank 3 exited on signal 9 (Killed).\n"), set())


class StubSite:
    """A job of which `left` processes never end, besides what is asked of the site afterwards, which is well."""

    def __init__(self, left: list[int]):
        self.left = left

    def start(self, _: object) -> object:
        process = types.SimpleNamespace(pid=7, poll=lambda: None)
        return types.SimpleNamespace(process=process, alive=lambda: self.left, end=lambda: None,
                                     wait=lambda _: Outcome(None, "", "", 1.0))  # fmt: skip

    def words(self, *_: object, **__: object) -> list[str]:
        return []

    def inspect(self, *_: object) -> Outcome:
        return Outcome(0, "", "", 0.0)

    load_alone = inspect

    def save_alone(self, directory: pathlib.Path, step: int) -> Outcome:
        (directory / step_name(step)).mkdir()
        return self.inspect()


class AfterAKill(unittest.TestCase):
    def judged(self, left: list[int]) -> tuple[kill_trial.Strike, str]:
        with tempfile.TemporaryDirectory() as folder, unittest.mock.patch.object(kill_trial, "END_LIMIT_S", 0):
            directory = pathlib.Path(folder)
            (directory / step_name(STEP)).mkdir()
            form = types.SimpleNamespace(directory_with_step=lambda _: directory, settings=[], io_settings=lambda _: [])
            struck = kill_trial.Strike(StubSite(left), form, "load", "auto", None)  # type: ignore[arg-type]
            ending, told = struck.judge()
            self.assertEqual(bool(told), ending == "hung", told)
            return struck, ending

    def test_ranks_that_are_left_hang_and_a_launcher_without_ranks_is_not_ours(self) -> None:
        for left in ([7, 8], [8]):
            struck, ending = self.judged(left)
            self.assertEqual((ending, struck.launcher_hung), ("hung", False))
        struck, ending = self.judged([7])
        self.assertEqual((ending, struck.launcher_hung), ("found", True))


class ThePlan(unittest.TestCase):
    def test_every_attack_is_there_once_kinds_in_turn_and_layouts_alike(self) -> None:
        wanted = {"damages": 4 * len(FORMS), "kills": len(FORMS)}
        plan = list(attacks.planned(wanted))
        self.assertEqual([attack.place for attack in plan], list(range(5 * len(FORMS))))
        self.assertEqual(len({(attack.kind, attack.layout, attack.number) for attack in plan}), len(plan))
        for layout, _ in FORMS:
            self.assertEqual(sum(attack.layout == layout for attack in plan), 5)
        first = plan[: len(plan) // 2]
        self.assertAlmostEqual(sum(attack.kind == "kills" for attack in first), len(FORMS) / 2, delta=1)

    def test_quick_and_full_have_every_kind(self) -> None:
        for table in (attacks.QUICK, attacks.FULL):
            self.assertEqual(tuple(table), score.KINDS)
            self.assertGreater(min(table.values()), 0)

    def test_counts(self) -> None:
        self.assertEqual(attacks.counts(False, ["kills"], "7"), {"kills": 7})
        self.assertEqual(attacks.counts(True, ["damages", "kills"], "kills=3"), {"damages": attacks.QUICK["damages"], "kills": 3})
        self.assertEqual(attacks.counts(True, ["damages", "kills"], "5, kills=3"), {"damages": 5, "kills": 3})
        for bad in ("x", "faults=3", "kills=", "-1", "=3", "kills=1e3"):
            with self.subTest(bad=bad), self.assertRaises(Refused):
                attacks.counts(False, ["damages", "kills"], bad)
        self.assertEqual(attacks.kinds_of("kills,damages"), ["damages", "kills"])
        self.assertEqual(attacks.kinds_of(None), list(score.KINDS))
        with self.assertRaises(Refused):
            attacks.kinds_of("kill")


class TheFolder(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.dir = pathlib.Path(folder.name)

    def test_it_goes_with_all_that_is_in_it_and_nothing_else(self) -> None:
        (self.dir / "mine").write_text("kept")
        with self.assertRaises(ZeroDivisionError), workspace.workspace(self.dir) as root:
            self.assertEqual(root.parent, self.dir)
            (root / "below").mkdir()
            (root / "below" / "file").write_text("x")
            (root / "link").symlink_to(self.dir / "mine")
            raise ZeroDivisionError
        self.assertEqual([path.name for path in self.dir.iterdir()], ["mine"])
        self.assertEqual((self.dir / "mine").read_text(), "kept")

    def test_a_directory_that_it_made_goes_too(self) -> None:
        with workspace.workspace(self.dir / "new"):
            self.assertTrue((self.dir / "new").is_dir())
        self.assertFalse((self.dir / "new").exists())

    def test_what_is_missing_is_named(self) -> None:
        (self.dir / "file").write_text("")
        for bad in (self.dir / "no" / "parent", self.dir / "file"):
            with self.subTest(bad=bad), self.assertRaises(Refused), workspace.workspace(bad):
                self.fail("it was made")
        with self.assertRaisesRegex(Refused, "parent"):
            workspace.check_room(self.dir / "no" / "parent", 1, 1)
        with self.assertRaisesRegex(Refused, "MiB are needed"):
            workspace.check_room(self.dir, 1 << 60, 1)
        workspace.check_room(self.dir / "new", 1, 1)

    def test_what_a_dead_one_left_is_swept_and_a_living_one_is_let_be(self) -> None:
        for name in ("dead", "alive", "strange"):
            (self.dir / (workspace.NAME + name)).mkdir()
        for name in ("dead", "alive"):
            (self.dir / (workspace.NAME + name) / workspace.LOCK).write_text("")
        with open(self.dir / (workspace.NAME + "alive") / workspace.LOCK) as held:
            fcntl.flock(held, fcntl.LOCK_EX)
            with workspace.workspace(self.dir):
                pass
        self.assertEqual({path.name.removeprefix(workspace.NAME) for path in self.dir.iterdir()}, {"alive", "strange"})


class TheLibrary(unittest.TestCase):
    def test_it_is_found_in_a_build_and_in_an_installation(self) -> None:
        for command, library in (("build/bench/cli/shardmark", "build/bench/interposed"),
                                 ("usr/bin/shardmark", "usr/lib/shardmark"), ("usr/bin/shardmark", "usr/lib64/shardmark"),
                                 ("usr/bin/shardmark", "usr/lib/x86_64-linux-gnu/shardmark")):  # fmt: skip
            with tempfile.TemporaryDirectory() as name:
                root = pathlib.Path(os.path.realpath(name))
                for path in (root / command, root / library / LIBRARY):
                    path.parent.mkdir(parents=True, exist_ok=True)
                self.assertIsNone(library_of(root / command))
                (root / library / LIBRARY).write_text("")
                self.assertEqual(library_of(root / command), root / library / LIBRARY)


if __name__ == "__main__":
    unittest.main()
