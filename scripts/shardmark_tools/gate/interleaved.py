# SPDX-License-Identifier: Apache-2.0
"""Runs A and B alternately, so that what drifts on a machine drifts for both."""

import json
import os
import pathlib
import random
import shlex
import shutil
import subprocess
import sys

from shardmark_tools.gate import recommendation
from shardmark_tools.gate.comparison import PAIRS_FILE
from shardmark_tools.launch.launching import CannotLaunch, Launcher, find_command, setting_options, suite_path
from shardmark_tools.results.result_folder import read_runs

FEWEST_PILOT = 4


class CannotRun(Exception):
    """The message says what is missing or what failed."""


def assignments(pairs, option):
    for pair in pairs:
        if "=" not in pair:
            raise CannotRun(f"{option} '{pair}': expected NAME=VALUE")
    return dict(pair.split("=", 1) for pair in pairs)


class SideRunner:
    """One side: its command, settings and environment."""

    def __init__(self, arguments, side):
        try:
            self.command = find_command(getattr(arguments, f"{side}_build"))
            self.launcher = Launcher.make(arguments.launcher)
        except CannotLaunch as error:
            raise CannotRun(error) from error
        self.suite = suite_path(arguments.interleave)
        self.settings = arguments.set + getattr(arguments, f"{side}_set")
        assignments(self.settings, f"--{side}-set")
        self.added = assignments(getattr(arguments, f"{side}_env"), f"--{side}-env")
        self.environment = {**os.environ, **self.added}
        self.ranks = arguments.ranks or self.planned_ranks()
        self.environment = {**self.launcher.environment(self.ranks), **self.added}

    def options(self):
        return setting_options(self.settings)

    def planned_ranks(self):
        command = [str(self.command), "plan", self.suite, "--json", *self.options()]
        done = subprocess.run(command, capture_output=True, text=True, env=self.environment, check=False)
        if done.returncode != 0:
            raise CannotRun(f"{shlex.join(command)}\n{done.stderr.strip()}")
        return json.loads(done.stdout)["world_size"]

    def run(self, directory):
        """One run into `directory`, which exists only if it is complete."""
        if (directory / "samples.json").exists():
            return
        partial = directory.with_name(f".{directory.name}.partial").resolve()
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        command = [*self.launcher.words, "-n", str(self.ranks), str(self.command), "run", self.suite,
                   "--out", str(partial), *self.options()]  # fmt: skip
        with open(partial / "output.txt", "w", encoding="utf-8") as output:
            done = subprocess.run(command, stdout=output, stderr=subprocess.STDOUT, cwd=partial,
                                  env=self.environment, stdin=subprocess.DEVNULL, check=False)  # fmt: skip
        if done.returncode != 0:
            tail = (partial / "output.txt").read_text(encoding="utf-8", errors="replace").strip()
            raise CannotRun(f"exit code {done.returncode} from {shlex.join(command)}\n{tail[-800:]}")
        shutil.rmtree(partial / "checkpoints", ignore_errors=True)
        partial.rename(directory)


def say(text):
    print(text, file=sys.stderr, flush=True)


def pilot(runner, directory, pairs):
    """A against A: what this machine does to one and the same thing."""
    for number in range(2 * pairs):
        say(f"A against A, run {number + 1} of {2 * pairs}")
        runner.run(directory / f"{number:04d}")
    return read_runs(directory)


def choose_pairs(arguments, thresholds, runs):
    found = recommendation.needs(
        recommendation.spread_of_runs(runs, paired=True), thresholds, arguments.slowdown, paired=True
    )
    wanted = recommendation.recommended(found)
    worst = max(found, key=lambda need: need.sd)
    say(f"noise of this machine, A against A: pairs differ by up to {100 * worst.sd:.1f} % "
        f"(standard deviation, {worst.name})")  # fmt: skip
    if wanted is None:
        say(f"a slowdown of {100 * arguments.slowdown:g} % is below min_effect of every family")
        wanted = 0
    else:
        say(f"{wanted} pairs see a slowdown of {100 * arguments.slowdown:g} % in every benchmark")
    if arguments.pairs:
        return arguments.pairs
    return min(max(wanted, thresholds.min_repetitions), arguments.most_pairs)


def run(arguments, thresholds):
    """Folders of both sides. What is there already is not run again."""
    out = pathlib.Path(arguments.out)
    sides = {side: SideRunner(arguments, side) for side in "ab"}
    if sides["a"].ranks != sides["b"].ranks:
        raise CannotRun(f"A wants {sides['a'].ranks} ranks and B {sides['b'].ranks}; give --ranks")
    for name in ("a", "b", "pilot"):
        (out / name).mkdir(parents=True, exist_ok=True)
    (out / PAIRS_FILE).write_text(json.dumps({"sides": ["a", "b"]}) + "\n", encoding="utf-8")
    pairs = arguments.pairs
    if arguments.pilot >= FEWEST_PILOT // 2:
        runs = pilot(sides["a"], out / "pilot", arguments.pilot)
        pairs = choose_pairs(arguments, thresholds, runs)
    elif not pairs:
        raise CannotRun(f"--pilot {arguments.pilot} is too small to choose the number of pairs; give --pairs")
    order = random.Random(arguments.seed)
    for number in range(pairs):
        both = ["a", "b"]
        order.shuffle(both)
        for side in both:
            say(f"pair {number + 1} of {pairs}, {side.upper()}")
            sides[side].run(out / side / f"{number:04d}")
    return out / "a", out / "b"
