# SPDX-License-Identifier: Apache-2.0
"""A tuning as it was asked for: the suite as it is, what ails it, and each remedy tried beside it."""

import dataclasses
import pathlib
import sys
from typing import Any

from shardmark_tools.bisect.paired_runs import PairedRuns
from shardmark_tools.gate.interleaved import CannotRun, SideOptions, SideRunner
from shardmark_tools.gate.thresholds import Thresholds
from shardmark_tools.launch.plan_command import CannotPlan
from shardmark_tools.results import toml_document
from shardmark_tools.results.result_folder import Run, read_run
from shardmark_tools.tune import remedies as table
from shardmark_tools.tune.gain_test import GAIN
from shardmark_tools.tune.remedies import Remedy
from shardmark_tools.tune.symptoms import Symptom, symptoms_of
from shardmark_tools.tune.trials import ERROR, FAILED, Pair, Tried, try_remedy

FIRST_LOOKS = 2  # runs of the suite as it is, from which it is known what ails it
TOGETHER = "together"


@dataclasses.dataclass
class Asked:
    """What was asked for on the command line."""

    suite: str
    out: pathlib.Path
    everything: bool
    most_pairs: int
    ranks: int | None
    launcher: str
    settings: list[str]
    build: str | None
    seed: int


@dataclasses.dataclass
class Tuned:
    symptoms: list[Symptom]
    tried: list[Tried]
    proposed: Tried | None  # the best of what was confirmed, alone or together


def folder_name(remedy: Remedy) -> str:
    return "".join(letter if letter.isalnum() else "-" for letter in remedy.name)


class Tuning:
    def __init__(self, asked: Asked, thresholds: Thresholds) -> None:
        self.asked, self.thresholds = asked, thresholds
        same = {"suite": asked.suite, "ranks": asked.ranks, "launcher": asked.launcher, "settings": asked.settings,
                "build": asked.build, "seed": asked.seed}  # fmt: skip
        self.pairs = PairedRuns(asked.out, same, asked.seed)
        self.base = self.runner([])

    def runner(self, settings: list[str]) -> SideRunner:
        return SideRunner(SideOptions(self.asked.suite, self.asked.build, self.asked.launcher, self.asked.ranks,
                                      [*self.asked.settings, *settings]))  # fmt: skip

    def first_looks(self) -> list[Run]:
        runs = []
        for number in range(FIRST_LOOKS):
            folder = self.asked.out / "first" / f"{number:05d}"
            folder.parent.mkdir(parents=True, exist_ok=True)
            print(f"the suite as it is, run {number + 1} of {FIRST_LOOKS}", file=sys.stderr, flush=True)
            self.base.run(folder)
            runs.append(read_run(folder))
        return runs

    def attempt(self, remedy: Remedy, against: list[Symptom], families: set[str], error: float,
                base: Remedy | None = None) -> Tried:  # fmt: skip
        """In pairs with the suite as it is, or with `base`. A remedy that cannot be run is none."""
        name = folder_name(remedy) if base is None else f"{TOGETHER}-{folder_name(remedy)}"
        try:
            first = self.base if base is None else self.runner(base.options())
            sides = {"a": first, "b": self.runner(remedy.options())}

            def play(number: int) -> Pair:
                return self.pairs.play(name, number, sides)

            return try_remedy(remedy, against, families, error, self.thresholds, play, self.asked.most_pairs)
        except (CannotRun, CannotPlan) as failed:
            return Tried(remedy, against, FAILED, None, None, 0, [], str(failed).strip().splitlines()[-1])

    def combined(self, confirmed: list[Tried], families: set[str], error: float) -> Tried:
        """All that was confirmed, where that gains on top of the best alone; else the best."""
        best = max(confirmed, key=lambda tried: tried.gain[0] if tried.gain else 0.0)
        order = sorted(confirmed, key=lambda tried: -(tried.gain[0] if tried.gain else 0.0))
        whole = table.together([tried.remedy for tried in order])
        if whole.settings == best.remedy.settings:
            return best
        on_top = self.attempt(whole, [], families, error, best.remedy)
        if on_top.verdict != GAIN:
            return best
        on_top.message = f"measured on top of {best.remedy.name}, which gains by itself"
        return on_top

    def run(self) -> Tuned:
        """Errors: CannotRun, where the suite as it is cannot be run."""
        runs = self.first_looks()
        config: dict[str, Any] = toml_document.parse(runs[0].context["config"])
        families = {str(sample["family"]) for run in runs for sample in run.good()}
        symptoms = symptoms_of(runs, config)
        to_try = table.chosen(symptoms, config, families, self.asked.everything)
        error = ERROR / (len(to_try) + 1)  # and the combination
        tried = [self.attempt(remedy, against, families, error) for remedy, against in to_try]
        confirmed = [entry for entry in tried if entry.verdict == GAIN]
        proposed = self.combined(confirmed, families, error) if confirmed else None
        return Tuned(symptoms, tried, proposed)
