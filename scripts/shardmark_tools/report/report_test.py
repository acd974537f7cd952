# SPDX-License-Identifier: Apache-2.0
"""Tests of scripts/report: every number of the page against the samples, by a way of its own; names of
who is slow; headless Chromium."""

import csv
import html.parser
import json
import os
import pathlib
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import unittest
from typing import Any

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))
from shardmark_tools.interpreter import ensure_modules

ensure_modules("numpy", "scipy", status=77)
import numpy as np

from shardmark_tools.report import checkpoint_interval, scaling_laws, svg_chart
from shardmark_tools.report.bench_data import read_data
from shardmark_tools.report.figures import all_figures
from shardmark_tools.results import synthetic_results as synthetic
from shardmark_tools.results import vocabulary

REPORT = pathlib.Path(__file__).resolve().parents[2] / "report"
CHROMIUM = shutil.which("chromium")
VIRTUAL_WORLDS = [2, 4, 8, 16, 32, 64]
BROWSERS_OWN = {"clients2.google.com", "update.googleapis.com", "accounts.google.com"}


class Page(html.parser.HTMLParser):
    """Numbers with their sources, and everything that would be fetched."""

    def __init__(self, text: str):
        super().__init__()
        self.numbers: list[tuple[float, str]] = []
        self.fetched: list[str] = []
        self.tags: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: Any, attributes: Any) -> None:
        attributes = dict(attributes)
        self.tags.append(tag)
        if "data-from" in attributes:
            value = attributes.get("value", attributes.get("data-y"))
            self.numbers.append((float(value), attributes["data-from"]))
        for key in ("src", "href", "xlink:href"):
            target = attributes.get(key, "")
            if target and not target.startswith(("#", "data:")):
                self.fetched.append(target)


def matched(pattern: str, text: str) -> tuple[str, ...]:
    match = re.fullmatch(pattern, text)
    assert match, f"{text!r} is not {pattern}"
    return match.groups()


class Oracle:
    """Works out a source's value from the raw samples.json documents."""

    def __init__(self, documents: Any):
        self.samples: dict[str, list[Any]] = {}
        self.node_of_rank: dict[str, list[int]] = {}
        for document in documents:
            for sample in document["samples"]:
                # Under its name, and under its name and planner: which of them is meant, the page says.
                planner = sample["case"].get("planner")
                for name in (sample["name"], f"{sample['name']}{{planner={planner}}}"):
                    self.samples.setdefault(name, []).append(sample)
                    self.node_of_rank[name] = document["context"]["node_of_rank"]

    def law(self, source: Any) -> Any:
        """Of a law: fitted again, to medians worked out here."""
        what, axis, names = matched(r"law (\S+) over (\w+) of (.+)", source)
        of = [self.samples[name] for name in names.split()]
        worlds = [samples[0][axis] for samples in of]
        law = scaling_laws.fit(worlds, [statistics.median(s["time_s"] for s in samples) for samples in of])
        what, _, world = what.partition("@")
        if what in ("time", "low", "high"):
            return law.predict(int(world))[("time", "low", "high").index(what)]
        if what == "residual":
            return law.residuals[law.worlds.index(int(world))]
        name, _, end = what.partition("[")
        found = law.knee() if name == "knee" else getattr(law, name)
        return found[int(end[0])] if end else found

    def value(self, source: Any) -> Any:
        if source.startswith("law "):
            return self.law(source)
        if " / " in source:
            left, right = source.rsplit(" / ", 1)
            return self.value(left) / (2.0**30 if right == "GiB" else self.value(right))
        how, what, name = matched(r"(\w+) (.+) of (\S+)", source)
        samples = self.samples[name]
        values = [self.one(sample, what, name) for sample in samples]
        over: dict[str, Any] = {"median": statistics.median, "min": min, "max": max}
        return over[how](values)

    def one(self, sample: Any, what: Any, name: str) -> Any:
        words = what.split()
        phases = sample["per_rank"]["phases_s"]
        if words[0] in ("mean", "max"):
            seconds = phases[words[1]]
            return sum(seconds) / len(seconds) if words[0] == "mean" else max(seconds)
        if words[0] == "rank":
            return phases[words[2]][int(words[1])]
        if words[:2] == ["work", "of"]:
            node = int(words[3])
            ranks = [r for r, n in enumerate(self.node_of_rank[name]) if n == node]
            shared = set("hooks local_plan stage write flush load_plan read verify".split()) & set(phases)
            return statistics.fmean(sum(phases[p][r] for p in shared) for r in ranks)
        return sample[what]


class ReportTest(unittest.TestCase):
    root: pathlib.Path
    documents: list[Any]
    said: str
    text: str
    page: Page

    @classmethod
    def setUpClass(cls) -> None:
        holder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(holder.cleanup)
        cls.root = pathlib.Path(holder.name)
        rng = np.random.default_rng(5)
        cls.documents = []
        for nodes, per_node in ((1, 1), (1, 2), (2, 2), (4, 2)):
            ranks = nodes * per_node
            of = synthetic.context(nodes, per_node, f"{ranks:016x}", config="[model]\nname = \"<tiny>\"\n")
            medians = {"save": 4 / ranks, "load": 2 / ranks, "plan": 0.005 * ranks, "hooks": 0.0002}
            document = synthetic.make_run(
                rng, of=of, repetitions=7, noise=0.05, families=("save", "load", "plan", "hooks"),
                strategies=("ddp", "fsdp"), medians=medians, slow_rank=5 if nodes == 4 else None, slow=1.8,
            )  # fmt: skip
            for sample in document["samples"]:
                if sample["family"] == "load" and sample["strategy"] == "ddp" and ranks == 4:
                    sample.update(time_s=None, error={"code": 1, "message": "value mismatch", "rank": 1})
            cls.add_other_families(document, of)
            cls.add_another_planner(cls.root / "runs" / f"layout-{ranks}", of)
            synthetic.write_run(cls.root / "runs" / str(ranks), document)
            document["samples"] = [s for s in document["samples"] if s["time_s"] is not None]
            cls.documents.append(document)
        cls.add_virtual_worlds(rng)
        hung = cls.root / "runs" / "hung"
        hung.mkdir()
        case = {"name": "x", "status": "hung", "reason": "stuck: rank 3 in phase write"}
        (hung / "case.json").write_text(json.dumps(case))
        done = subprocess.run([REPORT, cls.root / "runs", "--out", cls.root / "out"], capture_output=True,
                              text=True, check=False)  # fmt: skip
        assert done.returncode == 0, done.stderr
        cls.said = done.stdout
        cls.text = (cls.root / "out" / "report.html").read_text(encoding="utf-8")
        cls.page = Page(cls.text)

    @classmethod
    def add_another_planner(cls, folder: Any, of: Any) -> None:
        """A run whose saves have the same name and another planner, as in a sweep."""
        name = synthetic.names(of["nodes"], of["ranks"], "fsdp")["save"]
        case = {"planner": "layout", "backend": "hdf5", "file_layout": "shared", "io": "independent"}
        samples = [synthetic.sample("save", name, of, 5.0 + i, i, i, case=case) for i in range(3)]
        document = {"schema_version": 1, "context": of, "samples": samples}
        synthetic.write_run(folder, document)
        cls.documents.append(document)

    @classmethod
    def add_virtual_worlds(cls, rng: Any) -> None:
        """What scripts/planner-scaling writes, in worlds that are real ones too."""
        points = [
            {"planner": "coordinator", "world": world, "repetition": repetition,
             "measured_s": float((0.002 + 1e-4 * world) * np.exp(rng.normal(0, 0.03)))}
            for world in VIRTUAL_WORLDS for repetition in range(3)
        ]  # fmt: skip
        folder = cls.root / "runs" / "planner-scaling"
        folder.mkdir()
        (folder / "planner-scaling.json").write_text(json.dumps({"config": "planning", "points": points}))
        samples = [{"name": f"plan/planning/coordinator/world:{p['world']}", "time_s": p["measured_s"],
                    "world_size": p["world"], "case": {}, "per_rank": {"phases_s": {}}} for p in points]  # fmt: skip
        cls.documents.append({"context": {"node_of_rank": [0]}, "samples": samples})

    def test_every_phase_has_a_colour_of_its_own_in_its_chart(self) -> None:
        text = svg_chart.STYLE.read_text()
        for phases in (vocabulary.SAVE_PHASES, vocabulary.LOAD_PHASES):
            colours = [re.search(rf"\.phase_{phase} {{ fill: (#\w+)", text) for phase in phases]
            self.assertNotIn(None, colours)
            self.assertEqual(len(phases), len({found[1] for found in colours if found}))

    def test_real_nodes_and_virtual_worlds_never_share_a_line(self) -> None:
        for figure in re.findall(r'<section id="(?!answer|failed|differences|environment)[a-z-]+".*?</section>', self.text, re.S):
            sources = re.findall(r'data-from="([^"]+)"', figure)
            virtual = ["plan/planning/" in source for source in sources]
            self.assertTrue(all(virtual) or not any(virtual), figure[:80])
        self.assertIn('id="laws-plan-virtual"', self.text)
        self.assertIn('id="laws-save"', self.text)

    def test_laws_predict_and_keep_their_residuals(self) -> None:
        self.assertIn("Predicted for 4,096 virtual ranks: planning by", self.text)
        with open(self.root / "out" / "data" / "residuals-plan-virtual.csv", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        self.assertEqual([int(row["N"]) for row in rows], VIRTUAL_WORLDS)
        with open(self.root / "out" / "data" / "predicted-plan-virtual.csv", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        self.assertEqual([int(row["N"]) for row in rows], [256, 1024, 4096])
        for row in rows:
            truth = 0.002 + 1e-4 * int(row["N"])
            self.assertTrue(float(row["low s"]) <= truth <= float(row["high s"]), row)

    def test_sizes_to_predict_can_be_asked_for(self) -> None:
        out = self.root / "asked"
        subprocess.run([REPORT, self.root / "runs", "--out", out, "--predict", "100,64,8"], check=True,
                       capture_output=True)  # fmt: skip
        with open(out / "data" / "predicted-plan-virtual.csv", encoding="utf-8") as file:
            self.assertEqual([row["N"] for row in csv.DictReader(file)], ["100"])
        with open(out / "data" / "predicted-plan.csv", encoding="utf-8") as file:
            self.assertEqual({row["N"] for row in csv.DictReader(file)}, {"64", "100"})

    def test_folders_given_twice_count_once(self) -> None:
        out = self.root / "twice"
        subprocess.run([REPORT, self.root / "runs", self.root / "runs" / "planner-scaling", self.root / "runs" / ".", "--out", out],
                       check=True, capture_output=True)  # fmt: skip
        self.assertEqual((out / "report.html").read_text(encoding="utf-8"), self.text)

    def test_runs_that_differ_in_the_planner_alone_are_not_pooled(self) -> None:
        counts = re.findall(r"<td>(save/tiny/fsdp/[^<]*nodes:4[^<]*)</td><td>4</td><td>8</td><td>(\d+)</td>", self.text)
        self.assertIn(("save/tiny/fsdp/shared-independent/nodes:4/ranks:8{planner=coordinator}", "7"), counts)
        self.assertIn(("save/tiny/fsdp/shared-independent/nodes:4/ranks:8{planner=layout}", "3"), counts)
        self.assertIn("fsdp shared-independent planner layout", self.text)

    def test_cases_of_a_sweep_without_samples_are_listed(self) -> None:
        self.assertIn("hung: stuck: rank 3 in phase write", self.text)

    @staticmethod
    def add_other_families(document: Any, of: Any) -> None:
        """Ceilings, and a checkpoint loaded under another strategy."""
        size = f"nodes:{of['nodes']}/ranks:{of['ranks']}"
        for layer, seconds in (("memcpy", 0.01), ("posix-per-rank", 0.4), ("bare-hdf5", 0.7)):
            for operation in ("save", "load"):
                name = f"ceiling/tiny/fsdp/{layer}-buffered-{operation}/{size}"
                case = {"ceiling": layer, "operation": operation}
                document["samples"] += [
                    synthetic.sample("ceiling", name, of, seconds * (1 + 0.1 * i), i, 1000 + i, case=case)
                    for i in range(3)
                ]  # fmt: skip
        name = f"reshard/tiny/ddp/shared-independent/{size}/from:fsdp@4/on:2"
        case = {"saved_strategy": "fsdp", "saved_ranks": "4", "load_ranks": "2", "file_layout": "shared"}
        document["samples"].append(synthetic.sample("reshard", name, of, 0.25, case=case))

    def test_every_number_comes_from_the_samples(self) -> None:
        oracle = Oracle(self.documents)
        traced = 0
        for value, source in self.page.numbers:
            if source.split()[0] in ("mtbf", "young:", "daly:", "lost"):
                continue  # below
            expected = oracle.value(source)
            self.assertLessEqual(abs(value - expected), 1e-9 * abs(expected) + 1e-15, source)
            traced += 1
        self.assertGreater(traced, 300)

    def test_intervals_come_from_the_stall(self) -> None:
        oracle = Oracle(self.documents)
        checked = 0
        for value, source in self.page.numbers:
            match = re.fullmatch(
                r"(mtbf h|young|daly|lost %): stall (.+), restart (.+), (\d+) nodes, (\S+) years", source
            )
            if not match:
                continue
            kind, stall, restart = match[1], oracle.value(match[2]), oracle.value(match[3])
            mtbf = float(match[5]) * 365.25 * 86400 / int(match[4])
            if kind == "mtbf h":
                self.assertAlmostEqual(value, mtbf / 3600, places=6)
            elif kind == "young":
                self.assertAlmostEqual(value, (2 * stall * mtbf) ** 0.5, places=6)
            elif kind == "lost %":
                interval = checkpoint_interval.daly_interval_s(stall, mtbf)
                first_order = 100 * (stall / interval + interval / 2 / mtbf + restart / mtbf)
                self.assertAlmostEqual(value, first_order, delta=0.05 * first_order)
            checked += 1
        self.assertEqual(checked, 16)

    def test_marks_in_plots_are_in_the_tables(self) -> None:
        plotted = set(re.findall(r'data-y="([^"]+)"', self.text))
        listed = set(re.findall(r'<data value="([^"]+)"', self.text))
        self.assertGreater(len(plotted), 50)
        self.assertEqual(plotted - listed, set())

    def test_the_answer_names_the_slow_rank_and_node(self) -> None:
        self.assertIn("rank 5 on node2", self.said)
        self.assertIn("node node2 works", self.said)
        self.assertLess(self.text.index("The answer"), self.text.index("<svg"))

    def test_ceilings_and_reshard(self) -> None:
        self.assertIn("ceiling: best raw rate measured", self.text)
        self.assertIn("% of the best raw files", self.text)
        self.assertIn("fsdp@4", self.text)
        self.assertIn("ddp@2", self.text)

    def test_failures_are_listed(self) -> None:
        self.assertIn("value mismatch", self.text)

    def test_self_contained(self) -> None:
        self.assertEqual(self.page.fetched, [])
        self.assertNotIn("script", self.page.tags)
        self.assertNotRegex(self.text, r"url\(|@import|https?:")
        self.assertIn("&lt;tiny&gt;", self.text)

    def test_every_figure_has_its_data(self) -> None:
        sections = re.findall(r'<section id="([a-z-]+)".*?</section>', self.text, re.S)
        for key in set(sections) - {"answer", "failed", "differences", "environment"}:
            self.assertTrue((self.root / "out" / "data" / f"{key}.csv").exists(), key)
        for wanted in ("scaling-save", "compare-load", "phases-save", "ranks-save", "hooks", "planning", "interval",
                       "waterfall-save", "waterfall-load", "reshard"):
            self.assertIn(wanted, sections)
        self.assertIn("## Scaling of save", (self.root / "out" / "report.md").read_text())

    def test_other_engines_have_a_figure(self) -> None:
        document = synthetic.make_run(np.random.default_rng(5), repetitions=3, families=("save",))
        for sample in [dict(sample) for sample in document["samples"]]:
            sample.update(name=sample["name"].replace("save/", "peers/"), family="peers", own_s=0.9 * sample["time_s"],
                          case={"peer": "fio", "operation": "save"}, order=len(document["samples"]))  # fmt: skip
            document["samples"].append(sample)
        data = read_data([str(synthetic.write_run(self.root / "peers", document))])
        figure = next(figure for figure in all_figures(data, [], 5.0) if figure.key == "peers-save")
        self.assertEqual(len(figure.charts), 1)
        self.assertEqual([str(row[0]).split("/")[0] for row in figure.rows], ["peers", "save"])
        self.assertIn("shardmark ", figure.charts[0])

    def test_years_are_those_of_a_machine(self) -> None:
        for years in ("1e308", "1000001", "0", "-1", "nan", "inf"):
            done = subprocess.run([REPORT, self.root / "runs", "--out", self.root / "years", f"--node-mtbf-years={years}"],
                                  capture_output=True, text=True, check=False)  # fmt: skip
            self.assertEqual(done.returncode, 2, years)
            self.assertIn("argument --node-mtbf-years", done.stderr)
        for years in ("1e6", "1e-9"):
            subprocess.run([REPORT, self.root / "runs", "--out", self.root / "years", f"--node-mtbf-years={years}"],
                           check=True, capture_output=True)  # fmt: skip
            table = (self.root / "years" / "data" / "interval.csv").read_text(encoding="utf-8")
            self.assertNotRegex(table, r"\b(inf|nan)\b")

    def test_nothing_to_report(self) -> None:
        done = subprocess.run([REPORT, self.root / "out"], capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, 2)
        self.assertIn("no samples.json", done.stderr)

    @unittest.skipUnless(CHROMIUM, "no chromium here (Debian: chromium)")
    def test_in_chromium(self) -> None:
        """No console message and no request beyond the browser's own; a planted page has both."""
        blank = self.root / "blank.html"
        blank.write_text("<!DOCTYPE html><title>blank</title><link rel=icon href=data:,>")
        planted = self.root / "planted.html"
        planted.write_text(self.text.replace(
            "<nav>", '<img src="http://planted.invalid/x.png"><script>console.error("planted")</script><nav>'
        ))  # fmt: skip
        own, silent = self.open_in_chromium(blank, 1200, 1)
        self.assertEqual(silent, [])
        hosts, messages = self.open_in_chromium(planted, 1200, 1)
        self.assertIn("planted.invalid", hosts)
        self.assertEqual(len(messages), 1)
        for width, scheme in ((1200, 1), (420, 0)):
            hosts, messages = self.open_in_chromium(self.root / "out" / "report.html", width, scheme)
            self.assertEqual(hosts - own - BROWSERS_OWN, set())
            self.assertEqual(messages, [])

    def open_in_chromium(self, path: pathlib.Path, width: Any, scheme: Any) -> Any:
        """(hosts that were asked for anything, console messages)"""
        log = self.root / "net.json"
        environment = {**os.environ, "HOME": str(self.root)}
        command = [str(CHROMIUM), "--headless=new", "--no-sandbox", "--disable-gpu", f"--window-size={width},1000",
                   f"--user-data-dir={self.root}/profile", f"--blink-settings=preferredColorScheme={scheme}",
                   "--enable-logging=stderr", "--v=0", "--disable-background-networking", "--disable-sync",
                   "--disable-component-update", "--no-first-run", f"--log-net-log={log}", "--dump-dom",
                   f"file://{path}"]  # fmt: skip
        done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment, timeout=300)
        self.assertIn("<title>", done.stdout, done.stderr[-2000:])
        hosts = set(re.findall(r'"url":"(?:https?|wss?|ftp)://([^/"]*)', log.read_text(errors="replace")))
        return hosts, [line for line in done.stderr.splitlines() if "CONSOLE" in line]


class IntervalTest(unittest.TestCase):
    def test_daly_is_near_the_true_optimum(self) -> None:
        for stall, mtbf in ((10, 3600), (60, 86400), (300, 7200)):
            best = min(np.linspace(1, mtbf * 3, 200000),
                       key=lambda t: checkpoint_interval.lost_share(t, stall, 0, mtbf))  # fmt: skip
            lost = checkpoint_interval.lost_share(best, stall, 0, mtbf)
            daly = checkpoint_interval.lost_share(checkpoint_interval.daly_interval_s(stall, mtbf), stall, 0, mtbf)
            self.assertAlmostEqual(daly, lost, delta=0.002)

    def test_a_save_that_takes_longer_than_failures_are_apart(self) -> None:
        self.assertEqual(checkpoint_interval.daly_interval_s(100, 10), 10)
        self.assertEqual(checkpoint_interval.lost_share(10, 1e6, 0, 10), 1.0)


if __name__ == "__main__":
    unittest.main()
