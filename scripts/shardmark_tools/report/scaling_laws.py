# SPDX-License-Identifier: Apache-2.0
"""Fits t = a + b N^p log(N)^q to the times of a growing world, with confidence.

The medians of the worlds are fitted, by relative error, because times span decades. For each p and
each q of 0 and 1 the best a and b follow directly; what fits the data about as well as the best of
all (F test, 95 %) is admitted, whatever its q, and intervals reach over all that is admitted: where
a logarithm cannot be told from a slightly larger p, they are as wide as that makes them. Times whose
growth cannot be told from noise are called constant; their predictions leave room for growth up to
linear that the noise may hide.
"""

import dataclasses
import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy
import numpy.typing
from scipy import optimize, stats

Reals = numpy.typing.NDArray[numpy.float64]
SMALLEST_TIME_S = 1e-9
FEWEST_WORLDS = 4  # three parameters, and one more to be wrong about
CONFIDENCE = 0.95
P_RANGE = (-2.0, 2.0)  # negative: time that shrinks, as in strong scaling
P_FLAT = 0.05  # a power below this is a constant
KNEE_REACH = 64  # a knee this many times beyond the largest world is not believed
STEPS = 400
ROUNDS = 4  # of weights, which come from the fit itself
LOG_MUST_EARN = 0.8  # the plain power is kept unless log(N) leaves fewer squares than this share


@dataclasses.dataclass
class Law:
    """One fitted law. Intervals are 95 % and two-sided; None where the data cannot say."""

    a: float
    b: float
    p: float
    q: int
    a_interval: tuple[float, float] | None
    b_interval: tuple[float, float] | None
    p_interval: tuple[float, float] | None
    q_certain: bool  # the other q fits clearly worse
    worlds: list[float]  # of the points, and their relative residuals: measured / fitted - 1
    residuals: list[float]
    spread: float  # relative standard deviation of the worlds' medians from the law
    degrees_of_freedom: int
    admitted: list["Profiles"]

    def at(self, world: float) -> float:
        return self.a + self.b * world**self.p * math.log(world) ** self.q

    def predict(self, world: float) -> tuple[float, float, float]:
        """Time, and the ends of its 95 % prediction interval for a median of as many repetitions."""
        time = self.at(world)
        low, high = time, time
        for profile in self.admitted:
            reach = profile.prediction(world)
            # Around a constant only growth may hide.
            low, high = min(low, reach[0]) if self.b > 0 else low, max(high, reach[1])
        noise = stats.t.ppf((1 + CONFIDENCE) / 2, max(self.degrees_of_freedom, 1)) * self.spread
        down = math.hypot(math.log(time / max(low, SMALLEST_TIME_S)), noise)
        up = math.hypot(math.log(high / time), noise)
        return time, time * math.exp(-down), time * math.exp(up)

    def knee(self) -> float | None:
        """The world where both parts cost the same: beyond it growth rules, or, if p < 0, more ranks no
        longer help. None without one near the worlds that were measured."""
        knee = self.crossing()
        return knee if knee is not None and min(self.worlds) <= knee <= KNEE_REACH * max(self.worlds) else None

    def crossing(self) -> float | None:
        if self.b <= 0 or self.a <= 0:
            return None
        if self.q == 0:
            return (self.a / self.b) ** (1 / self.p)
        low, high = 1.0001, 1e12
        grown = lambda n: self.b * n**self.p * math.log(n) ** self.q - self.a  # noqa: E731
        return optimize.brentq(grown, low, high) if grown(low) < 0 < grown(high) else None

    def text(self) -> str:
        if self.b == 0:
            return f"{self.a:.3g}"
        log = " log(N)" if self.q else ""
        return f"{self.a:.3g} + {self.b:.3g} N^{self.p:.2f}{log}"


class Profiles:
    """For one q and many p: the best a and b, what they leave, and how far a and b may stray."""

    def __init__(self, worlds: Reals, times: Reals, powers: Reals, q: int):
        self.powers, self.q = powers, q
        self.x = worlds ** powers[:, None] * numpy.log(worlds) ** q
        # A column of about 1 keeps the sums below well apart from rounding.
        self.unit = self.x.max(axis=1)
        self.x = self.x / self.unit[:, None]
        fitted = numpy.broadcast_to(times, self.x.shape)
        for _ in range(ROUNDS):
            self.weights = fitted**-2.0
            fitted = self.solve(times)
        self.squares = numpy.sum((numpy.log(times) - numpy.log(fitted)) ** 2, axis=1)
        self.slack = numpy.zeros(len(powers))

    def solve(self, times: Reals) -> Reals:
        w, x = self.weights, self.x
        self.s0, self.s1, self.s2 = w.sum(axis=1), (w * x).sum(axis=1), (w * x * x).sum(axis=1)
        t0, t1 = (w * times).sum(axis=1), (w * x * times).sum(axis=1)
        self.determinant = numpy.maximum(self.s0 * self.s2 - self.s1**2, 1e-12 * self.s0 * self.s2)
        a = (self.s2 * t0 - self.s1 * t1) / self.determinant
        b = (self.s0 * t1 - self.s1 * t0) / self.determinant
        # Neither part can take negative time.
        alone = t1 / self.s2
        self.a = numpy.where(a < 0, 0.0, numpy.where(b < 0, t0 / self.s0, a))
        self.b = numpy.where(a < 0, alone, numpy.where(b < 0, 0.0, b))
        return self.a[:, None] + self.b[:, None] * x

    def admit(self, limit: float) -> "Profiles | None":
        """What leaves at most `limit` squares; the rest of the limit is room for a and b."""
        keep = self.squares <= limit
        for name in ("powers", "unit", "squares", "a", "b", "s0", "s1", "s2", "determinant"):
            setattr(self, name, getattr(self, name)[keep])
        self.slack = limit - self.squares
        return self if len(self.powers) else None

    def stray(self, on_a: Any, on_b: Any) -> Reals:
        """Half width of on_a * a + on_b * b within the slack."""
        variance = (on_a**2 * self.s2 - 2 * on_a * on_b * self.s1 + on_b**2 * self.s0) / self.determinant
        return numpy.sqrt(numpy.maximum(variance, 0.0) * self.slack)

    def reach(self, on_a: Any, on_b: Any) -> tuple[float, float]:
        """Ends of on_a * a + on_b * b over all that is admitted; negative times are none."""
        middle, width = on_a * self.a + on_b * self.b, self.stray(on_a, on_b)
        return max(float((middle - width).min()), 0.0), float((middle + width).max())

    def prediction(self, world: float) -> tuple[float, float]:
        return self.reach(1.0, world**self.powers * math.log(world) ** self.q / self.unit)

    def best(self) -> tuple[float, float, float, float]:
        """(squares, a, b, p)"""
        i = int(numpy.argmin(self.squares))
        return float(self.squares[i]), float(self.a[i]), float(self.b[i] / self.unit[i]), float(self.powers[i])


def _powers(low: float, high: float, q: int) -> Reals:
    if q == 1:
        return numpy.linspace(max(low, 0.0), max(high, 0.01), STEPS)
    powers = numpy.linspace(low, high, STEPS)
    powers = powers[abs(powers) >= P_FLAT]
    return powers if len(powers) else numpy.array([P_FLAT])


def _limit(profiles: list[Profiles], freedom: int) -> float:
    best = min(float(p.squares.min()) for p in profiles)
    return best * (1 + stats.f.ppf(CONFIDENCE, 1, freedom) / freedom) + 1e-24


def _searched(worlds: Reals, times: Reals, freedom: int) -> list[Profiles]:
    """Profiles by q, the second time only where the first found something, in small steps."""
    coarse = [Profiles(worlds, times, _powers(*P_RANGE, q), q) for q in (0, 1)]
    step = (P_RANGE[1] - P_RANGE[0]) / (STEPS - 1)
    fine = []
    for profile in coarse:
        # This q's own best, even if it will not be admitted: the choice of q wants its squares.
        limit = max(_limit(coarse, freedom), float(profile.squares.min()))
        near = profile.powers[profile.squares <= limit]
        low, high = max(near.min() - step, P_RANGE[0]), min(near.max() + step, P_RANGE[1])
        fine.append(Profiles(worlds, times, _powers(low, high, profile.q), profile.q))
    return fine


def _constant(worlds: Reals, medians: Reals, points: Reals, times: Reals) -> Law:
    middle = float(numpy.exp(numpy.mean(numpy.log(medians))))
    freedom = max(len(medians) - 1, 1)
    spread = math.sqrt(float(numpy.sum(numpy.log(medians / middle) ** 2)) / freedom)
    half = stats.t.ppf((1 + CONFIDENCE) / 2, freedom) * spread / math.sqrt(len(medians))
    return Law(a=middle, b=0.0, p=0.0, q=0, a_interval=(middle * math.exp(-half), middle * math.exp(half)),
               b_interval=None, p_interval=None, q_certain=False, worlds=points.tolist(),
               residuals=(times / middle - 1).tolist(), spread=spread, degrees_of_freedom=freedom,
               admitted=[])  # fmt: skip


def _hidden_growth(worlds: Reals, medians: Reals, constant: Law) -> list[Profiles]:
    """What the noise around a constant may hide, growing linearly at most."""
    profile = Profiles(worlds, medians, _powers(P_FLAT, 1.0, 0), 0)
    freedom = max(len(worlds) - 2, 1)
    flat = constant.spread**2 * constant.degrees_of_freedom
    kept = profile.admit(flat * (1 + stats.f.ppf(CONFIDENCE, 1, freedom) / freedom) + 1e-24)
    return [kept] if kept else []


def _is_flat(squares: float, constant: Law, freedom: int) -> bool:
    """Whether growth cannot be told from noise (F test of p and b together)."""
    flat = constant.spread**2 * constant.degrees_of_freedom
    gain = (flat - squares) / 2 / max(squares / freedom, 1e-24)
    return gain < stats.f.ppf(CONFIDENCE, 2, freedom)


def fit(all_worlds: Sequence[float], all_times: Sequence[float]) -> Law:
    """The law of times (seconds) by world size. Several times of one world count by their median. A
    constant where the sizes are fewer than FEWEST_WORLDS or growth cannot be told from noise."""
    points = numpy.asarray(all_worlds, dtype=float)
    times = numpy.maximum(numpy.asarray(all_times, dtype=float), SMALLEST_TIME_S)
    worlds = numpy.unique(points)
    medians = numpy.array([numpy.median(times[points == world]) for world in worlds])
    constant = _constant(worlds, medians, points, times)
    if len(worlds) < FEWEST_WORLDS:
        return constant
    freedom = len(worlds) - 3
    profiles = _searched(worlds, medians, freedom)
    bests = [profile.best() for profile in profiles]
    q = 1 if bests[1][0] < LOG_MUST_EARN * bests[0][0] else 0
    squares, a, b, p = bests[q]
    if b == 0 or _is_flat(squares, constant, freedom):
        constant.admitted = _hidden_growth(worlds, medians, constant)
        return constant
    limit = max(_limit(profiles, freedom), squares)
    admitted = [kept for profile in profiles if (kept := profile.admit(limit))]
    law = Law(a=a, b=b, p=p, q=q, a_interval=_over(admitted, lambda k: k.reach(1.0, 0.0)),
              b_interval=_over(admitted, lambda k: k.reach(0.0, 1 / k.unit)),
              p_interval=_over(admitted, lambda k: (float(k.powers.min()), float(k.powers.max()))),
              q_certain=len(admitted) == 1, worlds=points.tolist(), residuals=[],
              spread=math.sqrt(squares / freedom), degrees_of_freedom=freedom, admitted=admitted)  # fmt: skip
    law.residuals = [time / law.at(world) - 1 for world, time in zip(points.tolist(), times.tolist())]
    return law


def _over(admitted: list[Profiles], ends: Callable[[Profiles], tuple[float, float]]) -> tuple[float, float]:
    found = [ends(kept) for kept in admitted]
    return min(low for low, _ in found), max(high for _, high in found)
