#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Laws fitted to times with known laws, and whether their intervals hold what they say."""

import math
import pathlib
import subprocess
import sys
import tempfile
import tomllib
import unittest
from typing import Any

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))
from shardmark_tools.interpreter import ensure_modules

ensure_modules("numpy", "scipy", "jsonschema", status=77)
import numpy
from scipy import stats

from shardmark_tools.foretell.hold_out import expected_inside, foretell_largest, half_widths
from shardmark_tools.foretell.linear_law import fit, share_spread
from shardmark_tools.foretell.point_table import point_lines
from shardmark_tools.foretell.series import Kind, Series, all_series, label_of
from shardmark_tools.foretell.storage_file import describe
from shardmark_tools.refusal import Refused
from shardmark_tools.results import synthetic_results as synthetic
from shardmark_tools.results.result_folder import Run

SAVE = Kind("save", "save")
SCRIPT = pathlib.Path(__file__).resolve().parents[2] / "foretell"


def noisy(draw: numpy.random.Generator, a: float, b: float, spread: float, sizes: list[float], repetitions: int = 5,
          kind: Kind = SAVE, label: str = "save/m/s") -> Series:  # fmt: skip
    points = [(size, (a + b * size) * float(numpy.exp(draw.normal(0, spread)))) for size in sizes for _ in range(repetitions)]
    return Series(label, kind, "byte", 1, 4, points)


class Laws(unittest.TestCase):
    def test_exact_times_give_the_law_back(self) -> None:
        for a, b in ((0.5, 3e-9), (0.0, 1e-9), (2.0, 0.0)):
            fitted = fit([(size, a + b * size) for size in (1e6, 1e7, 1e8)])
            self.assertAlmostEqual(fitted.law.a, a, places=9)
            self.assertAlmostEqual(fitted.law.b * 1e9, b * 1e9, places=6)

    def test_neither_part_is_negative(self) -> None:
        fitted = fit([(1.0, 4.0), (2.0, 3.0), (4.0, 2.0)])
        self.assertGreaterEqual(min(fitted.law.a, fitted.law.b), 0)

    def test_errors_are_those_of_repeated_trials(self) -> None:
        draw = numpy.random.default_rng(5)
        sizes = [1.0, 2.0, 4.0, 8.0]
        found = [fit([(s, (1 + s) * float(numpy.exp(draw.normal(0, 0.02)))) for s in sizes]) for _ in range(2000)]
        law = found[0].law
        law.spread = 0.02
        a, b = law.standard_errors()
        self.assertAlmostEqual(a / float(numpy.std([f.law.a for f in found])), 1, delta=0.15)
        self.assertAlmostEqual(b / float(numpy.std([f.law.b for f in found])), 1, delta=0.15)

    def test_a_series_borrows_spread_from_its_kind(self) -> None:
        draw = numpy.random.default_rng(6)
        fits = [fit(noisy(draw, 0.1, 1e-9, 0.05, [1e7, 2e7, 4e7], 1).points) for _ in range(40)]
        spreads = [law.spread for law in share_spread(fits)]
        self.assertGreater(min(spreads), 0.02)
        self.assertLess(max(spreads), 0.12)


class HeldOut(unittest.TestCase):
    def test_intervals_hold_95_of_100(self) -> None:
        """Over many studies of 60 series each the count is where a binomial puts it."""
        outside = 0
        for seed in range(40):
            draw = numpy.random.default_rng(seed)
            series = [noisy(draw, draw.uniform(0, 0.2), draw.uniform(0.5, 2) * 1e-9, 0.08, [1e7, 2e7, 4e7, 8e7, 4e8], label=str(i))
                      for i in range(60)]  # fmt: skip
            points = foretell_largest(series)
            self.assertEqual(len(points), 60)
            outside += sum(not point.is_inside() for point in points)
        self.assertGreater(outside, 0.02 * 2400)
        self.assertLess(outside, 0.07 * 2400)

    def test_what_no_size_changes_is_foretold_better_than_two_free_numbers_would(self) -> None:
        """A time that cannot fall with size: as often inside, in intervals of two thirds."""
        outside, narrower = 0, []
        for seed in range(40):
            draw = numpy.random.default_rng(seed)
            series = [noisy(draw, 1.0, 0.0, 0.08, [1e7, 2e7, 4e7, 8e7, 4e8], label=str(i)) for i in range(20)]
            for point in foretell_largest(series):
                outside += not point.is_inside()
                law, factor = point.law, float(stats.t.ppf(0.975, point.law.freedom))
                free = math.hypot(law.spread, law.error(point.size) / law.at(point.size))
                narrower.append(point.half_width() / math.sinh(factor * free))
        self.assertLess(outside, 0.07 * 800)
        self.assertLess(float(numpy.median(narrower)), 0.75)

    def test_a_law_that_does_not_hold_has_no_narrow_interval(self) -> None:
        draw = numpy.random.default_rng(1)
        series = [Series(str(i), SAVE, "byte", 1, 4, [(s, 1e-16 * s * s * float(numpy.exp(draw.normal(0, 0.01))))
                  for s in (1e7, 2e7, 4e7, 8e7, 8e8)]) for i in range(20)]  # fmt: skip
        self.assertGreater(half_widths(foretell_largest(series))[0], 0.6)

    def test_a_byte_costs_at_least_what_it_costs_in_raw_files(self) -> None:
        """Small saves take what begins and ends, whatever their size; large ones what raw files take."""
        sizes = [1e7, 1.5e7, 2e7, 3e7, 1e9]
        inside = {True: 0, False: 0}
        for seed in range(20):
            draw = numpy.random.default_rng(seed)
            raw = noisy(draw, 0.0, 1e-9, 0.03, sizes, kind=Kind("ceiling", "save"), label="ceiling/m/posix-shared-direct-save")
            save = noisy(draw, 0.1, 0.0, 0.03, sizes[:-1])
            save.points += noisy(draw, 0.02, 1e-9, 0.03, sizes[-1:]).points
            for with_raw in (True, False):
                point = foretell_largest([save, raw] if with_raw else [save])[0]
                inside[with_raw] += point.is_inside()
        self.assertGreaterEqual(inside[True], 17)
        self.assertLessEqual(inside[False], 3)

    def test_of_other_ranks_and_of_what_no_storage_moves_raw_files_tell_nothing(self) -> None:
        exact = [(size, 0.1) for size in (1e7, 2e7, 4e7, 1.6e8)]
        raw = Series("ceiling/m/posix-shared-direct-save", Kind("ceiling", "save"), "byte", 1, 4, [(s, 1e-9 * s) for s, _ in exact])
        for save, rate in ((Series("save/m/s", SAVE, "byte", 1, 4, exact), 1e-9), (Series("save/m/s", SAVE, "byte", 1, 2, exact), 0),
                           (Series("save/m/null", SAVE, "byte", 1, 4, exact), 0),
                           (Series("save/m/ddp", SAVE, "byte", 1, 4, exact, moved=0.25), 0.25e-9),
                           (Series("plan/m/s", Kind("plan", "save"), "byte", 1, 4, exact), 0)):  # fmt: skip
            self.assertAlmostEqual(foretell_largest([save, raw])[0].law.b * 1e9, rate * 1e9, places=6, msg=save)

    def test_fits_only_what_is_a_fourth_or_less(self) -> None:
        draw = numpy.random.default_rng(2)
        series = noisy(draw, 0.1, 1e-9, 0.01, [1e7, 2e7, 4e7, 9e7, 1.6e8])
        point, = foretell_largest([series])
        self.assertEqual(point.law.sizes, [1e7, 2e7, 4e7])
        self.assertEqual(point.size, 1.6e8)
        self.assertEqual(foretell_largest([noisy(draw, 0.1, 1e-9, 0.01, [1e7, 2e7, 4e7])]), [])

    def test_counts_and_widths(self) -> None:
        self.assertEqual(expected_inside(60), (53, 60))
        draw = numpy.random.default_rng(3)
        points = foretell_largest([noisy(draw, 0, 1e-9, 0.01, [1e7, 2e7, 4e7, 1.6e8], label=str(i)) for i in range(30)])
        middle, ninth = half_widths(points)
        self.assertLess(middle, 0.1)
        self.assertLessEqual(middle, ninth)

    def test_a_table_names_the_unit_once_and_what_lies_outside(self) -> None:
        exact = [(size, size * 1e-9) for size in (1e7, 2e7, 4e7)]
        good, late = (foretell_largest([Series(label, SAVE, "byte", 1, 4, [*exact, (1.6e8, seconds)])])[0]
                      for label, seconds in (("a", 0.16), ("b", 0.32)))  # fmt: skip
        lines = point_lines([good, late])
        self.assertIn("  4.0x  160 [160..160]  160 ms", lines[2])
        self.assertTrue(lines[3].endswith("  320 ms    outside"), lines[3])


def save_samples() -> list[dict[str, object]]:
    made = []
    for number, scale in enumerate((1, 2, 4, 16)):
        name = f"save/m/fsdp/auto-direct/nodes:1/ranks:2/model.scale:{scale}"
        made.append(synthetic.sample("save", name, synthetic.context(), 0.1 + scale, 0, number, case={"backend": "hdf5"}))
        made[-1]["num_bytes"] = scale << 20
    return made


class Results(unittest.TestCase):
    def test_series_are_names_without_their_size(self) -> None:
        samples = save_samples()
        self.assertEqual(label_of(samples[0]), "save/m/fsdp/auto-direct/nodes:1/ranks:2")
        series, = all_series([Run(pathlib.Path("."), synthetic.context(), samples)])
        self.assertEqual(series.sizes(), [1 << 20, 2 << 20, 4 << 20, 16 << 20])
        self.assertEqual(series.of, "byte")

    def mixed(self, *more: dict[str, Any]) -> list[Series]:
        """A run a size, each with a context of its own."""
        contexts = [*more, *[more[-1]] * (4 - len(more))]
        return all_series([Run(pathlib.Path(f"run-{number}"), synthetic.context(**of), [sample])
                           for number, (of, sample) in enumerate(zip(contexts, save_samples()))])  # fmt: skip

    def test_sizes_of_several_folders_are_one_series(self) -> None:
        config = '[model]\n{}optimizer = "adamw"\n[run]\nrepetitions = {}\n{}'
        swept = '[sweep]\n"model.scale" = [1, 2]\n'
        series, = self.mixed({"config": config.format("scale = 1\n", 5, ""), "config_hash": "a"},
                             {"config": config.format("", 3, swept), "config_hash": "b"},
                             {"config": config.format("scale = 4\n", 3, ""), "hosts": ["another"],
                              "filesystem": {"type": "ext4", "path": "/elsewhere"}})  # fmt: skip
        self.assertEqual(len(series.sizes()), 4)

    def test_no_law_is_of_two_kinds(self) -> None:
        config = '[model]\noptimizer = "{}"\n[storage]\nthreads = {}\n'
        here = {"config": config.format("none", 1)}
        for other, difference in (({"filesystem": {"type": "nfs4", "path": "/"}}, "filesystem.type: ext4 and nfs4"),
                                  ({"cpu": "another"}, "cpu: a processor, 2 cores and another"),
                                  ({"config": config.format("adamw", 1)}, "model.optimizer: none and adamw"),
                                  ({"config": config.format("none", 4)}, "storage.threads: 1 and 4"),
                                  ({"hdf5": "1.14.0"}, "hdf5: 1.10.8 and 1.14.0")):  # fmt: skip
            with self.assertRaisesRegex(Refused, f"run-0 and run-2 are not of one kind(?s:.*){difference}$"):
                self.mixed(here, here, {**here, **other})

    def test_sizes_in_other_files_than_the_largest_follow_another_law(self) -> None:
        samples = save_samples()
        for number, files in enumerate((2, 4, 4, 4)):
            samples[number]["inventory"] = {"files": files, "num_bytes": 1 << 20, "padding_bytes": 0}
        series, = all_series([Run(pathlib.Path("."), synthetic.context(), samples)])
        self.assertEqual(series.sizes(), [2 << 20, 4 << 20, 16 << 20])

    def test_a_storage_is_described_by_the_law_of_its_saves(self) -> None:
        series = all_series([Run(pathlib.Path("."), synthetic.context(), save_samples())])
        storage = tomllib.loads(describe(series, 4))
        self.assertAlmostEqual(storage["node_rate"], (1 << 20) / 0.95, delta=1e3)  # phases are 0.95 of the time
        self.assertAlmostEqual(storage["fixed"], 0.095, places=3)
        self.assertEqual(storage["ranks_per_node"], 4)
        self.assertIn("node_rate", storage["error"])

    def test_or_by_the_fastest_raw_files(self) -> None:
        points = [(1e9, 1.0), (1e9, 1.1), (1e9, 0.9)]
        slow = Series("ceiling/m/s/posix-shared-direct-save", Kind("ceiling", "save"), "byte", 2, 4, [(1e9, 4.0)])
        fast = Series("ceiling/m/s/posix-per-rank-direct-save", Kind("ceiling", "save"), "byte", 2, 4, points)
        memory = Series("ceiling/m/s/memcpy-save", Kind("ceiling", "save"), "byte", 2, 4, [(1e9, 0.1)])
        text = describe([slow, fast, memory], 8)
        self.assertIn("posix-per-rank-direct-save", text)
        self.assertEqual(tomllib.loads(text)["node_rate"], 5e8)

    def test_a_time_that_the_clock_shows_as_none_has_a_law(self) -> None:
        samples = save_samples()
        samples[0]["time_s"] = 0.0
        series = all_series([Run(pathlib.Path("."), synthetic.context(), samples)])
        point, = foretell_largest(series)
        self.assertTrue(math.isfinite(point.foretold) and point.low <= point.foretold <= point.high, point)
        for sample in samples:
            sample.update(family="ceiling", time_s=0.0, case={"operation": "save"})
        series = all_series([Run(pathlib.Path("."), synthetic.context(), samples)])
        self.assertTrue(math.isfinite(tomllib.loads(describe(series, 4))["node_rate"]))

    def test_nothing_is_foretold_from_nothing(self) -> None:
        with self.assertRaisesRegex(Refused, "nothing to foretell from"):
            describe([], 8)


class Script(unittest.TestCase):
    def setUp(self) -> None:
        temporary = tempfile.TemporaryDirectory(prefix="foretell-")
        self.addCleanup(temporary.cleanup)
        self.root = pathlib.Path(temporary.name)
        self.run_folder = synthetic.write_run(
            self.root / "runs" / "one", {"schema_version": 1, "context": synthetic.context(), "samples": save_samples()})

    def foretell(self, *arguments: pathlib.Path | str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([sys.executable, SCRIPT, *arguments], capture_output=True, text=True, timeout=600, check=False)

    def test_a_factor_that_leaves_nothing_out_is_refused(self) -> None:
        for factor in ("1", "0.5", "-4", "0", "nan", "inf", "x"):
            done = self.foretell(self.run_folder, f"--factor={factor}")
            self.assertEqual(done.returncode, 2, factor)
            self.assertIn("argument --factor", done.stderr)
        self.assertEqual(self.foretell(self.run_folder, "--factor=2").returncode, 0)

    def test_a_folder_given_twice_counts_once(self) -> None:
        texts = []
        for number, folders in enumerate(([self.run_folder], [self.run_folder, self.root / "runs", self.root / "runs" / "." / "one"])):
            storage = self.root / f"{number}.toml"
            done = self.foretell(*folders, "--storage", storage)
            self.assertEqual(done.returncode, 0, done.stderr)
            texts.append(storage.read_text())
        self.assertEqual(*texts)

    def test_a_folder_without_results_is_named(self) -> None:
        (self.root / "empty").mkdir()
        done = self.foretell(self.run_folder, self.root / "empty")
        self.assertEqual(done.returncode, 2)
        self.assertIn("empty: no samples.json in it or below it", done.stderr)


if __name__ == "__main__":
    unittest.main()
