#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Laws fitted to times with known laws, and whether their intervals hold what they say."""

import pathlib
import sys
import tomllib
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))
from shardmark_tools.interpreter import ensure_modules

ensure_modules("numpy", "scipy", "jsonschema", status=77)
import numpy

from shardmark_tools.foretell.hold_out import expected_inside, foretell_largest, half_widths
from shardmark_tools.foretell.linear_law import fit, share_spread
from shardmark_tools.foretell.series import Kind, Series, all_series, label_of
from shardmark_tools.foretell.storage_file import describe
from shardmark_tools.refusal import Refused
from shardmark_tools.results import synthetic_results as synthetic
from shardmark_tools.results.result_folder import Run

SAVE = Kind("save", "save")


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

    def test_a_law_that_does_not_hold_has_no_narrow_interval(self) -> None:
        draw = numpy.random.default_rng(1)
        series = [Series(str(i), SAVE, "byte", 1, 4, [(s, 1e-16 * s * s * float(numpy.exp(draw.normal(0, 0.01))))
                  for s in (1e7, 2e7, 4e7, 8e7, 8e8)]) for i in range(20)]  # fmt: skip
        self.assertGreater(half_widths(foretell_largest(series))[0], 0.6)

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


class Results(unittest.TestCase):
    def samples(self) -> list[dict[str, object]]:
        made = []
        for number, scale in enumerate((1, 2, 4, 16)):
            name = f"save/m/fsdp/auto-direct/nodes:1/ranks:2/model.scale:{scale}"
            made.append(synthetic.sample("save", name, synthetic.context(), 0.1 + scale, 0, number, case={"backend": "hdf5"}))
            made[-1]["num_bytes"] = scale << 20
        return made

    def test_series_are_names_without_their_size(self) -> None:
        samples = self.samples()
        self.assertEqual(label_of(samples[0]), "save/m/fsdp/auto-direct/nodes:1/ranks:2")
        series, = all_series([Run(pathlib.Path("."), synthetic.context(), samples)])
        self.assertEqual(series.sizes(), [1 << 20, 2 << 20, 4 << 20, 16 << 20])
        self.assertEqual(series.of, "byte")

    def test_a_storage_is_described_by_the_law_of_its_saves(self) -> None:
        series = all_series([Run(pathlib.Path("."), synthetic.context(), self.samples())])
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

    def test_nothing_is_foretold_from_nothing(self) -> None:
        with self.assertRaisesRegex(Refused, "nothing to foretell from"):
            describe([], 8)


if __name__ == "__main__":
    unittest.main()
