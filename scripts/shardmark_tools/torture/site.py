# SPDX-License-Identifier: Apache-2.0
"""Where attacks are made: the command, its launcher, and good checkpoints of every layout and back end to begin with."""

import dataclasses
import functools
import os
import pathlib
import shutil
import time
import uuid
from collections.abc import Mapping, Sequence

from shardmark_tools.launch.jobs import Job, Outcome, end_processes_with, processes_with, run
from shardmark_tools.launch.launching import Launcher
from shardmark_tools.refusal import Refused

# Longer is a hang, on a busy machine too.
LIMIT_S = 120
# After the death of a rank, or a signal that ends.
END_LIMIT_S = 30
CONFIG = """[model]
name = "tiny"
optimizer = "adamw"
scale = 0.05
[parallel]
strategy = "fsdp-tp"
tp = 2
"""
# One process alone cannot have the degrees of four.
ALONE = ("--set", "parallel.strategy=ddp", "--set", "parallel.tp=1")
RANKS = 4
# Three checkpoints of each layout, and what is attacked meanwhile.
MOST_BYTES, MOST_FILES = 64 << 20, 1000
# Every process that is started here inherits it.
MARK = "SHARDMARK_TORTURE"
# What is damaged; its neighbour; and below another folder the same number of another run.
STEP = 7
# (name, settings)
FORMS = (
    ("shared", ("storage.layout=shared",)),
    ("shared-chunked", ("storage.layout=shared-chunked",)),
    ("per-rank", ("storage.layout=per-rank",)),
    ("per-node", ("storage.layout=per-node",)),
    ("groups:2", ("storage.layout=groups:2",)),
    ("packed", ("storage.layout=packed",)),
    ("posix", ("storage.backend=posix",)),
    ("posix-shared", ("storage.backend=posix-shared",)),
    ("mpiio", ("storage.backend=mpiio",)),
)
IO_MODES = ("direct", "independent", "collective")


def step_name(step: int) -> str:
    return f"step-{step:08}"


@dataclasses.dataclass(frozen=True)
class Site:
    root: pathlib.Path
    shardmark: pathlib.Path
    launcher: Launcher
    # What is preloaded into ranks for faults and records; None where it is not there.
    library: pathlib.Path | None = None
    mark: str = dataclasses.field(default_factory=lambda: uuid.uuid4().hex)

    def prepare(self) -> None:
        (self.root / "case.toml").write_text(CONFIG)
        (self.root / "cache").mkdir()

    def _environment(self, more: Mapping[str, str] | None) -> dict[str, str]:
        """What is found of this file system here, under faults too, is kept for nobody else."""
        return {"XDG_CACHE_HOME": str(self.root / "cache"), MARK: self.mark, **(more or {})}

    def words(self, command: str, *more: object, ranks: int = RANKS, preloaded: Mapping[str, str] | None = None) -> list[str]:
        """The launcher with the command; `preloaded`: variables of the ranks alone, beside the preloaded library."""
        variables = [f"{name}={value}" for name, value in (preloaded or {}).items()]
        if preloaded is not None:
            variables = ["env", f"LD_PRELOAD={self.library}", *variables]
        return [*self.launcher.command(1, ranks), *variables, str(self.shardmark), command, "./case.toml",
                *map(str, more)]  # fmt: skip

    def end_everything(self) -> None:
        """Every process that was started here, and theirs."""
        deadline = time.monotonic() + END_LIMIT_S
        while any(processes_with(MARK, self.mark)) and time.monotonic() < deadline:
            end_processes_with(MARK, self.mark)
            time.sleep(0.02)

    def start(self, words: Sequence[object]) -> Job:
        return Job(words, self.root, self._environment(None))

    def alone(self, *words: object) -> Outcome:
        return run([self.shardmark, *words], LIMIT_S, self.root, self._environment(None))

    def inspect(self, directory: pathlib.Path, step: int | None = None) -> Outcome:
        return self.alone("inspect", directory, "--verify", *([] if step is None else ["--step", step]))

    def load_alone(self, directory: pathlib.Path, *more: object) -> Outcome:
        return self.alone("load", "./case.toml", "--dir", directory, "--verify", *ALONE, *more)

    def save_alone(self, directory: pathlib.Path, step: int) -> Outcome:
        return self.alone("save", "./case.toml", "--dir", directory, "--step", step, *ALONE)

    @functools.cached_property
    def forms(self) -> "tuple[Form, ...]":
        return tuple(Form(self, name, settings) for name, settings in FORMS)


class Form:
    """A layout or back end, with good checkpoints of it, saved when they are first asked for."""

    def __init__(self, site: Site, name: str, settings: tuple[str, ...]):
        self.site = site
        self.name = name
        self.settings = [word for setting in settings for word in ("--set", setting)]
        self.root = site.root / name.replace(":", "-")
        self.is_hdf5 = not any(setting.startswith("storage.backend") for setting in settings)
        # The I/O modes that it has, and those in which it can save in the background.
        self.io_modes = IO_MODES if self.is_hdf5 else ("auto",)
        self.background_modes = () if name == "mpiio" else self.io_modes[:1]

    def io_settings(self, io: str) -> list[str]:
        return ["--set", f"storage.io={io}"] if self.is_hdf5 else []

    def save_words(self, directory: pathlib.Path, step: int, *more: object,
                   preloaded: Mapping[str, str] | None = None) -> list[str]:  # fmt: skip
        return self.site.words("save", *self.settings, "--dir", directory, "--step", step, *more, preloaded=preloaded)

    @functools.cached_property
    def saved(self) -> pathlib.Path:
        """With steps STEP and STEP + 1. Errors: Refused, if a save that nothing disturbs fails."""
        self.root.mkdir()
        directory = self.root / "saved"
        for step, seed in ((STEP, 1), (STEP + 1, 2)):
            self._good_save(directory, step, seed)
        return directory

    @functools.cached_property
    def another(self) -> pathlib.Path:
        """Step STEP of another run."""
        directory = self.saved.parent / "another"
        self._good_save(directory, STEP, 3)
        return directory

    def _good_save(self, directory: pathlib.Path, step: int, seed: int) -> None:
        done = self.site.start(self.save_words(directory, step, "--seed", seed)).wait(LIMIT_S)
        if done.code != 0 or not (directory / step_name(step) / "COMMIT").exists():
            raise Refused(f"a save that nothing disturbed failed ({self.name}): {done}")

    def directory_with_step(self, name: str) -> pathlib.Path:
        """A folder of that name, which holds a copy of STEP alone."""
        directory = self.saved.parent / name
        shutil.rmtree(directory, ignore_errors=True)
        directory.mkdir()
        shutil.copytree(self.saved / step_name(STEP), directory / step_name(STEP))
        return directory


def command_at(path: str) -> pathlib.Path:
    """Errors: Refused, if it cannot be executed."""
    found = pathlib.Path(os.path.abspath(path))
    if not found.is_file() or not os.access(found, os.X_OK):
        raise Refused(f"--shardmark {path}: no such command")
    return found
