# SPDX-License-Identifier: Apache-2.0
"""Which node, or group of nodes, is slower than the others, and in which phase.

Every round runs the suite once on every group. A time becomes the logarithm of its ratio to the round's median over
the groups, so that what moves the whole machine from round to round falls out; a group's value is the median over its
rounds. It is compared with the others' median in units of their scatter (MAD) or of the rounds' own, whichever is
more. The unit that is needed is what normal noise alone exceeds in one of a hundred fleets of that size, all
benchmarks and phases together; found by simulation, since half a dozen values know their own scatter badly. The more
groups differ beyond what their rounds explain, the less do the rounds help, and the more is needed.
"""

import dataclasses
import functools
import math
import statistics
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from shardmark_tools.results.result_folder import Run, by_name

FEWEST_GROUPS = 4
LEAST_RATIO = 1.03  # less is nobody's concern
MAIN_SHARE = 0.1  # of a benchmark's time; what takes less is not judged by itself
FALSE_ALARMS = 0.01  # fleets of a hundred that accuse a sound group
DRAWS = 20_000
MOST_DIFFERENT = 6.0  # of the rounds' scatter: beyond, that of the groups is all there is
SIGMA_OF_MAD = 1.4826
SIGMA_OF_MEDIAN = 1.2533  # its scatter, in that of a mean
Reals = npt.NDArray[np.float64]


@dataclasses.dataclass(frozen=True)
class Measured:
    """The suite once on one group."""

    group: str
    round: int
    run: Run


@dataclasses.dataclass
class Series:
    """One benchmark's time, or one phase's of it: seconds by group and round."""

    benchmark: str
    phase: str | None  # None: all of it
    groups: list[str]
    seconds: Reals

    @property
    def ratios(self) -> Reals:
        """Of each group to the others' median: in the middle of its rounds."""
        return np.exp(centred(self.seconds))


@dataclasses.dataclass(frozen=True)
class Outlier:
    group: str
    benchmark: str
    ratio: float  # of the benchmark's whole time
    phase: str | None  # which took most of the excess; None where the benchmark has no phases
    phase_ratio: float | None
    sigma: float  # by how many of the others' scatter it stands out
    needed: float


@dataclasses.dataclass
class Verdict:
    series: list[Series]
    outliers: list[Outlier]  # the slowest benchmark of each slow group
    rounds: int
    sees: float | None  # from what ratio on a group would be named, in the most quiet series; None: nothing is judged


def by_round(seconds: Reals) -> Reals:
    """Logarithms of ratios to the round's median."""
    logs = np.log(np.maximum(seconds, 1e-9))
    return logs - np.median(logs, axis=-2, keepdims=True)


def centred(seconds: Reals) -> Reals:
    """A group's value against the others' median; 0 where there are none."""
    values = np.median(by_round(seconds), axis=1)
    if len(values) < 2:
        return np.zeros_like(values)
    return values - others_median(values)


def others(values: Reals) -> Reals:
    """[..., i, :]: all but value i."""
    count = values.shape[-1]
    keep = np.array([[j for j in range(count) if j != i] for i in range(count)])
    return values[..., keep]


def others_median(values: Reals) -> Reals:
    return np.median(others(values), axis=-1)


def scatter_of_groups(ratios: Reals) -> Reals:
    """Of each group's value, by its others: `ratios` has groups and rounds as its last two axes. Their MAD, or their
    standard deviation without the farthest one, if that is more: few values have a MAD near zero by chance."""
    rest = others(np.median(ratios, axis=-1))
    apart = np.sort(abs(rest - np.median(rest, axis=-1, keepdims=True)), axis=-1)
    return np.maximum(SIGMA_OF_MAD * np.median(apart, axis=-1), np.sqrt(np.mean(apart[..., :-1] ** 2, axis=-1)))


def scatter_of_rounds(ratios: Reals) -> Reals:
    """Of a group's value, by how far its rounds are apart; 0 with a single round."""
    groups, rounds = ratios.shape[-2:]
    values = np.median(ratios, axis=-1, keepdims=True)
    squares = np.sum((ratios - values) ** 2, axis=(-1, -2)) / (groups * max(rounds - 1, 1))
    return SIGMA_OF_MEDIAN * np.sqrt(squares / rounds)


def scatters(ratios: Reals) -> Reals:
    return np.maximum(scatter_of_groups(ratios), scatter_of_rounds(ratios)[..., None])


def own_difference(ratios: Reals) -> float:
    """How far groups differ beyond what their rounds explain, in the rounds' scatter, in steps of a half."""
    within = float(scatter_of_rounds(ratios))
    if within <= 0:
        return MOST_DIFFERENT
    share = float(np.median(scatter_of_groups(ratios))) / within
    return min(round(2 * math.sqrt(max(share**2 - 1, 0.0))) / 2, MOST_DIFFERENT)


def sigmas(ratios: Reals) -> Reals:
    values = np.median(ratios, axis=-1)
    return (values - others_median(values)) / np.maximum(scatters(ratios), 1e-12)


@functools.cache
def needed_sigma(groups: int, rounds: int, tests: int, difference: float) -> float:
    """What the greatest of normal noise exceeds in FALSE_ALARMS of fleets with so many series, whose groups differ by
    `difference` of their rounds' scatter."""
    rng = np.random.default_rng(20260131)
    draws = max(2000, min(DRAWS, 40_000_000 // (groups * groups * rounds)))
    noise = rng.normal(size=(draws, groups, rounds))
    noise += difference * SIGMA_OF_MEDIAN / math.sqrt(rounds) * rng.normal(size=(draws, groups, 1))
    noise -= np.median(noise, axis=1, keepdims=True)  # as by_round() has it
    return float(np.quantile(sigmas(noise).max(axis=1), 1 - FALSE_ALARMS / tests))


def series_of(measured: Sequence[Measured]) -> list[Series]:
    """Of every benchmark that all groups have in all their rounds, and of its main phases."""
    groups = sorted({of.group for of in measured})
    rounds = sorted({of.round for of in measured})
    times: dict[tuple[str, str | None], dict[tuple[str, int], float]] = {}
    for of in measured:
        for name, samples in by_name([of.run]).items():
            rows = [sample for _, sample in samples]
            place = (of.group, of.round)
            times.setdefault((name, None), {})[place] = statistics.median(row["time_s"] for row in rows)
            for phase in rows[0]["phases_s"]:
                if phase != "wait":  # for others of the group
                    seconds = statistics.median(row["phases_s"][phase]["mean"] for row in rows)
                    times.setdefault((name, phase), {})[place] = seconds
    made = []
    for (name, phase), found in times.items():
        if len(found) == len(groups) * len(rounds):
            table = np.array([[found[group, number] for number in rounds] for group in groups])
            made.append(Series(name, phase, groups, table))
    whole = {of.benchmark: float(np.median(of.seconds)) for of in made if of.phase is None}
    least = {benchmark: MAIN_SHARE * seconds for benchmark, seconds in whole.items()}
    return [of for of in made if of.phase is None or float(np.median(of.seconds)) >= least.get(of.benchmark, math.inf)]


def slowest_phase(series: Sequence[Series], benchmark: str, place: int) -> tuple[str | None, float | None]:
    """The phase in which a group loses most, and its ratio there."""
    best: tuple[float, str | None, float | None] = (0.0, None, None)
    for of in series:
        if of.benchmark == benchmark and of.phase is not None:
            usual = np.median(np.delete(of.seconds, place, axis=0), axis=0)
            excess = float(np.median(of.seconds[place] - usual))
            if excess > best[0]:
                best = excess, of.phase, float(of.ratios[place])
    return best[1], best[2]


def judge(measured: Sequence[Measured]) -> Verdict:
    series = series_of(measured)
    rounds = len({of.round for of in measured})
    groups = len({of.group for of in measured})
    if not series or groups < FEWEST_GROUPS:
        return Verdict(series, [], rounds, None)
    found: dict[str, Outlier] = {}
    sees = math.inf
    for of in series:
        ratios = by_round(of.seconds)
        units = sigmas(ratios)
        needed = needed_sigma(groups, rounds, len(series), own_difference(ratios))
        sees = min(sees, math.exp(needed * float(np.median(scatters(ratios)))))
        for place, group in enumerate(of.groups):
            if units[place] < needed or of.ratios[place] < LEAST_RATIO:
                continue
            whole = next(s for s in series if s.benchmark == of.benchmark and s.phase is None)
            phase, phase_ratio = slowest_phase(series, of.benchmark, place)
            made = Outlier(group, of.benchmark, float(whole.ratios[place]), phase, phase_ratio, float(units[place]), needed)
            if group not in found or made.sigma > found[group].sigma:
                found[group] = made
    return Verdict(series, sorted(found.values(), key=lambda o: -o.ratio), rounds, max(sees, LEAST_RATIO))
