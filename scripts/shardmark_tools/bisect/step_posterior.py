# SPDX-License-Identifier: Apache-2.0
"""What pairs of runs say about where, between state 0 and state N, times went up: the chance of each answer.

A pair is one run of state 0 and one of another state, neighbours in time; its value is the logarithm of the ratio of
their times. Three kinds of answer share the chance: no step; one step of unknown size at one place; several steps
(two, with a level of their own between them). The spread of pairs is unknown and summed over like the size, and the
law of a pair has heavy tails, so that no estimate is taken for the truth: a sequential test that does so errs more
often than it says. Every pair, of whichever state, speaks to every answer: nothing that was measured is thrown away
when the search goes on to another state.
"""

import dataclasses

import numpy as np
import numpy.typing as npt

Reals = npt.NDArray[np.float64]

FREEDOM = 4.0  # of Student's law: one odd pair in fifty is nothing
SPREADS = np.geomspace(0.002, 0.8, 16)  # of a pair, as a logarithm
BELOW = 0.7  # of the smallest effect: steps may be a little smaller than what is looked for
SIZES = 20
LARGEST = float(np.log(20.0))
PRIOR_NONE, PRIOR_SEVERAL = 0.5, 0.05
RENEWED = 8  # pairs after which the chance of several steps, which costs most, is worked out again
COARSE = slice(None, None, 2)  # sizes that two steps are tried with
ODD_ONE_OUT = 0.3  # of the whole: a level between two steps must lie this far from either end


@dataclasses.dataclass
class Belief:
    """The chance of each answer."""

    none: float
    at: Reals  # (N) one step, from state i to state i + 1
    several: float
    cuts: tuple[int, int] | None  # of several, the likeliest two


def log_sum(values: Reals, axis: int | tuple[int, ...] | None = None) -> Reals:
    most = values.max(axis=axis, keepdims=True)
    total: Reals = np.log(np.exp(values - most).sum(axis=axis)) + np.squeeze(most, axis=axis)
    return total


class StepPosterior:
    """`states` counts both ends; `effect` is the smallest step that is looked for, as a logarithm."""

    def __init__(self, states: int, effect: float) -> None:
        self.states = states
        self.sizes = np.geomspace(BELOW * effect, max(LARGEST, 4 * effect), SIZES)
        # Small steps are what is hard to tell from none: a belief that gave all sizes the same would settle too early.
        self.chances = np.log((1 / self.sizes) / (1 / self.sizes).sum())
        self.levels = np.concatenate([[0.0], self.sizes])
        self.pairs: dict[int, list[float]] = {}
        self.likelihoods: dict[int, Reals] = {}  # state -> (spreads, levels)
        self.odds_of_several: float | None = None  # to those of one, as they were when last worked out
        self.cuts: tuple[int, int] | None = None

    def add(self, state: int, value: float) -> None:
        """A pair of state 0 and `state`."""
        share = (value - self.levels) / SPREADS[:, None]
        logs = -0.5 * (FREEDOM + 1) * np.log1p(share**2 / FREEDOM) - np.log(SPREADS)[:, None]
        self.pairs.setdefault(state, []).append(value)
        self.likelihoods[state] = self.likelihoods.get(state, 0.0) + logs

    def count(self) -> int:
        return sum(len(values) for values in self.pairs.values())

    def measured(self) -> tuple[list[int], Reals]:
        """States that have pairs, in order, and their likelihoods (states, spreads, levels)."""
        order = sorted(self.likelihoods)
        return order, np.stack([self.likelihoods[state] for state in order])

    def belief(self, exact: bool = False) -> Belief:
        """`exact`: with the chance of several steps as all pairs say; else as it may have been some pairs ago."""
        if not self.likelihoods:
            return Belief(PRIOR_NONE, np.full(self.states - 1, (1 - PRIOR_NONE) / (self.states - 1)), 0.0, None)
        order, likelihoods = self.measured()
        edges = [0, *order, self.states - 1]
        # A step in gap g lies after all measured states before it: states g.. are slow.
        widths = np.array([after - before for before, after in zip(edges, edges[1:])], dtype=float)
        still = likelihoods[:, :, 0]
        none = float(log_sum(still.sum(axis=0)))
        one = self.one_step(likelihoods, widths, self.chances)
        if exact or self.odds_of_several is None or self.count() % RENEWED == 0:
            several, cuts = self.two_steps(likelihoods, widths)
            self.odds_of_several = several - float(log_sum(one))
            self.cuts = None if cuts is None else (edges[cuts[0] + 1], edges[cuts[1] + 1])
        several = self.odds_of_several + float(log_sum(one))
        parts = np.array([np.log(PRIOR_NONE) + none, np.log(1 - PRIOR_NONE - PRIOR_SEVERAL) + float(log_sum(one)),
                          np.log(PRIOR_SEVERAL) + several])  # fmt: skip
        shares = np.exp(parts - log_sum(parts))
        inside = np.exp(one - log_sum(one)) * shares[1]
        at = np.zeros(self.states - 1)
        for gap, width in enumerate(widths):
            if width:
                at[edges[gap] : edges[gap + 1]] = inside[gap] / width
        return Belief(float(shares[0]), at, float(shares[2]), self.cuts)

    @staticmethod
    def one_step(likelihoods: Reals, widths: Reals, chances: Reals) -> Reals:
        """(gaps) logarithm of prior times likelihood of one step in each gap."""
        quick = np.cumsum(likelihoods[:, :, 0], axis=0)  # states up to each are as fast as 0
        slow = np.cumsum(likelihoods[::-1, :, 1:], axis=0)[::-1]
        before = np.concatenate([np.zeros_like(quick[:1]), quick])
        after = np.concatenate([slow, np.zeros_like(slow[:1])]) + chances
        with np.errstate(divide="ignore"):
            prior = np.log(widths / widths.sum())
        found: Reals = log_sum(before[:, :, None] + after, axis=(1, 2)) + prior
        return found

    def two_steps(self, likelihoods: Reals, widths: Reals) -> tuple[float, tuple[int, int] | None]:
        """(logarithm of the likelihood of two steps with another level between, the two gaps): the level between must be
        measured, and neither be that of 0 nor that of the end."""
        gaps, sizes = len(widths), self.sizes[COARSE]
        quick = np.cumsum(likelihoods[:, :, 0], axis=0)
        level = np.cumsum(likelihoods[:, :, 1:][:, :, COARSE], axis=0)
        end, middle = np.meshgrid(sizes, sizes)
        chances = self.chances[COARSE] - log_sum(self.chances[COARSE])
        share = middle / end
        allowed = (np.abs(share) >= ODD_ONE_OUT) & (np.abs(share - 1.0) >= ODD_ONE_OUT)
        zeros = np.zeros_like(level[:1])
        level = np.concatenate([zeros, level])
        quick = np.concatenate([np.zeros((1, quick.shape[1])), quick])
        mean_allowed = float(log_sum(np.broadcast_to(chances, allowed.shape)[allowed]))
        found, cuts = [], []
        for first in range(gaps - 1):
            for second in range(first + 1, gaps):
                if not widths[first] or not widths[second]:
                    continue
                between = (level[second] - level[first])[:, :, None]  # (spreads, middle, 1)
                after = (level[-1] - level[second])[:, None, :]
                logs = quick[first][:, None, None] + between + after
                found.append(float(log_sum((logs + chances)[:, allowed])) - mean_allowed)
                cuts.append((first, second))
        if not found:
            return -np.inf, None
        weights = np.array([widths[a] * widths[b] for a, b in cuts])
        logs = np.array(found) + np.log(weights / weights.sum())
        return float(log_sum(logs)), cuts[int(logs.argmax())]

    def size(self, place: int, share: float = 0.95) -> tuple[float, float, float]:
        """(middle, low, high) of the step from state `place` to the next one, as logarithms."""
        order, likelihoods = self.measured()
        slow = np.array([state > place for state in order])
        logs = likelihoods[~slow][:, :, 0].sum(axis=0)[:, None] + likelihoods[slow][:, :, 1:].sum(axis=0) + self.chances
        fine = np.linspace(self.sizes[0] / 2, self.sizes[-1], 4000)
        marginal = np.array([float(log_sum(logs[:, i])) for i in range(logs.shape[1])])
        weights = np.exp(np.interp(fine, self.sizes, marginal - marginal.max(), left=-np.inf, right=-np.inf))
        values = np.concatenate([np.array(self.pairs[state]) for state, far in zip(order, slow) if far])
        return interval_of(values, share) if len(values) >= FEWEST_FOR_INTERVAL else quantiles(fine, weights, share)


FEWEST_FOR_INTERVAL = 6


def interval_of(values: Reals, share: float) -> tuple[float, float, float]:
    """(middle, low, high) of the centre of pairs, by the law that the posterior uses: summed over spreads."""
    middle = float(np.median(values))
    reach = 3.0 * float(np.std(values)) / np.sqrt(len(values)) + 1e-6
    centres = np.linspace(middle - 3 * reach, middle + 3 * reach, 601)
    rest = (values[:, None, None] - centres) / SPREADS[:, None]
    logs = (-0.5 * (FREEDOM + 1) * np.log1p(rest**2 / FREEDOM) - np.log(SPREADS)[:, None]).sum(axis=0)
    marginal = log_sum(logs, axis=0)
    return quantiles(centres, np.exp(marginal - marginal.max()), share)


def quantiles(grid: Reals, weights: Reals, share: float) -> tuple[float, float, float]:
    total = np.cumsum(weights) / weights.sum()
    low, middle, high = (float(np.interp(q, total, grid)) for q in ((1 - share) / 2, 0.5, (1 + share) / 2))
    return middle, low, high
