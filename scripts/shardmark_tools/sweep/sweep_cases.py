# SPDX-License-Identifier: Apache-2.0
"""The cases of a sweep: what varies, what they are called, what they need."""

import dataclasses
import hashlib
import itertools
import json
import pathlib
import re
from collections.abc import Sequence
from typing import Any

from shardmark_tools.launch.launching import Launcher
from shardmark_tools.launch.plan_command import CannotPlan, plan
from shardmark_tools.launch.relative_paths import PATH_KEYS, PROGRAM_KEYS, text_value
from shardmark_tools.refusal import Refused

# Keys that have an option of their own are called in a case's name by their last word.
SHORT = ("parallel.strategy", "storage.layout", "storage.io", "planner.kind")
PLAIN = re.compile(r"[A-Za-z0-9.+-]*")
MOST_NAME = 160
Varied = tuple[tuple[str, str], ...]


@dataclasses.dataclass(frozen=True)
class Case:
    nodes: int
    ranks_per_node: int
    scaling: str  # "strong": one model for all; "weak": the model grows with the ranks
    varied: Varied  # in the order of the options
    scale: float | None  # model.scale of this case; None: the suite's
    hosts: tuple[str, ...] = ()  # these and no others
    round: int = 0  # how often these hosts were measured before

    @property
    def ranks(self) -> int:
        return self.nodes * self.ranks_per_node

    @property
    def name(self) -> str:
        """Tells it apart from every other; a folder's name. Where a readable one would not, it ends in a digest."""
        parts = [f"nodes-{self.nodes}", f"ranks-{self.ranks_per_node}"]
        exact = True
        for key, value in self.varied:
            exact = exact and bool(PLAIN.fullmatch(value))
            shown = pathlib.PurePath(text_value(value)).name if key in (*PATH_KEYS, *PROGRAM_KEYS) else value
            parts.append(f"{key.rsplit('.', 1)[-1] if key in SHORT else key}-{shown}")
        parts += [self.scaling] if self.scaling == "weak" else []
        parts += [f"on-{'+'.join(self.hosts)}", f"round-{self.round}"] if self.hosts else []
        exact = exact and all(PLAIN.fullmatch(host) for host in self.hosts)
        name = re.sub(r"[^\w.+-]", "_", "_".join(parts), flags=re.ASCII)
        if exact and len(name) <= MOST_NAME:
            return name
        digest = hashlib.sha256(json.dumps([self.varied, self.hosts, self.round]).encode()).hexdigest()[:8]
        return f"{name[:MOST_NAME]}_{digest}"

    def settings(self) -> list[str]:
        made = [f"{key}={value}" for key, value in self.varied]
        if self.scale is not None:
            made.append(f"model.scale={self.scale:.6g}")
        return made

    def parameters(self) -> dict[str, Any]:
        return {"nodes": self.nodes, "ranks_per_node": self.ranks_per_node, "ranks": self.ranks,
                "scaling": self.scaling, "scale": self.scale, **dict(self.varied), **self.place()}  # fmt: skip

    def place(self) -> dict[str, Any]:
        return {"hosts": ",".join(self.hosts), "round": self.round} if self.hosts else {}


def make_cases(node_counts: Sequence[int], ranks_per_node: Sequence[int], scalings: Sequence[str],
               varied: Sequence[tuple[str, list[str]]], base_scale: float | None) -> list[Case]:  # fmt: skip
    """All combinations. Weak scaling: the model of the fewest ranks is base_scale."""
    worlds = [(n, r) for n in node_counts for r in ranks_per_node]
    fewest = min(n * r for n, r in worlds)
    values = [[(key, value) for value in options] for key, options in varied]
    cases = []
    for scaling, (nodes, ranks), chosen in itertools.product(scalings, worlds, itertools.product(*values)):
        weak_scale = base_scale * nodes * ranks / fewest if scaling == "weak" and base_scale is not None else None
        cases.append(Case(nodes, ranks, scaling, chosen, weak_scale))
    return list(dict.fromkeys(cases))


def groups_of(hosts: Sequence[str], size: int) -> list[tuple[str, ...]]:
    """Every host in one group of `size` at least: the last is filled up with hosts of the one before."""
    starts = [*range(0, len(hosts) - size, size), len(hosts) - size]
    return [tuple(hosts[start : start + size]) for start in starts]


def each_node_cases(hosts: Sequence[str], size: int, ranks_per_node: int, rounds: int) -> list[Case]:
    """Errors: Refused."""
    if not 1 <= size <= len(hosts):
        raise Refused(f"--each-node: groups of {size} nodes, of {len(hosts)} hosts")
    return [Case(size, ranks_per_node, "strong", (), None, group, number)
            for number in range(rounds) for group in groups_of(hosts, size)]  # fmt: skip


@dataclasses.dataclass
class Need:
    """What the dry run of a case says; `refusal` if it cannot run."""

    num_bytes: int = 0
    stored_bytes: int = 0  # of one copy of the checkpoint; 0 where nothing is stored
    memory_bytes: int = 0  # of the busiest rank
    refusal: str | None = None


def need_of(case: Case, command: pathlib.Path, suite: str, settings: Sequence[str], launcher: Launcher) -> Need:
    refusal = launcher.refusal(case.nodes)
    if refusal:
        return Need(refusal=refusal)
    try:
        document = plan(command, suite, [*settings, *case.settings()], case.ranks)
    except CannotPlan as error:
        return Need(refusal=str(error))
    memory = (document.get("memory_per_rank") or document["bytes_per_rank"])["max"]
    stored = document["num_bytes"] if document.get("run_keeps_files", True) else 0
    return Need(document["num_bytes"], stored, memory)
