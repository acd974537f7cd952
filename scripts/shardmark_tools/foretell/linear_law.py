# SPDX-License-Identifier: Apache-2.0
"""t = a + b x, neither negative: what begins and ends whatever the size, and what each byte or rank adds. It is the law by
which `shardmark plan --storage` foretells: a is its fixed time, 1 / b a rate. Fitted by relative error, since times span
decades; the spread around it is the series' own, drawn towards what series of the same kind have, because a handful of
sizes cannot tell it."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy
import numpy.typing
from scipy import optimize, stats

Reals = numpy.typing.NDArray[numpy.float64]
CONFIDENCE = 0.95
PARAMETERS = 2
FEWEST_SIZES = 3  # two parameters, and one more to be wrong about
PRIOR_FREEDOM = 6  # degrees of freedom that the other series of a kind count for


@dataclass
class LinearLaw:
    a: float
    b: float
    spread: float  # relative standard deviation of one size's median from the law
    freedom: float  # of the spread
    inverse: Reals  # of the normal equations: times spread^2 the covariance of a and b
    sizes: list[float]

    def at(self, size: float) -> float:
        return self.a + self.b * size

    def relative_error(self, size: float) -> float:
        """Standard error of the law itself there."""
        g = numpy.array([1.0, size])
        return math.sqrt(max(0.0, float(g @ self.inverse @ g))) * self.spread / self.at(size)

    def predict(self, size: float) -> tuple[float, float, float]:
        """Time and the ends of its 95 % interval, for a median of as many repetitions."""
        width = stats.t.ppf((1 + CONFIDENCE) / 2, self.freedom) * math.hypot(self.spread, self.relative_error(size))
        time = self.at(size)
        return time, time * math.exp(-width), time * math.exp(width)

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


def fit(points: Sequence[tuple[float, float]]) -> Fitted:
    """Of (size, seconds), with several times a size or one."""
    sizes, times = medians_by_size(points)
    unit = float(sizes.max())
    design = numpy.stack([1 / times, sizes / unit / times], axis=1)
    (a, b), _ = optimize.nnls(design, numpy.ones(len(times)))
    squares = float(numpy.sum(numpy.log((a + b * sizes / unit) / times) ** 2))
    inverse: Reals = numpy.linalg.pinv(design.T @ design).astype(numpy.float64)
    scale = numpy.array([1.0, 1 / unit])
    law = LinearLaw(float(a), float(b) / unit, 0.0, 1.0, inverse * numpy.outer(scale, scale), sizes.tolist())
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
        law = one.law
        laws.append(LinearLaw(law.a, law.b, math.sqrt(variance), max(freedom, 1), law.inverse, law.sizes))
    return laws


def law_document(law: LinearLaw) -> dict[str, Any]:
    return {"a_s": law.a, "b_s": law.b, "spread": law.spread, "degrees_of_freedom": law.freedom, "sizes": law.sizes}
