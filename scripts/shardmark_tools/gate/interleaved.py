# SPDX-License-Identifier: Apache-2.0
"""Runs A and B alternately, so that what drifts on a machine drifts for both."""

import dataclasses
import json
import pathlib
import random
import shlex
import shutil
import subprocess
import sys
from collections.abc import Sequence
from typing import Any

from shardmark_tools.gate import recommendation
from shardmark_tools.gate.comparison import PAIRS_FILE, PAIRS_FORM
from shardmark_tools.gate.thresholds import Thresholds
from shardmark_tools.launch.launching import Launcher, find_command, setting_options
from shardmark_tools.launch.plan_command import plan
from shardmark_tools.launch.relative_paths import absolute_setting, suite_path
from shardmark_tools.refusal import Refused
from shardmark_tools.results import run_facts
from shardmark_tools.results.json_document import read_json
from shardmark_tools.results.number_text import percent_text
from shardmark_tools.results.result_folder import Run, fit, read_run, read_runs

FEWEST_PILOT = 4
FOLDERS = ("a", "b", "pilot")


class CannotRun(Refused):
    """The message says what is missing or what failed."""


@dataclasses.dataclass
class SideOptions:
    """What one side is run with."""

    suite: str
    build: str | None = None
    launcher: str = "mpirun"
    ranks: int | None = None
    settings: Sequence[str] = ()
    environment: Sequence[str] = ()  # NAME=VALUE


@dataclasses.dataclass
class Options:
    """What was asked for on the command line."""

    out: str
    sides: dict[str, SideOptions]
    pairs: int | None
    most_pairs: int
    pilot: int
    slowdown: float
    seed: int
    overwrite: bool


def assignments(pairs: Sequence[str], what: str) -> dict[str, str]:
    for pair in pairs:
        if "=" not in pair:
            raise CannotRun(f"{what} '{pair}': expected NAME=VALUE")
    return dict(pair.split("=", 1) for pair in pairs)


class SideRunner:
    """One side: its command, settings and environment."""

    def __init__(self, options: SideOptions, side: str = "a"):
        self.command = find_command(options.build)
        self.launcher = Launcher.make(options.launcher)
        self.suite = suite_path(options.suite)
        assignments(options.settings, "--set")
        self.settings = [absolute_setting(setting) for setting in options.settings]
        self.added = assignments(options.environment, f"--{side}-env")
        self.ranks = options.ranks or int(plan(self.command, self.suite, self.settings, None)["world_size"])
        self.environment = {**self.launcher.environment(self.ranks), **self.added}

    def asked(self) -> dict[str, Any]:
        """What a run of this side is a run of."""
        return {"suite": self.suite, "command": str(self.command), "launcher": self.launcher.words, "ranks": self.ranks,
                "settings": self.settings, "environment": self.added}  # fmt: skip

    def options(self) -> list[str]:
        return setting_options(self.settings)

    def run(self, directory: pathlib.Path) -> None:
        """One run into `directory`, which exists only if it is complete. Errors: CannotRun; MixedRuns, if it is
        not of the kind of the runs that were there."""
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
        before = next((path for path in sorted(directory.parent.glob("[0-9]*")) if path.is_dir()), None)
        if before is not None:
            run_facts.check_one_kind([read_run(before), read_run(partial)], directory.parent)
        partial.rename(directory)


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def pilot(runner: SideRunner, directory: pathlib.Path, pairs: int) -> list[Run]:
    """A against A: what this machine does to one and the same thing."""
    for number in range(2 * pairs):
        say(f"A against A, run {number + 1} of {2 * pairs}")
        runner.run(directory / f"{number:04d}")
    return read_runs(directory)


def choose_pairs(options: Options, thresholds: Thresholds, runs: list[Run]) -> int:
    found = recommendation.needs(
        recommendation.spread_of_runs(runs, paired=True), thresholds, options.slowdown, paired=True
    )
    if not found:
        raise CannotRun("no benchmark of the pilot has times enough to judge their spread; give --pairs")
    wanted = recommendation.recommended(found)
    worst = max(found, key=lambda need: need.sd)
    say(f"noise of this machine, A against A: pairs differ by up to {percent_text(worst.sd)} "
        f"(standard deviation, {worst.name})")  # fmt: skip
    if wanted is None:
        say(f"a slowdown of {100 * options.slowdown:g} % is below min_effect of every family")
        wanted = 0
    else:
        say(f"{wanted} pairs see a slowdown of {100 * options.slowdown:g} % in every benchmark")
    if options.pairs:
        return options.pairs
    return min(max(wanted, thresholds.min_repetitions), options.most_pairs)


def claim_folder(out: pathlib.Path, asked: dict[str, Any], overwrite: bool) -> None:
    """Runs that lie there are gone on with only if they are of the same thing. Errors: CannotRun."""
    path = out / PAIRS_FILE
    if overwrite:
        for name in FOLDERS:
            shutil.rmtree(out / name, ignore_errors=True)
    elif path.exists():
        known = read_json(path)
        fit(path, known, PAIRS_FORM)
        for key, value in asked.items():
            if known.get(key, value) != value:
                raise CannotRun(f"{path}: the runs there are of something else\n"
                                f"  {key} was {json.dumps(known[key])}\n  and is now {json.dumps(value)}\n"
                                "  name another --out, or measure anew by --overwrite")  # fmt: skip
    for name in FOLDERS:
        (out / name).mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"sides": ["a", "b"], **asked}) + "\n", encoding="utf-8")


def run(options: Options, thresholds: Thresholds) -> tuple[pathlib.Path, pathlib.Path]:
    """Folders of both sides. What is there already is not run again."""
    out = pathlib.Path(options.out)
    sides = {side: SideRunner(options.sides[side], side) for side in "ab"}
    if sides["a"].ranks != sides["b"].ranks:
        raise CannotRun(f"A wants {sides['a'].ranks} ranks and B {sides['b'].ranks}; give --ranks")
    claim_folder(out, {side: runner.asked() for side, runner in sides.items()}, options.overwrite)
    pairs = options.pairs
    if options.pilot >= FEWEST_PILOT // 2:
        runs = pilot(sides["a"], out / "pilot", options.pilot)
        pairs = choose_pairs(options, thresholds, runs)
    elif not pairs:
        raise CannotRun(f"--pilot {options.pilot} is too small to choose the number of pairs; give --pairs")
    order = random.Random(options.seed)
    for number in range(pairs):
        both = ["a", "b"]
        order.shuffle(both)
        for side in both:
            say(f"pair {number + 1} of {pairs}, {side.upper()}")
            sides[side].run(out / side / f"{number:04d}")
    return out / "a", out / "b"
