# SPDX-License-Identifier: Apache-2.0
"""Fits t = a + b * N^p * log(N)^q to times of a growing world.

q is 0 or 1: with one decade of noise, powers of a logarithm beyond that cannot be told from a
slightly different p. The residuals weigh relatively, because times span decades. Confidence comes
from the covariance of the fit; with few or flat points the law degenerates to a constant, which is
said and not hidden.
"""

import dataclasses
import math

import numpy
from scipy import optimize, stats

SMALLEST_TIME_S = 1e-9


@dataclasses.dataclass
class Law:
    """One fitted law. Intervals are 95 % and two-sided; None where the data cannot say."""

    a: float
    b: float
    p: float
    q: int
    p_interval: tuple | None
    residuals: list  # relative: measured / fitted - 1, in the order of the points
    worlds: list
    covariance: numpy.ndarray | None
    degrees_of_freedom: int
    spread: float  # relative standard deviation of the residuals

    def at(self, world):
        return self.a + self.b * world**self.p * math.log(world) ** self.q

    def predict(self, world):
        """Time, and the ends of its 95 % prediction interval."""
        time = self.at(world)
        if self.covariance is None:
            width = self.spread * time
        else:
            # Parameters are (log a, log b, p): d t / d each.
            grown = self.b * world**self.p * math.log(world) ** self.q
            slope = numpy.array([self.a, grown, grown * math.log(world)])
            variance = float(slope @ self.covariance @ slope) + (self.spread * time) ** 2
            width = math.sqrt(max(variance, 0.0))
        factor = stats.t.ppf(0.975, max(self.degrees_of_freedom, 1))
        return time, max(time - factor * width, 0.0), time + factor * width

    def knee(self):
        """The world from which growth costs more than the constant part; None if it never does."""
        if self.b <= 0 or self.p <= 0.05:
            return None
        if self.a <= 0:
            return 1.0
        if self.q == 0:
            return (self.a / self.b) ** (1 / self.p)
        low, high = 1.0001, 1e12
        grown = lambda n: self.b * n**self.p * math.log(n) ** self.q - self.a  # noqa: E731
        return optimize.brentq(grown, low, high) if grown(low) < 0 < grown(high) else None

    def text(self):
        if self.b == 0:
            return f"{self.a:.3g}"
        log = f" log(N)^{self.q}" if self.q else ""
        return f"{self.a:.3g} + {self.b:.3g} N^{self.p:.2f}{log}"


def _constant(worlds, times):
    mean = float(numpy.exp(numpy.mean(numpy.log(times))))
    residuals = times / mean - 1
    return Law(mean, 0.0, 0.0, 0, None, residuals.tolist(), worlds.tolist(), None,
               len(times) - 1, float(numpy.std(residuals)))  # fmt: skip


def _fit_with(worlds, times, q):
    logs = numpy.log(worlds)

    def model(parameters):
        log_a, log_b, p = parameters
        return numpy.exp(log_a) + numpy.exp(log_b) * worlds**p * logs**q

    best = None
    for p in (0.3, 0.7, 1.0, 1.5):
        top = times[-1] / (worlds[-1] ** p * logs[-1] ** q)
        start = [math.log(max(times[0] / 2, SMALLEST_TIME_S)), math.log(max(top, 1e-300)), p]
        found = optimize.least_squares(
            lambda x: numpy.log(model(x)) - numpy.log(times),
            start,
            bounds=([-60, -200, 0.0], [20, 20, 4.0]),
            loss="soft_l1",
            f_scale=0.2,
        )
        if best is None or found.cost < best.cost:
            best = found
    fitted = model(best.x)
    residuals = times / fitted - 1
    freedom = len(times) - 3
    noise = float(numpy.sum((numpy.log(times) - numpy.log(fitted)) ** 2)) / max(freedom, 1)
    try:
        covariance = numpy.linalg.pinv(best.jac.T @ best.jac) * noise
    except numpy.linalg.LinAlgError:
        covariance = None
    interval = None
    if covariance is not None and freedom > 0:
        half = stats.t.ppf(0.975, freedom) * math.sqrt(max(float(covariance[2, 2]), 0.0))
        interval = (float(best.x[2]) - half, float(best.x[2]) + half)
    a, b, p = math.exp(best.x[0]), math.exp(best.x[1]), float(best.x[2])
    return best.cost, Law(a, b, p, q, interval, residuals.tolist(), worlds.tolist(), covariance,
                          freedom, math.sqrt(noise))  # fmt: skip


def fit(worlds, times):
    """The law of times (seconds) by world size; needs 3 different sizes for more than a constant."""
    order = numpy.argsort(worlds)
    worlds = numpy.asarray(worlds, dtype=float)[order]
    times = numpy.maximum(numpy.asarray(times, dtype=float)[order], SMALLEST_TIME_S)
    constant = _constant(worlds, times)
    if len(set(worlds)) < 4:
        return constant
    fits = [_fit_with(worlds, times, q) for q in (0, 1)]
    # log(N)^1 must earn its place: the plain power is kept unless the other is clearly better.
    law = fits[1][1] if fits[1][0] < 0.8 * fits[0][0] else fits[0][1]
    # Growth that cannot be told from noise is none.
    grows = law.at(worlds[-1]) / law.at(worlds[0])
    if grows < 1 + 2 * max(constant.spread / math.sqrt(len(times)), 0.02):
        return constant
    return law
