# SPDX-License-Identifier: Apache-2.0
"""What scripts/dev/check_faults does to the command: damaged files, killed ranks, full file systems, ranks that
disagree. Each case is a generator of problems; none means that the command behaved."""

import argparse
import contextlib
import os
import pathlib
import random
import shutil
import signal
import subprocess
import time
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from shardmark_tools.launch.jobs import SHELL_RANK, Job, Outcome, differences, fingerprint, run

# Longer is a hang, on a busy machine too.
LIMIT_S = 120
# After the death of a rank the launcher ends the others.
END_LIMIT_S = 30
CONFIG = """[model]
name = "llama3-8b"
scale = 0.0005
optimizer = "adamw"
[parallel]
strategy = "fsdp"
"""
# What one rank is told otherwise than the others, and whether its directory says so.
DISAGREEMENTS = [
    ("--set", "model.scale=0.004"),
    ("--set", "model.name=gpt3-175b"),
    ("--set", "model.dtype=float32"),
    ("--set", "model.optimizer=none"),
    ("--set", "parallel.strategy=ddp"),
    ("--set", "storage.io=collective"),
    ("--set", "no.such=key"),
    ("--step", "4"),
    ("--seed", "17"),
    ("--dir", "elsewhere"),
]
# A rank that holds less than the others leaves no hole where another holds the same.
MAY_BE_WHOLE = ("model.optimizer=none",)


class Bench:
    """A scratch folder with a configuration and an older checkpoint, step 1, that must survive everything."""

    def __init__(self, arguments: argparse.Namespace, root: pathlib.Path | str):
        self.arguments = arguments
        self.random = random.Random(arguments.seed)
        self.root = pathlib.Path(root)
        self.directory = self.root / "checkpoints"
        (self.root / "case.toml").write_text(CONFIG)
        started = time.monotonic()
        done = run(self.on_ranks(arguments.ranks, "save", "--dir", self.directory, "--step", 1), LIMIT_S, self.root)
        if done.code != 0:
            raise SystemExit(f"error: a good save failed: {done}")
        self.save_s = time.monotonic() - started

    def settings(self, io: str | None = None) -> list[str]:
        words = [word for setting in self.arguments.set for word in ("--set", setting)]
        return words + (["--set", f"storage.io={io}"] if io else [])

    def on_two(self, command: str, *more: object) -> list[object]:
        """As fsdp: degrees of the saving world need not divide two ranks."""
        mine = [setting for setting in self.arguments.set if not setting.startswith("parallel.")]
        words = [word for setting in [*mine, "parallel.strategy=fsdp"] for word in ("--set", setting)]
        return [self.arguments.mpiexec, "-n", 2, self.arguments.shardmark, command, "./case.toml", *words, *more]

    def on_ranks(self, ranks: int, command: str, *more: object, io: str | None = None,
                 wrapper: Sequence[object] = ()) -> list[object]:  # fmt: skip
        return [self.arguments.mpiexec, "-n", ranks, *wrapper, self.arguments.shardmark, command, "./case.toml",
                *self.settings(io), *more]  # fmt: skip

    def alone(self, command: str, *more: object) -> Outcome:
        return run([self.arguments.shardmark, command, *more], LIMIT_S, self.root)

    def io(self) -> str:
        return str(self.random.choice(self.arguments.io))

    def older_problems(self, directory: pathlib.Path | None = None) -> Iterator[str]:
        """Step 1 must be whole, and load at another world size."""
        directory = directory or self.directory
        checked = self.alone("inspect", directory, "--step", 1, "--verify")
        if checked.code != 0:
            yield f"the older checkpoint is damaged: {checked}"
        loaded = run(self.on_two("load", "--dir", directory, "--step", 1, "--verify"), LIMIT_S, self.root)
        if loaded.code != 0:
            yield f"the older checkpoint does not load: {loaded}"

    def steps(self, directory: pathlib.Path | None = None) -> list[str]:
        return sorted(p.name for p in pathlib.Path(directory or self.directory).iterdir())


def refusal_problems(outcome: Outcome, codes: Sequence[int] = (1,)) -> Iterator[str]:
    if outcome.code not in codes:
        yield f"expected exit code {' or '.join(map(str, codes))}: {outcome}"
    if len(outcome.messages()) != 1:
        yield f"{len(outcome.messages())} messages instead of one: {outcome}"
    ours = outcome.err.split("shardmark: error:")[-1].split("-----")[0].strip().splitlines()
    if len(ours) > 6:
        yield f"a message of {len(ours)} lines: {outcome}"


def element_ranges(path: pathlib.Path) -> list[tuple[int, int]]:
    """(address, bytes) of every dataset of tensors and objects, by h5py."""
    import h5py

    ranges = []

    def visit(name: str, item: Any) -> None:
        if isinstance(item, h5py.Dataset) and not name.startswith("shardmark/") and item.size:
            if item.chunks is None:
                ranges.append((item.id.get_offset(), item.id.get_storage_size()))
            else:
                found = (item.id.get_chunk_info(i) for i in range(item.id.get_num_chunks()))
                ranges.extend((chunk.byte_offset, chunk.size) for chunk in found)

    with h5py.File(path) as file:
        file.visititems(visit)
    return sorted((start, length) for start, length in ranges if start is not None)


class Flips:
    """One bit outside element data, in the entry file or, one time in ten, in COMMIT."""

    def __init__(self, bench: Bench):
        self.bench = bench
        self.folder = bench.directory / "step-00000001"
        entry = self.folder / "checkpoint.h5"
        self.outside = []
        end = 0
        for start, length in [*element_ranges(entry), (entry.stat().st_size, 0)]:
            if start > end:
                self.outside.append((end, start - end))
            end = max(end, start + length)

    def play(self, number: int) -> Iterator[str]:
        chance = self.bench.random
        if number % 10 == 9:
            path = self.folder / "COMMIT"
            position = chance.randrange(path.stat().st_size)
        else:
            path = self.folder / "checkpoint.h5"
            start, length = chance.choices(self.outside, [length for _, length in self.outside])[0]
            position = start + chance.randrange(length)
        bit = 1 << chance.randrange(8)
        flip(path, position, bit)
        try:
            # A version number that is not ours is exit code 2.
            codes = (1,) if path.name != "COMMIT" else (1, 2)
            for outcome in (self.bench.alone("inspect", self.bench.directory),
                            run(self.bench.on_two("load", "--dir", self.bench.directory), LIMIT_S,
                                self.bench.root)):  # fmt: skip
                for problem in refusal_problems(outcome, codes):
                    yield f"bit {bit} at {position} of {path.name}: {problem}"
        finally:
            flip(path, position, bit)

    def finish(self) -> Iterable[str]:
        yield from self.bench.older_problems()


def flip(path: pathlib.Path, position: int, bit: int) -> None:
    with open(path, "r+b") as file:
        file.seek(position)
        byte = file.read(1)[0]
        file.seek(position)
        file.write(bytes([byte ^ bit]))


class Kills:
    """SIGKILL of a random rank at a random moment of a save."""

    def __init__(self, bench: Bench):
        self.bench = bench
        self.step = 1
        self.played = 0
        self.killed = 0

    def strike(self, io: str | None, latest_s: float) -> tuple[Job, bool]:
        """A save with a rank killed within latest_s of its ranks' start; whether one was still there."""
        bench = self.bench
        self.step += 1
        words = ("--dir", bench.directory, "--step", self.step)
        job = Job(bench.on_ranks(bench.arguments.ranks, "save", *words, io=io), bench.root)
        while len(job.ranks()) < bench.arguments.ranks and job.process.poll() is None:
            time.sleep(0.005)
        time.sleep(bench.random.uniform(0, latest_s))
        ranks = sorted(job.ranks().values())
        bench.random.shuffle(ranks)
        for pid in ranks:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
                return job, True
        return job, False

    def play(self, number: int) -> Iterator[str]:
        bench, io = self.bench, self.bench.io()
        self.played += 1
        job, hit = self.strike(io, bench.save_s)
        for attempt in range(1, 6):  # a save that was over first is done again, struck earlier
            if hit:
                break
            outcome = job.wait(END_LIMIT_S)
            if outcome.code != 0 or f"step-{self.step:08d}" not in bench.steps():
                yield f"{io}: an undisturbed save: {outcome}"
            job, hit = self.strike(io, bench.save_s / 4**attempt)
        self.killed += hit
        finished = not hit
        outcome = job.wait(END_LIMIT_S)
        if outcome.code is None:
            yield f"{io}: a hang after a rank was killed: {outcome}"
        if job.left_after(30.0):
            yield f"{io}: processes are left: {job.left_after(0)}"
            job.end()
        name = f"step-{self.step:08d}"
        if (finished or outcome.code == 0) and name not in bench.steps():
            yield f"{io}: the save ended with {outcome.code} and there is no {name}"
        if name in bench.steps():
            checked = bench.alone("inspect", bench.directory, "--step", self.step, "--verify")
            if checked.code != 0:
                yield f"{io}: {name} was committed and is not whole: {checked}"
        yield from bench.older_problems()
        self.step += 1
        again = run(bench.on_two("save", "--dir", bench.directory, "--step", self.step), LIMIT_S, bench.root)
        left = [found for found in bench.steps() if not found.startswith("step-")]
        if again.code != 0 or left:
            yield f"{io}: the next save: {again}, left: {left}"
        for path in bench.directory.glob("step-*"):
            if path.name != "step-00000001":
                shutil.rmtree(path)

    def finish(self) -> Iterable[str]:
        if self.killed < self.played:
            yield f"{self.played - self.killed} of {self.played} kills hit no rank: nothing is shown by them"

    def summary(self) -> str:
        return f"{self.killed} ranks killed"


class FullFileSystems:
    """A save that does not fit: a small memory file system; a limit of one rank's files; ENOSPC in the middle on one
    rank, by a preloaded library."""

    def __init__(self, bench: Bench):
        self.bench = bench
        self.num_bytes = sum(p.stat().st_size for p in (bench.directory / "step-00000001").iterdir())
        self.refused = 0
        self.ways = [self.limited_rank]
        if os.geteuid() == 0:
            self.ways.append(self.small_memory_file_system)
        if bench.arguments.library:
            self.ways.append(self.failing_rank)

    def play(self, number: int) -> Iterator[str]:
        way = self.ways[number % len(self.ways)]
        yield from way(self.bench.io(), self.bench.random.randrange(self.bench.arguments.ranks))

    def refused_save(self, what: str, directory: pathlib.Path, io: str | None, wrapper: Sequence[object] = (),
                     may_pass: bool = False) -> Iterator[str]:  # fmt: skip
        """may_pass: in collective mode the chosen rank may write nothing; then the save must be whole."""
        bench = self.bench
        before = fingerprint(directory)
        job = Job(bench.on_ranks(bench.arguments.ranks, "save", "--dir", directory, "--step", 2, io=io,
                                 wrapper=wrapper), bench.root)  # fmt: skip
        outcome = job.wait(LIMIT_S)
        if job.left_after(30.0):
            yield f"{what}, {io}: processes are left"
            job.end()
        if may_pass and outcome.code == 0:
            checked = bench.alone("inspect", directory, "--step", 2, "--verify")
            if checked.code != 0:
                yield f"{what}, {io}: the save claims success and is not whole: {checked}"
            shutil.rmtree(directory / "step-00000002", ignore_errors=True)
            return
        self.refused += 1
        for problem in refusal_problems(outcome):
            yield f"{what}, {io}: {problem}"
        changes = differences(before, fingerprint(directory))
        if changes:
            yield f"{what}, {io}: the directory changed: {changes}"
        yield from bench.older_problems(directory)

    def on_one_rank(self, rank: int, command: str) -> tuple[pathlib.Path, ...]:
        """A wrapper: only `rank` goes through `command`."""
        script = self.bench.root / "on-one-rank"
        script.write_text(f'#!/bin/sh\nif [ "{SHELL_RANK}" = {rank} ]; then {command}; fi\nexec "$@"\n')
        script.chmod(0o755)
        return (script,)

    def limited_rank(self, io: str | None, rank: int) -> Iterator[str]:
        # Less would hit the shared memory of MPI itself.
        kib = self.bench.random.randrange(self.num_bytes // 4096, self.num_bytes // 2048)
        wrapper = self.on_one_rank(rank, f"ulimit -f {2 * kib}")
        yield from self.refused_save(f"{kib} KiB a file on rank {rank}", self.bench.directory, io, wrapper, True)

    def failing_rank(self, io: str | None, rank: int) -> Iterator[str]:
        share = self.num_bytes // self.bench.arguments.ranks
        after = self.bench.random.randrange(share // 2)
        mode = self.bench.random.choice(["ENOSPC", "EIO", "drop"])
        wrapper = self.on_one_rank(rank, (
            f"export LD_PRELOAD={self.bench.arguments.library} SHARDMARK_TEST_FAIL_RANK={rank} "
            f"SHARDMARK_TEST_FAIL_MODE={mode} SHARDMARK_TEST_FAIL_AFTER={after}"))  # fmt: skip
        what = f"{mode} after {after} bytes on rank {rank}"
        yield from self.refused_save(what, self.bench.directory, io, wrapper, True)

    def small_memory_file_system(self, io: str | None, rank: int) -> Iterator[str]:
        mount = self.bench.root / "small"
        mount.mkdir(exist_ok=True)
        size = self.num_bytes + self.bench.random.randrange(1 << 16, self.num_bytes)
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "shardmark-full", mount], check=True)
        try:
            directory = mount / "checkpoints"
            shutil.copytree(self.bench.directory / "step-00000001", directory / "step-00000001")
            yield from self.refused_save(f"a file system of {size} bytes", directory, io)
        finally:
            subprocess.run(["umount", mount], check=True)

    def finish(self) -> Iterable[str]:
        if self.refused == 0:
            yield "no save failed: the faults did not reach it"

    def summary(self) -> str:
        return f"{self.refused} refused, the others whole"


class Disagreements:
    """One rank is told something else than the others."""

    def __init__(self, bench: Bench):
        self.bench = bench

    def play(self, number: int) -> Iterator[str]:
        bench = self.bench
        key, value = DISAGREEMENTS[number % len(DISAGREEMENTS)]
        ranks = bench.arguments.ranks
        odd = bench.random.randrange(ranks)
        groups = []
        for count, more in ((odd, ()), (1, (key, value)), (ranks - 1 - odd, ())):
            if count:
                words: dict[str, object] = {"--dir": bench.directory, "--step": "3", "--seed": "5"}
                rest = more
                if more and more[0] in words:
                    words |= {more[0]: bench.root / more[1] if key == "--dir" else more[1]}
                    rest = ()
                flat = [word for pair in words.items() for word in pair]
                groups.append(["-n", count, bench.arguments.shardmark, "save", "./case.toml",
                               *bench.settings(), *flat, *rest])  # fmt: skip
        command = groups[0] + [word for group in groups[1:] for word in [":", *group]]
        before = fingerprint(bench.root)
        job = Job([bench.arguments.mpiexec, *command], bench.root)
        outcome = job.wait(LIMIT_S)
        if outcome.code == 0 and value in MAY_BE_WHOLE:
            checked = bench.alone("inspect", bench.directory, "--step", 3, "--verify")
            if checked.code != 0:
                yield f"rank {odd} with {key} {value}: the save claims success and is not whole: {checked}"
            shutil.rmtree(bench.directory / "step-00000003")
            return
        for problem in refusal_problems(outcome, (1, 2)):
            yield f"rank {odd} with {key} {value}: {problem}"
        if job.left_after(30.0):
            yield f"rank {odd} with {key} {value}: processes are left"
            job.end()
        changes = differences(before, fingerprint(bench.root))
        if changes:
            yield f"rank {odd} with {key} {value}: files changed: {changes}"

    def finish(self) -> Iterable[str]:
        yield from self.bench.older_problems()


class Starts:
    """`run smoke` at three ranks must end well every time."""

    def __init__(self, bench: Bench):
        self.bench = bench

    def play(self, number: int) -> Iterator[str]:
        bench = self.bench
        words = [bench.arguments.mpiexec, "-n", 3, bench.arguments.shardmark, "run", "smoke", "--set",
                 f"storage.directory={bench.root / 'smoke'}"]  # fmt: skip
        outcome = run(words, LIMIT_S, bench.root)
        if outcome.code != 0:
            yield f"start {number + 1}: {outcome}"

    def finish(self) -> Iterable[str]:
        return ()
