# SPDX-License-Identifier: Apache-2.0
"""Tests of what is a change: nights that wander, bad nights and disturbances are none; steps and drifts are.

scripts/dev/history_study counts the same over thousands of histories of real runs.
"""

import pathlib
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))
from shardmark_tools.interpreter import ensure_modules

ensure_modules("numpy", "scipy", status=77)
import numpy as np

from shardmark_tools.history import change_search, elimination, night_noise, settled_changes
from shardmark_tools.history.night_noise import NightNoise
from shardmark_tools.history.quiet_noise import Reals
from shardmark_tools.history.settled_changes import Found

SERIES = 6
SPREAD = 0.03


def wandering(rng: np.random.Generator, shape: tuple[int, ...], share: float) -> Reals:
    """White noise of variance 1 - share beside a level of variance `share` with the model's memory."""
    keep = float(np.exp(-1.0 / night_noise.MEMORY))
    level = np.zeros(shape)
    level[..., 0] = rng.normal(size=shape[:-1])
    for night in range(1, shape[-1]):
        level[..., night] = keep * level[..., night - 1] + np.sqrt(1 - keep**2) * rng.normal(size=shape[:-1])
    noise: Reals = np.sqrt(1 - share) * rng.normal(size=shape) + np.sqrt(share) * level
    return noise


def told(values: Reals) -> list[list[list[Found]]]:
    """[history][series] -> [Found...]"""
    histories, series, nights = values.shape
    panel = change_search.Panel(values, list(range(series)), np.ones(series, dtype=bool), np.arange(nights) % 7)
    views = change_search.views(panel)
    return [[settled_changes.changes_of(views, h, s) for s in range(series)] for h in range(histories)]


def count(values: Reals) -> int:
    return sum(any(of_series) for of_series in told(values))


class NightNoiseTest(unittest.TestCase):
    def test_the_variance_of_a_mean_is_that_of_many_means(self) -> None:
        rng = np.random.default_rng(1)
        for share in (0.0, 0.5):
            drawn = wandering(rng, (40000, 14), share)
            noise = NightNoise(np.full((1, 1), 1 - share), np.full((1, 1), share))
            for nights in (1, 3, 14):
                seen = float(drawn[:, :nights].mean(axis=1).var())
                self.assertAlmostEqual(float(noise.variance(0, 0, nights)) / seen, 1.0, delta=0.05)

    def test_what_wanders_is_told_from_what_does_not(self) -> None:
        rng = np.random.default_rng(2)
        whole, alone = np.ones(10, dtype=bool), np.zeros(8, dtype=bool)
        for share, low, high in ((0.0, 0.0, 0.15), (0.5, 0.35, 0.7)):
            noise = night_noise.noise_of(wandering(rng, (8, 10, 120), share), whole, alone, None)
            self.assertTrue(low <= float(np.median(noise.wander)) <= high, noise.wander)


class EliminationTest(unittest.TestCase):
    def row(self, units: Reals, limit: float = 30.0) -> elimination.Row:
        noise = NightNoise(np.ones((1, 1)), np.zeros((1, 1)))
        return elimination.Row(units, None, noise, 0, 0, limit, np.sort(units[:40]), np.sort(units[:40]), 0.0)

    def test_the_least_clear_goes_first_and_its_nights_make_the_rest_surer(self) -> None:
        units = np.random.default_rng(3).normal(size=60)
        units[40:] += 3.0
        row = self.row(units, limit=60.0)
        self.assertLess(row.clearness(34, 40, 46), 1.0)
        self.assertEqual(elimination.clear_changes(row, [10, 20, 34, 40, 46]), [40])

    def test_what_was_accepted_stays(self) -> None:
        self.assertEqual(elimination.clear_changes(self.row(np.zeros(60)), [20], [30]), [30])

    def test_a_disturbance_that_comes_and_goes_is_no_level(self) -> None:
        units = np.random.default_rng(4).normal(size=60)
        steady, coming = units.copy(), units.copy()
        steady[57:] = (6.0, 6.5, 5.5)
        coming[57:] = (3.5, 6.0, 8.5)
        found = [elimination.clear_changes(self.row(u, limit=60.0), [57]) for u in (steady, coming)]
        self.assertEqual(found, [[57], []])


class ChangesTest(unittest.TestCase):
    def quiet(self, seed: int, histories: int = 12, nights: int = 80, share: float = 0.0, common: float = 0.0) -> Reals:
        rng = np.random.default_rng(seed)
        values = wandering(rng, (histories, SERIES, nights), share)
        together: Reals = values + common * wandering(rng, (histories, 1, nights), 0.5)
        return SPREAD * together

    def test_quiet_nights_are_quiet(self) -> None:
        for how in ({}, {"share": 0.4}, {"common": 2.0}):
            self.assertEqual(count(self.quiet(5, **how)), 0, how)

    def test_steps_are_found_and_dated(self) -> None:
        for nights, size in ((3, 9.0), (7, 6.0), (20, 4.0)):
            values = self.quiet(6, common=1.5)
            values[:, 2, -nights:] += size * SPREAD
            found = [of_series[2] for of_series in told(values)]
            self.assertGreaterEqual(sum(map(bool, found)), 11, (nights, size))
            off = [abs(changes[-1].night - (80 - nights)) for changes in found if changes]
            self.assertLessEqual(sorted(off)[-2], 2)
            inside = [changes[-1].low < size * SPREAD < changes[-1].high for changes in found if changes]
            self.assertGreaterEqual(sum(inside), 9)

    def test_the_first_nights_only_say_what_is_usual(self) -> None:
        values = self.quiet(11)
        values[:, 0, 6:] += 9 * SPREAD
        self.assertEqual(count(values), 0)
        values[:, 0, 20:] += 9 * SPREAD
        self.assertGreaterEqual(count(values), 11)

    def test_two_bad_nights_in_three_are_no_level(self) -> None:
        values = self.quiet(7)
        values[:, 1, -3] += 1.0
        values[:, 1, -1] += 1.0
        self.assertEqual(count(values), 0)

    def test_where_nights_are_often_bad_three_in_a_row_are_none(self) -> None:
        values = self.quiet(8)
        level = values.copy()
        level[:, 1, -3:] += 0.5
        self.assertGreaterEqual(count(level), 11)
        hit = np.random.default_rng(9).random(values[:, :, :-6].shape) < 0.04
        level[:, :, :-6] += 0.6 * hit
        self.assertLessEqual(count(level), 1)

    def test_a_drift_is_found(self) -> None:
        values = self.quiet(10, common=1.5)
        values[:, 3, -25:] += 0.3 * SPREAD * np.arange(1, 26)
        self.assertGreaterEqual(sum(any(c.size > 0 for c in of_series[3]) for of_series in told(values)), 11)


if __name__ == "__main__":
    unittest.main()
