# SPDX-License-Identifier: Apache-2.0
"""A bisect as it was asked for: states, builds, runs and the search over them."""

import dataclasses
import os
import pathlib

import numpy as np

from shardmark_tools.bisect import builds
from shardmark_tools.bisect.paired_runs import PairedRuns, Watched, log_ratio
from shardmark_tools.bisect.search import Answer, Search
from shardmark_tools.bisect.states import states_between
from shardmark_tools.gate.interleaved import CannotRun, SideOptions, SideRunner
from shardmark_tools.launch.launching import ROOT

CONFIGURATIONS = "SHARDMARK_CONFIG_PATH"


@dataclasses.dataclass
class Asked:
    """What was asked for on the command line."""

    suite: str
    by: str
    good: list[str]
    bad: list[str]
    out: pathlib.Path
    benchmark: str | None
    phase: str | None
    slowdown: float
    error: float
    most_pairs: int
    ranks: int | None
    launcher: str
    settings: list[str]
    build: str | None
    repository: pathlib.Path
    build_command: str | None
    command: str | None
    seed: int


class Bisection:
    def __init__(self, asked: Asked) -> None:
        self.asked = asked
        self.states = states_between(asked.by, asked.good, asked.bad, asked.repository)
        self.watched = Watched(asked.benchmark, asked.phase)
        same = {"suite": asked.suite, "by": asked.by, "states": [[s.name, s.step] for s in self.states],
                "benchmark": asked.benchmark, "phase": asked.phase, "ranks": asked.ranks, "launcher": asked.launcher,
                "settings": asked.settings, "build": asked.build, "seed": asked.seed}  # fmt: skip
        self.pairs = PairedRuns(asked.out, same, asked.seed)
        self.builds = builds.Builds(asked.repository, asked.out / "builds", asked.build_command or builds.BUILD,
                                    asked.command or builds.COMMAND)  # fmt: skip
        self.search = Search(len(self.states), float(np.log1p(asked.slowdown)), self.measure, asked.error, asked.most_pairs)
        self.number = 0
        self.runners: dict[int, SideRunner] = {}

    def runner(self, index: int) -> SideRunner | None:
        """None: that state does not build."""
        if index not in self.runners:
            state = self.states[index]
            build, environment = self.asked.build, list(state.environment)
            if state.commit is not None:
                made = self.builds.get(state.commit)
                if made is None:
                    return None
                build = str(made)
                if CONFIGURATIONS not in os.environ:  # all commits run one and the same suite
                    environment.append(f"{CONFIGURATIONS}={ROOT / 'configs'}")
            options = SideOptions(self.asked.suite, build, self.asked.launcher, self.asked.ranks,
                                  [*self.asked.settings, *state.settings], environment)  # fmt: skip
            self.runners[index] = SideRunner(options, self.asked.by)
        return self.runners[index]

    def measure(self, index: int) -> float | None:
        good, other = self.runner(0), self.runner(index)
        if good is None or (other is None and index == len(self.states) - 1):
            end = self.states[0 if good is None else index]
            raise CannotRun(f"{end.name}: an end of the bisect does not build; {self.builds.folder}/{end.commit}.log says why")
        if other is None:
            return None
        pair = self.pairs.play(self.states[index].name, self.number, {"a": good, "b": other})
        self.number += 1
        return log_ratio(self.watched, pair)

    def resume(self) -> None:
        """Takes in what an earlier process measured."""
        place = {state.name: index for index, state in enumerate(self.states)}
        for number, name in self.pairs.finished():
            if name in place:
                self.search.posterior.add(place[name], log_ratio(self.watched, self.pairs.read(name, number)))
                self.number = max(self.number, number + 1)
        self.search.broken |= {index for index, state in enumerate(self.states)
                               if state.commit is not None and self.builds.failed(state.commit)}  # fmt: skip

    def run(self) -> Answer:
        """Errors: CannotRun, CannotJudge, BadEnds."""
        self.resume()
        return self.search.run()
