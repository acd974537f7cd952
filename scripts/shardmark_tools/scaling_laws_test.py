# SPDX-License-Identifier: Apache-2.0
"""Fits of data whose law is known."""

import os
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))

from shardmark_tools.interpreter import ensure_modules

ensure_modules("numpy", "scipy", status=77)

import numpy  # noqa: E402

from shardmark_tools import scaling_laws  # noqa: E402

WORLDS = [2**k for k in range(1, 18)]


def times(a, b, p, q=0, noise=0.0, seed=1):
    random = numpy.random.default_rng(seed)
    exact = [a + b * n**p * numpy.log(n) ** q for n in WORLDS]
    return [t * (1 + noise * random.standard_normal()) for t in exact]


class ScalingLaws(unittest.TestCase):
    def test_exact_powers_come_back(self):
        for p in (0.5, 1.0, 1.3):
            law = scaling_laws.fit(WORLDS, times(1e-3, 1e-6, p))
            self.assertAlmostEqual(law.p, p, delta=0.02)
            self.assertAlmostEqual(law.a, 1e-3, delta=5e-5)

    def test_a_logarithm_is_told_from_a_power(self):
        law = scaling_laws.fit(WORLDS, times(1e-6, 1e-6, 1.0, q=1))
        self.assertEqual(law.q, 1)
        self.assertAlmostEqual(law.p, 1.0, delta=0.03)

    def test_noise_widens_the_interval_that_holds_the_truth(self):
        held = 0
        for seed in range(20):
            law = scaling_laws.fit(WORLDS, times(1e-3, 1e-6, 1.0, noise=0.05, seed=seed))
            low, high = law.p_interval
            self.assertLess(high - low, 0.4)
            held += low <= 1.0 <= high
        self.assertGreaterEqual(held, 15)

    def test_predictions_hold_what_was_left_out(self):
        law = scaling_laws.fit(WORLDS[:13], times(1e-3, 1e-6, 1.0, noise=0.03)[:13])
        time, low, high = law.predict(WORLDS[-1])
        truth = times(1e-3, 1e-6, 1.0)[-1]
        self.assertLessEqual(low, truth)
        self.assertGreaterEqual(high, truth)
        self.assertAlmostEqual(time / truth, 1, delta=0.3)

    def test_flat_times_have_no_exponent_and_no_knee(self):
        law = scaling_laws.fit(WORLDS, times(2e-3, 0, 1, noise=0.03))
        self.assertEqual(law.b, 0)
        self.assertIsNone(law.knee())
        self.assertAlmostEqual(law.at(10**6), 2e-3, delta=2e-4)

    def test_the_knee_is_where_growth_meets_the_constant(self):
        law = scaling_laws.fit(WORLDS, times(1e-3, 1e-6, 1.0))
        self.assertAlmostEqual(law.knee(), 1000, delta=100)

    def test_few_points_give_a_constant(self):
        self.assertEqual(scaling_laws.fit([2, 4], [1.0, 2.0]).b, 0)

    def test_residuals_are_kept(self):
        law = scaling_laws.fit(WORLDS, times(1e-3, 1e-6, 1.0, noise=0.05))
        self.assertEqual(len(law.residuals), len(WORLDS))
        self.assertGreater(max(abs(r) for r in law.residuals), 0.01)


if __name__ == "__main__":
    unittest.main()
