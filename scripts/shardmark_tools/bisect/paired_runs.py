# SPDX-License-Identifier: Apache-2.0
"""Pairs of runs of two sides, neighbours in time, kept in folders and gone on with after any end."""

import dataclasses
import fnmatch
import json
import pathlib
import random
import sys
from typing import Any

import numpy as np

from shardmark_tools.gate.interleaved import SideRunner
from shardmark_tools.refusal import Refused
from shardmark_tools.results.json_document import read_json
from shardmark_tools.results.result_folder import Run, read_run

ASKED_FILE = "asked.json"
SIDES = ("a", "b")


class CannotJudge(Refused):
    """The message names the benchmark and what was found."""


@dataclasses.dataclass(frozen=True)
class Watched:
    """What of a run is judged: a benchmark by its name or the beginning of it, and a phase of it."""

    benchmark: str | None = None
    phase: str | None = None

    def names(self, run: Run) -> list[str]:
        found = sorted({str(sample["name"]) for sample in run.good()})
        if self.benchmark is None:
            return found
        return [name for name in found if name == self.benchmark or name.startswith(f"{self.benchmark}/")
                or fnmatch.fnmatchcase(name, self.benchmark)]  # fmt: skip

    def seconds(self, run: Run) -> float:
        """Median of the one benchmark that is watched. Errors: CannotJudge."""
        names = self.names(run)
        if len(names) != 1:
            there = "".join(f"\n  {name}" for name in sorted({str(sample["name"]) for sample in run.samples})[:3])
            raise CannotJudge(f"{run.directory}: {len(names)} benchmarks like {self.benchmark or 'any'}\n"
                              f"  name one by --benchmark; there are:{there}")  # fmt: skip
        samples = [sample for sample in run.good() if sample["name"] == names[0]]
        times = [s["time_s"] if self.phase is None else s["phases_s"].get(self.phase, {}).get("max") for s in samples]
        good = [time for time in times if time]
        if not good:
            raise CannotJudge(f"{run.directory}: {names[0]} has no time of phase '{self.phase}'")
        return float(np.median(good))


class PairedRuns:
    """`out` keeps pairs as <state>/a/<number> and <state>/b/<number>."""

    def __init__(self, out: pathlib.Path, asked: dict[str, Any], seed: int) -> None:
        self.out, self.seed = out, seed
        self.claim(asked)

    def claim(self, asked: dict[str, Any]) -> None:
        """What lies there is gone on with only if it is of the same thing. Errors: CannotJudge."""
        path = self.out / ASKED_FILE
        if path.exists():
            known = read_json(path)
            for key, value in asked.items():
                if not isinstance(known, dict) or known.get(key) != value:
                    raise CannotJudge(f"{path}: what lies there is of something else\n  {key} was {known.get(key)!r}\n"
                                      f"  and is now {value!r}\n  name another --out")  # fmt: skip
            return
        self.out.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(asked) + "\n", encoding="utf-8")

    def folder(self, state: str, side: str, number: int) -> pathlib.Path:
        return self.out / state / side / f"{number:05d}"

    def finished(self) -> list[tuple[int, str]]:
        """(number, state) of every pair of which both runs are there, by number."""
        found = []
        for path in self.out.glob("*/b/[0-9]*/samples.json"):
            number, state = int(path.parent.name), path.parents[2].name
            if (self.folder(state, "a", number) / "samples.json").exists():
                found.append((number, state))
        return sorted(found)

    def read(self, state: str, number: int) -> tuple[Run, Run]:
        return read_run(self.folder(state, "a", number)), read_run(self.folder(state, "b", number))

    def play(self, state: str, number: int, runners: dict[str, SideRunner]) -> tuple[Run, Run]:
        """Runs what is not there of a pair, in an order that its number decides."""
        order = list(SIDES)
        random.Random(f"{self.seed} {number}").shuffle(order)
        for side in order:
            folder = self.folder(state, side, number)
            folder.parent.mkdir(parents=True, exist_ok=True)
            print(f"pair {number + 1}, {state[:12]}, {side.upper()}", file=sys.stderr, flush=True)
            runners[side].run(folder)
        return self.read(state, number)


def log_ratio(watched: Watched, pair: tuple[Run, Run]) -> float:
    return float(np.log(watched.seconds(pair[1]) / watched.seconds(pair[0])))
