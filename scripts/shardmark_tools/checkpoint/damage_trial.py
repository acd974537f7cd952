# SPDX-License-Identifier: Apache-2.0
"""Damages checkpoints of every layout and back end, and sees whether what is accepted is read as it was saved."""

import collections
import dataclasses
import pathlib
import random
import shutil
from typing import Any

import h5py

from shardmark_tools.checkpoint.damages import KINDS, Damage
from shardmark_tools.launch.jobs import Outcome, run

LIMIT_S = 60
CONFIG = """[model]
name = "tiny"
optimizer = "adamw"
scale = 0.05
[parallel]
strategy = "fsdp-tp"
tp = 2
"""
# (name, settings)
FORMS = (
    ("shared", ("storage.layout=shared",)),
    ("shared-chunked", ("storage.layout=shared-chunked",)),
    ("per-rank", ("storage.layout=per-rank",)),
    ("groups:2", ("storage.layout=groups:2",)),
    ("packed", ("storage.layout=packed",)),
    ("posix", ("storage.backend=posix",)),
    ("posix-shared", ("storage.backend=posix-shared",)),
    ("mpiio", ("storage.backend=mpiio",)),
)
# What is damaged; what is mixed in: its neighbour, and the same number of another run.
STEP = 7


@dataclasses.dataclass
class Score:
    """How often a kind of damage was found, did no harm, or was taken for whole without being so."""

    found: int = 0
    harmless: int = 0
    silent: list[str] = dataclasses.field(default_factory=list)
    crashed: list[str] = dataclasses.field(default_factory=list)


def contents(entry: pathlib.Path) -> dict[str, Any]:
    """Every tensor and object as h5py reads it."""
    values = {}

    def visit(name: str, item: Any) -> None:
        if isinstance(item, h5py.Dataset) and not name.startswith("shardmark/"):
            values[name] = item[()].tobytes() if item.shape is not None else b""

    with h5py.File(entry) as file:
        file.visititems(visit)
    return values


class Form:
    """Saved checkpoints of one layout or back end."""

    def __init__(self, name: str, root: pathlib.Path, shardmark: str, mpiexec: str, settings: tuple[str, ...]):
        self.name = name
        self.shardmark = shardmark
        self.root = root / name.replace(":", "-")
        self.root.mkdir()
        (self.root / "case.toml").write_text(CONFIG)
        words = [word for setting in settings for word in ("--set", setting)]
        for directory, step, seed in (("saved", STEP, 1), ("saved", STEP + 1, 2), ("another", STEP, 3)):
            done = run([mpiexec, "-n", 4, shardmark, "save", "./case.toml", *words, "--dir", self.root / directory,
                        "--step", step, "--seed", seed], LIMIT_S, self.root)  # fmt: skip
            if done.code != 0:
                raise SystemExit(f"error: a good save failed: {done}")
        self.step = self.root / "saved" / f"step-{STEP:08}"
        self.others = (self.root / "saved" / f"step-{STEP + 1:08}", self.root / "another" / self.step.name)
        entry = self.step / "checkpoint.h5"
        self.values = contents(entry) if entry.exists() else None

    def alone(self, *words: object) -> Outcome:
        return run([self.shardmark, *words], LIMIT_S, self.root)

    def try_one(self, kind: str, chance: random.Random, score: Score) -> None:
        directory = self.root / "damaged"
        shutil.rmtree(directory, ignore_errors=True)
        directory.mkdir()
        step = directory / self.step.name
        shutil.copytree(self.step, step)
        other = chance.choice(self.others)
        what = KINDS[kind](Damage(chance, step, other))
        if what is None:
            return
        if kind == "other step" and other.name == step.name:
            score.harmless += 1  # a whole checkpoint of that number, by whomever
            return
        what = f"{self.name}: {what}"
        checked = self.alone("inspect", directory, "--verify")
        if checked.code in (1, 2) and len(checked.messages()) == 1:
            score.found += 1
        elif checked.code != 0:
            score.crashed.append(f"{what}: {checked}")
        elif problem := self.harm(directory):
            score.silent.append(f"{what}: {problem}")
        else:
            score.harmless += 1

    def harm(self, directory: pathlib.Path) -> str | None:
        """What reads otherwise in a checkpoint that was taken for whole; None if nothing does."""
        loaded = self.alone("load", "./case.toml", "--dir", directory, "--verify",
                            "--set", "parallel.strategy=ddp", "--set", "parallel.tp=1")  # fmt: skip
        if loaded.code != 0:
            return f"load does not take it: {loaded}"
        if self.values is not None:
            try:
                if contents(directory / self.step.name / "checkpoint.h5") != self.values:
                    return "h5py reads other values"
            except (OSError, KeyError, RuntimeError) as error:
                return f"h5py cannot read it: {error}"
        return None


def try_damages(count: int, root: pathlib.Path, shardmark: str, mpiexec: str, seed: int) -> dict[str, Score]:
    """`count` damages in all, every kind in every form in turn. Score by kind."""
    chance = random.Random(seed)
    forms = [Form(name, root, shardmark, mpiexec, settings) for name, settings in FORMS]
    scores: dict[str, Score] = collections.defaultdict(Score)
    for number in range(count):
        kind = list(KINDS)[number // len(forms) % len(KINDS)]
        forms[number % len(forms)].try_one(kind, chance, scores[kind])
    return scores
