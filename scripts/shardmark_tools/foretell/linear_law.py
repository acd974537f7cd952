# SPDX-License-Identifier: Apache-2.0
"""t = a + b x, neither negative: what begins and ends whatever the size, and what each byte or rank adds. It is the law by
which `shardmark plan --storage` foretells: a is its fixed time, 1 / b a rate. Fitted by relative error, since times span
decades; the spread around it is the series' own, drawn towards what series of the same kind have, because a handful of
sizes cannot tell it."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy
import numpy.typing
from scipy import optimize, stats

Reals = numpy.typing.NDArray[numpy.float64]
CONFIDENCE = 0.95
PARAMETERS = 2
FEWEST_SIZES = 3  # two parameters, and one more to be wrong about
PRIOR_FREEDOM = 6  # degrees of freedom that the other series of a kind count for


@dataclass(frozen=True)
class Floor:
    """What a byte costs at least, and its standard error, in seconds: a checkpoint's bytes are moved no faster than raw
    files'. Where what begins and ends takes longer than small sizes do, these tell nothing of it."""

    b: float = 0.0
    error: float = 0.0


NO_FLOOR = Floor()


@dataclass
class LinearLaw:
    a: float
    b: float
    spread: float  # relative standard deviation of one size's median from the law
    freedom: float  # of the spread
    inverse: Reals  # of the normal equations: times spread^2 the covariance of a and b
    sizes: list[float]
    center: Reals  # a and b as they would be if they could be anything
    floor: Floor  # of b

    def at(self, size: float) -> float:
        return self.a + self.b * size

    def error(self, size: float) -> float:
        """Standard error of the law itself there, in seconds."""
        g = numpy.array([1.0, size])
        return math.sqrt(max(0.0, float(g @ self.inverse @ g))) * self.spread

    def ends(self, size: float, factor: float) -> tuple[float, float]:
        """Of so many standard errors around two free numbers, what their bounds leave: a time is at least that of the
        size which is known best and what the floor adds, and grows at most as the size does."""
        free = float(self.center @ numpy.array([1.0, size]))
        known = min(self.sizes, key=lambda each: self.error(each) / self.at(each))
        low, high = (self.at(known) + sign * factor * self.error(known) for sign in (-1, 1))
        low += max(0.0, self.floor.b - factor * self.floor.error) * max(0.0, size - known)
        return max(free - factor * self.error(size), low), min(free + factor * self.error(size), high * size / known)

    def predict(self, size: float) -> tuple[float, float, float]:
        """Time and the ends of its 95 % interval, for a median of as many repetitions."""
        time = self.at(size)
        if math.isinf(self.spread):
            return time, 0.0, math.inf
        factor = float(stats.t.ppf((1 + CONFIDENCE) / 2, self.freedom))
        low, high = self.ends(size, factor)
        noise = factor * math.hypot(self.spread, self.floor.error * size / time if self.b <= self.floor.b else 0.0)
        down = math.hypot(noise, max(0.0, math.log(time / low)) if low > 0 else math.inf)
        up = math.hypot(noise, max(0.0, math.log(high / time)))
        return time, time * math.exp(-down), time * math.exp(up)

    def standard_errors(self) -> tuple[float, float]:
        """Of a and b."""
        return tuple(float(math.sqrt(max(0.0, v))) * self.spread for v in numpy.diag(self.inverse))  # type: ignore[return-value]

    def text(self, of: str) -> str:
        return f"{self.a:.3g} s" + (f" + {self.b:.3g} s/{of}" if self.b > 0 else "")


@dataclass
class Fitted:
    """A law before its spread is known."""

    law: LinearLaw
    squares: float  # of the relative residuals
    freedom: int


def medians_by_size(points: Sequence[tuple[float, float]]) -> tuple[Reals, Reals]:
    sizes = sorted({size for size, _ in points})
    return numpy.array(sizes), numpy.array([numpy.median([t for s, t in points if s == size]) for size in sizes])


def fit(points: Sequence[tuple[float, float]], floor: Floor = NO_FLOOR) -> Fitted:
    """Of (size, seconds), with several times a size or one."""
    sizes, times = medians_by_size(points)
    unit = float(sizes.max())
    design = numpy.stack([1 / times, sizes / unit / times], axis=1)
    (a, above), _ = optimize.nnls(design, 1 - design[:, 1] * floor.b * unit)
    b = floor.b * unit + above
    squares = float(numpy.sum(numpy.log((a + b * sizes / unit) / times) ** 2))
    inverse: Reals = numpy.linalg.pinv(design.T @ design).astype(numpy.float64)
    scale = numpy.array([1.0, 1 / unit])
    free = numpy.linalg.lstsq(design, numpy.ones(len(times)), rcond=None)[0]
    law = LinearLaw(float(a), float(b) / unit, 0.0, 1.0, inverse * numpy.outer(scale, scale), sizes.tolist(), free * scale,
                    floor)
    return Fitted(law, squares, len(sizes) - PARAMETERS)


def share_spread(fits: Sequence[Fitted]) -> list[LinearLaw]:
    """The laws of series of one kind, each with its spread."""
    known = [f for f in fits if f.freedom > 0]
    total = sum(f.freedom for f in known)
    pooled = sum(f.squares for f in known) / total if total else 0.0
    laws = []
    for one in fits:
        prior = min(PRIOR_FREEDOM, total - max(one.freedom, 0))
        freedom = prior + max(one.freedom, 0)
        variance = (prior * pooled + one.squares) / freedom if freedom else math.inf
        laws.append(replace(one.law, spread=math.sqrt(variance), freedom=max(freedom, 1)))
    return laws


def law_document(law: LinearLaw) -> dict[str, Any]:
    return {"a_s": law.a, "b_s": law.b, "spread": law.spread, "degrees_of_freedom": law.freedom, "sizes": law.sizes}
