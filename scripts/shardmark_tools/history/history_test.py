# SPDX-License-Identifier: Apache-2.0
"""Tests of scripts/history: nights with planted steps and drifts, what separates series, what people decide."""

import datetime
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest
import unittest.mock
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterable
from typing import Any

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))
from shardmark_tools.interpreter import ensure_modules

ensure_modules("numpy", "scipy", status=77)
import numpy as np

from shardmark_tools.history import export, output, page, planning, run_record
from shardmark_tools.history.decisions import accept, drop
from shardmark_tools.history.change import Change
from shardmark_tools.history.judgement import Report, Seen, judge
from shardmark_tools.history.listing import show_text
from shardmark_tools.history.nights import Group, NightValues, Row, grouped, still_running, why_none
from shardmark_tools.history.run_record import BadArgument
from shardmark_tools.history.store import Store
from shardmark_tools.results import result_folder, synthetic_results

SCRIPT = pathlib.Path(__file__).resolve().parents[2] / "history"
MEMORY = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None  # a store syncs every record: hundreds of them here
FIRST = datetime.date(2026, 1, 5)
SAVE = synthetic_results.names(1, 2)["save"]
LOAD = synthetic_results.names(1, 2)["load"]


def night_of(number: int) -> str:
    return (FIRST + datetime.timedelta(days=number)).isoformat()


Factors = dict[str, float]


class Nights:
    """Writes result folders of nights: save, load and plan, 2 % apart from night to night."""

    def __init__(self, root: pathlib.Path, seed: int = 1) -> None:
        self.root, self.rng = root, np.random.default_rng(seed)

    def run(self, number: int, factors: Factors | None = None, shares: Factors | None = None, start: str = "T03:00:00Z",
            folder: str = "runs", noise: float = 0.02, **context: Any) -> str:  # fmt: skip
        own = {family: (factors or {}).get(family, 1.0) * float(np.exp(self.rng.normal(0, noise)))
               for family in ("save", "load", "plan")}  # fmt: skip
        of = synthetic_results.context(started=night_of(number) + start, **context)
        document = synthetic_results.make_run(self.rng, of, repetitions=3, noise=0.003, factors=own)
        if shares:
            again = synthetic_results.make_run(self.rng, of, 3, 0.003, own, families=("save",), shares=shares)
            document["samples"] = [s for s in document["samples"] if s["family"] != "save"] + again["samples"]
            for order, sample in enumerate(document["samples"]):
                sample["order"] = order
        place = self.root / folder / f"{number:04d}-{self.rng.integers(10**9)}"
        return str(synthetic_results.write_run(place, document))


class HistoryTest(unittest.TestCase):
    def setUp(self) -> None:
        self.temporary = tempfile.TemporaryDirectory(dir=MEMORY)
        self.addCleanup(self.temporary.cleanup)
        self.root = pathlib.Path(self.temporary.name)
        self.nights = Nights(self.root)
        self.store = Store(self.root / "store", create=True)

    def add(self, folders: list[str], at: str | None = None, labels: dict[str, str] | None = None,
            control: bool = False) -> tuple[int, int]:  # fmt: skip
        done = run_record.add(self.store, folders, at, labels or {}, control)
        return done.added, done.known

    def add_nights(self, numbers: Iterable[int], **how: Any) -> None:
        self.add([self.nights.run(number, **how) for number in numbers])

    def reports(self) -> list[Report]:
        records = self.store.records()
        return [judge(group, records) for group in grouped(records)]

    def wholes(self) -> list[Change]:
        return [change for report in self.reports() for change in report.changes if change.phase is None]

    def test_below_twenty_nights_is_too_few_and_twenty_are_quiet(self) -> None:
        self.add_nights(range(19))
        self.assertEqual(output.exit_code(self.reports()), 3)
        self.assertIn("too few nights: 19", output.check_text(self.reports()))
        self.add_nights([19])
        self.assertEqual(output.exit_code(self.reports()), 0)

    def test_saves_that_come_to_hold_up_their_caller_are_told(self) -> None:
        for number in range(40):
            folder = pathlib.Path(self.nights.run(number))
            document = json.loads((folder / "samples.json").read_text())
            for sample in document["samples"]:
                if sample["family"] == "save":
                    sample["returned_s"] = (0.1 if number < 28 else 1.0) * sample["durable_s"]
            (folder / "samples.json").write_text(json.dumps(document))
            self.add([str(folder)])
        reports = self.reports()
        self.assertEqual(output.exit_code(reports), 1)
        change = next(change for report in reports for change in report.changes)
        self.assertEqual((change.benchmark, change.phase, change.verdict), (SAVE, "returned", "slower"))
        self.assertAlmostEqual(change.after_s / change.before_s, 10, delta=1)

    def test_a_run_that_is_there_keeps_its_labels(self) -> None:
        folder = self.nights.run(0)
        self.add([folder], labels={"machine": "a"})
        self.assertEqual(self.add([folder], labels={"machine": "a"}), (0, 1))
        self.assertEqual(self.add([folder]), (0, 1))
        for how in ({"labels": {"machine": "b"}}, {"control": True}):
            with self.assertRaisesRegex(BadArgument, "is there already"):
                self.add([folder], **how)  # type: ignore[arg-type]
        # What the message says is a way.
        (name,) = self.store.records()
        with self.assertRaisesRegex(BadArgument, f"remove {self.store.folder / name} and add it anew"):
            self.add([self.nights.run(1), folder], labels={"machine": "b"})
        self.assertEqual(list(self.store.records()), [name])
        (self.store.folder / name).unlink()
        self.assertEqual(self.add([folder], labels={"machine": "b"}), (1, 0))
        with self.assertRaisesRegex(BadArgument, "expected UTF-8"):
            run_record.labels_of(["x=\udcff"])
        with self.assertRaisesRegex(BadArgument, "expected UTF-8"):
            run_record.decision("\udcff")

    def test_a_run_of_the_future_is_refused_and_hides_nothing(self) -> None:
        later = self.nights.run(0, start="T03:00:00Z")
        for at in ("2099-01-01", None):
            document = json.loads((pathlib.Path(later) / "samples.json").read_text())
            document["context"]["started"] = "2099-01-01T00:00:00Z"
            (pathlib.Path(later) / "samples.json").write_text(json.dumps(document))
            with self.assertRaisesRegex(BadArgument, "lies in the future"):
                self.add([later], at)
        # As a store may have it that was written before; its other nights are old.
        self.add([self.nights.run(1)])
        document["context"]["hosts"] = ["another"]
        (run,) = result_folder.read_runs(str(synthetic_results.write_run(later, document)))
        begun = run_record.moment(run.context["started"])
        self.store.put("run", run_record.record_of(run, begun, {}, False))
        self.assertEqual(len(still_running(grouped(self.store.records()))), 2)

    def test_words_of_results_steer_no_terminal_and_few_nights_have_a_plan(self) -> None:
        self.add_nights(range(3), suite="a\x1b[31mRED\nname")
        text = output.check_text(self.reports()) + show_text(self.reports(), self.store.records(), False)
        text += planning.plan_text(self.reports(), 0.05, 7)
        self.assertNotIn("\x1b", text)
        self.assertIn("a\\x1b[31mRED\\x0aname", text)
        self.assertIn("too few nights: 3", planning.plan_text(self.reports(), 0.05, 7))

    def test_a_step_is_told_with_its_date_size_phase_and_context_and_accepted_once(self) -> None:
        self.add_nights(range(30))
        slow = {"write": 0.74, "flush": 0.12, "gather": 0.04, "commit": 0.03, "hooks": 0.01}
        self.add_nights(range(30, 40), factors={"save": 1.25}, shares=slow, hdf5="1.14.0")
        reports = self.reports()
        change = self.wholes()[0]
        self.assertEqual((change.benchmark, change.verdict), (SAVE, "slower"))
        self.assertIn(change.date, (night_of(29), night_of(30), night_of(31)))
        self.assertTrue(change.low < 1.25 < change.high, (change.low, change.high))
        self.assertEqual(change.context, {"hdf5": ["1.10.8", "1.14.0"]})
        self.assertIn("write", [c.phase for c in reports[0].changes if c.id == change.id])
        self.assertEqual(output.exit_code(reports), 1)
        accept(self.store, reports, [change.id], "a new HDF5")
        self.assertEqual(self.wholes(), [])
        self.assertEqual(output.exit_code(self.reports()), 0)
        self.assertIn("1 accepted.", output.summary_sentence(self.reports()))
        self.add_nights(range(40, 48), factors={"save": 1.25}, shares=slow, hdf5="1.14.0")
        self.assertEqual(output.exit_code(self.reports()), 0)
        self.add_nights(range(48, 56), factors={"save": 1.25, "load": 1.2}, shares=slow, hdf5="1.14.0")
        self.assertEqual([c.benchmark for c in self.wholes()], [LOAD])
        with self.assertRaisesRegex(BadArgument, "no such change"):
            accept(self.store, self.reports(), [change.id], "again")

    def test_single_bad_nights_and_gaps_are_no_change(self) -> None:
        numbers = [n for n in range(60) if n not in (7, 8, 20, 21, 22, 23, 41)]
        for number in numbers:
            bad = {"save": 2.5, "load": 2.5, "plan": 2.5} if number in (12, 30, 50) else {"load": 1.8} if number == 33 else {}
            self.add_nights([number], factors=bad)
        self.assertEqual([c.benchmark for report in self.reports() for c in report.changes], [])

    def test_a_slow_drift_counts(self) -> None:
        self.add_nights(range(30), noise=0.01)
        for number in range(30, 60):
            self.add_nights([number], factors={"load": float(np.exp(0.004 * (number - 29)))}, noise=0.01)
        changes = [c for c in self.wholes() if c.benchmark == LOAD]
        self.assertTrue(changes and all(c.verdict == "slower" for c in changes))
        self.assertTrue(changes[-1].drift)

    def test_other_configuration_world_machine_or_file_system_is_another_series(self) -> None:
        others: list[dict[str, Any]] = [
            {}, {"config_hash": "fedcba9876543210"}, {"config": "[model]\nscale = 0.5\n", "config_hash": "12"},
            {"cpu": "another"}, {"hosts": ["other"]}, {"filesystem": {"type": "nfs4", "path": "/"}},
            {"filesystem": {"type": "ext4", "path": "/scratch"}}, {"per_node": 3},
        ]  # fmt: skip
        for number, other in enumerate(others):
            per_node = other.pop("per_node", 2)
            of = synthetic_results.context(per_node=per_node, started=night_of(number) + "T01:00:00Z", **other)
            document = synthetic_results.make_run(self.nights.rng, of, repetitions=1)
            self.add([str(synthetic_results.write_run(self.root / f"other-{number}", document))])
        self.assertEqual(len(grouped(self.store.records())), len(others))
        self.add([self.nights.run(9, commit="1" * 40, mpi="another", hosts=["node7"])])
        self.assertEqual(len(grouped(self.store.records())), len(others))

    def config_run(self, number: int, config: str, **context: Any) -> str:
        of = synthetic_results.context(started=night_of(number) + "T01:00:00Z", config=config, config_hash=config, **context)
        document = synthetic_results.make_run(self.nights.rng, of, repetitions=1)
        return str(synthetic_results.write_run(self.root / "runs" / f"{number}", document))

    def test_what_a_later_version_knows_besides_cuts_no_series(self) -> None:
        old, new = "[storage]\nio = 'auto'\n", "[storage]\nio = 'auto'\nexchange = 'auto'\n"
        mount = {"filesystem": {"type": "ext4", "path": "/", "options": "rw,noatime"}, "kernel": "6.1"}
        self.add([self.config_run(0, old), self.config_run(1, new, commit="1" * 40, **mount), self.config_run(2, old)])
        groups = grouped(self.store.records())
        self.assertEqual([group.nights() for group in groups], [[night_of(0), night_of(1), night_of(2)]])
        key = groups[0].key
        others = ["[storage]\nio = 'auto'\nexchange = 'off'\n", old + "[parallel]\ntp = 2\n"]
        self.add([self.config_run(3 + place, text, commit=f"{2 + place}" * 40) for place, text in enumerate(others)])
        groups = grouped(self.store.records())
        self.assertEqual(sorted(len(group.runs) for group in groups), [1, 1, 3])
        # The first run names the series, even where it is left out.
        first = next(group for group in groups if len(group.runs) == 3).runs[0]["run"]
        self.assertEqual(first, key)
        drop(self.store, [first], "a disk was rebuilt")
        self.assertIn((key, 2), [(group.key, len(group.runs)) for group in grouped(self.store.records())])

    def test_what_is_another_every_night_is_no_context(self) -> None:
        for number in range(30):
            mounted = {"type": "ext4", "path": "/", "options": "rw" if number < 22 else "ro"}
            context: dict[str, Any] = {"variables": {"JOB": str(number)}, "filesystem": mounted}
            self.add_nights([number], factors={"load": 1.3} if number >= 22 else {}, **context)
        self.assertEqual([change.context for change in self.wholes()], [{"filesystem.options": ["rw", "ro"]}])

    def test_a_run_counts_once_and_a_dropped_one_not_at_all(self) -> None:
        folder = self.nights.run(0)
        self.assertEqual(self.add([folder]), (1, 0))
        self.assertEqual(self.add([folder]), (0, 1))
        self.assertEqual(self.add([folder], at="2026-03-01"), (1, 0))
        group = grouped(self.store.records())[0]
        self.assertEqual(group.nights(), [night_of(0), "2026-03-01"])
        # The same run in two records, as two stores that were merged may have it.
        record = dict(group.runs[0], labels={"note": "from elsewhere"})
        self.store.put("run", {k: v for k, v in record.items() if k not in ("format", "version", "kind")})
        self.assertEqual(len(grouped(self.store.records())[0].runs), 2)
        drop(self.store, [group.runs[0]["run"][:8]], "a disk was rebuilt")
        self.assertEqual(grouped(self.store.records())[0].nights(), ["2026-03-01"])
        with self.assertRaisesRegex(BadArgument, "no such run"):
            drop(self.store, ["ffffffff"], "x")

    def test_a_run_that_was_dropped_is_told_of_when_it_is_added_again(self) -> None:
        folder = self.nights.run(0)
        self.assertIsNone(why_none(self.store.records()))
        self.add([folder])
        (run,) = (record["run"] for record in self.store.records().values())
        drop(self.store, [run], "a disk\nwas rebuilt")
        (name,) = (name for name, record in self.store.records().items() if record["kind"] == "drop")
        told = run_record.add(self.store, [folder], None, {}, False).sentence(self.store.folder)
        self.assertIn(f", 1 there already, 1 of them left out by drop (remove {self.store.folder / name} to take it back)", told)
        done = subprocess.run([sys.executable, str(SCRIPT), "--store", str(self.store.folder), "show"], capture_output=True,
                              text=True, check=False)  # fmt: skip
        self.assertEqual(done.returncode, 2)
        self.assertNotIn("no run in it", done.stderr)
        self.assertIn(f"{name}: run {run}: a disk\\x0awas rebuilt", done.stderr)
        self.assertIn("left out: " + run + ": a disk\\x0awas rebuilt", show_text([], self.store.records(), False))
        (self.store.folder / name).unlink()
        self.assertEqual(len(grouped(self.store.records())), 1)

    def test_whoever_decides_may_have_a_name_of_any_bytes(self) -> None:
        self.add([self.nights.run(0), self.nights.run(1)])
        group = grouped(self.store.records())[0]
        with unittest.mock.patch.dict(os.environ, LOGNAME="a\udcff"):
            drop(self.store, [group.runs[0]["run"]], "a disk was rebuilt")
        self.assertEqual([r["by"] for r in self.store.records().values() if r["kind"] == "drop"], ["a\ufffd"])

    def test_no_step_is_planned_below_what_is_told(self) -> None:
        with self.assertRaisesRegex(BadArgument, "--see 0.500 %: expected more than 1.00 %"):
            planning.plan_text([], 0.005, 3)

    def test_words_of_changes_steer_no_terminal(self) -> None:
        change = Change("0" * 8, "sa\x1bve", None, "save", "2026-01-31", 1.0, 2.0, 1.9, 2.1, False, {"kernel": ["\x1b", "6"]})
        report = Report(Group("", {}, [], [], frozenset()), NightValues([]), [change],
                        [Seen(Row("a", None, "sa\x1bve"), 0.1, 0.1, {7: 0.1})], [])  # fmt: skip
        text = "".join(page.change_sentences(report)) + str(output.seen_sentence(report))
        self.assertNotIn("\x1b", text)

    def test_the_control_tells_the_machine_from_the_software(self) -> None:
        machine = {"save": 1.3, "load": 1.3, "plan": 1.0}
        for number in range(40):
            self.add_nights([number], factors=machine if number >= 32 else {})
            self.add([self.nights.run(number, factors=machine if number >= 32 else {}, folder="old")], control=True)
        self.assertEqual({c.moved for c in self.wholes()}, {"machine"})
        self.assertIn("the machine (the control", output.check_text(self.reports()))
        other = Store(self.root / "software", create=True)
        for number in range(40):
            run_record.add(other, [self.nights.run(number, factors={"save": 1.3} if number >= 32 else {})], None, {}, False)
            run_record.add(other, [self.nights.run(number, folder="old")], None, {}, True)
        records = other.records()
        changes = [c for group in grouped(records) for c in judge(group, records).changes if c.phase is None]
        self.assertEqual({c.moved for c in changes}, {"software"})

    def test_labels_are_context_and_machines(self) -> None:
        for number in range(30):
            folder = self.nights.run(number, factors={"load": 1.3} if number >= 22 else {})
            self.add([folder], labels={"kernel": "6.1.0" if number < 22 else "6.5.0", "machine": "mine"})
        change = self.wholes()[0]
        self.assertEqual(change.context, {"kernel": ["6.1.0", "6.5.0"]})
        self.assertIn("of mine", self.reports()[0].group.title())

    def test_documents(self) -> None:
        self.add_nights(range(26))
        self.add_nights(range(26, 34), factors={"save": 1.3})
        reports = self.reports()
        document = json.loads(output.check_json(reports))
        self.assertEqual(set(document), {"changes"})
        keys = {"benchmark", "phase", "date", "before", "after", "interval", "context"}
        self.assertTrue(all(set(change) == keys for change in document["changes"]))
        self.assertIn(None, [change["phase"] for change in document["changes"]])
        suite = ElementTree.fromstring(output.check_junit(reports).split("\n", 1)[1])
        self.assertEqual((suite.get("tests"), suite.get("failures")), ("3", "1"))
        self.assertIn("**slower: 1 slower", output.check_markdown(reports))
        text = export.textfile(reports)
        self.assertRegex(text, r'shardmark_night_seconds\{series="\w+",machine="node#",suite="synthetic",benchmark="save/[^"]*",'
                         r'phase=""\} \d')  # fmt: skip
        self.assertTrue(all(len(line.rsplit("} ", 1)[1].split()) == 1 for line in text.split("\n") if "} " in line))
        metrics = export.openmetrics(reports)
        self.assertTrue(metrics.endswith("# EOF\n"))
        self.assertEqual(sum(line.startswith("shardmark_night_seconds{") and 'phase=""' in line
                             for line in metrics.split("\n")), 3 * 34)  # fmt: skip
        self.assertIn("runs a night", planning.plan_text(reports, 0.05, 3))
        self.assertIn("step seen", show_text(reports, self.store.records(), True))
        html = page.html_page(reports)
        self.assertEqual(html.count('class="change"'), 1)
        self.assertEqual(html.count('class="middle"'), 3)

    def test_a_name_with_a_control_character_makes_no_broken_xml(self) -> None:
        self.add_nights(range(2))
        for name, record in self.store.records().items():
            (self.store.folder / name).unlink()
            record["benchmarks"] = {f"{key}\x1b": {**of, "family": "sa\x07ve"} for key, of in record["benchmarks"].items()}
            self.store.put("run", {key: of for key, of in record.items() if key not in ("format", "version", "kind")})
        suite = ElementTree.fromstring(output.check_junit(self.reports()).split("\n", 1)[1])
        self.assertIn(f"{SAVE}\\x1b", [case.get("name") for case in suite])

    def test_the_command(self) -> None:
        folders = [self.nights.run(number) for number in range(21)]
        environment = {**os.environ, "SHARDMARK_HISTORY": str(self.root / "mine")}

        def history(*words: str) -> subprocess.CompletedProcess[str]:
            return subprocess.run([sys.executable, str(SCRIPT), *words], capture_output=True, text=True, env=environment,
                                  check=False)  # fmt: skip

        self.assertEqual(history("check").returncode, 2)
        self.assertIn("21 runs added", history("add", *folders).stdout)
        done = history("check", "--json")
        self.assertEqual((done.returncode, json.loads(done.stdout)), (0, {"changes": []}))
        for words in (["add", folders[0], "--at", "yesterday"], ["add", folders[0], "--label", "x"], ["ack", "12345678", "--note", "x"],
                      ["plan", "--see", "much"], ["export"], ["drop", "12345678", "--note", " "],
                      ["export", "--textfile", "-", "--openmetrics", "-"]):  # fmt: skip
            self.assertEqual(history(*words).returncode, 2, words)


if __name__ == "__main__":
    unittest.main()
