# SPDX-License-Identifier: Apache-2.0
"""The cases of a sweep: what varies, what they are called, what they need."""

import dataclasses
import itertools
import json
import re
import subprocess

from shardmark_tools.launch.launching import setting_options

PLAN_LIMIT_S = 600


@dataclasses.dataclass(frozen=True)
class Case:
    nodes: int
    ranks_per_node: int
    scaling: str  # "strong": one model for all; "weak": the model grows with the ranks
    varied: tuple  # ((key, value)...), in the order of the options
    scale: float | None  # model.scale of this case; None: the suite's

    @property
    def ranks(self):
        return self.nodes * self.ranks_per_node

    @property
    def name(self):
        """Tells it apart from every other; a folder's name."""
        parts = [f"nodes-{self.nodes}", f"ranks-{self.ranks_per_node}"]
        parts += [f"{key.rsplit('.', 1)[-1]}-{value}" for key, value in self.varied]
        parts += [self.scaling] if self.scaling == "weak" else []
        return re.sub(r"[^\w.+-]", "_", "_".join(parts))

    def settings(self):
        made = [f"{key}={value}" for key, value in self.varied]
        if self.scale is not None:
            made.append(f"model.scale={self.scale:.6g}")
        return made

    def parameters(self):
        return {"nodes": self.nodes, "ranks_per_node": self.ranks_per_node, "ranks": self.ranks,
                "scaling": self.scaling, "scale": self.scale, **dict(self.varied)}  # fmt: skip


def make_cases(node_counts, ranks_per_node, scalings, varied, base_scale):
    """All combinations. Weak scaling: the model of the fewest ranks is base_scale."""
    worlds = [(n, r) for n in node_counts for r in ranks_per_node]
    fewest = min(n * r for n, r in worlds)
    values = [[(key, value) for value in options] for key, options in varied]
    cases = []
    for scaling, (nodes, ranks), chosen in itertools.product(scalings, worlds, itertools.product(*values)):
        weak_scale = None if scaling == "strong" else base_scale * nodes * ranks / fewest
        cases.append(Case(nodes, ranks, scaling, chosen, weak_scale))
    return list({case.name: case for case in cases}.values())


@dataclasses.dataclass
class Need:
    """What the dry run of a case says; `refusal` if it cannot run."""

    num_bytes: int = 0
    memory_bytes: int = 0  # of the busiest rank
    refusal: str | None = None


def first_line(text):
    lines = [line.strip() for line in text.strip().splitlines() if line.strip()]
    return lines[0].removeprefix("shardmark: error: ") if lines else "no message"


def plan(command, suite, settings, world):
    """The plan command's document. Errors: ValueError with its message."""
    words = [str(command), "plan", suite, "--json", *setting_options(settings)]
    words += ["--world", str(world)] if world else []
    try:
        done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=PLAN_LIMIT_S)
    except subprocess.TimeoutExpired as error:
        raise ValueError(f"its dry run took more than {PLAN_LIMIT_S} s") from error
    if done.returncode != 0:
        raise ValueError(first_line(done.stderr))
    return json.loads(done.stdout)


def need_of(case, command, suite, settings, launcher):
    refusal = launcher.refusal(case.nodes)
    if refusal:
        return Need(refusal=refusal)
    try:
        document = plan(command, suite, [*settings, *case.settings()], case.ranks)
    except ValueError as error:
        return Need(refusal=str(error))
    memory = (document.get("memory_per_rank") or document["bytes_per_rank"])["max"]
    return Need(document["num_bytes"], memory)
