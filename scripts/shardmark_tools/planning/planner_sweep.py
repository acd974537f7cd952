# SPDX-License-Identifier: Apache-2.0
"""Plans one configuration for ever more virtual ranks, planner by planner, within a budget of seconds."""

import dataclasses
import math
import pathlib
import sys
import time
from typing import Any

from shardmark_tools.launch.launching import Launcher
from shardmark_tools.launch.plan_command import plan
from shardmark_tools.results.number_text import three_digits, time_text

RANK_PHASES = ("hooks", "local_plan")
ROOT_PHASES = ("gather", "global_plan", "scatter")
CHECK_FROM, CHECK_FACTOR = 128, 8
NEXT_WORLD = 2.3  # times as long as the world before, at most
Point = dict[str, Any]


@dataclasses.dataclass
class Options:
    """What was asked for on the command line."""

    config: str
    command: pathlib.Path
    launcher: Launcher
    planners: list[str]
    settings: list[str]
    largest: int
    budget_s: float
    repetitions: int
    predict: list[int]
    real: list[int]
    check: bool

    def worlds(self) -> list[int]:
        if not self.check:
            return [2**k for k in range(1, int(math.log2(self.largest)) + 1)]
        first, last = int(math.log2(CHECK_FROM)), int(math.log2(self.largest // CHECK_FACTOR))
        return [*(2**k for k in range(first, last + 1)), self.largest]


class Sweep:
    def __init__(self, options: Options):
        self.options = options
        self.deadline = time.monotonic() + options.budget_s
        self.points: list[Point] = []
        self.skipped: list[dict[str, Any]] = []

    def measure(self, planner: str, world: int) -> float:
        """Seconds that the last repetition took, the start of the command included."""
        taken = 0.0
        for repetition in range(self.options.repetitions):
            started = time.monotonic()
            settings = [f'planner.kind="{planner}"', *self.options.settings]
            document = plan(self.options.command, self.options.config, settings, world)
            taken = time.monotonic() - started
            self.points.append(point_of(planner, world, repetition, document))
        print(f"  {planner:12} world {world:7}: {time_text(taken)}", file=sys.stderr)
        return taken

    def run(self) -> "Sweep":
        finished: set[str] = set()
        last: dict[str, float] = {}
        # World by world, planners side by side: a slow hour of the machine meets all of them.
        for world in self.options.worlds():
            for planner in self.options.planners:
                if planner in finished:
                    continue
                expected = NEXT_WORLD * last.get(planner, 0) * self.options.repetitions
                share = (self.deadline - time.monotonic()) / max(len(self.options.planners) - len(finished), 1)
                if expected > share and not self.options.check:
                    finished.add(planner)
                    self.skipped.append({"planner": planner, "from_world": world, "expected_s": round(expected, 1)})
                    continue
                last[planner] = self.measure(planner, world)
        return self

    def skipped_lines(self) -> list[str]:
        return [f"{entry['planner']} not measured from {entry['from_world']} ranks on: "
                f"{three_digits(entry['expected_s'])} s each round would pass the budget" for entry in self.skipped]  # fmt: skip


def point_of(planner: str, world: int, repetition: int, document: dict[str, Any]) -> Point:
    times = document["times_s"]
    point: Point = {
        "planner": planner,
        "world": world,
        "repetition": repetition,
        "items": document["items"],
        "metadata_bytes": document["metadata_bytes"],
        "coordinator_memory_bytes": document.get("coordinator_memory_bytes"),
        "messages": document.get("messages"),
        "bytes_gathered": document["bytes_gathered"],
        "bytes_scattered": document["bytes_scattered"],
        "gathered_by_level": document["gathered_by_level"],
        "phases_s": {phase: times[phase]["mean"] for phase in RANK_PHASES},
    }
    point["phases_s"].update({phase: times[phase]["max"] for phase in ROOT_PHASES})
    point["rank_s"] = sum(point["phases_s"][phase] for phase in RANK_PHASES)
    # Along a tree many ranks merge at once: what counts is when the last one is done.
    point["measured_s"] = max(document["first_s"], point["rank_s"])
    point["root_s"] = point["measured_s"] - point["rank_s"]
    return point
