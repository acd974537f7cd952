# SPDX-License-Identifier: Apache-2.0
"""Does the launcher end by itself when it starts a program that does nothing? Some do not always."""

import random
import signal
import time

from shardmark_tools.torture.site import RANKS, Site

TRIALS = 12
LIMIT_S = 15


class LauncherTrial:
    def __init__(self, site: Site):
        self.site = site
        self.known: dict[str, bool] = {}

    def hangs(self, how: str) -> bool:
        """Whether it hung once in TRIALS of `sleep` and the same first signal."""
        if how not in self.known:
            self.known[how] = any(self._hangs_once(how, random.Random(turn)) for turn in range(TRIALS))
        return self.known[how]

    def _hangs_once(self, how: str, chance: random.Random) -> bool:
        job = self.site.start([*self.site.launcher.command(1, RANKS), "sleep", "2"])
        time.sleep(chance.uniform(0.1, 1))
        number = getattr(signal, how.split()[-1])
        if job.process.poll() is None:
            job.process.send_signal(number)
        return job.wait(LIMIT_S).code is None
