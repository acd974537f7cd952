# SPDX-License-Identifier: Apache-2.0
"""Does a remedy gain? A sequential test over pairs whose chance of a false gain holds whenever it stops.

The belief is that of a bisect with one step in it: no gain, or a gain of some size, whatever the spread of pairs. By
Ville's inequality the odds of a gain exceed 1 / error with at most that chance where there is none.
"""

from shardmark_tools.bisect.step_posterior import StepPosterior

GAIN, NOTHING, OPEN = "gain", "nothing", "open"
FEWEST = 6  # pairs of a gain that is told
FUTILE = 0.9  # chance of no gain, from which no more pairs are made
FEWEST_FUTILE = 4


class GainTest:
    """`effect` is the smallest gain that is looked for, as a logarithm."""

    def __init__(self, effect: float, error: float) -> None:
        self.posterior, self.error = StepPosterior(2, effect), error

    def add(self, value: float) -> str:
        """`value`: logarithm of the time without the remedy over that with it."""
        self.posterior.add(1, value)
        return self.state()

    def state(self) -> str:
        count, none = self.posterior.count(), self.posterior.belief().none
        if count >= FEWEST and none / (1 - none + 1e-300) <= self.error:
            return GAIN
        if count >= FEWEST_FUTILE and none >= FUTILE:
            return NOTHING
        return OPEN
