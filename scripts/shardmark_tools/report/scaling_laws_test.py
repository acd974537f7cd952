# SPDX-License-Identifier: Apache-2.0
"""Fits of data whose law is known."""

import os
import sys
import unittest
from typing import Any

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", ".."))

from shardmark_tools.interpreter import ensure_modules

ensure_modules("numpy", "scipy", status=77)

import numpy  # noqa: E402

from shardmark_tools.report import scaling_laws  # noqa: E402

WORLDS = [2**k for k in range(1, 18)]
FIT_WORLDS = [2**k for k in range(7, 15)]  # 128 to 16,384
BEYOND = 131072
DRAWS = 200


def exact(worlds: Any, a: Any, b: Any, p: Any, q: Any = 0) -> Any:
    worlds = numpy.asarray(worlds, dtype=float)
    return a + b * worlds**p * numpy.log(worlds) ** q


def times(a: Any, b: Any, p: Any, q: Any = 0, noise: Any = 0.0, seed: int = 1, worlds: Any = WORLDS) -> Any:
    random = numpy.random.default_rng(seed)
    return exact(worlds, a, b, p, q) * numpy.exp(noise * random.standard_normal(len(worlds)))


def holds(interval: Any, truth: Any) -> Any:
    return interval[0] <= truth <= interval[1]


class KnownLaws(unittest.TestCase):
    """Each law is found within its intervals in at least 90 % of the noisy draws."""

    def check(self, a: Any, b: Any, p: Any, q: Any = 0, noise: Any = 0.05, repetitions: Any = 1) -> None:
        worlds = FIT_WORLDS * repetitions
        found = dict.fromkeys(("a", "b", "p", "prediction"), 0)
        truth = float(exact([BEYOND], a, b, p, q)[0])
        for seed in range(DRAWS):
            law = scaling_laws.fit(worlds, times(a, b, p, q, noise, seed, worlds))
            self.assertGreater(law.b, 0, f"seed {seed}: no growth seen")
            found["p"] += holds(law.p_interval, p)
            found["a"] += holds(law.a_interval, a)
            found["b"] += holds(law.b_interval, b)
            found["prediction"] += holds(law.predict(BEYOND)[1:], truth)
        for what, hits in found.items():
            self.assertGreaterEqual(hits, 0.9 * DRAWS, what)

    def test_linear(self) -> None:
        self.check(1e-3, 1e-6, 1.0)

    def test_linear_with_repetitions(self) -> None:
        self.check(1e-3, 1e-6, 1.0, repetitions=3)

    def test_square_root(self) -> None:
        self.check(1e-3, 1e-5, 0.5)

    def test_more_than_linear(self) -> None:
        self.check(1e-3, 1e-6, 1.3)

    def test_with_a_logarithm(self) -> None:
        self.check(1e-3, 1e-6, 1.0, q=1)

    def test_growth_late(self) -> None:
        self.check(5e-2, 1e-5, 1.0)

    def test_growth_from_the_start(self) -> None:
        self.check(1e-6, 1e-6, 1.0)

    def test_much_noise(self) -> None:
        self.check(1e-3, 1e-6, 1.0, noise=0.15)

    def test_shrinking(self) -> None:
        self.check(1e-2, 1.0, -0.5, noise=0.03)


class ScalingLaws(unittest.TestCase):
    def test_exact_powers_come_back(self) -> None:
        for p in (0.5, 1.0, 1.3, -1.0):
            law = scaling_laws.fit(WORLDS, times(1e-3, 1e-6 if p > 0 else 1.0, p))
            self.assertAlmostEqual(law.p, p, delta=0.02)
            self.assertAlmostEqual(law.a, 1e-3, delta=5e-5)

    def test_a_logarithm_is_told_from_a_power(self) -> None:
        law = scaling_laws.fit(WORLDS, times(1e-6, 1e-6, 1.0, q=1))
        self.assertEqual(law.q, 1)
        self.assertTrue(law.q_certain)
        self.assertAlmostEqual(law.p, 1.0, delta=0.03)

    def test_where_noise_hides_the_logarithm_the_interval_says_so(self) -> None:
        law = scaling_laws.fit(FIT_WORLDS, times(1e-3, 1e-6, 1.0, q=1, noise=0.1, worlds=FIT_WORLDS))
        self.assertFalse(law.q_certain)
        self.assertTrue(holds(law.p_interval, 1.0))

    def test_intervals_are_of_use(self) -> None:
        law = scaling_laws.fit(WORLDS, times(1e-3, 1e-6, 1.0, noise=0.05))
        low_p, high_p = law.p_interval or (0.0, 9.0)
        self.assertLess(high_p - low_p, 0.4)
        time, low, high = law.predict(4 * WORLDS[-1])
        self.assertLess(high / low, 3)
        self.assertTrue(low < time < high)

    def test_one_bad_repetition_changes_little(self) -> None:
        worlds = WORLDS * 3
        disturbed = times(1e-3, 1e-6, 1.0, noise=0.02, worlds=worlds)
        disturbed[20] *= 10
        law = scaling_laws.fit(worlds, disturbed)
        self.assertAlmostEqual(law.p, 1.0, delta=0.05)
        self.assertGreater(max(law.residuals), 8)

    def test_flat_times_have_no_exponent_and_no_knee(self) -> None:
        law = scaling_laws.fit(WORLDS, times(2e-3, 0, 1, noise=0.03))
        self.assertEqual(law.b, 0)
        self.assertIsNone(law.knee())
        self.assertAlmostEqual(law.at(10**6), 2e-3, delta=2e-4)

    def test_predictions_of_flat_times_leave_room_for_what_noise_hides(self) -> None:
        held = 0
        for seed in range(DRAWS):
            law = scaling_laws.fit(FIT_WORLDS, times(5e-2, 1e-6, 1.0, 0, 0.1, seed, FIT_WORLDS))
            held += holds(law.predict(BEYOND)[1:], 5e-2 + 1e-6 * BEYOND)
        self.assertGreaterEqual(held, 0.9 * DRAWS)

    def test_the_knee_is_where_both_parts_meet(self) -> None:
        self.assertAlmostEqual(scaling_laws.fit(WORLDS, times(1e-3, 1e-6, 1.0)).knee() or 0.0, 1000, delta=100)
        self.assertAlmostEqual(scaling_laws.fit(WORLDS, times(1e-2, 1.0, -1.0)).knee() or 0.0, 100, delta=10)

    def test_few_points_give_a_constant(self) -> None:
        self.assertEqual(scaling_laws.fit([2, 4, 8], [1.0, 2.0, 4.0]).b, 0)
        self.assertEqual(scaling_laws.fit([2], [1.0]).at(4), 1.0)

    def test_residuals_are_kept(self) -> None:
        points = times(1e-3, 1e-6, 1.0, noise=0.05)
        law = scaling_laws.fit(WORLDS[::-1], points[::-1])
        self.assertEqual(law.worlds, WORLDS[::-1])
        for world, time, residual in zip(WORLDS, points, law.residuals[::-1]):
            self.assertAlmostEqual(law.at(world) * (1 + residual), time, delta=1e-9)
        self.assertGreater(max(abs(r) for r in law.residuals), 0.01)


if __name__ == "__main__":
    unittest.main()
