# SPDX-License-Identifier: Apache-2.0
"""The statistics of the gate against definitions and simulations."""

import pathlib
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))
from shardmark_tools.interpreter import ensure_modules

ensure_modules("numpy", "scipy", status=77)

import numpy as np

from shardmark_tools.gate import comparison_statistics as statistics


class StatisticsTest(unittest.TestCase):
    def test_holm_against_the_definition(self) -> None:
        self.assertEqual(statistics.holm([0.01, 0.04, 0.03]), [0.03, 0.06, 0.06])
        self.assertEqual(statistics.holm([0.5]), [0.5])

    def test_intervals_cover(self) -> None:
        rng = np.random.default_rng(7)
        covered = 0
        for _ in range(300):
            old, new = rng.normal(0, 0.1, 25), rng.normal(np.log(1.2), 0.1, 25)
            low, high = statistics.ratio_interval(old, new, 0.95, rng)
            covered += low <= 1.2 <= high
        self.assertGreaterEqual(covered, 300 * 0.92)

    def test_what_is_said_to_be_seen_is_found(self) -> None:
        """Where the test sees more than a verdict asks for, too."""
        rng = np.random.default_rng(13)
        for sd in (0.005, 0.03):
            seen = statistics.smallest_visible(sd, 20, 0.004, 0.98, 4, 0.05)
            found = 0
            for _ in range(400):
                old, new = rng.normal(0, sd, 20), rng.normal(np.log1p(seen), sd, 20)
                found += (statistics.rank_sum_p(old, new) <= 0.004 / 4
                          and statistics.median_ratio(old, new) >= 1.05)
            self.assertGreaterEqual(found, 400 * 0.95, sd)

    def test_recommended_counts_find_the_slowdown(self) -> None:
        rng = np.random.default_rng(11)
        for sd in (0.01, 0.03):
            count = statistics.needed_count(sd, 0.05, 0.004, 0.98, 4, 0.025, 9)
            found = 0
            for _ in range(400):
                old, new = rng.normal(0, sd, count), rng.normal(np.log(1.05), sd, count)
                found += (statistics.rank_sum_p(old, new) <= 0.004 / 4
                          and statistics.median_ratio(old, new) >= 1.025)
            self.assertGreaterEqual(found / 400, 0.95, f"sd {sd}, count {count}")

    def test_the_upper_limit_of_a_spread_is_above_it(self) -> None:
        rng = np.random.default_rng(13)
        for symmetric in (False, True):
            limits = [statistics.upper_robust_sd(rng.normal(0, 0.1, 100), rng, symmetric) for _ in range(100)]
            self.assertGreaterEqual(np.mean([limit >= 0.1 for limit in limits]), 0.88)
            self.assertLess(np.median(limits), 0.13)
        self.assertEqual(statistics.upper_robust_sd([0.5] * 20, rng), 0.0)

    def test_an_effect_below_the_threshold_cannot_be_recommended(self) -> None:
        self.assertIsNone(statistics.needed_count(0.01, 0.02, 0.004, 0.98, 1, 0.025, 9))


if __name__ == "__main__":
    unittest.main()
