# SPDX-License-Identifier: Apache-2.0
"""Records real saves, and loads what a power loss at any moment of them could have left: every step that was said to be
saved must be whole, any other whole or not there."""

import dataclasses
import hashlib
import pathlib
import random
import shutil
import time

from shardmark_tools.refusal import Refused
from shardmark_tools.torture.call_record import read_calls
from shardmark_tools.torture.damage_trial import refusal_problem
from shardmark_tools.torture.power_states import PowerLoss, Tree, has_uncovered_bytes
from shardmark_tools.torture.score import Verdict
from shardmark_tools.torture.site import FORMS, LIMIT_S, Form, Site, step_name
from shardmark_tools.torture.storage_model import Storage, differs, files_of

STEPS = (1, 2)
DIRECTORY = "checkpoints"  # made by the first save
MOST_DRAWS = 30
# Of a record, before another way of saving comes; layouts begin with different ways.
STATES_AT_ONCE = 20
FORM_NAMES = [name for name, _ in FORMS]
# One in so many accepted steps that were loaded before is loaded again, though its bytes are those of the save.
LOAD_AGAIN = 50


@dataclasses.dataclass
class Recording:
    """Two saves one after another into a directory that the first one makes."""

    storage: Storage
    moments: list[int]  # the ends of calls
    torn: list[int]  # those at which a file has bytes that no fsync covers
    said_ns: dict[int, int]  # step: when its save had ended, and so had said that it is saved
    files: dict[str, bytes]  # afterwards, below DIRECTORY
    seen: set[bytes] = dataclasses.field(default_factory=set)
    loaded: set[int] = dataclasses.field(default_factory=set)

    def required(self, loss_ns: int) -> list[int]:
        return [step for step, said in self.said_ns.items() if said <= loss_ns]


def digest_of(tree: Tree) -> bytes:
    made = hashlib.blake2b(digest_size=16)

    def add(below: str, part: Tree) -> None:
        for name in sorted(part):
            node = part[name]
            if isinstance(node, bytes):
                made.update(f"{below}{name}\0{len(node)}\0".encode(errors="surrogateescape") + node)
            else:
                made.update(f"{below}{name}/\0".encode(errors="surrogateescape"))
                add(f"{below}{name}/", node)

    add("", tree)
    return made.digest()


def write_tree(tree: Tree, path: pathlib.Path) -> None:
    path.mkdir()
    for name, node in tree.items():
        if isinstance(node, bytes):
            (path / name).write_bytes(node)
        else:
            write_tree(node, path / name)


class PowerTrial:
    name = "power-loss"

    def __init__(self, site: Site):
        self.site = site
        self.recordings: dict[tuple[str, str, bool], Recording | str] = {}

    def attack(self, form: Form, number: int, chance: random.Random) -> Verdict | None:
        """None: no state that was not seen before was drawn."""
        ways = [*((io, False) for io in form.io_modes), *((io, True) for io in form.background_modes)]
        io, in_background = ways[(number // STATES_AT_ONCE + FORM_NAMES.index(form.name)) % len(ways)]
        key = (form.name, io, in_background)
        what = f"{io}{', in the background' if in_background else ''}"
        if key not in self.recordings:
            self.recordings[key] = self.record(form, io, in_background)
            made = self.recordings[key]
            if isinstance(made, str):
                return Verdict("lost", what, made)
        recording = self.recordings[key]
        if isinstance(recording, str):
            return None
        for _ in range(MOST_DRAWS):
            loss_ns = self.moment(recording, chance)
            loss = PowerLoss(loss_ns, chance)
            tree = loss.tree(recording.storage)
            digest = digest_of(tree)
            if digest not in recording.seen:
                recording.seen.add(digest)
                ending, told = self.judge(recording, loss_ns, tree, chance)
                return Verdict(ending, what, f"power lost after call {self.place(recording, loss_ns)} of "
                               f"{len(recording.moments)}, {loss.manner} of the rest there: {told}" if told else "")  # fmt: skip
        return None

    @staticmethod
    def moment(recording: Recording, chance: random.Random) -> int:
        """Any; those that may leave a file torn, and the last calls of all, more often; and after the end of both."""
        which = chance.random()
        if which < 0.05:
            return recording.said_ns[STEPS[-1]]
        if which < 0.6 and recording.torn:
            return chance.choice(recording.torn) + 1
        if which < 0.85:
            return chance.choice(recording.moments) + 1
        return recording.moments[max(0, len(recording.moments) - 1 - int(chance.expovariate(1 / 20)))] + 1

    @staticmethod
    def place(recording: Recording, loss_ns: int) -> int:
        return sum(moment < loss_ns for moment in recording.moments)

    def record(self, form: Form, io: str, in_background: bool) -> Recording | str:
        """What went wrong instead: a record that does not give the same bytes shows nothing."""
        root = form.saved.parent / "recorded"
        calls = form.saved.parent / "calls"
        for path in (root, calls):
            shutil.rmtree(path, ignore_errors=True)
            path.mkdir()
        storage = Storage(root)
        settings = form.io_settings(io) + (["--set", "storage.async=true"] if in_background else [])
        said = {}
        try:
            for step in STEPS:
                words = form.save_words(root / DIRECTORY, step, "--seed", step, *settings,
                                        preloaded={"SHARDMARK_TORTURE_ROOT": str(root),
                                                   "SHARDMARK_TORTURE_RECORD": str(calls)})  # fmt: skip
                done = self.site.start(words).wait(LIMIT_S)
                said[step] = time.monotonic_ns()
                if done.code != 0:
                    raise Refused(f"a save under the record failed: {done}")
            made = read_calls(calls)
            storage.take(made)
            if (problem := differs(storage)) is not None:
                raise Refused(f"the record is incomplete: {problem}")
            prefix = f"{DIRECTORY}/"
            files = {name.removeprefix(prefix): data for name, data in files_of(storage.top) if name.startswith(prefix)}
            moments = [call.end_ns for call in made]
            torn = [moment for moment in moments if has_uncovered_bytes(storage, moment + 1)]
            return Recording(storage, moments, torn, said, files)
        except Refused as error:
            return str(error)
        finally:
            for path in (root, calls):
                shutil.rmtree(path, ignore_errors=True)

    def judge(self, recording: Recording, loss_ns: int, tree: Tree, chance: random.Random) -> tuple[str, str]:
        root = self.site.root / "after-loss"
        shutil.rmtree(root, ignore_errors=True)
        write_tree(tree, root)
        directory = root / DIRECTORY
        required = recording.required(loss_ns)
        there = [step for step in STEPS if (directory / step_name(step)).exists()]
        try:
            for step in required:
                if step not in there:
                    return "lost", f"step {step} was said to be saved and is not there"
            for step in there:
                checked = self.site.inspect(directory, step)
                if checked.code != 0:
                    problem = refusal_problem(checked)
                    return problem or "lost", f"step {step} is there and not whole: {checked}"
                if name := self._otherwise(recording, directory, step):
                    return "silent", f"step {step} is taken for whole, and {name} is not as it was saved"
                if problem := self._load(recording, directory, step, chance):
                    return "lost", problem
            if not there:
                return self._nothing(directory)
            return ("harmless" if STEPS[-1] in there else "found"), ""
        finally:
            shutil.rmtree(root, ignore_errors=True)

    @staticmethod
    def _otherwise(recording: Recording, directory: pathlib.Path, step: int) -> str | None:
        for name, data in recording.files.items():
            if name.startswith(step_name(step) + "/"):
                path = directory / name
                if not path.is_file() or path.read_bytes() != data:
                    return name
        return None

    def _load(self, recording: Recording, directory: pathlib.Path, step: int, chance: random.Random) -> str | None:
        if step in recording.loaded and chance.randrange(LOAD_AGAIN):
            return None
        recording.loaded.add(step)
        loaded = self.site.load_alone(directory, "--step", step)
        return None if loaded.code == 0 else f"step {step} is whole and does not load: {loaded}"

    def _nothing(self, directory: pathlib.Path) -> tuple[str, str]:
        """No step is there, and that is what must be said."""
        checked = self.site.inspect(directory)
        if checked.code == 2 and len(checked.messages()) == 1:
            return "found", ""
        return refusal_problem(checked) or "lost", f"without a step, inspect says: {checked}"
