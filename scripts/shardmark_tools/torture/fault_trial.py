# SPDX-License-Identifier: Apache-2.0
"""Storage that fails underneath a rank: the n-th call of a kind gives an error or does half of its work, once or from
then on. A job under it ends with one message or does its work all the same; it never says that a step is saved whose
fsync failed."""

import errno
import pathlib
import random
import shutil
from collections.abc import Sequence

from shardmark_tools.launch.jobs import Outcome, differences, fingerprint
from shardmark_tools.torture.score import Verdict
from shardmark_tools.torture.site import FORMS, LIMIT_S, STEP, Form, Site, step_name

SHORT = "short"
TRANSFER = (errno.EIO, errno.ESTALE, errno.ETIMEDOUT)
FULL = (errno.ENOSPC, errno.EDQUOT)
# What each kind of call may fail with.
FAULTS: dict[str, tuple[int | str, ...]] = {
    "open": (errno.EIO, errno.ESTALE, errno.EACCES, errno.EROFS, errno.ENFILE),
    "read": (*TRANSFER, errno.EINTR, SHORT),
    "write": (*TRANSFER, *FULL, errno.EINTR, SHORT, SHORT),
    "sync": (errno.EIO, *FULL, errno.EINTR),
    "sync-folder": (errno.EIO,),
    "truncate": (errno.EIO, *FULL),
    "allocate": (errno.EIO, *FULL, errno.EOPNOTSUPP),
    "rename": (errno.EIO, errno.ENOSPC),
    "remove": (errno.EIO, errno.EACCES),
    "make-folder": (errno.EACCES, errno.EROFS, *FULL),
    "close": (errno.EIO, *FULL),
}
# They would be met again for ever.
ONLY_ONCE = (errno.EINTR,)
# Layouts begin with different jobs.
FORM_NAMES = [name for name, _ in FORMS]
# These say that bytes may be lost.
SYNCS = ("sync", "sync-folder")
# The exit code of a run that ended itself past its deadline.
LATE = 3
# Whose save it is: gone when it is committed.
NOT_CONTENT = "/owner"


def fault_name(fault: int | str) -> str:
    return fault if isinstance(fault, str) else errno.errorcode[fault]


class FaultTrial:
    name = "faults"

    def __init__(self, site: Site):
        self.site = site
        # How often each rank makes each kind of call, undisturbed: [(rank, kind, count)].
        self.calls: dict[tuple[str, str, str], list[tuple[int, str, int]]] = {}

    def attack(self, form: Form, number: int, chance: random.Random) -> Verdict | None:
        """Kinds of calls in turn, so that the rare ones are tried as often as the others."""
        turn_of_form = number + FORM_NAMES.index(form.name)
        command = "load" if turn_of_form % 4 == 3 else "save"
        io = form.io_modes[turn_of_form // 8 % len(form.io_modes)]
        key = (form.name, command, io)
        if key not in self.calls:
            self.calls[key] = self.count(form, command, io)
        kind = chance.choice(sorted({kind for _, kind, _ in self.calls[key] if kind in FAULTS}) or [""])
        places = [(rank, count) for rank, called, count in self.calls[key] if called == kind]
        if not places:
            return None
        rank, count = chance.choice(places)
        fault = chance.choice(FAULTS[kind])
        once = fault in ONLY_ONCE or chance.random() < 0.5
        turn = chance.randrange(count)
        variables = {"SHARDMARK_TORTURE_RANK": str(rank),
                     "SHARDMARK_TORTURE_FAULT": f"{kind}:{turn}:{fault}:{'once' if once else 'always'}"}  # fmt: skip
        directory = form.directory_with_step("faulty")
        before = fingerprint(directory)
        outcome, hits = self.play(form, command, io, directory, variables)
        try:
            if not hits:
                return None
            ending, told = self.judge(command, kind, fault, outcome, hits, directory, before)
            what = f"{kind} {fault_name(fault)}"
            moment = f"{command}, {io}: {kind} {turn} of {count} on rank {rank} {fault_name(fault)} {'once' if once else 'from then on'}"
            return Verdict(ending, what, f"{moment}: {told}" if told else "")
        finally:
            shutil.rmtree(directory, ignore_errors=True)

    def play(self, form: Form, command: str, io: str, directory: pathlib.Path,
             variables: dict[str, str]) -> tuple[Outcome, list[str]]:  # fmt: skip
        """The outcome, and the lines of what was hit and counted."""
        hits = self.site.root / "hits"
        hits.unlink(missing_ok=True)
        preloaded = {"SHARDMARK_TORTURE_ROOT": str(directory), "SHARDMARK_TORTURE_HITS": str(hits), **variables}
        settings = form.io_settings(io)
        if command == "save":
            words = form.save_words(directory, STEP + 1, *settings, preloaded=preloaded)
        else:
            words = self.site.words("load", *settings, "--dir", directory, "--verify", preloaded=preloaded)
        job = self.site.start(words)
        outcome = job.wait(LIMIT_S)
        if job.left_after(30):
            job.end()
            outcome = Outcome(None, outcome.out, f"processes were left\n{outcome.err}", outcome.elapsed_s)
        return outcome, hits.read_text(errors="replace").splitlines() if hits.exists() else []

    def count(self, form: Form, command: str, io: str) -> list[tuple[int, str, int]]:
        _, lines = self.play(form, command, io, form.directory_with_step("faulty"), {})
        words = [line.split() for line in lines if line.startswith("count ")]
        return sorted((int(rank), kind, int(count)) for _, rank, kind, count in (w for w in words if len(w) == 4))

    def judge(self, command: str, kind: str, fault: int | str, outcome: Outcome, lines: Sequence[str],
              directory: pathlib.Path, before: dict[str, object]) -> tuple[str, str]:  # fmt: skip
        hits = [line for line in lines if line.startswith("hit ")]
        if not hits:
            raise AssertionError("asked for what was hit")
        if outcome.code in (None, LATE):
            return "hung", str(outcome)
        if outcome.code not in (0, 1, 2) or (outcome.code != 0 and len(outcome.messages()) != 1):
            return "crashed", f"expected one message: {outcome}"
        new = directory / step_name(STEP + 1)
        if outcome.code == 0 and command == "save":
            if not new.exists():
                return "lost", f"the save ended with 0 and there is no {new.name}"
            unsure = [line for line in hits if not line.endswith(NOT_CONTENT)]
            if kind in SYNCS and fault != errno.EINTR and unsure:
                return "lost", f"an fsync failed and the step was committed all the same: {unsure[0]}"
        for step in (STEP, STEP + 1) if new.exists() else (STEP,):
            checked = self.site.inspect(directory, step)
            loaded = self.site.load_alone(directory, "--step", step) if checked.code == 0 else checked
            if checked.code != 0 or loaded.code != 0:
                return ("silent" if outcome.code == 0 and step > STEP else "lost"), f"step {step} is not whole: {loaded}"
        expected = {step_name(STEP), step_name(STEP + 2), *([new.name] if new.exists() else [])}
        saved = self.site.save_alone(directory, STEP + 2)
        found = {path.name for path in directory.iterdir()}
        if saved.code != 0 or found != expected:
            return "lost", f"the next save, after which there is {sorted(found)}, expected {sorted(expected)}: {saved}"
        after = {name: facts for name, facts in fingerprint(directory).items() if name in before}
        if changes := differences(before, after):
            return "lost", f"what was there is not as before: {changes}"
        return ("harmless" if outcome.code == 0 else "found"), ""
