#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The comparison of strategies on samples whose right answer is known."""

import json
import pathlib
import re
import sys
import tempfile
import unittest
from typing import Any

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))
from shardmark_tools.strategies import strategy_comparison as comparison
from shardmark_tools.strategies.advice import comparable
from shardmark_tools.strategies.knobs import knob_sentences
from shardmark_tools.interpreter import ensure_modules

ensure_modules("numpy", status=77)

from shardmark_tools.refusal import Refused
from shardmark_tools.results import synthetic_results as synthetic
from shardmark_tools.results.result_folder import Run

CONFIG = """\
[run]
benchmarks = ["hooks", "plan", "save", "load"]

[sweep]
"parallel.strategy" = ["slow", "fast"]
"""


def as_resolved(config: str) -> str:
    """As the program writes it: the keys of a sweep have the values of its first point, too."""
    first = re.search(r'^"reshard.saved_strategy" = \["([^"]*)"', config, re.MULTILINE)
    assert first
    return config.replace("[sweep]\n", f'[reshard]\nsaved_strategy = "{first[1]}"\n\n[sweep]\n')


def documents(slow_save: Any, fast_save: Any, config: Any = CONFIG, variants: Any = ({},)) -> Any:
    """Seconds of the rounds of two strategies; every other number is fixed. `variants` of `case`, each twice as
    slow as the one before."""
    of = synthetic.context(config=config)
    second_of = synthetic.context(config=as_resolved(comparison.reshard_config(config)))
    first: list[Any] = []
    second: list[Any] = []

    def add(to: Any, family: str, strategy: Any, seconds: Any, repetition: Any, metrics: Any = None,
            case: Any = None) -> None:  # fmt: skip
        name = f"{family}/tiny/{strategy}/x"
        made = synthetic.sample(family, name, of, float(seconds), repetition, len(to), num_bytes=100, case=case)
        made.update(metrics=metrics or {}, time_s=float(seconds))
        if family == "save":
            made.update(returned_s=float(seconds), durable_s=float(seconds))
        to.append(made)

    for place, case in enumerate(variants):
        for strategy, saves in (("slow", slow_save), ("fast", fast_save)):
            for r, seconds in enumerate(saves):
                for hook in (0.25, 0.5, 0.25):
                    add(first, "hooks", strategy, hook, r)
                add(first, "plan", strategy, 2.0, r, {"items": 7})
                add(first, "plan", strategy, 9.0, r)  # of a load
                add(first, "save", strategy, seconds * 2**place, r, {"imbalance": 1.5, "metadata_bytes": 10}, case)
                add(first, "load", strategy, 3.0 + r / 10, r, case=case)
                for saved in ("slow", "fast"):
                    times = 4.0 if saved == strategy else 5.0
                    add(second, "reshard", strategy, times + r, r, {"amplification": 1.0},
                        {**case, "saved_strategy": saved})  # fmt: skip
    broken = synthetic.sample("save", "save/tiny/fast/x", of, 1e-9, 9)
    first.append({**broken, "time_s": None, "error": {"message": "broken", "code": 1, "rank": 0}})
    return (Run(pathlib.Path("run"), of, first), Run(pathlib.Path("reshard"), second_of, second))


class StrategyComparison(unittest.TestCase):
    def test_rows(self) -> None:
        result = comparison.compare(*documents([8, 9, 10], [1, 2, 3]))
        slow, fast = result["rows"]
        self.assertEqual((slow["strategy"], fast["strategy"]), ("slow", "fast"))
        self.assertEqual(fast["durable_s"]["median"], 2)  # the failed sample is left out
        self.assertEqual(fast["hooks_s"]["median"], 1.0)
        self.assertEqual((fast["plan_s"]["median"], fast["items"]), (2.0, 7))
        self.assertEqual((fast["imbalance"], fast["metadata_bytes"]), (1.5, 10))
        self.assertEqual(fast["reshard_worst_to"], "slow")
        self.assertEqual(fast["reshard_worst_s"]["median"], 6.0)
        self.assertAlmostEqual(fast["reshard_worst_ratio"]["median"], 6 / 5)

    def test_advice_names_a_leader_only_where_intervals_part(self) -> None:
        clear = comparison.compare(*documents([8, 9, 10], [1, 2, 3]))["advice"]
        self.assertIn("fast is the fastest to save durably", clear[0])
        self.assertIn("78% less than slow", clear[0])
        self.assertIn("No clear difference in the time to load cold", clear[1])
        self.assertIn("Choose fast: ", clear[-1])
        level = comparison.compare(*documents([1, 2, 10], [1, 2, 3]))["advice"]
        self.assertIn("No clear difference in the time to save durably", level[0])
        self.assertIn("No clear difference between slow, fast", level[-1])

    def peers(self, run: Run, strategy: str, saves: Any, own: float = 1.0, num_bytes: int = 100) -> None:
        for r, seconds in enumerate(saves):
            for operation in ("save", "load"):
                made = synthetic.sample("peers", f"peers/tiny/{strategy}/dcp-{operation}", run.context, seconds, r,
                                        num_bytes=num_bytes, case={"engine": "dcp", "operation": operation})  # fmt: skip
                made.update(returned_s=seconds / 2, durable_s=seconds, own_s=seconds * own)
                run.samples.append(made)

    def test_an_engine_is_a_row_that_may_win(self) -> None:
        first, second = documents([8, 9, 10], [2, 2.1, 2.2])
        self.peers(first, "slow", [0.5, 0.6, 0.7])
        result = comparison.compare(first, second)
        row = result["rows"][-1]
        self.assertEqual((row["engine"], row["strategy"], row["durable_s"]["median"]), ("dcp", "slow", 0.6))
        self.assertIsNone(row["reshard_worst_s"])
        self.assertIn("dcp under slow is the fastest to save durably", result["advice"][0])
        choice = next(line for line in result["advice"] if line.startswith("So "))
        self.assertIn("for saves choose dcp under slow, at the price of no figure for what it takes to be loaded as", choice)
        self.assertIn("restarts under another strategy", choice)
        self.assertIn("cannot be told apart", choice)
        self.assertIn("dcp under slow", comparison.text(result))

    def test_no_verdict_of_an_engine_whose_clock_is_another(self) -> None:
        first, second = documents([8, 9, 10], [2, 2.1, 2.2])
        self.peers(first, "slow", [0.5, 0.6, 0.7], own=0.8)
        result = comparison.compare(first, second)
        self.assertIn("dcp under slow !: its own time and ours differ by more than a tenth; no verdict.", result["advice"][0])
        self.assertIn("fast is the fastest to save durably", result["advice"][1])

    def test_an_engine_without_a_number_is_said(self) -> None:
        first, second = documents([8, 9, 10], [2, 2.1, 2.2])
        self.peers(first, "slow", [1])
        for sample in first.samples[-2:]:
            sample.update(time_s=None, durable_s=None, skipped="not on PATH")
        result = comparison.compare(first, second)
        self.assertEqual(len(result["rows"]), 2)
        self.assertIn("dcp under slow, save: no number, not on PATH", result["without_numbers"])

    def test_a_job_is_compared_where_it_stores_the_same(self) -> None:
        first, second = documents([8, 9, 10], [2, 2.1, 2.2])
        for num_bytes, wins in ((100, True), (150, False)):
            job = Run(pathlib.Path("job-mine"), synthetic.context(), [])
            for r, seconds in enumerate([0.1, 0.2, 0.3]):
                made = synthetic.sample("save", "save/tiny/job/x", job.context, seconds, r, num_bytes=num_bytes)
                job.samples.append({**made, "returned_s": seconds, "durable_s": seconds})
            job.context["config"] = CONFIG
            result = comparison.compare(first, second, {"mine": job})
            self.assertEqual(result["rows"][-1]["strategy"], "job mine")
            self.assertEqual("job mine is the fastest to save durably" in result["advice"][0 if wins else 1], wins)
            self.assertEqual(any("job mine stores 150 bytes" in line for line in result["advice"]), not wins)

    def test_a_job_of_another_machine_has_no_verdict(self) -> None:
        first, second = documents([8, 9, 10], [2, 2.1, 2.2])
        job = Run(pathlib.Path("job-mine"), synthetic.context(config=CONFIG, hdf5="1.14.5"), [])
        for r in range(3):
            made = synthetic.sample("save", "save/tiny/job/x", job.context, 0.1, r, num_bytes=100)
            job.samples.append({**made, "returned_s": 0.1, "durable_s": 0.1})
        result = comparison.compare(first, second, {"mine": job})
        self.assertIn("job mine: its run is of another kind, hdf5: 1.10.8 and 1.14.5; no verdict.", result["advice"])
        self.assertIn("fast is the fastest to save durably", result["advice"][1])

    def test_engines_are_not_averaged_over_what_makes_them_another_case(self) -> None:
        config = CONFIG + '"storage.directory" = ["/a", "/b"]\n"storage.layout" = ["shared", "packed"]\n'
        places = [{"storage.directory": place, "storage.layout": layout} for place in ("/a", "/b")
                  for layout in ("shared", "packed")]  # fmt: skip
        first, second = documents([8, 9, 10], [2, 2.1, 2.2], config, places)
        for place, seconds in (("/a", 1.0), ("/b", 9.0)):
            before = len(first.samples)
            self.peers(first, "slow", [seconds] * 3)
            for made in first.samples[before:]:
                made["case"]["storage.directory"] = place
        rows = [row for row in comparison.compare(first, second)["rows"] if row["engine"]]
        self.assertEqual([(row["variant"], row["durable_s"]["median"]) for row in rows],
                         [("storage.directory /a", 1.0), ("storage.directory /b", 9.0)])  # fmt: skip

    def test_what_most_store_is_the_measure(self) -> None:
        rows = [{**row, "num_bytes": n} for row, n in zip(comparison.compare(*documents([1], [2]))["rows"] * 2, (9, 5, 5, 5))]
        kept, reasons = comparable(rows)
        self.assertEqual((len(kept), len(reasons)), (3, 1))

    def test_job_configuration(self) -> None:
        config = '[model]\nname = "x"\n[storage]\nio = "direct"\n' + CONFIG + '"storage.layout" = ["packed", "shared"]\n'
        text = comparison.job_config(config, "/a b/j.json", 8, 4)
        self.assertEqual(set(text.splitlines()), {
            'storage.io = "direct"', 'storage.layout = "packed"', 'model.job = "/a b/j.json"', "run.ranks = 4", "run.world = 8",
            'run.benchmarks = ["hooks", "plan", "save", "load"]',
        })  # fmt: skip
        self.assertNotIn("run.world", comparison.job_config(config, "j", 4, 4))

    def test_names_the_knob_elsewhere(self) -> None:
        lines = knob_sentences(["fsdp", "unknown", "fsdp"], [("planner.cache", "true"), ("x", "y")])
        self.assertEqual(len(lines), 2)
        self.assertIn("fully_shard(model)", lines[0])
        self.assertIn("enable_plan_caching", lines[1])

    def test_interval_of_the_median(self) -> None:
        self.assertEqual(comparison.median_interval([5, 1, 3]), (1, 5))
        # Binomial: of 15 values the 4th and the 12th are the known 95 % interval.
        self.assertEqual(comparison.median_interval(list(range(1, 16))), (4, 12))
        self.assertEqual(comparison.median_interval(list(range(1, 10))), (2, 8))

    def test_matrix_configuration(self) -> None:
        text = comparison.reshard_config(CONFIG)
        self.assertIn('benchmarks = ["reshard"]', text)
        self.assertIn('[sweep]\n"reshard.saved_strategy" = ["slow", "fast"]\n"parallel.strategy"', text)
        with self.assertRaisesRegex(Refused, "nothing to compare"):
            comparison.reshard_config("[run]\n")

    def test_mixed_report_what_a_sweep_varies_beside_the_strategy_is_a_row_of_its_own(self) -> None:
        """mixed-report: two models of one name are not averaged, and no strategy is better by storing less."""
        config = CONFIG + '"model.optimizer" = ["none", "adamw"]\n'
        variants = ({"model.optimizer": "none"}, {"model.optimizer": "adamw"})
        result = comparison.compare(*documents([8, 9, 10], [1, 2, 3], config, variants))
        medians = {(row["strategy"], row["variant"]): row["durable_s"]["median"] for row in result["rows"]}
        self.assertEqual(medians, {
            ("slow", "model.optimizer none"): 9, ("fast", "model.optimizer none"): 2,
            ("slow", "model.optimizer adamw"): 18, ("fast", "model.optimizer adamw"): 4,
        })  # fmt: skip
        self.assertIn("model.optimizer adamw: fast, model.optimizer adamw is the fastest to save durably",
                      result["advice"][6])  # fmt: skip
        self.assertIn("78% less than slow, model.optimizer adamw", result["advice"][6])

    def test_few_rounds_are_not_taken_for_certain(self) -> None:
        told = {rounds: comparison.compare(*documents([9.0] * rounds, [8.9] * rounds))["advice"] for rounds in (1, 2, 3, 5)}
        for rounds in (1, 2):
            self.assertIn("too few rounds to tell, at least 3", told[rounds][0])
            self.assertNotIn("choose fast", " ".join(told[rounds]))
        self.assertIn("With 3 rounds two that are equal part like this in 10% of such comparisons", " ".join(told[3]))
        self.assertIn("fast is the fastest to save durably", told[3][0])
        self.assertNotIn("part like this", " ".join(told[5]))

    def test_mixed_report_the_two_runs_are_of_one_kind(self) -> None:
        first, second = documents([8, 9, 10], [1, 2, 3])
        second.context["hdf5"] = "1.14.5"
        second.context["hosts"] = ["another"]
        with self.assertRaisesRegex(Refused, "not of one kind\n.*hdf5: 1.10.8 and 1.14.5$"):
            comparison.compare(first, second)

    def test_markdown_names_are_escaped(self) -> None:
        first, second = documents([8, 9, 10], [1, 2, 3])
        first.context["suite"] = "<script>alert(1)</script>"
        self.assertNotIn("<script>", comparison.markdown_text(comparison.compare(first, second)))

    def test_files(self) -> None:
        result = comparison.compare(*documents([8, 9, 10], [1, 2, 3]))
        with tempfile.TemporaryDirectory() as name:
            directory = pathlib.Path(name)
            comparison.write(result, directory)
            self.assertEqual(json.loads((directory / "comparison.json").read_text())["ranks"], 2)
            lines = (directory / "comparison.csv").read_text().splitlines()
            self.assertEqual(lines[2].split(",")[:3], ["fast", "1.5", "7"])
            self.assertIn("| slow | 1.50 | 7 | 10 |", (directory / "comparison.md").read_text())
        self.assertIn("save durable", comparison.text(result))


if __name__ == "__main__":
    unittest.main()
