# SPDX-License-Identifier: Apache-2.0
"""Chooses what to measure next, and when enough is known."""

import dataclasses
from collections.abc import Callable

import numpy as np

from shardmark_tools.bisect.step_posterior import Belief, StepPosterior

FOUND, NO_STEP, SEVERAL, UNDECIDED = "found", "no step", "not one step", "undecided"
ERROR = 0.03  # chance that the answer is wrong, of the whole search
UNSURE_OF_A_STEP = 0.4  # chance of no step from which the far end is measured, which tells most of it
MOST_PAIRS = 400
MOST_SEVERAL = 0.2  # chance of several steps with which one is told: levels near to either end take very long to exclude
EVEN = 0.15  # a state that is there already is preferred to a new one this much nearer the middle
FEWEST_BESIDE = 6  # pairs on either side of a step that is told, and of the far end


@dataclasses.dataclass
class Answer:
    kind: str
    belief: Belief
    first: int | None = None  # the last state that is as fast as the good end
    last: int | None = None  # the first one that is not; more than one further where states between could not be tried
    size: tuple[float, float, float] | None = None  # (middle, low, high), as logarithms
    cuts: tuple[int, int] | None = None


class Search:
    """`measure` gives the logarithm of the ratio of times of one pair of the good end and a state; None: that state
    cannot be tried (it does not build)."""

    def __init__(self, states: int, effect: float, measure: Callable[[int], float | None], error: float = ERROR,
                 most_pairs: int = MOST_PAIRS) -> None:  # fmt: skip
        self.posterior = StepPosterior(states, effect)
        self.states, self.measure, self.error, self.most_pairs = states, measure, error, most_pairs
        self.broken: set[int] = set()

    def bracket(self, place: int) -> tuple[int, int]:
        """The step from `place` to the next state, as far as states can be tried."""
        first, last = place, place + 1
        while first in self.broken:
            first -= 1
        while last in self.broken:
            last += 1
        return first, last

    def chance_within(self, belief: Belief, first: int, last: int) -> float:
        """Of the step, if there is one step or none."""
        return float(belief.at[first:last].sum()) / max(1e-12, 1.0 - belief.several)

    def pairs_of(self, state: int) -> int:
        return len(self.posterior.pairs.get(state, []))

    def telling(self, belief: Belief, first: int, last: int) -> list[int]:
        """States that tell one step from several: beside each, and the far end."""
        cuts = belief.cuts or ()
        states = {first, last, self.states - 1, *cuts, *(cut - 1 for cut in cuts)}
        return sorted(state for state in states if state > 0 and state not in self.broken)

    def next_state(self, belief: Belief) -> int:
        end = self.states - 1
        if belief.none >= UNSURE_OF_A_STEP:
            return end
        first, last = self.bracket(int(belief.at.argmax()))
        if belief.several > MOST_SEVERAL:
            return min(self.telling(belief, first, last), key=self.pairs_of)
        if self.chance_within(belief, first, last) >= 1 - self.error:
            few = [state for state in (first, last, end) if state and self.pairs_of(state) < FEWEST_BESIDE]
            if few:
                return few[0]
        slow = np.cumsum(belief.at) / belief.at.sum()  # (N) chance that state i + 1 is slow
        candidates = [state for state in range(1, end + 1) if state not in self.broken]

        def unevenness(state: int) -> float:
            return abs(float(slow[state - 1]) - 0.5) - (EVEN if state in self.posterior.pairs else 0.0)

        return min(candidates, key=unevenness)

    def decided(self, belief: Belief) -> Answer | None:
        sure = 1 - self.error
        if belief.none >= sure:
            return Answer(NO_STEP, belief)
        if belief.several >= sure:
            return Answer(SEVERAL, belief, cuts=belief.cuts)
        first, last = self.bracket(int(belief.at.argmax()))
        counts = [self.pairs_of(state) for state in (first, last, self.states - 1) if state]
        certain = self.chance_within(belief, first, last) >= sure and belief.several <= MOST_SEVERAL
        if certain and min(counts) >= FEWEST_BESIDE:
            return Answer(FOUND, belief, first, last, self.posterior.size(int(belief.at.argmax())))
        return None

    def run(self) -> Answer:
        while True:
            belief = self.posterior.belief()
            if self.decided(belief) is not None:
                belief = self.posterior.belief(exact=True)
                answer = self.decided(belief)
                if answer is not None:
                    return answer
            if self.posterior.count() >= self.most_pairs:
                return Answer(UNDECIDED, belief)
            state = self.next_state(belief)
            value = self.measure(state)
            if value is None:
                self.broken.add(state)
                if state == self.states - 1:
                    return Answer(UNDECIDED, belief)
            else:
                self.posterior.add(state, value)
