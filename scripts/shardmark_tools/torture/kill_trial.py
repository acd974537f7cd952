# SPDX-License-Identifier: Apache-2.0
"""Signals to one rank, to all, or to the launcher, at random moments of saves, loads and runs, with an undisturbed job
beside that loads or runs in the same directory."""

import contextlib
import os
import random
import re
import signal
import time
from collections.abc import Iterator

from shardmark_tools.launch.jobs import Outcome, differences, fingerprint
from shardmark_tools.torture.score import Verdict
from shardmark_tools.torture.site import END_LIMIT_S, LIMIT_S, RANKS, STEP, Form, Site, step_name

VICTIMS = ("save", "async save", "load", "run")
BESIDE = (None, None, "load", "run")
TARGETS = ("one rank", "all ranks", "launcher")
# What is sent first, and what after a pause.
SIGNALS = {
    "SIGKILL": (signal.SIGKILL, None),
    "SIGTERM": (signal.SIGTERM, None),
    "SIGINT": (signal.SIGINT, None),
    "SIGSTOP and SIGCONT": (signal.SIGSTOP, signal.SIGCONT),
    "SIGSTOP and SIGKILL": (signal.SIGSTOP, signal.SIGKILL),
}
# The moment: when this is seen in the directory, and a little later. None: any time since the ranks are there.
TRIGGERS = (None, "*partial*", "*partial*/checkpoint.*", "*partial*/COMMIT", step_name(STEP + 1))
START_LIMIT_S = 30
PAUSE_S = 0.5
STRANGER = "notes.txt"


def crashed_processes(text: str) -> set[int]:
    """Those of which Open MPI tells that they died of themselves. Its launcher does too, sometimes: that is not ours."""
    return {int(pid) for pid in re.findall(r"^\[[^\]\s]*:(\d+)\] Signal: (?:Segmentation fault|Aborted|Bus error)", text, re.M)}


class Processes:
    """Those of a job, held so that a number that was given to another process is never signalled."""

    def __init__(self, pids: list[int]):
        self.handles: list[int] = []
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                self.handles.append(os.pidfd_open(pid))

    def send(self, number: int) -> int:
        """How many were still there."""
        reached = 0
        for handle in self.handles:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(handle, number)
                reached += 1
        return reached

    def close(self) -> None:
        for handle in self.handles:
            os.close(handle)


class KillTrial:
    name = "kills"

    def __init__(self, site: Site, launcher_failed: list[str]):
        """`launcher_failed` gets what is counted apart."""
        self.site = site
        self.launcher_failed = launcher_failed

    def attack(self, form: Form, number: int, chance: random.Random) -> Verdict | None:
        """A job that was over before the signal came is done again, struck earlier; None after five."""
        victim, how = VICTIMS[number % len(VICTIMS)], chance.choice(list(SIGNALS))
        target = chance.choice(TARGETS)
        if victim == "async save" and not form.background_modes:
            victim = "save"
        io = chance.choice(form.background_modes if victim == "async save" else form.io_modes)
        what = f"{how} of {target} in a {victim}"
        trigger = chance.choice(TRIGGERS if "save" in victim else TRIGGERS[:1])
        delay = chance.uniform(0, 0.03 if trigger else 0.8)
        for _ in range(5):
            struck = Strike(self.site, form, victim, io, chance.choice(BESIDE))
            try:
                if struck.strike(target, how, trigger, delay, chance):
                    ending, told = struck.judge()
                    if struck.launcher_hung:
                        self.launcher_failed.append(f"all ranks had ended, and the launcher had not after {END_LIMIT_S} s: {what}")
                    if struck.launcher_crashed:
                        self.launcher_failed.append(f"the launcher itself crashed after {what}")
                    moment = f"{trigger or 'ranks'} + {delay * 1e3:.0f} ms, {io}"
                    return Verdict(ending, what, f"{what} ({moment}): {told}" if told else "")
            finally:
                struck.end()
            delay /= 4
        return None


class Strike:
    """One job in a directory that holds an older step and a stranger's file, and another beside it if asked."""

    def __init__(self, site: Site, form: Form, victim: str, io: str, beside: str | None):
        self.site = site
        self.directory = form.directory_with_step("struck")
        (self.directory / STRANGER).write_text("not ours\n")
        self.before = fingerprint(self.directory)
        self.victim = victim
        self.launcher_hung = False
        self.launcher_crashed = False
        self.settings = [*form.settings, *form.io_settings(io)]
        self.form = form
        self.job = site.start(self._words(victim, RANKS))
        self.beside = site.start(self._words(beside, 2)) if beside else None
        self.paused = False

    def _words(self, command: str, ranks: int) -> list[str]:
        if "save" in command:
            more = ["--set", "storage.async=true"] if command == "async save" else []
            return self.form.save_words(self.directory, STEP + 1, *self.settings, *more)
        if command == "load":
            return self.site.words("load", "--dir", self.directory, "--verify", ranks=ranks)
        return self.site.words("run", *self.settings, "--set", f"storage.directory={self.directory}",
                               "--set", 'run.benchmarks=["save","load"]', "--set", "run.repetitions=3",
                               "--set", "run.warmup=0", "--set", "run.cold_read=false", ranks=ranks)  # fmt: skip

    def strike(self, target: str, how: str, trigger: str | None, delay: float, chance: random.Random) -> bool:
        """Whether it reached anybody."""
        ranks = self._wait_for_ranks()
        if not ranks:
            return False
        pids = {"one rank": [chance.choice(ranks)], "all ranks": ranks, "launcher": [self.job.process.pid]}[target]
        chosen = Processes(pids)
        try:
            while trigger and not any(self.directory.glob(trigger)) and self.job.process.poll() is None:
                time.sleep(0.0005)
            time.sleep(delay)
            first, second = SIGNALS[how]
            if self.job.process.poll() is not None or chosen.send(first) == 0:
                return False
            if second is not None:
                time.sleep(chance.uniform(0, PAUSE_S))
                chosen.send(second)
            self.paused = second == signal.SIGCONT
            return True
        finally:
            chosen.close()

    def _wait_for_ranks(self) -> list[int]:
        deadline = time.monotonic() + START_LIMIT_S
        while self.job.process.poll() is None and time.monotonic() < deadline:
            ranks = self.job.ranks()
            if len(ranks) == RANKS:
                return [ranks[rank] for rank in sorted(ranks)]
            time.sleep(0.005)
        return []

    def judge(self) -> tuple[str, str]:
        """The ending and what was seen."""
        launcher = self.job.process.pid
        limit_s = LIMIT_S if self.paused else END_LIMIT_S
        deadline = time.monotonic() + limit_s
        while self.job.alive() and time.monotonic() < deadline:
            time.sleep(0.02)
        left = self.job.alive()
        # Open MPI 4.1's mpirun does, now and then, with a program of MPI_Init() and sleep() too.
        self.launcher_hung = left == [launcher]
        outcome = self.job.wait(0 if left else LIMIT_S)
        if not self.launcher_hung and (left or outcome.code is None):
            return "hung", f"{len(left)} processes are left after {limit_s} s: {outcome}"
        if beside := self._beside_problem():
            return beside
        crashed = crashed_processes(outcome.err)
        self.launcher_crashed = launcher in crashed
        if crashed - {launcher}:
            return "crashed", str(outcome)
        for problem in self._problems(outcome):
            return "lost", problem
        return ("harmless" if outcome.code == 0 else "found"), ""

    def _beside_problem(self) -> tuple[str, str] | None:
        if self.beside is None:
            return None
        done = self.beside.wait(LIMIT_S)
        if done.code == 0:
            return None
        return ("hung" if done.code is None else "lost"), f"a job that nothing disturbed failed beside it: {done}"

    def _problems(self, outcome: Outcome) -> Iterator[str]:
        """What is not as promised afterwards, the next save included."""
        new = step_name(STEP + 1)
        if self.paused and outcome.code != 0 and not self.launcher_hung:
            yield f"a job that was only paused failed: {outcome}"
        if outcome.code == 0 and "save" in self.victim and not (self.directory / new).exists():
            yield f"the save ended with 0 and there is no {new}"
        newest = self.directory / new
        for step in (STEP, STEP + 1) if newest.exists() else (STEP,):
            checked = self.site.inspect(self.directory, step)
            if checked.code != 0:
                yield f"step {step} is not whole: {checked}"
        loaded = self.site.load_alone(self.directory)
        if loaded.code != 0:
            yield f"the newest step does not load: {loaded}"
        expected = {path.name for path in self.directory.glob("step-*")} | {STRANGER, step_name(STEP + 2)}
        saved = self.site.save_alone(self.directory, STEP + 2)
        found = {path.name for path in self.directory.iterdir()}
        if saved.code != 0:
            yield f"the next save failed: {saved}"
        elif found != expected:
            yield f"after the next save there is {sorted(found)}, expected {sorted(expected)}: {saved}"
        after = {name: facts for name, facts in fingerprint(self.directory).items() if name in self.before}
        if changes := differences(self.before, after):
            yield f"what was there is not as before: {changes}"

    def end(self) -> None:
        for job in (self.job, self.beside):
            if job is not None:
                job.end()
                job.wait(LIMIT_S)
