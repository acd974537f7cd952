# SPDX-License-Identifier: Apache-2.0
"""Damages good checkpoints, and sees whether what is accepted is read as it was saved: by `load --verify`, which
knows every value, and by h5py, where it is here and the checkpoint is HDF5."""

import importlib.util
import pathlib
import random
import shutil
import signal
from typing import Any

from shardmark_tools.launch.jobs import Outcome
from shardmark_tools.torture.damages import KINDS, Damage
from shardmark_tools.torture.score import Verdict
from shardmark_tools.torture.site import STEP, Form, Site, step_name

HAS_H5PY = importlib.util.find_spec("h5py") is not None


def contents(entry: pathlib.Path) -> dict[str, Any]:
    """Every tensor and object as h5py reads it."""
    import h5py

    values = {}

    def visit(name: str, item: Any) -> None:
        if isinstance(item, h5py.Dataset) and not name.startswith("shardmark/"):
            values[name] = item[()].tobytes() if item.shape is not None else b""

    with h5py.File(entry) as file:
        file.visititems(visit)
    return values


def refusal_problem(outcome: Outcome) -> str | None:
    """"crashed" or "hung" where a command did not refuse as it says: exit code 1 or 2 and one message."""
    if outcome.code is None:
        return "hung"
    if outcome.code in (1, 2) and len(outcome.messages()) == 1:
        return None
    return "crashed"


class DamageTrial:
    """A kind of attack: takes turns through the ways to damage, so that every layout sees each."""

    name = "damages"

    def __init__(self, site: Site):
        self.site = site
        self.values: dict[str, dict[str, Any] | None] = {}

    def attack(self, form: Form, number: int, chance: random.Random) -> Verdict | None:
        kind = list(KINDS)[number % len(KINDS)]
        directory = form.directory_with_step("damaged")
        step = directory / step_name(STEP)
        other = chance.choice((form.saved / step_name(STEP + 1), form.another / step_name(STEP)))
        what = KINDS[kind](Damage(chance, step, other))
        try:
            if what is None:
                return None
            if kind == "other step" and other.name == step.name:
                return Verdict("harmless", kind)  # a whole checkpoint of that number, by whomever
            ending, told = self.judge(form, directory)
            return Verdict(ending, kind, f"{what}: {told}" if told else "")
        finally:
            shutil.rmtree(directory, ignore_errors=True)

    def judge(self, form: Form, directory: pathlib.Path) -> tuple[str, str]:
        checked = self.site.inspect(directory)
        if checked.code != 0:
            problem = refusal_problem(checked)
            return (problem, str(checked)) if problem else ("found", "")
        loaded = self.site.load_alone(directory)
        if loaded.code is None or loaded.code < 0 or loaded.code > 128 - signal.SIGHUP:
            return ("hung" if loaded.code is None else "crashed"), f"inspect takes it, load does not end well: {loaded}"
        if loaded.code != 0:
            return "silent", f"inspect takes it, load does not: {loaded}"
        problem = self.read_otherwise(form, directory)
        return ("silent", problem) if problem else ("harmless", "")

    def read_otherwise(self, form: Form, directory: pathlib.Path) -> str | None:
        if not HAS_H5PY or not form.is_hdf5:
            return None
        if form.name not in self.values:
            self.values[form.name] = contents(form.saved / step_name(STEP) / "checkpoint.h5")
        try:
            same = contents(directory / step_name(STEP) / "checkpoint.h5") == self.values[form.name]
        except (OSError, KeyError, RuntimeError) as error:
            return f"accepted, and h5py cannot read it: {error}"
        return None if same else "accepted, and h5py reads other values"
